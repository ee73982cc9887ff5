//! A program that dies in a plugin.

use crate::{BuildMode, Toolchain, core_in, core_pattern_problem, has_tool, run};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The source of the plugin.
pub const PLUGIN_SOURCE: &str = include_str!("../plugin/p/p.go");

/// What it left, in a folder: the program `host`, the plugin `p.so` and the core.
pub struct DiedInPlugin {
    /// The core.
    pub core: PathBuf,
    /// What the runtime printed.
    pub printed: Vec<u8>,
}

impl DiedInPlugin {
    /// What this machine lacks for it.
    #[must_use]
    pub fn problem() -> Option<String> {
        core_pattern_problem().or_else(|| (!has_tool("gcc")).then(|| "there is no gcc".to_owned()))
    }

    /// Builds the program and its plugin in a folder and lets it die by one of the plugin's functions: `Boom` or `Throw`. Wants a
    /// C compiler.
    ///
    /// # Errors
    /// Why that failed.
    pub fn make(folder: &Path, toolchain: &Toolchain, mode: BuildMode, by: &str) -> Result<Self, String> {
        let sources = [("p", PLUGIN_SOURCE), ("h", include_str!("../plugin/h/h.go"))];
        for (name, source) in sources {
            let package = folder.join(name);
            std::fs::create_dir_all(&package).map_err(|error| error.to_string())?;
            std::fs::write(package.join("main.go"), source).map_err(|error| error.to_string())?;
        }
        std::fs::write(folder.join("go.mod"), "module example.com/plug\n\ngo 1.16\n")
            .map_err(|error| error.to_string())?;
        let flags = [mode.flags(), &["-buildmode=plugin"]].concat();
        run(toolchain.build(folder, &folder.join("p.so"), &flags, true).arg("./p"))?;
        run(toolchain.build(folder, &folder.join("host"), mode.flags(), true).arg("./h"))?;
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -c unlimited && exec ./host {by}")]).current_dir(folder);
        command.env("GOTRACEBACK", "crash").stdout(Stdio::null());
        let printed = command.output().map_err(|error| error.to_string())?.stderr;
        let core = core_in(folder).ok_or_else(|| format!("no core: {}", String::from_utf8_lossy(&printed)))?;
        Ok(DiedInPlugin { core, printed })
    }
}
