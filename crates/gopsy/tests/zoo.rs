//! Every recorded text of the zoo is explained as its specimen's source demands, and nothing that it forbids is said.
#![allow(clippy::unwrap_used)]

use gopsy_zoo::{Zoo, check, explain};
use std::path::Path;

#[test]
fn every_specimen_is_explained_as_its_source_demands() {
    let (zoo, gopsy) = (Zoo::own().unwrap(), Path::new(env!("CARGO_BIN_EXE_gopsy")));
    let (mut texts, mut wrong) = (0, Vec::new());
    for specimen in &zoo.specimens {
        for version in specimen.expect.versions() {
            let answer = explain(gopsy, specimen.text(version).unwrap().as_bytes()).unwrap();
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
