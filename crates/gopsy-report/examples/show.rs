//! Prints made-up verdicts, to look at: `cargo run --example show -- [WIDTH] [colour] [ascii] [NAME]`.
#![allow(clippy::print_stdout)]

#[path = "../tests/mock/mod.rs"]
mod mock;

use gopsy_program::{By, Filter, diff, group};
use gopsy_report::source::{self, SourceLines};
use gopsy_report::terminal::{self, StacksPage, View};
use gopsy_report::{Case, others_matter};

const STORE: &str = "package store\n\n// Put stores a session.\nfunc (s *Store) Put(id string, sess *Session) {\n\ts.puts++\n\ts.byID[id] = sess\n\ts.last = time.Now()\n}\n";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|a| a == word);
    let width = arguments.first().and_then(|w| w.parse().ok()).unwrap_or(80);
    let view = View { width, colour: has("colour"), unicode: !has("ascii") };
    let names = ["map", "recursion", "hostile", "heap", "deadlock", "stacks", "diff"];
    let all = !names.iter().any(|n| has(n));
    let verdicts = [
        ("map", mock::map_writes()),
        ("recursion", mock::recursion()),
        ("hostile", mock::hostile()),
        ("heap", mock::heap()),
        ("deadlock", mock::deadlock()),
    ];
    for (name, (program, verdict)) in &verdicts {
        if !all && !has(name) {
            continue;
        }
        let text = format!("{}{STORE}", "// \n".repeat(35));
        let source: Option<SourceLines> = verdict
            .culprit
            .as_ref()
            .and_then(|c| source::lines(c, None, &[], 2, &|path| path.ends_with("store.go").then(|| text.clone())));
        let groups = if others_matter(verdict.kind) {
            group(program, program.stacks(), &By::Stack, &Filter::default())
        } else {
            Vec::new()
        };
        let case = Case { program, verdict, source: source.as_ref(), groups: &groups, notes: &[] };
        print!("{}", terminal::explain(&case, &view));
        if all {
            println!("{}", "=".repeat(width));
        }
    }
    let (small, large) = (mock::crowd(300), mock::crowd(100_003));
    let by = |program| group(program, program.stacks(), &By::Stack, &Filter::default());
    let (a, b) = (by(&small), by(&large));
    if all || has("stacks") {
        let page = StacksPage { program: &large, groups: &b, limit: Some(3), rows: 20, notes: &[] };
        print!("{}", terminal::stacks(&page, &view));
    }
    if all || has("diff") {
        let changes = diff(&b, &a);
        println!("{}", "=".repeat(width));
        print!("{}", terminal::diff((&large, &b), (&small, &a), &changes, None, 20, &view));
    }
}
