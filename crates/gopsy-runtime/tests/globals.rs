//! The runtime's variables, found in the code of real programs, beside the symbol table of the same programs.
//!
//! A small program is built with every Go release from 1.16 to 1.27, plainly and as PIE, with `-race`, with C linked
//! externally, and without inlining. What the recipes say is compared with the symbols; what a release does not have must
//! not be found. By default each release is built in one mode; `GOPSY_ZOO=all` builds all; `GOPSY_RELEASES=go1.22.3,…` names
//! other releases; with `GOPSY_RECORD=1` the full table goes to `docs/globals.md`. What cannot be built is skipped, with a
//! message and a count; with `zoo` in `GOPSY_REQUIRE` a skip is a failure.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "globals/toolchain.rs"]
mod toolchain;

use gopsy_image::Image;
use gopsy_runtime::globals::{Answer, Globals};
use gopsy_testing::{Toolchain, say, skip};
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSymbol, SymbolKind};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use toolchain::{MODES, Mode};

/// Where the symbol table says that variables are: what is right.
fn symbols<'a>(file: &'a [u8]) -> BTreeMap<&'a str, u64> {
    let elf = ElfFile64::<Endianness>::parse(file).unwrap();
    let variables = elf.symbols().filter(|s| s.is_definition() && s.kind() != SymbolKind::Text);
    // The linker marks what assembly uses by an ending.
    let plain = |name: &'a str| name.trim_end_matches(".abi0").trim_end_matches(".abiinternal");
    variables.map(|s| (plain(s.name().unwrap()), s.address())).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// So many recipes agree on it, and it is where the symbol table says.
    Right(usize),
    Withheld,
    Wrong,
    /// The program has no such variable, and none was found.
    None,
}

fn judge(globals: &Globals, symbols: &BTreeMap<&str, u64>) -> BTreeMap<&'static str, Outcome> {
    let outcome = |name: &'static str, answer: &Answer| match (answer, symbols.get(name)) {
        (Answer::Found { address, by }, Some(at)) if address.0 == *at => Outcome::Right(by.len()),
        (Answer::Found { .. }, _) => Outcome::Wrong,
        (Answer::Withheld(_), Some(_)) => Outcome::Withheld,
        (Answer::Withheld(_), None) => Outcome::None,
    };
    globals.iter().map(|(name, answer)| (name, outcome(name, answer))).collect()
}

fn tell(answer: Option<&Answer>) -> String {
    match answer {
        Some(Answer::Found { address, by }) => {
            let by: Vec<String> = by.iter().map(|recipe| format!("{} ({recipe})", recipe.function)).collect();
            format!("found at {address} by {}", by.join("; "))
        }
        Some(Answer::Withheld(why)) => why.to_string(),
        None => "no recipe".to_owned(),
    }
}

/// What a post-mortem cannot do without; each must be found in every program.
const NEEDED: [&str; 12] = [
    "runtime.allglen",
    "runtime.allgptr",
    "runtime.allgs",
    "runtime.allm",
    "runtime.allp",
    "runtime.sched",
    "runtime.mheap_",
    "runtime.firstmoduledata",
    "runtime.g0",
    "runtime.m0",
    "runtime.printBacklog",
    "runtime.waitReasonStrings",
];

#[test]
fn every_address_is_that_of_the_symbol_table() {
    let all = std::env::var("GOPSY_ZOO").is_ok_and(|v| v == "all");
    let dir = tempfile::tempdir().unwrap();
    let (mut results, mut skipped, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for (i, release) in toolchain::releases().into_iter().enumerate() {
        let go = match Toolchain::exactly(&release) {
            Ok(go) => go,
            Err(why) => {
                skipped.push(format!("{release}: {why}"));
                continue;
            }
        };
        let modes = MODES.iter().enumerate().filter(|(m, _)| all || *m == i % MODES.len());
        for (_, mode) in modes {
            let file = match toolchain::build(&go, mode, &dir.path().join("program")) {
                Ok(file) => file,
                Err(why) => {
                    skipped.push(format!("{release} {}: {why}", mode.name));
                    continue;
                }
            };
            let symbols = symbols(&file);
            // As of a stripped program: `Globals::of` looks at no symbol.
            let globals = Globals::of(&Image::parse(Arc::new(file.clone())).unwrap());
            let outcomes = judge(&globals, &symbols);
            for (name, outcome) in &outcomes {
                let needed = NEEDED.contains(name) && !matches!(outcome, Outcome::Right(_));
                if needed || *outcome == Outcome::Wrong {
                    let at = symbols.get(name);
                    faults.push(format!("{release} {} {name} at {at:x?}: {}", mode.name, tell(globals.get(name))));
                }
            }
            results.push((release.clone(), mode, outcomes));
        }
    }
    let [right, withheld, wrong] = counts(&results);
    say(&format!("{} programs: {right} right, {withheld} withheld, {wrong} wrong\n", results.len()));
    assert!(faults.is_empty(), "{faults:#?}");
    for why in &skipped {
        skip("zoo", why);
    }
    if std::env::var("GOPSY_RECORD").is_ok_and(|v| v == "1") {
        assert!(all && skipped.is_empty(), "the table is of all programs: GOPSY_ZOO=all");
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/globals.md");
        std::fs::write(page, table(&results)).unwrap();
    }
}

type Results<'a> = [(String, &'a Mode, BTreeMap<&'static str, Outcome>)];

/// Right, withheld, wrong.
fn counts(results: &Results<'_>) -> [usize; 3] {
    let count =
        |wanted: fn(&Outcome) -> bool| results.iter().flat_map(|(.., o)| o.values()).filter(|o| wanted(o)).count();
    [count(|o| matches!(o, Outcome::Right(_))), count(|o| *o == Outcome::Withheld), count(|o| *o == Outcome::Wrong)]
}

/// The page: a row for each variable, a column for each release, a letter for each mode in which it was found.
fn table(results: &Results<'_>) -> String {
    let mut releases: Vec<&str> = results.iter().map(|(release, ..)| release.as_str()).collect();
    releases.dedup();
    let mut page = String::from(
        "# The runtime's variables in stripped binaries\n\n\
         What `gopsy_runtime::globals` finds by reading code, beside the symbol table of the same programs (linux/amd64). Made by\n\
         `GOPSY_ZOO=all GOPSY_RECORD=1 cargo test -p gopsy-runtime --test globals`. The recipes are in the documentation of that\n\
         module.\n\n",
    );
    let modes: Vec<String> = MODES.iter().map(|m| format!("`{}` {}", m.letter, m.name)).collect();
    let [right, withheld, wrong] = counts(results);
    writeln!(
        page,
        "{} programs, {right} addresses right, {withheld} withheld, {wrong} wrong.\n\n\
         A letter is a mode in which the address was found and right: {}.\n\
         A dot is a mode in which nothing was said. A dash: the program has no such variable. The second column is the least and\n\
         the greatest number of recipes that agreed.\n",
        results.len(),
        modes.join(", "),
    )
    .unwrap();
    writeln!(page, "| variable | recipes | {} |\n|---|---|{}", releases.join(" | "), "---|".repeat(releases.len()))
        .unwrap();
    for name in results[0].2.keys() {
        let agreed = results.iter().filter_map(|(.., outcomes)| match outcomes[name] {
            Outcome::Right(recipes) => Some(recipes),
            _ => None,
        });
        let (least, most) = (agreed.clone().min().unwrap_or(0), agreed.max().unwrap_or(0));
        let agreed = if least == most { least.to_string() } else { format!("{least}–{most}") };
        write!(page, "| `{name}` | {agreed} |").unwrap();
        for release in &releases {
            let of_release = results.iter().filter(|(r, ..)| r == release);
            let cell: String = of_release
                .map(|(_, mode, outcomes)| match outcomes[name] {
                    Outcome::Right(_) => mode.letter,
                    Outcome::Withheld => '.',
                    Outcome::Wrong => '!',
                    Outcome::None => '–',
                })
                .collect();
            let none = cell.chars().all(|c| c == '–');
            write!(page, " {} |", if none { "–" } else { &cell }).unwrap();
        }
        page.push('\n');
    }
    page
}
