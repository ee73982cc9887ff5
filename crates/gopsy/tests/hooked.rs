//! Code that is compiled with race hooks on a system stack: a specimen of the zoo, its cores.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_testing::{BuildMode, NEWEST, Toolchain, cgo_core_problem, skip, specimen, versions};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn explain(args: &[&str], folder: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gopsy"));
    command.arg("explain").args(args).current_dir(folder).env("NO_COLOR", "1").env("COLUMNS", "200");
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// The runtime prints nothing of that stack, or where it was thrown; a core has what stands on it.
#[test]
fn a_core_tells_whose_hook_it_was() {
    if let Some(problem) = cgo_core_problem() {
        return skip("zoo", &problem);
    }
    for version in versions(&["1.16", "1.19", "1.24", NEWEST]) {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let main = specimen("race-hook", &["system"], folder).unwrap();
        toolchain.program(folder, &main, BuildMode::Race.flags(), true).unwrap();
        let core = gopsy_testing::dies(folder, "./app", &[]).unwrap().core;
        let core = core.to_str().unwrap();
        let (name, page) = (&toolchain.release, explain(&[core], folder));
        let said: Value = serde_json::from_str(&explain(&["--json", core], folder)).unwrap();
        let verdict = &said["verdict"];
        assert_eq!(verdict["cause"], "race-hook-on-system-stack", "{name}: {page}");
        assert_eq!(
            (&verdict["culprit"]["function"], &verdict["culprit"]["goroutine"]),
            (&"main.hook".into(), &1.into())
        );
        let functions = |of: &Value| -> Vec<String> {
            let frames = of["frames"].as_array().unwrap().iter();
            frames.map(|frame| frame["function"].as_str().unwrap().to_owned()).collect()
        };
        assert!(functions(&said["native"])[0].starts_with("__tsan_"), "{name}: {said:#}");
        let system = functions(&said["system"]);
        assert!(system.starts_with(&["racecall".to_owned(), "racefuncenter".to_owned()]), "{name}: {system:?}");
        let at = system.iter().position(|function| function == "main.hook");
        assert_eq!(system[at.unwrap() + 1], "runtime.systemstack", "{name}: {system:?}");
        assert!(page.contains("  system "), "{name}: {page}");
    }
}
