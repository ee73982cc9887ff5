//! The transcripts of the README are what gopsy prints.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

/// `$ command` and what it printed, for every transcript of a Markdown file.
fn transcripts(markdown: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside && let Some(command) = line.strip_prefix("$ ") {
            out.push((command.to_owned(), String::new()));
        } else if inside && let Some((_, printed)) = out.last_mut() {
            printed.push_str(line);
            printed.push('\n');
        }
    }
    out.retain(|(_, printed)| !printed.is_empty());
    out
}

#[test]
fn the_readme_shows_what_gopsy_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let shown = transcripts(&readme);
    assert!(shown.len() >= 2, "the README has {} transcripts", shown.len());
    for (command, printed) in shown {
        let mut words = command.split(' ');
        assert_eq!(words.next(), Some("gopsy"), "{command}");
        let done = Command::new(env!("CARGO_BIN_EXE_gopsy"))
            .args(words)
            .current_dir(&root)
            .env_clear()
            .env("LANG", "C.UTF-8")
            .output()
            .unwrap();
        assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(String::from_utf8_lossy(&done.stdout), printed, "{command}");
    }
}
