//! Profiler labels: up to Go 1.23 a map, which may be growing, since 1.24 a list.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_program::{By, CoreEvidence, CoreOptions, Evidence, Filter, Program, group};
use gopsy_runtime::Release;
use gopsy_testing::{BuildMode, NEWEST, Toolchain, core_pattern_problem, dies, each_built, skip};
use std::collections::BTreeMap;

const WAYS: [(&str, BuildMode); 13] = [
    ("1.16", BuildMode::Plain),
    ("1.16", BuildMode::Stripped),
    ("1.18", BuildMode::Plain),
    ("1.20", BuildMode::Stripped),
    ("1.20", BuildMode::Plain),
    ("1.21", BuildMode::Pie),
    ("1.23", BuildMode::Plain),
    ("1.23", BuildMode::Stripped),
    ("1.24", BuildMode::Plain),
    ("1.24", BuildMode::Stripped),
    ("1.25", BuildMode::Pie),
    (NEWEST, BuildMode::Plain),
    (NEWEST, BuildMode::Stripped),
];

#[test]
fn labels_of_every_release() {
    each_built(include_str!("labels/main.go"), false, &WAYS, |built| {
        let (app, name) = (built.folder.join("app"), &built.name);
        let died = dies(built.folder, "./app", &[]).unwrap();
        let core = CoreEvidence::open(&died.core, Some(&app)).unwrap();
        let mut sizes: BTreeMap<usize, u32> = BTreeMap::new();
        for id in core.goroutines() {
            let labels = core.goroutine(id).labels.into_result().unwrap_or_else(|why| panic!("{name}: {why}"));
            let n = labels.len();
            let right = (0..n).map(|i| (format!("key{i:03}"), format!("value {i} of {n}")));
            assert!(right.eq(labels.into_iter().map(|(k, v)| (k.to_string(), v.to_string()))), "{name}: {n}");
            *sizes.entry(n).or_default() += 1;
        }
        // Beside the five without labels there are the runtime's own and the main goroutine.
        assert!(sizes.remove(&0).is_some_and(|none| none > 3 + 5 + 1), "{name}: {sizes:?}");
        assert_eq!(sizes, [1, 2, 8, 9, 14, 27, 100].map(|n| (n, 3)).into(), "{name}");

        // By layouts that are not known to be this build's nothing proves where a goroutine has its labels: that is not the
        // same as having none.
        let release = Release::parse(&built.toolchain.release).unwrap();
        let options = CoreOptions { layouts_of: Some(release), ..CoreOptions::default() };
        let core = CoreEvidence::open_with(&died.core, &options).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(core.goroutines().all(|id| core.goroutine(id).labels.value().is_none()), "{name}");
        let program = Program::new(core);
        let groups = group(&program, program.goroutines(), &By::Label("key000".into()), &Filter::default());
        let names: Vec<&str> = groups.iter().map(|group| &*group.name).collect();
        let [one] = names[..] else { panic!("{name}: {names:?}") };
        assert!(one.starts_with("labels not known: "), "{name}: {one}");
    });
}

/// What labels are is told by the package's own type, not by one of that name.
#[test]
fn another_package_of_that_name() {
    const MAIN: &str = "package main\n\nimport (\n\t\"context\"\n\t\"fmt\"\n\t\"runtime/pprof\"\n\n\tother \
        \"example.com/app/pprof\"\n)\n\nfunc main() {\n\tfmt.Println(other.Labels())\n\t\
        pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(\"k\", \"v\")))\n\tpanic(\"x\")\n}\n";
    const OTHER: &str = "package pprof\n\ntype labelMap [3]string\n\nfunc (l *labelMap) String() string { return l[0] }\n\n\
        func Labels() interface{} { return &labelMap{\"a\"} }\n";
    if let Some(problem) = core_pattern_problem() {
        return skip("zoo", &problem);
    }
    for version in ["1.16", "1.20", "1.24", NEWEST] {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("pprof")).unwrap();
        std::fs::write(folder.path().join("pprof/pprof.go"), OTHER).unwrap();
        let app = toolchain.program(folder.path(), MAIN, &[], false).unwrap();
        let core = CoreEvidence::open(&dies(folder.path(), "./app", &[]).unwrap().core, Some(&app)).unwrap();
        let labels = core.goroutine(core.crash().crashed.unwrap()).labels;
        assert_eq!(labels.into_value(), Some(vec![("k".into(), "v".into())]), "{version}");
    }
}
