//! The pages of `gopsy where` and `gopsy info`.
#![allow(clippy::unwrap_used)]

mod schema;

use gopsy_image::MapBody;
use gopsy_locate::{
    CallBefore, CodeOfLine, Frame, Function, InstructionAt, Line, ListedInsn, Listing, MapOperation, MapType, MapUse,
    Named, Note, OnlyInlined, Place, RaceCall, RaceHook, SourceLine, Told, UsesOfType, Witness,
};
use gopsy_mem::{Addr, Bias, LinkAddr};
use gopsy_model::KnownIssue;
use gopsy_report::info::{Amount, Build, File, Info, Module, ModuleVersion, Process, Program, Runtime, Thread};
use gopsy_report::terminal::{self, View};
use gopsy_report::whereabouts::{
    Answer, Answered, LineAnswer, LineListing, OperandAt, PlaceAnswer, SourceTexts, ThreadAt, TypeNames, Whereabouts,
    Writers,
};
use gopsy_report::wire::{self, Form};
use serde_json::Value;

/// What must reach no sink raw.
const HOSTILE: &str = "\x1b[2Jmain.f\u{202e}\n::error::";

fn at(line: u64) -> SourceLine {
    SourceLine { file: Some("/src/main.go".to_owned()), line: Some(line) }
}

fn function(name: &str) -> Function {
    Function { name: name.to_owned(), entry: LinkAddr(0x1000), end: Some(LinkAddr(0x1040)) }
}

fn insn(address: u64, line: u64, text: &str, names: Option<Named>) -> ListedInsn {
    let (at_line, asked) = (at(line), address == 0x1010);
    let race = (address == 0x1018).then_some(RaceHook::Write);
    ListedInsn {
        at: LinkAddr(address),
        len: 5,
        text: text.to_owned(),
        names,
        line: at_line,
        inlined: None,
        asked,
        race,
    }
}

fn listing(name: &str) -> Listing {
    let call = Named::Function(name.to_owned(), 0);
    let insns = vec![
        insn(0x1008, 40, "mov rax, [rsp+8]", None),
        insn(0x1010, 41, "call 0x2000", Some(call)),
        insn(0x1018, 41, "call 0x3000", Some(Named::Type("map[string]int".to_owned()))),
    ];
    Listing { insns, before: 1, behind: 7 }
}

fn place(name: &str) -> Place {
    let mut function_told = Told::default();
    function_told.add(Witness::Pclntab, function(name), |a, b| a == b);
    function_told.add(Witness::Symbols, function(name), |a, b| a == b);
    let mut line = Told::default();
    line.add(Witness::Pclntab, at(41), |a, b| a == b);
    line.add(Witness::LineTable, at(42), |a, b| a == b);
    let mut frames = Told::default();
    let frame = |name: &str, n| Frame { function: Some(name.to_owned()), at: at(n) };
    frames.add(Witness::Pclntab, vec![frame("main.inner", 41), frame(name, 7)], |a, b| a == b);
    Place {
        pc: LinkAddr(0x1010),
        section: Some(".text".to_owned()),
        function: function_told,
        line,
        frames,
        instruction: Some(InstructionAt { start: LinkAddr(0x1010), len: 5, text: "call 0x2000".to_owned() }),
        call_before: Some(CallBefore {
            at: LinkAddr(0x100b),
            target: Some(Named::Function("main.g".to_owned(), 0)),
            frames: vec![frame(name, 40)],
        }),
        data: None,
        notes: vec![Note { id: "lines-differ", text: format!("they differ about {name}") }],
    }
}

fn map_use(name: &str, operation: MapOperation, type_name: Option<&str>) -> MapUse {
    let frame = |function: &str, line| Frame { function: Some(function.to_owned()), at: at(line) };
    MapUse {
        call: LinkAddr(0x1010),
        operation,
        callee: "runtime.mapassign".to_owned(),
        frames: vec![frame(name, 41), frame("main.outer", 50)],
        of_type: type_name.map(|name| map_type(name, 0x7000).into()),
        passed: type_name.is_some(),
        shape: None,
    }
}

fn map_type(name: &str, at: u64) -> MapType {
    let body = MapBody { key: LinkAddr(0x7100), element: LinkAddr(0x7200) };
    let path = Some(format!("path/{name}"));
    MapType { descriptor: LinkAddr(at), name: name.to_owned(), path, body, slot: None }
}

fn inlined(name: &str, code: &CodeOfLine) -> OnlyInlined {
    OnlyInlined { name: name.to_owned(), code: vec![code.clone()], more: false }
}

fn found(name: &str) -> Whereabouts {
    let code = CodeOfLine {
        start: LinkAddr(0x1010),
        end: LinkAddr(0x1020),
        file: "/src/main.go".to_owned(),
        function: Some(name.to_owned()),
        inlined_call: true,
        by: vec![Witness::Pclntab, Witness::LineTable],
    };
    let thread = |what: &str, interrupted| ThreadAt {
        tid: 71,
        signal: Some("SIGABRT".to_owned()),
        interrupted,
        registers: vec![("rip", 0x1010)],
        operand: Some(OperandAt { address: 8, what: what.to_owned() }),
    };
    let race = RaceCall { at: LinkAddr(0x1018), hook: RaceHook::Write, line: at(41) };
    let asked = || name.to_owned();
    let answers = vec![
        Answer::Place(Box::new(PlaceAnswer {
            asked: asked(),
            place: place(name),
            listing: listing(name),
            threads: [false, true].map(|interrupted| thread(name, interrupted)).to_vec(),
            race: Some(Ok(vec![race])),
        })),
        Answer::Ambiguous { asked: asked(), functions: vec![function(name), function("main.g")], more: true },
        Answer::OnlyInlined { asked: asked(), functions: vec![inlined(name, &code)] },
        Answer::Line(LineAnswer {
            asked: asked(),
            line: Line { file: "main.go".to_owned(), number: 41 },
            code: vec![code.clone()],
            listings: vec![LineListing { function: Some(asked()), listing: listing(name) }],
        }),
        Answer::Nothing { asked: asked(), why: asked() },
        Answer::Writers(Writers {
            asked: asked(),
            found: UsesOfType {
                uses: vec![map_use(name, MapOperation::Assign, Some("map[string]int"))],
                by_conversion: vec![map_use(name, MapOperation::Clear, Some(name))],
                unresolved: vec![map_use(name, MapOperation::Delete, None)],
                cannot_be: 2,
                of_the_runtime: 3,
            },
            names: TypeNames::default(),
            not_read: 0,
            types: Vec::new(),
        }),
        Answer::Writers(Writers {
            asked: asked(),
            found: UsesOfType::default(),
            names: TypeNames::default(),
            not_read: 0,
            types: vec![name.to_owned()],
        }),
        Answer::Writers(Writers {
            asked: asked(),
            found: UsesOfType { unresolved: vec![map_use(name, MapOperation::Delete, None)], ..UsesOfType::default() },
            names: TypeNames::default(),
            not_read: 2,
            types: Vec::new(),
        }),
        Answer::OnlyInlined { asked: asked(), functions: vec![inlined(name, &code), inlined("main.g", &code)] },
        Answer::NotKnown { asked: asked(), why: asked() },
        Answer::Place(Box::new(PlaceAnswer {
            asked: asked(),
            place: Place { function: Told::default(), ..place(name) },
            listing: Listing::default(),
            threads: Vec::new(),
            race: Some(Err(asked())),
        })),
    ];
    let bias = Bias::between(LinkAddr(0), Addr(0x5500_0000_0000));
    let answered = |(i, answer)| Answered { file: (i % 2 == 1).then(|| format!("/lib/{name}")), bias, answer };
    let text = |line: u64| (("/src/main.go".to_owned(), line), format!("\tline {line} {name}"));
    Whereabouts {
        alarm: Some(asked()),
        target: asked(),
        program: Some(asked()),
        is_core: true,
        answers: answers.into_iter().enumerate().map(answered).collect(),
        sources: SourceTexts::from([text(40), text(41)]),
        notes: vec![asked()],
    }
}

fn info(text: &str) -> Info {
    let owned = || text.to_owned();
    let build = || Build {
        go_version: Some(owned()),
        go_version_by: owned(),
        main_package: Some(owned()),
        main_module: Some(ModuleVersion { path: owned(), version: owned(), replace: None }),
        dependencies: vec![ModuleVersion {
            path: owned(),
            version: "v1.0.0".to_owned(),
            replace: Some((owned(), owned())),
        }],
        settings: vec![("-race".to_owned(), owned()), ("CGO_CFLAGS".to_owned(), String::new())],
        build_id: Some("ab12".to_owned()),
        go_build_id: Some(owned()),
    };
    Info {
        alarm: Some(owned()),
        target: owned(),
        program: Some(Program {
            path: owned(),
            found: Some(owned()),
            size: 2 << 20,
            platform: "linux/amd64".to_owned(),
            build: build(),
            cut: false,
            debug_file: Some(owned()),
            position_independent: true,
            shared_object: false,
            interpreter: Some(owned()),
            symbols: Some(7),
            debug_size: None,
            parts: vec![(owned(), 4096)],
            modules: vec![Module {
                address: 0x5000,
                text: (0x1000, 0x2000),
                functions: 9,
                format: owned(),
                types: Some(1234),
                itabs: Some(5),
                generated: true,
            }],
            no_modules: Some(owned()),
        }),
        no_program: Some(owned()),
        build: Some(build()),
        process: Some(Process {
            core_size: 1 << 30,
            unpacked: Some(owned()),
            by_gdb: true,
            by_delve: false,
            pid: Some(7),
            parent: Some(1),
            name: Some(owned()),
            arguments: Some(owned()),
            owner: Some((1000, 100)),
            signal: Some(owned()),
            bias: Some(0x5500_0000_0000),
            threads: vec![Thread {
                tid: 7,
                signal: Some(owned()),
                pc: 0x1010,
                sp: 0x7ffc_0000,
                at: Some(owned()),
                line: Some((owned(), 41)),
            }],
            memory: vec![Amount { kind: owned(), named: 8192, held: 4096, backed: 0, unwritten: 0 }],
            reserved: 1 << 40,
            lost: vec![owned()],
            files: vec![File {
                path: owned(),
                start: 0x1000,
                size: 8192,
                held: 4096,
                build_id: Some("ab12".to_owned()),
                at_hand: Some(owned()),
                missing: Some(owned()),
            }],
        }),
        runtime: Some(Runtime {
            layouts: owned(),
            goroutines: Some(vec![(owned(), 12)]),
            dead_goroutines: Some(3),
            stacks: Some(1 << 20),
            gomaxprocs: Some(8),
            processors: vec![(owned(), 8)],
            queued: Some(4),
            queued_for_all: Some(300),
            idle_threads: Some(2),
            spinning_threads: Some(1),
            stack_limit: Some(1_000_000_000),
            thread_limit: Some(10_000),
            gc_phase: Some(owned()),
            gc_cycles: Some(9),
            gc_percent: Some(-1),
            memory_limit: Some(1 << 30),
            heap_live: Some(5 << 20),
            heap_in_use: Some(6 << 20),
            spans: Some(100),
            objects: Some(20_000),
            timers: Some(2),
            arguments: Some(vec![owned(), owned()]),
            environment: Some(vec![owned(); 30]),
            missing: vec![owned()],
        }),
        no_runtime: Some(owned()),
        known_bugs: vec![KnownIssue {
            id: owned(),
            title: owned(),
            why: owned(),
            fixed_in: Some("go1.21".to_owned()),
            source: vec![owned()],
        }],
        list_dependencies: true,
        notes: vec![owned()],
    }
}

fn schema_of(name: &str) -> Value {
    let path = format!("{}/schema/gopsy.{name}.1.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn whereabouts_json(found: &Whereabouts) -> Value {
    let mut out = Vec::new();
    wire::whereabouts(&mut out, found, Form::Pretty).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn info_json(info: &Info) -> Value {
    let mut out = Vec::new();
    wire::info(&mut out, info, Form::Compact).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn the_wire_forms_fit_their_schemas() {
    let value = whereabouts_json(&found("main.f"));
    assert_eq!(schema::violations(&schema_of("where"), &value), Vec::<String>::new());
    let place = &value["answers"][0]["place"];
    assert_eq!((&place["address"], &place["stated"]), (&"0x550000001010".into(), &"0x1010".into()));
    assert_eq!(place["function"][0]["by"], serde_json::json!(["pclntab", "symbols"]));
    assert_eq!((place["line"][0]["line"].as_u64(), place["line"][1]["line"].as_u64()), (Some(41), Some(42)));
    assert_eq!(place["listing"]["instructions"][1]["asked"], true);
    assert_eq!(value["answers"][5]["maps"]["uses"][0]["type"], "map[string]int");
    let answers = value["answers"].as_array().unwrap();
    assert_eq!((&answers[1]["more"], &answers[2]["function"]), (&true.into(), &"main.f".into()));
    assert_eq!((&answers[6]["maps"]["not_read"], &answers[7]["maps"]["not_read"]), (&0.into(), &2.into()));
    let functions = answers[8]["functions"].as_array().unwrap();
    let names: Vec<&str> = functions.iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!((&answers[8]["found"], names), (&"several-functions".into(), vec!["main.f", "main.g"]));
    assert_eq!((&answers[9]["found"], &answers[9]["why"]), (&"not-known".into(), &"main.f".into()));
    let unknown = &answers[10]["place"];
    assert_eq!((&unknown["race"], &unknown["race_not_known"]), (&Value::Null, &"main.f".into()));
    let bare = Whereabouts { answers: Vec::new(), program: None, ..found("main.f") };
    assert_eq!(schema::violations(&schema_of("where"), &whereabouts_json(&bare)), Vec::<String>::new());

    let value = info_json(&info("main.f"));
    assert_eq!(schema::violations(&schema_of("info"), &value), Vec::<String>::new());
    assert_eq!(value["program"]["settings"]["-race"], "main.f");
    assert_eq!(value["process"]["threads"][0]["pc"], "0x1010");
    assert_eq!(schema::violations(&schema_of("info"), &info_json(&Info::default())), Vec::<String>::new());
    let empty = Info { program: Some(Program::default()), process: Some(Process::default()), ..Info::default() };
    assert_eq!(schema::violations(&schema_of("info"), &info_json(&empty)), Vec::<String>::new());
}

#[test]
fn nothing_hostile_reaches_the_terminal() {
    for width in [40, 80, 200] {
        for unicode in [true, false] {
            let view = View { width, colour: false, unicode };
            for page in [terminal::whereabouts(&found(HOSTILE), &view), terminal::info(&info(HOSTILE), &view)] {
                let raw = page.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}'));
                assert!(!raw && page.contains("\\x1b[2J"), "{page}");
                assert!(!page.lines().any(|l| l.trim_start().starts_with("::error")), "{page}");
                assert!(unicode || page.is_ascii(), "{page}");
            }
        }
    }
    let mut out = Vec::new();
    wire::whereabouts(&mut out, &found(HOSTILE), Form::Pretty).unwrap();
    wire::info(&mut out, &info(HOSTILE), Form::Pretty).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains(['\x1b', '\u{202e}']));
}

#[test]
fn what_agrees_is_said_once_and_what_differs_twice() {
    let page = terminal::whereabouts(&found("main.f"), &View::default());
    for line in [
        "0x550000001010  main.f+0x10 ",
        "  function main.f  0x550000001000–0x550000001040   pclntab, symbols\n",
        "  line     /src/main.go:41   pclntab\n",
        "  but      /src/main.go:42   DWARF lines\n",
        "  inlined  main.inner (src/main.go:41) in main.f (src/main.go:7)   pclntab\n",
        "    ▸ 0x550000001010  call 0x2000",
        "  src/main.go:41  line 41 main.f\n",
        "    assign    main.f  src/main.go:41\n",
        "              inlined in main.outer  src/main.go:50\n",
        "type not resolved: 1 call",
        "3 calls of the runtime's own",
        "the first 2 functions have this name",
        "main.f has no code of its own: it is inlined, 1 piece of code in 1 function.",
        "2 functions that are inlined everywhere have this name or end so",
        "not known: main.f",
        "calls into the race detector are not known: main.f",
        "no call of a map function in Go code with a map of this type\n",
        "no call of a map function in Go code is known to be with a map of this type;\n  not all calls are known\n",
        "the code of 2 functions could not be read",
    ] {
        assert!(page.contains(line), "{line:?} is not in\n{page}");
    }
    assert_eq!(page.matches("pclntab, symbols").count(), 1);
}

#[test]
fn colour_changes_no_text() {
    let plain = View::default();
    let coloured = View { colour: true, ..View::default() };
    let bare = |page: String| {
        let mut rest = page.as_str();
        let mut out = String::new();
        while let Some((before, after)) = rest.split_once('\x1b') {
            out.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        out + rest
    };
    assert_eq!(bare(terminal::whereabouts(&found("f"), &coloured)), terminal::whereabouts(&found("f"), &plain));
    assert_eq!(bare(terminal::info(&info("f"), &coloured)), terminal::info(&info("f"), &plain));
}

#[test]
fn how_a_file_is_linked() {
    let kind = |interpreter: Option<&str>, position_independent, shared_object| {
        let interpreter = interpreter.map(str::to_owned);
        let program = Program { interpreter, position_independent, shared_object, ..Program::default() };
        let page = terminal::info(&Info { program: Some(program), ..Info::default() }, &View::default());
        let line = page.lines().find_map(|l| l.strip_prefix("  kind     ")).unwrap().to_owned();
        line.split("   no symbol").next().unwrap().to_owned()
    };
    assert_eq!(kind(None, false, false), "linked statically   at fixed addresses");
    assert_eq!(kind(None, true, false), "linked statically   position-independent (PIE)");
    assert_eq!(kind(None, true, true), "shared object   position-independent");
    assert_eq!(kind(Some("/ld.so"), true, false), "linked dynamically (/ld.so)   position-independent (PIE)");
}

#[test]
fn settings_that_say_nothing_are_left_out_for_people() {
    let page = terminal::info(&info("main.f"), &View::default());
    assert!(page.contains("-race=main.f") && !page.contains("CGO_CFLAGS"), "{page}");
    let long = terminal::info(&info(&"x".repeat(500)), &View::default());
    let shown = long.split_once("  build  ").unwrap().1.split_once('…').unwrap().0;
    assert_eq!(shown.matches('x').count(), 120, "{long}");
    assert!(page.contains("missing 4 KiB") && page.contains("1 known bug of this Go release"), "{page}");
}

/// Types that look the same are told apart: by their paths, or else by where they are described.
#[test]
fn types_of_one_name_are_not_one() {
    let with_path =
        |path: Option<&str>, at| MapType { path: path.map(str::to_owned), ..map_type("map[string]store.Item", at) };
    let of = [
        with_path(Some("map[string]a/store.Item"), 0x7000),
        with_path(Some("map[string]b/store.Item"), 0x7400),
        map_type("map[string]int", 0x7800),
        MapType { name: "map[int]main.local".to_owned(), ..with_path(Some("map[int]main.local"), 0x7c00) },
        MapType { name: "map[int]main.local".to_owned(), ..with_path(None, 0x8000) },
    ];
    // One type, however often it is used.
    let names = TypeNames::of(of.iter().chain(&of), |at| at.0 + 0x10_0000);
    assert_eq!(
        of.each_ref().map(|of| names.name(of)),
        [
            "map[string]a/store.Item",
            "map[string]b/store.Item",
            "map[string]int",
            "map[int]main.local (described at 0x107c00)",
            "map[int]main.local (described at 0x108000)",
        ]
    );
    let page = |descriptors: [u64; 2]| {
        let item = |at| MapUse {
            of_type: Some(map_type("map[string]store.Item", at).into()),
            ..map_use("main.f", MapOperation::Assign, None)
        };
        let of_type = UsesOfType { uses: descriptors.map(item).to_vec(), ..UsesOfType::default() };
        let writers = Writers {
            asked: "store.Item".to_owned(),
            found: of_type,
            names: TypeNames::default(),
            not_read: 0,
            types: Vec::new(),
        };
        let answers = vec![Answered { file: None, bias: Bias::ZERO, answer: Answer::Writers(writers) }];
        terminal::whereabouts(&Whereabouts { answers, ..found("main.f") }, &View::default())
    };
    assert_eq!(page([0x7000, 0x7400]).matches("1 place in 1 function").count(), 2);
    assert_eq!(page([0x7000, 0x7000]).matches("2 places in 1 function").count(), 1);
}
