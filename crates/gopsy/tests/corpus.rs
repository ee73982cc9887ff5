//! The real crash texts and stories beside the repository, if they are there: what gopsy says of them.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

use serde_json::Value;
use std::path::{Path, PathBuf};

fn beside(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    if path.is_dir() {
        return Some(path);
    }
    gopsy_testing::skip("corpus", &format!("there is nothing at {}", path.display()));
    None
}

/// What gopsy says of a text whose name it does not see.
fn explain(text: &[u8]) -> Value {
    gopsy_zoo::explain(Path::new(env!("CARGO_BIN_EXE_gopsy")), text).unwrap()
}

fn strings(v: &Value) -> Vec<&str> {
    v.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A function's name as far as spellings differ between releases.
fn plain(name: &str) -> String {
    let mut depth = 0;
    let mut out = String::new();
    for c in name.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            '(' | ')' | ' ' => {}
            '\u{b7}' if depth == 0 => out.push('.'),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out.replace("%2e", ".")
}

#[test]
fn the_corpus_is_read_right_and_nothing_false_is_claimed() {
    let Some(root) = beside("crash-texts") else { return };
    let (mut texts, mut wrong) = (0u32, Vec::new());
    let (mut culprits, mut culprits_right, mut carried, mut carried_right) = (0u32, 0u32, 0u32, 0u32);
    for entry in std::fs::read_dir(root.join("expect")).unwrap() {
        let path = entry.unwrap().path();
        let expect: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let said = explain(&std::fs::read(root.join(&name).join("crash.txt")).unwrap());
        let verdict = &said["verdict"];
        texts += 1;
        let kind = verdict["kind"].as_str().unwrap();
        if kind != expect["kind"] && !strings(&expect["kind_also_ok"]).contains(&kind) {
            wrong.push(format!("{name}: kind {kind}"));
        }
        let (cause, confidence) = (verdict["cause"].as_str().unwrap(), verdict["confidence"].as_str().unwrap());
        let never = strings(&expect["causes_wrong_if_certain"]);
        let sure = matches!(confidence, "likely" | "certain");
        let certain = confidence == "certain" && never.contains(&format!("{cause}:certain").as_str());
        if cause != "unknown" && (sure && never.contains(&cause) || certain) {
            wrong.push(format!("{name}: a false claim, {cause} ({confidence})"));
        }
        let right = strings(&expect["causes_ok"]);
        if !right.contains(&"unknown") {
            carried += 1;
            carried_right += u32::from(right.contains(&cause));
        }
        if expect["culprit_none"] != true {
            culprits += 1;
            let culprit = &verdict["culprit"];
            let function = plain(culprit["function"].as_str().unwrap_or(""));
            let named = strings(&expect["culprit_ok"]).iter().any(|ok| plain(ok) == function);
            let base = culprit["file"].as_str().unwrap_or("").rsplit(['/', '\\']).next().unwrap_or("").to_owned();
            let line = format!("{base}:{}", culprit["line"]);
            culprits_right += u32::from(named || strings(&expect["culprit_lines_ok"]).contains(&line.as_str()));
        }
    }
    assert!(texts > 0);
    assert!(wrong.is_empty(), "{} of {texts}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(culprits_right * 10 >= culprits * 9, "culprit {culprits_right} of {culprits}");
    assert!(carried_right * 10 >= carried * 6, "causes {carried_right} of {carried}");
}

#[test]
fn the_four_stories() {
    let Some(root) = beside("stories") else { return };
    for (file, kind, cause, confidence) in [
        ("000-gdb-backtrace.txt", "native-fault", "race-hook-on-system-stack", "likely"),
        ("001-node-exporter-1.txt", "runtime-fault", "memory-corruption", "possible"),
        ("001-node-exporter-2.txt", "make-size", "memory-corruption", "possible"),
        ("001-node-exporter-3.txt", "heap-corruption", "memory-corruption", "possible"),
        ("001-node-exporter-4.txt", "unexpected-fault", "memory-corruption", "possible"),
        ("002-uretprobe-sigill.txt", "illegal-instruction", "return-address-hijacked", "certain"),
    ] {
        let said = explain(&std::fs::read(root.join(file)).unwrap());
        let v = &said["verdict"];
        let got = (v["kind"].as_str(), v["cause"].as_str(), v["confidence"].as_str());
        assert_eq!(got, (Some(kind), Some(cause), Some(confidence)), "{file}");
    }
    let said = explain(b"fatal error: concurrent map writes\n");
    assert_eq!(
        (&said["verdict"]["kind"], &said["verdict"]["cause"]),
        (&"concurrent-map".into(), &"unsynchronised-map".into())
    );
    assert_eq!(said["verdict"]["confidence"], "likely");
}
