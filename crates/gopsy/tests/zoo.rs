//! Every recorded text of the zoo is explained as its specimen's source demands, and nothing that it forbids is said.
#![allow(clippy::unwrap_used)]

use gopsy_zoo::{Zoo, check};
use std::io::Write;
use std::process::{Command, Stdio};

fn explain(text: &str) -> serde_json::Value {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gopsy"))
        .args(["explain", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn every_specimen_is_explained_as_its_source_demands() {
    let zoo = Zoo::own().unwrap();
    let (mut texts, mut wrong) = (0, Vec::new());
    for specimen in &zoo.specimens {
        for version in specimen.expect.versions() {
            let answer = explain(&specimen.text(version).unwrap());
            texts += 1;
            for failure in check(specimen, version, &answer) {
                // Where the text carries a cause, unknown is a failure; where it does not, `unknown` stands among the right ones.
                wrong.push(format!("{} go{version}: {:?} {}", specimen.name, failure.aspect, failure.detail));
            }
        }
    }
    assert!(texts > 600, "{texts} texts");
    assert!(wrong.is_empty(), "{} of {texts} texts:\n{}", wrong.len(), wrong.join("\n"));
}
