//! Which Go version a program states when its build information is gone.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_image::Image;
use gopsy_runtime::{StatedBy, StatedVersion};
use gopsy_testing::{BuildMode, NEWEST, Toolchain, skip, versions};
use std::sync::Arc;

/// What build information begins with, in files of all releases.
const MAGIC: &[u8] = b"\xff Go buildinf:";

/// Zeros wherever that stands.
fn blank(file: &mut [u8], what: &[u8]) {
    let all = file.windows(what.len()).enumerate().filter(|(_, window)| *window == what);
    for at in all.map(|(at, _)| at).collect::<Vec<_>>() {
        file[at..at + what.len()].fill(0);
    }
}

#[test]
fn the_linker_writes_it_twice() {
    for version in versions(&["1.16", "1.18", "1.21", NEWEST]) {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        for mode in [BuildMode::Stripped, BuildMode::Pie] {
            let folder = tempfile::tempdir().unwrap();
            let source = "package main\n\nfunc main() { println(1) }\n";
            let app = toolchain.program(folder.path(), source, mode.flags(), false).unwrap();
            let mut file = std::fs::read(app).unwrap();
            let stated = |file: &[u8]| StatedVersion::of(&Image::parse(Arc::new(file.to_vec())).unwrap());
            let name = format!("{} {}", toolchain.release, mode.as_str());
            let told = |by| Some(StatedVersion { text: toolchain.release.clone(), by });
            assert_eq!(stated(&file), told(StatedBy::BuildInformation), "{name}");

            blank(&mut file, MAGIC);
            assert_eq!(stated(&file), told(StatedBy::Variable), "{name}");
            // The text is gone, too: nothing is said.
            blank(&mut file, toolchain.release.as_bytes());
            assert_eq!(stated(&file), None, "{name}");
        }
    }
}
