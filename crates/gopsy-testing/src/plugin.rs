//! A program that dies in a plugin.

use crate::{BuildMode, Died, Toolchain, dies, run};
use std::path::Path;

/// The source of the plugin.
pub const PLUGIN_SOURCE: &str = include_str!("../plugin/p/p.go");

/// Builds a program `host` and its plugin `p.so` in a folder and lets it die by one of the plugin's functions: `Boom` or `Throw`.
/// Wants a C compiler.
///
/// # Errors
/// Why that failed.
pub fn dies_in_plugin(folder: &Path, toolchain: &Toolchain, mode: BuildMode, by: &str) -> Result<Died, String> {
    let sources = [("p", PLUGIN_SOURCE), ("h", include_str!("../plugin/h/h.go"))];
    for (name, source) in sources {
        let package = folder.join(name);
        std::fs::create_dir_all(&package).map_err(|error| error.to_string())?;
        std::fs::write(package.join("main.go"), source).map_err(|error| error.to_string())?;
    }
    std::fs::write(folder.join("go.mod"), "module example.com/plug\n\ngo 1.16\n").map_err(|error| error.to_string())?;
    let flags = [mode.flags(), &["-buildmode=plugin"]].concat();
    run(toolchain.build(folder, &folder.join("p.so"), &flags, true).arg("./p"))?;
    run(toolchain.build(folder, &folder.join("host"), mode.flags(), true).arg("./h"))?;
    dies(folder, &format!("./host {by}"), &[])
}
