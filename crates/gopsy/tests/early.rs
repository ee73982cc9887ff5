//! Cores of processes that died before they had a goroutine.

#![allow(missing_docs, clippy::unwrap_used)]

mod asked;

use asked::json;
use gopsy_testing::{BuildMode, Built, NEWEST, dies, each_built};
use serde_json::Value;

/// `schedinit` refuses the environment (`readGOMEMLIMIT`, runtime/mgcpacer.go, since Go 1.19): there is a thread without a number, and
/// nothing else.
#[test]
fn a_death_before_the_first_goroutine() {
    let ways = [("1.20", BuildMode::Plain), ("1.23", BuildMode::Stripped), (NEWEST, BuildMode::Pie)];
    each_built("package main\n\nfunc main() {}\n", false, &ways, |built| {
        let Built { name, folder, .. } = built;
        let core = dies(folder, "./app", &[("GOMEMLIMIT", "1GB")]).unwrap().core;

        let stacks = json("stacks", &core, &[]);
        assert_eq!((&stacks["goroutines"], stacks["groups"].as_array().unwrap().len()), (&1.into(), 1), "{name}");
        let functions: Vec<_> =
            stacks["groups"][0]["frames"].as_array().unwrap().iter().map(|f| f["function"].as_str().unwrap()).collect();
        let innermost = ["runtime.throw", "runtime.readGOMEMLIMIT", "runtime.gcinit", "runtime.schedinit"];
        assert_eq!(functions[..4], innermost, "{name}");
        let said = |found: &Value, what: &str| {
            found["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains(what))
        };
        assert!(said(&stacks, "no goroutine is known"), "{name}: {:#}", stacks["notes"]);
        let explained = json("explain", &core, &[]);
        for found in [&stacks, &explained] {
            assert!(said(found, "is not proved") && !said(found, "damaged"), "{name}: {:#}", found["notes"]);
        }
        assert_eq!(explained["verdict"]["kind"], "runtime-throw", "{name}: {:#}", explained["verdict"]);
    });
}
