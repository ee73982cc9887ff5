//! One rule, two kinds of source: a nil dereference is explained from its crash text and from its core, by the same
//! code, with the same words.
#![allow(clippy::unwrap_used)]

use gopsy_explain::explain;
use gopsy_model::{Cause, Confidence, Kind, Source, Verdict};
use gopsy_program::{CoreEvidence, Program, TextEvidence};
use std::fs;
use std::path::{Path, PathBuf};

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../gopsy-program/tests/core")
}

fn unpack(name: &str, folder: &Path) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, gopsy_testing::recorded(name)).unwrap();
    path
}

fn place(verdict: &Verdict) -> (String, Option<String>, Option<i64>, Option<u64>) {
    let c = verdict.culprit.as_ref().unwrap();
    let file = c.file.as_ref().map(|f| f.rsplit('/').next().unwrap_or(f).to_owned());
    (c.function.to_string(), file, c.line, c.goroutine)
}

#[test]
fn the_nil_rule_says_the_same_of_text_and_core() {
    let folder = tempfile::tempdir().unwrap();
    let binary = unpack("nilfield", folder.path());
    let core = Program::new(CoreEvidence::open(&unpack("core", folder.path()), Some(&binary)).unwrap());
    let text = fs::read(recorded().join("nilfield.stderr")).unwrap();
    let mut texts = TextEvidence::programs(gopsy_text::read_bytes(&text, &gopsy_text::Options::default()));
    assert_eq!(texts.len(), 1);
    let text = texts.remove(0);
    assert_eq!((core.source(), text.source()), (Source::Core, Source::Text));

    let (of_core, of_text) = (explain(&core), explain(&text));
    for verdict in [&of_core, &of_text] {
        assert_eq!((verdict.kind, verdict.cause), (Kind::NilDereference, Cause::NilPointer));
        assert_eq!(verdict.confidence, Confidence::Likely);
    }
    assert_eq!(of_core.headline, of_text.headline);
    assert_eq!(of_core.summary, of_text.summary);
    assert_eq!(place(&of_core), place(&of_text));
    let sources = |v: &Verdict| v.findings.iter().flat_map(|f| &f.evidence).map(|e| e.source).collect::<Vec<_>>();
    assert!(sources(&of_core).contains(&Source::Core) && !sources(&of_core).contains(&Source::Text));
    assert!(sources(&of_text).contains(&Source::Text) && !sources(&of_text).contains(&Source::Core));
}
