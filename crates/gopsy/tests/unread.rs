//! `gopsy explain` and `gopsy stacks` on the core of a program that is not Go's.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_testing::{cgo_core_problem, dies, skip};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "#include <pthread.h>
#include <unistd.h>

static void *idle(void *p) {
	pause();
	return p;
}

static int follow(int *p) {
	return *p;
}

int main(void) {
	pthread_t t;
	pthread_create(&t, 0, idle, 0);
	pthread_create(&t, 0, idle, 0);
	usleep(20000);
	return follow(0);
}
";

fn gopsy(args: &[&str], core: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gopsy"));
    let output = command.args(args).arg(core).env("NO_COLOR", "1").env("COLUMNS", "100").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_program_of_c_shows_its_threads() {
    if let Some(problem) = cgo_core_problem() {
        return skip("zoo", &problem);
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("app.c"), SOURCE).unwrap();
    let built = Command::new("gcc").args(["-g", "-O0", "-pthread", "app.c", "-o", "app"]).current_dir(folder).status();
    assert!(built.unwrap().success());
    let core = dies(folder, "./app", &[]).unwrap().core;
    let line = |text: &str| SOURCE.lines().position(|l| l.contains(text)).unwrap() as u64 + 1;

    let found: Value = serde_json::from_str(&gopsy(&["explain", "--json"], &core)).unwrap();
    assert_eq!(found["verdict"]["kind"], "native-fault", "{found:#}");
    assert_eq!(
        (&found["verdict"]["culprit"]["function"], &found["verdict"]["culprit"]["line"]),
        (&"follow".into(), &line("return *p").into())
    );
    assert!(found["notes"][0].as_str().unwrap().contains("it is no Go program"), "{found:#}");
    let threads = found["goroutines"].as_array().unwrap();
    assert!(threads.len() == 3 && threads.iter().all(|t| t["role"] == "thread" && t["thread"].is_u64()), "{found:#}");

    let page = gopsy(&["stacks"], &core);
    assert!(page.starts_with("3 threads in 2 groups") && page.contains("\n2 ×  threads\n"), "{page}");
    for (function, place) in [("follow", line("return *p")), ("idle", line("pause();"))] {
        let shown = |row: &&str| row.trim_start().starts_with(function) && row.ends_with(&format!("app.c:{place}"));
        assert_eq!(page.lines().filter(shown).count(), 1, "{function}: {page}");
    }
    let page = gopsy(&["explain"], &core);
    assert!(!page.contains("no function of C is known") && page.contains("in       thread "), "{page}");
}
