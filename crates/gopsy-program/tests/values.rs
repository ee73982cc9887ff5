//! Values that were given to panic, whole: maps, errors within errors, functions, what is cut. They stand in the program's
//! source. It is built plainly and stripped, with the releases at which maps changed, and with maps as they were before and
//! may be.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_model::Headline;
use gopsy_program::{CoreEvidence, Evidence};
use gopsy_testing::{BuildMode, NEWEST, Toolchain, core_pattern_problem, dies, run, skip, versions};
use std::path::Path;

const SOURCE: &str = include_str!("values/main.go");

/// Since Go 1.24 maps are Swiss tables; since 1.27 their groups have the keys in front of the elements.
const VERSIONS: [&str; 7] = ["1.16", "1.18", "1.20", "1.21", "1.23", "1.24", NEWEST];

const OUTER: &str = "&main.outer{inner: &main.inner{Code: 4}, Tags: map[\"k\":\"v\"], Lvl: 2, \
    Deep: &main.outer{inner: nil, Tags: nil, Lvl: 0, Deep: &main.outer{inner: nil, Tags: nil, Lvl: 7, Deep: nil, Chain: []}, \
    Chain: []}, Chain: [&errors.errorString{s: \"EOF\"} &main.inner{Code: 5}]}";
const WRAPPED: &str = "&fmt.wrapError{msg: \"a: b: c: d\", err: &fmt.wrapError{msg: \"b: c: d\", \
    err: &fmt.wrapError{msg: \"c: d\", err: &errors.errorString{s: \"d\"}}}}";
const PATH: &str = "&fs.PathError{Op: \"open\", Path: \"/nope\", Err: syscall.Errno(0x2)}";
const PARTS: &str = "main.parts{C64: (1+2i), C128: (1.5-2e+30i), \
    Any: [1 2.5 \"s\" true uint8(3) main.level(4) int32(120) nil (0+1i) [5] &main.inner{Code: 6} map[\"a\":\"b\"]], \
    Text: []byte(\"h\\\"é\\n\"), Raw: main.raw(\"{}\"), Bin: [0 1 255], Fn: main.named, None: nil, Small: 1e-07, P: &7, \
    T: (*reflect.rtype) main.tags, Chan: nil}";

/// Hands every build of the program to a test, with its name, its minor release and whether its maps are of buckets.
fn each(mut test: impl FnMut(&str, u32, bool, &Path)) {
    if let Some(problem) = core_pattern_problem() {
        return skip("zoo", &problem);
    }
    let plain = versions(&VERSIONS).into_iter().flat_map(|v| [(v, BuildMode::Plain, ""), (v, BuildMode::Stripped, "")]);
    let others = [
        ("1.24", BuildMode::Stripped, "noswissmap"),
        (NEWEST, BuildMode::Stripped, "nomapsplitgroup"),
        ("1.23", BuildMode::Pie, ""),
        (NEWEST, BuildMode::Pie, ""),
    ];
    for (version, mode, experiment) in plain.chain(others) {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        let name = format!("{} {} {experiment}", toolchain.release, mode.as_str());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("main.go"), SOURCE).unwrap();
        std::fs::write(folder.path().join("go.mod"), "module example.com/app\n\ngo 1.16\n").unwrap();
        let mut build = toolchain.build(folder.path(), &folder.path().join("app"), mode.flags(), false);
        if !experiment.is_empty() {
            build.env("GOEXPERIMENT", experiment);
        }
        run(&mut build).unwrap_or_else(|why| panic!("{name}: {why}"));
        let minor = version.split('.').nth(1).unwrap().parse().unwrap();
        test(&name, minor, minor < 24 || experiment == "noswissmap", folder.path());
    }
}

/// The value of the panic: its type, its text, and what the program printed.
fn dead(folder: &Path, way: &str) -> (String, String, String) {
    let died = dies(folder, &format!("./app {way}"), &[]).unwrap();
    let core = CoreEvidence::open(&died.core, Some(&folder.join("app"))).unwrap();
    let held = core.crash().headlines.iter().find_map(|headline| match headline {
        Headline::Panic(line) => Some(line.held.clone()),
        _ => None,
    });
    let held = held.unwrap().into_result().unwrap_or_else(|why| panic!("{way}: {why}"));
    (held.type_name.to_string(), held.text.to_string(), String::from_utf8(died.stdout).unwrap())
}

/// What a map or list of `len` is written as: the first 64, and how many more.
fn listed(len: usize, one: impl Fn(usize) -> String) -> String {
    let shown: Vec<String> = (0..len.min(64)).map(one).collect();
    let more = if len > 64 { format!(" … {} more", len - 64) } else { String::new() };
    format!("[{}{more}]", shown.join(" "))
}

/// How the program dies, the type of the value, the value.
fn cases() -> Vec<(&'static str, &'static str, String)> {
    let zeros = " 0".repeat(19);
    let wide = format!("map[main.wide{{n: [1{zeros}]}}:main.wide{{n: [2{zeros}]}}]");
    let cut = format!("[{}", format!("\"{}\" ", "x".repeat(200)).repeat(60));
    let whole = 60 * 202 + 59 + 2;
    vec![
        ("map", "map[string]int", "map[\"\":0 \"a\":1 \"b\":2]".into()),
        ("empty", "map[string]int", "map[]".into()),
        ("named", "main.tags", "map[\"k\":\"v\\n\"]".into()),
        ("ints", "map[int]bool", "map[-5:true 9:false 10:true]".into()),
        ("floats", "map[float64]string", "map[-3:\"c\" -2:\"b\" 0:\"d\" 1.5:\"a\"]".into()),
        ("many", "map[int]int", format!("map{}", listed(1000, |i| format!("{i}:{}", i * i)))),
        ("growing", "map[int]int", format!("map{}", listed(27, |i| format!("{i}:{}", i * i)))),
        ("deleted", "map[int]int", format!("map{}", listed(500, |i| format!("{}:{}", 2 * i, 4 * i * i)))),
        ("wide", "map[main.wide]main.wide", wide),
        ("set", "map[int8]struct {}", format!("map{}", listed(70, |i| format!("{i}:struct {{}}{{}}")))),
        ("nested", "map[string]map[main.level][]int", "map[\"x\":map[-1:[] 1:[1 2]] \"y\":nil]".into()),
        ("any", "map[interface {}]interface {}", "map[\"a\":main.level(3)]".into()),
        ("outer", "*main.outer", OUTER.into()),
        ("wrapped", "*fmt.wrapError", WRAPPED.into()),
        ("path", "*fs.PathError", PATH.into()),
        ("parts", "main.parts", PARTS.into()),
        ("pointers", "**string", "&&\"x\"".into()),
        ("func", "main.speaker", "main.named".into()),
        ("type", "*reflect.rtype", "(*reflect.rtype) main.tags".into()),
        ("long", "string", format!("\"{}\"… {} more bytes", &"long message ".repeat(100)[..1024], 65_000 - 1024)),
        ("list", "[]int", listed(100, |i| i.to_string())),
        ("cut", "[]string", format!("{}… {} more bytes", &cut[..4096], whole - 4096)),
    ]
}

#[test]
fn values_are_told_whole() {
    each(|name, minor, buckets, folder| {
        for (way, type_name, text) in cases() {
            let (of, told, _) = dead(folder, way);
            assert_eq!((of.as_str(), told), (type_name, text), "{name} {way}");
        }
        // Round the circle once.
        let (_, told, _) = dead(folder, "cycle");
        let address = told.strip_prefix("&main.node{Name: \"a\", Next: &main.node{Name: \"b\", Next: 0x");
        let address = address.and_then(|rest| rest.strip_suffix("}}")).unwrap_or_else(|| panic!("{name}: {told}"));
        assert!(u64::from_str_radix(address, 16).is_ok(), "{name}: {told}");
        let (of, told, _) = dead(folder, "assert");
        let named = if minor < 21 { "*runtime._type" } else { "*abi.Type" };
        let types = format!("concrete: ({named}) int, asserted: ({named}) string, missingMethod: \"\"}}");
        assert!(of == "*runtime.TypeAssertionError" && told.ends_with(&types), "{name}: {told}");
        // What this map holds when it is caught growing, the program says.
        let (_, told, printed) = dead(folder, if buckets { "same-size buckets" } else { "same-size tables" });
        let (printed, growing) = printed.strip_prefix("growing\n").map_or((&*printed, false), |rest| (rest, true));
        assert_eq!((told.as_str(), buckets), (printed.trim_end(), growing), "{name}");
    });
}
