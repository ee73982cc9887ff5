//! Real programs, of four releases of Go and built in five ways. What must be found stands in the source of the program,
//! as marks behind its lines; what go's own tools say (`nm`, `addr2line`, `objdump`) must agree.
//!
//! By default seven of the twenty ways are built; `GOPSY_ZOO=all` builds all. What cannot be built is skipped, with a message
//! and a count; with `zoo` in `GOPSY_REQUIRE` a skip is a failure.

#![allow(missing_docs, clippy::unwrap_used)]

mod build;

use build::{Built, CGO, PIE, RACE, STRIPPED};
use gopsy_image::Image;
use gopsy_locate::{CodeOfLine, Found, Line, Locator, MapOperation, MapUse, Named, RaceHook, Unseen, Window, Witness};
use gopsy_mem::LinkAddr;
use std::collections::BTreeSet;
use std::sync::Arc;

const SOURCE: &str = include_str!("program/main.go");

/// The line with that mark.
fn line_of(mark: &str) -> u64 {
    let end = format!("// {mark}");
    let found: Vec<usize> = SOURCE.lines().enumerate().filter(|(_, l)| l.ends_with(&end)).map(|(i, _)| i + 1).collect();
    assert_eq!(found.len(), 1, "{mark}");
    found[0] as u64
}

/// The line on which a function is declared.
fn declaration(words: &str) -> u64 {
    SOURCE.lines().position(|l| l.starts_with(words)).unwrap() as u64 + 1
}

fn open(built: &Built) -> Image {
    Image::parse(Arc::new(std::fs::read(&built.path).unwrap())).unwrap()
}

#[test]
fn real_programs() {
    let folder = tempfile::tempdir().unwrap();
    for built in build::all(folder.path()) {
        let image = open(&built);
        let locator = Locator::new(&image);
        let found = locator.map_uses(false).unwrap();
        assert_eq!(found.not_read, 0, "{}", built.name());
        let uses = found.uses;
        writers(&built, &locator, &uses);
        functions_and_lines(&built, &locator);
        operands(&built, &locator);
        race(&built, &locator);
        return_addresses(&built, &locator, &uses);
        if built.is(&STRIPPED) {
            stripped(&built, &locator);
        } else {
            symbols(&built, &image, &locator);
            // Of a PIE go's own tools of Go 1.20 and before find no pclntab, and say `?`.
            if !(built.is(&PIE) && matches!(built.release, "go1.16.15" | "go1.20.14")) {
                lines_by_addr2line(&built, &locator);
                instructions_by_objdump(&built, &locator);
            }
            line_table(&built, &image);
        }
        if built.is(&CGO) {
            foreign(&built, &locator);
        }
    }
}

/// Who uses which map, against the marks in the source.
fn writers(built: &Built, locator: &Locator<'_>, uses: &[MapUse]) {
    let types = [("byID", "map[string]*main.sess"), ("count", "map[int64]int")];
    let mut wanted: BTreeSet<(MapOperation, &str, u64)> = BTreeSet::new();
    let operations = [
        ("assign", MapOperation::Assign),
        ("delete", MapOperation::Delete),
        ("clear", MapOperation::Clear),
        ("iterate", MapOperation::Iterate),
    ];
    for (word, operation) in operations {
        for (map, name) in types {
            let mark = format!("{word} {map}");
            if !SOURCE.lines().any(|l| l.ends_with(&format!("// {mark}"))) {
                continue;
            }
            let line = line_of(&mark);
            // With -race the loop stays a loop (cmd/compile/internal/walk/range.go, isMapClear).
            if operation == MapOperation::Clear && built.is(&RACE) {
                wanted.insert((MapOperation::Iterate, name, line));
                wanted.insert((MapOperation::Delete, name, line + 1));
            } else {
                wanted.insert((operation, name, line));
            }
        }
    }
    assert_eq!(wanted.len(), if built.is(&RACE) { 8 } else { 7 });
    let own = |function: Option<&str>| function.is_some_and(|f| f.starts_with("main.") && !f.contains('['));
    let found: BTreeSet<(MapOperation, &str, u64)> = uses
        .iter()
        .filter(|u| own(u.frames.last().unwrap().function.as_deref()))
        .filter_map(|u| Some((u.operation, &*u.of_type.as_ref()?.name, u.frames[0].at.line?)))
        .collect();
    assert_eq!(found, wanted, "{}", built.name());
    // Inlined: the line of the function itself, and around it the line of the call.
    let bump = uses.iter().find(|u| u.frames[0].at.line == Some(line_of("assign count"))).unwrap();
    let names: Vec<_> = bump.frames.iter().map(|f| (f.function.as_deref().unwrap(), f.at.line.unwrap())).collect();
    assert_eq!(
        names,
        [("main.(*store).bump", line_of("assign count")), ("main.(*store).bumpAll", line_of("inlined bump"))],
        "{}",
        built.name()
    );
    let unresolved: Vec<_> = uses.iter().filter(|u| u.of_type.is_none() && !u.is_of_the_runtime()).collect();
    assert_eq!(unresolved, Vec::<&MapUse>::new(), "{}", built.name());
    // The one whose type is in a dictionary.
    let passed = uses.iter().filter(|u| u.passed).map(|u| (u.of_type.as_ref().unwrap().name.as_str(), u.operation));
    let expected = [("map[int]main.pair[string]", MapOperation::Assign)];
    let expected = expected.iter().filter(|_| built.release != "go1.16.15").copied();
    assert!(passed.eq(expected), "{}", built.name());
    // Only those who read are added.
    let reads = locator.map_uses(true).unwrap().uses;
    assert!(uses.iter().all(|u| reads.contains(u)));
    let read =
        |u: &&MapUse| u.operation == MapOperation::Read && u.frames[0].function.as_deref() == Some("main.(*store).get");
    let read = reads.iter().find(read).unwrap();
    assert_eq!(
        (read.of_type.as_ref().map(|of| of.name.as_str()), read.frames[0].at.line),
        (Some(types[0].1), Some(line_of("read byID")))
    );
}

fn functions_and_lines(built: &Built, locator: &Locator<'_>) {
    let Found::Functions(found) = locator.find("(*store).put") else { panic!("{}", built.name()) };
    assert_eq!(found.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["main.(*store).put"]);
    let place = locator.place(found[0].entry);
    let at = place.line.first().unwrap();
    let file = built.sources.join("main.go").to_string_lossy().into_owned();
    assert_eq!((at.file.as_deref(), at.line), (Some(&*file), Some(declaration("func (s *store) put("))));
    // Inlined everywhere: no code of its own.
    let Found::OnlyInlined(found) = locator.find("(*store).bump") else { panic!("{}", built.name()) };
    let [bump] = found.as_slice() else { panic!("{}: {found:?}", built.name()) };
    assert_eq!((bump.name.as_str(), bump.more), ("main.(*store).bump", false));
    let outer = |p: &CodeOfLine| p.function.as_deref() == Some("main.(*store).bumpAll");
    assert!(!bump.code.is_empty() && bump.code.iter().all(outer), "{}", built.name());
    // Two are inlined that end so; the whole name is one of them.
    let tiny = |words: &str| match locator.find(words) {
        Found::OnlyInlined(found) => found.into_iter().map(|f| f.name).collect::<Vec<_>>(),
        other => panic!("{}: {other:?}", built.name()),
    };
    assert_eq!(tiny("tiny"), ["main.(*left).tiny", "main.(*right).tiny"], "{}", built.name());
    assert_eq!(tiny("main.(*right).tiny"), ["main.(*right).tiny"], "{}", built.name());
    assert_eq!(locator.find("main.nobody"), Found::Nothing);
    // An address of the heap is nobody's; one of data has a name, if there are symbols.
    let heap = locator.place(LinkAddr(0xc0_0001_2000));
    assert_eq!((heap.data, heap.notes.iter().map(|n| n.id).collect::<Vec<_>>()), (None, vec!["not-mapped"]));
    if let Some(at) = locator.image().symbol("runtime.allgs") {
        assert_eq!(locator.place(at).data, Some(Named::Data("runtime.allgs".to_owned(), 0)), "{}", built.name());
    }
    // A part of a function is what the whole has there, and says nothing of what is left out.
    let whole = locator.listing(&place, Window::Whole);
    let (from, to) = (whole.insns[2].at, whole.insns[5].at);
    let part = locator.listing(&place, Window::Between(from, to));
    assert!(part.insns == whole.insns[2..5] && (part.before, part.behind) == (0, 0), "{}", built.name());
    let around = locator.listing(&locator.place(from), Window::Around(1));
    assert_eq!((around.before, around.insns.len(), around.behind), (1, 3, whole.insns.len() - 4), "{}", built.name());
    assert_eq!(locator.find("0x1f"), Found::Address(31));

    let of = |mark: &str| {
        let number = line_of(mark);
        match locator.find(&format!("main.go:{number}")) {
            Found::Code(line, code) => {
                assert_eq!(line, Line { file: "main.go".to_owned(), number });
                assert!(code.iter().all(|c| c.file == file), "{}", built.name());
                code
            }
            other => panic!("{}: {other:?}", built.name()),
        }
    };
    let assign = of("assign byID");
    assert!(assign.iter().all(|c| c.function.as_deref() == Some("main.(*store).put") && !c.inlined_call));
    let inlined = of("assign count");
    assert!(!inlined.is_empty() && inlined.iter().all(|c| c.function.as_deref() == Some("main.(*store).bumpAll")));
    // The line of the call has the code of the function that is inlined there.
    let calls = of("inlined bump");
    for code in inlined.iter().filter(|c| c.by.contains(&Witness::Pclntab)) {
        let within = |c: &&CodeOfLine| c.inlined_call && c.start <= code.start && code.end <= c.end;
        assert!(calls.iter().any(|c| within(&c)), "{}: {code:?} not in {calls:?}", built.name());
    }
    // All code of the line is of the line, at each of its ends.
    for code in assign.iter().filter(|c| c.by.contains(&Witness::Pclntab)) {
        for pc in [code.start, LinkAddr(code.end.0 - 1)] {
            assert_eq!(locator.place(pc).line.first().unwrap().line, Some(line_of("assign byID")), "{}", built.name());
        }
    }
}

/// What operands name: types and texts, in a stripped program too.
fn operands(built: &Built, locator: &Locator<'_>) {
    let names = |function: &str| -> Vec<Named> {
        let Found::Functions(found) = locator.find(function) else { panic!("{function}") };
        let listing = locator.listing(&locator.place(found[0].entry), Window::Whole);
        assert!(listing.before == 0 && listing.behind == 0 && !listing.insns.is_empty());
        listing.insns.into_iter().filter_map(|i| i.names).collect()
    };
    let put = names("main.(*store).put");
    assert!(put.contains(&Named::Type("map[string]*main.sess".to_owned())), "{}: {put:?}", built.name());
    let assign = put.iter().any(|n| matches!(n, Named::Function(f, 0) if f.starts_with("runtime.mapassign_faststr")));
    assert!(assign, "{}: {put:?}", built.name());
    let main = names("main.main");
    assert!(main.contains(&Named::Text { text: "id0".to_owned(), len: 3 }), "{}: {main:?}", built.name());
    // Each text with its own length, not that of the call before.
    let texts: Vec<Named> = names("main.texts").into_iter().filter(|n| matches!(n, Named::Text { .. })).collect();
    let expected = ["abc", "The quick brown fox", "yes"];
    let expected = expected.map(|text| Named::Text { text: text.to_owned(), len: text.len() as u64 });
    assert_eq!(texts, expected, "{}", built.name());
}

fn race(built: &Built, locator: &Locator<'_>) {
    let Found::Functions(found) = locator.find("main.(*store).put") else { panic!("{}", built.name()) };
    let calls = locator.race_calls(found[0].entry).unwrap();
    if !built.is(&RACE) {
        assert_eq!(calls, [], "{}", built.name());
        return;
    }
    let of = |hook: RaceHook| -> Vec<u64> {
        calls.iter().filter(|c| c.hook == hook).map(|c| c.line.line.unwrap()).collect()
    };
    assert_eq!(of(RaceHook::FunctionEntry), [declaration("func (s *store) put(")], "{}", built.name());
    assert_eq!(of(RaceHook::FunctionExit).len(), 1);
    // s.byID is read, the element is written.
    assert_eq!(of(RaceHook::Read), [line_of("assign byID")]);
    assert_eq!(of(RaceHook::Write), [line_of("assign byID")]);
}

/// Behind each call its line is that of the call, whatever stands there.
fn return_addresses(built: &Built, locator: &Locator<'_>, uses: &[MapUse]) {
    let delete = uses.iter().find(|u| u.frames[0].at.line == Some(line_of("delete byID"))).unwrap();
    let len = locator.place(delete.call).instruction.unwrap().len;
    let place = locator.place(LinkAddr(delete.call.0 + u64::from(len)));
    let call = place.call_before.unwrap();
    assert_eq!((call.at, call.frames[0].at.line), (delete.call, Some(line_of("delete byID"))), "{}", built.name());
    assert_eq!(call.target, Some(Named::Function(delete.callee.clone(), 0)));
    // What follows `delete(…)` there is the end of the function: another line, and that is told.
    assert_eq!(place.line.first().unwrap().line, Some(line_of("delete byID") + 1));
    assert!(place.notes.iter().any(|n| n.id == "return-address"), "{}: {:?}", built.name(), place.notes);
}

/// Code of arm64 is not decoded: who writes a map is not known then, and that is not "nobody".
#[test]
fn what_is_not_decoded_is_not_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for built in build::foreign(folder.path()) {
        let image = open(&built);
        let locator = Locator::new(&image);
        assert_eq!(locator.map_uses(true), Err(Unseen::Machine));
        let Found::Functions(found) = locator.find("main.(*store).put") else { panic!("{}", built.name()) };
        assert_eq!(locator.race_calls(found[0].entry), Err(Unseen::Machine));
        let place = locator.place(found[0].entry);
        assert_eq!(place.line.first().unwrap().line, Some(declaration("func (s *store) put(")));
        assert!(locator.unread(false).is_empty() && locator.unread(true).is_empty());
        assert_eq!(place.function.statements().len(), 1, "{}: {:?}", built.name(), place.function);
        // Every fourth byte of it is of the line that go's own tool says.
        let end = found[0].end.unwrap();
        let asked: Vec<LinkAddr> = (found[0].entry.0..end.0).step_by(4).map(LinkAddr).collect();
        let input: String = asked.iter().map(|at| format!("{:#x}\n", at.0)).collect();
        let output = built.tool("addr2line", &[], &input);
        let ours: Vec<String> = asked
            .iter()
            .map(|at| locator.place(*at))
            .map(|place| {
                let line = place.line.first().unwrap();
                format!("{}:{}", line.file.as_deref().unwrap(), line.line.unwrap())
            })
            .collect();
        assert_eq!(ours, output.lines().skip(1).step_by(2).collect::<Vec<_>>(), "{}", built.name());
    }
}

/// What is damaged says nothing; that something is missing is said.
#[test]
fn damaged_debug_information_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for built in build::uncompressed(folder.path()) {
        let mut file = std::fs::read(&built.path).unwrap();
        let notes = |file: &[u8]| {
            let image = Image::parse(Arc::new(file.to_vec())).unwrap();
            let locator = Locator::new(&image);
            let Found::Functions(found) = locator.find("main.(*store).put") else { panic!("{}", built.name()) };
            locator.place(found[0].entry).notes
        };
        assert!(notes(&file).iter().all(|n| n.id != "debug-info-damaged"), "{}", built.name());
        // The abbreviations of the first unit: a word behind its length and version, and what DWARF 5 has before it.
        let image = Image::parse(Arc::new(file.clone())).unwrap();
        let at = usize::try_from(image.section(".debug_info").unwrap().file_offset).unwrap();
        let abbreviations = at + if file[at + 4] == 5 { 8 } else { 6 };
        file[abbreviations..abbreviations + 4].fill(0xff);
        let notes = notes(&file);
        assert!(notes.iter().any(|n| n.id == "debug-info-damaged" && n.text.starts_with("1 ")), "{notes:?}");
    }
}

fn stripped(built: &Built, locator: &Locator<'_>) {
    let Found::Functions(found) = locator.find("main.main") else { panic!("{}", built.name()) };
    let place = locator.place(found[0].entry);
    let ids: Vec<&str> = place.notes.iter().map(|n| n.id).collect();
    assert_eq!(ids, ["no-debug-info", "no-symbols"], "{}", built.name());
    assert_eq!(place.function.statements()[0].by, [Witness::Pclntab]);
}

/// A sample of `go tool nm`: every source has the function under one name.
fn symbols(built: &Built, image: &Image, locator: &Locator<'_>) {
    let table = image.pclntab().unwrap();
    let mut checked = 0;
    for line in built.tool("nm", &["-n"], "").lines() {
        let [address, "T" | "t", name] = line.split_whitespace().collect::<Vec<_>>()[..] else { continue };
        let at = LinkAddr(u64::from_str_radix(address, 16).unwrap());
        // Of the linker's own marks (runtime.text) and C nothing is in pclntab.
        let Some(func) = table.find(at).filter(|f| f.entry() == at) else { continue };
        checked += 1;
        if !(name.starts_with("main.") || checked % 200 == 0) || matches!(name, "runtime.text" | "_start") {
            continue;
        }
        let place = locator.place(at);
        let [statement] = place.function.statements() else { panic!("{name}") };
        assert!(
            statement.by.starts_with(&[Witness::Pclntab, Witness::Symbols]),
            "{}: {name}: {statement:?}",
            built.name()
        );
        assert_eq!(Some(statement.says.name.clone()), func.name());
    }
    assert!(checked > 1000, "{}: {checked} functions", built.name());
}

/// A sample of `go tool addr2line`.
fn lines_by_addr2line(built: &Built, locator: &Locator<'_>) {
    let mut asked = Vec::new();
    for name in ["main.main", "main.(*store).bumpAll", "runtime.gopanic"] {
        let Found::Functions(found) = locator.find(name) else { panic!("{name}") };
        let listing = locator.listing(&locator.place(found[0].entry), Window::Whole);
        asked.extend(listing.insns.into_iter().step_by(3).map(|i| (i.at, i.line)));
    }
    let input: String = asked.iter().map(|(at, _)| format!("{:#x}\n", at.0)).collect();
    let output = built.tool("addr2line", &[], &input);
    let theirs: Vec<&str> = output.lines().skip(1).step_by(2).collect();
    assert_eq!(theirs.len(), asked.len(), "{}", built.name());
    for ((at, line), theirs) in asked.iter().zip(theirs) {
        let ours = format!("{}:{}", line.file.as_deref().unwrap(), line.line.unwrap());
        assert_eq!(ours, theirs, "{} at {at}", built.name());
    }
}

/// Every instruction of the package's functions beside `go tool objdump`: where it stands and of which line it is.
fn instructions_by_objdump(built: &Built, locator: &Locator<'_>) {
    let output = built.tool("objdump", &["-s", "^main\\.\\(\\*store\\)"], "");
    let (mut functions, mut ours) = (0, Vec::new());
    let mut theirs: Vec<(u64, u64)> = Vec::new();
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("TEXT ").and_then(|l| l.split('(').next().map(|_| l)) {
            functions += 1;
            let name = name.rsplit_once("(SB)").unwrap().0;
            let Found::Functions(found) = locator.find(name) else { panic!("{name}") };
            let listing = locator.listing(&locator.place(found[0].entry), Window::Whole);
            ours.extend(listing.insns.iter().map(|i| (i.at.0, i.line.line.unwrap())));
        }
        let mut columns = line.split_whitespace();
        let (Some(place), Some(address)) = (columns.next(), columns.next()) else { continue };
        let (Some((_, number)), Some(address)) = (place.rsplit_once(':'), address.strip_prefix("0x")) else { continue };
        theirs.push((u64::from_str_radix(address, 16).unwrap(), number.parse().unwrap()));
    }
    assert!(functions >= 8, "{}: {functions} functions", built.name());
    // Padding behind a function is nobody's code; objdump shows it as INT 3.
    let shown: BTreeSet<u64> = ours.iter().map(|(at, _)| *at).collect();
    theirs.retain(|(at, _)| shown.contains(at));
    assert_eq!(ours, theirs, "{}", built.name());
}

/// pclntab and the line table, byte by byte of all Go code.
fn line_table(built: &Built, image: &Image) {
    let (table, info) = (image.pclntab().unwrap(), image.code_info().unwrap());
    let rows = info.rows_within(table.text(), table.etext());
    let (mut same, mut other, mut none) = (0u64, 0u64, 0u64);
    for index in 0..table.len() {
        let func = table.func(index).unwrap();
        for run in func.line_runs() {
            let (mut at, file) = (run.start, run.file.and_then(|n| func.file_of(n)));
            while at < run.end {
                let behind = rows.partition_point(|r| r.start <= at);
                let row = behind.checked_sub(1).map(|i| &rows[i]).filter(|r| at < r.end);
                let next = rows.get(behind).map_or(run.end, |r| r.start);
                let end = row.map_or(next, |r| r.end.min(next)).min(run.end);
                let count = match row {
                    None => &mut none,
                    Some(r) if r.line == run.line.map(u64::from) && r.file.as_deref() == file.as_deref() => &mut same,
                    Some(_) => &mut other,
                };
                *count += end.0 - at.0;
                at = end;
            }
        }
    }
    gopsy_testing::say(&format!("{}: {same} bytes agree, {other} differ, {none} without a row\n", built.name()));
    // See docs/locate.md. Since Go 1.24 nothing differs.
    let most = if matches!(built.release, "go1.16.15" | "go1.20.14") { 64 } else { 0 };
    assert!(same > 300_000 && other <= most && none < 2000, "{}: {same} {other} {none}", built.name());
}

/// C in a program: what pclntab does not list is told from the symbol table and DWARF, and why.
fn foreign(built: &Built, locator: &Locator<'_>) {
    let Found::Functions(found) = locator.find("_start") else { panic!("{}", built.name()) };
    let place = locator.place(found[0].entry);
    assert_eq!(place.function.first().unwrap().name, "_start");
    let notes: Vec<&str> = place.notes.iter().filter(|n| n.id == "not-go").map(|n| n.text.as_str()).collect();
    assert!(notes.len() == 1 && notes[0].contains("before runtime.text"), "{}: {notes:?}", built.name());
    let twice = built.tool("nm", &[], "");
    let twice = twice.lines().find(|l| l.contains("Cfunc_twice") && l.contains(" T _cgo_")).unwrap();
    let at = u64::from_str_radix(twice.split_whitespace().next().unwrap(), 16).unwrap();
    let place = locator.place(LinkAddr(at));
    assert!(place.function.first().unwrap().name.ends_with("Cfunc_twice"), "{}: {place:?}", built.name());
    assert!(place.notes.iter().any(|n| n.id == "not-go"));
    // Its bounds are in the symbol table; whether it is instrumented was not looked for.
    assert!(place.notes.iter().all(|n| n.id != "boundaries-not-known"), "{}: {:?}", built.name(), place.notes);
    assert_eq!(locator.race_calls(LinkAddr(at)), Err(Unseen::NoFunction), "{}", built.name());
}
