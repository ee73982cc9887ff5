//! `gopsy explain` on deaths in C.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_testing::{BuildMode, Built, NEWEST, each_built, has_tool};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "package main

/*
#include <stdlib.h>
static inline void inner(int n) {
	if (n > 0)
		abort();
}
static void outer(int n) {
	inner(n);
}
static void (*volatile nothing)(void);
static void last(void) {
	nothing();
}
*/
import \"C\"
import \"os\"

func main() {
	if len(os.Args) > 1 && os.Args[1] == \"null\" {
		C.last()
	}
	if len(os.Args) > 1 {
		var none *int
		*none = 1
	}
	C.outer(7)
}
";

fn explain(args: &[&str], folder: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gopsy"));
    let output =
        command.arg("explain").args(args).current_dir(folder).env("NO_COLOR", "1").env("COLUMNS", "100").output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// Lets it die, and keeps what it printed as `text`.
fn dies(folder: &Path, args: &str) {
    let died = gopsy_testing::dies(folder, &format!("./app {args}"), &[]).unwrap();
    std::fs::write(folder.join("text"), died.stderr).unwrap();
    std::fs::rename(died.core, folder.join("core")).unwrap();
}

#[test]
fn a_death_in_c_shows_the_frames_of_c() {
    let line = |text: &str| SOURCE.lines().position(|l| l.contains(text)).unwrap() as u64 + 1;
    let ways = [("1.16", BuildMode::Plain), ("1.20", BuildMode::Pie), (NEWEST, BuildMode::Plain)];
    each_built(SOURCE, true, &ways, |built| {
        let Built { name, folder, toolchain } = built;

        dies(folder, "");
        let found: Value = serde_json::from_str(&explain(&["core", "--json"], folder)).unwrap();
        assert_eq!(found["verdict"]["kind"], "native-abort", "{name}");
        let frames = found["native"]["frames"].as_array().unwrap();
        let at = frames.iter().position(|f| f["function"] == "abort").unwrap();
        let [abort, inner, outer] = &frames[at..at + 3] else { panic!("{name}: {frames:#?}") };
        assert!(abort["module"].as_str().unwrap().starts_with("libc"), "{name}: {abort:#}");
        assert_eq!((&inner["function"], &inner["line"]), (&"inner".into(), &line("abort();").into()), "{name}");
        assert_eq!((&outer["function"], &outer["line"]), (&"outer".into(), &line("inner(n);").into()), "{name}");
        let in_c = |frame: &Value| frame["foreign"] == true && frame["module"].is_string();
        assert!(frames.iter().all(in_c), "{name}: {frames:#?}");
        let page = explain(&["core"], folder);
        assert!(page.contains("  in C ") && !page.contains("a core has them"), "{name}: {page}");
        // Its debug information in a file of its own, found by the link.
        if toolchain.version == NEWEST && has_tool("objcopy") {
            for args in [
                &["--only-keep-debug", "app", "app.debug"][..],
                &["--strip-debug", "--add-gnu-debuglink=app.debug", "app", "stripped"],
            ] {
                assert!(Command::new("objcopy").args(args).current_dir(folder).status().unwrap().success(), "{name}");
            }
            let stripped: Value =
                serde_json::from_str(&explain(&["core", "--json", "--bin", "stripped"], folder)).unwrap();
            assert_eq!(stripped["native"]["frames"], found["native"]["frames"], "{name}");
            std::fs::remove_file(folder.join("app.debug")).unwrap();
            let alone = explain(&["core", "--bin", "stripped"], folder);
            assert!(!alone.contains("inner") && alone.contains("outer"), "{name}: {alone}");
        }
        // The text has no frames of C, and says who has.
        let text = explain(&["text"], folder);
        assert!(!text.contains("  in C ") && text.contains("a core has them"), "{name}: {text}");

        // C calls nothing, as the last thing that it does: no frame of C is left, and nobody is sent for a core that is there.
        dies(folder, "null");
        let page = explain(&["core"], folder);
        assert!(!page.contains("ulimit") && page.contains("main.main"), "{name}: {page}");
        if toolchain.version == NEWEST {
            assert!(page.contains("  in C     0x0 ") && page.contains("no function of C is known"), "{name}: {page}");
        }
        assert!(explain(&["text"], folder).contains("ulimit"), "{name}");

        // Go itself fails.
        dies(folder, "go");
        let found: Value = serde_json::from_str(&explain(&["core", "--json"], folder)).unwrap();
        assert_eq!((&found["verdict"]["kind"], &found["native"]), (&"nil-dereference".into(), &Value::Null), "{name}");
        assert!(!explain(&["core"], folder).contains("  in C "), "{name}");
    });
}
