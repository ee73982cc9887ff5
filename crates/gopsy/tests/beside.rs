//! `gopsy where` on what a process had loaded beside its executable. What is right the runtime printed, or stands in the source.

#![allow(missing_docs, clippy::unwrap_used)]

mod asked;

use asked::json;
use gopsy_testing::{
    BuildMode, NEWEST, PLUGIN_SOURCE, Toolchain, cgo_core_problem, core_pattern_problem, dies, dies_in_plugin, run,
    skip,
};
use serde_json::Value;
use std::path::Path;

fn asked(core: &Path, args: &[&str]) -> Value {
    json("where", core, args)
}

/// Of each frame that the runtime printed: the function, the line, the pc.
fn frames(printed: &str) -> Vec<(String, u64, String)> {
    let mut lines = printed.lines().peekable();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some(place) = lines.peek().filter(|next| next.starts_with('\t')) else { continue };
        let (Some(function), Some((_, pc))) = (line.rsplit_once('('), place.split_once(" pc=")) else { continue };
        let number = place.split_once(".go:").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
        found.push((function.0.to_owned(), number.unwrap_or_default(), pc.trim().to_owned()));
    }
    found
}

#[test]
fn places_in_a_plugin() {
    if let Some(problem) = cgo_core_problem() {
        return skip("zoo", &problem);
    }
    let line_of = |text: &str| PLUGIN_SOURCE.lines().position(|line| line.contains(text)).unwrap() as u64 + 1;
    for (version, mode) in [("1.16", BuildMode::Stripped), ("1.21", BuildMode::Plain), (NEWEST, BuildMode::Stripped)] {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        let name = format!("{} {}", toolchain.release, mode.as_str());
        let folder = tempfile::tempdir().unwrap();
        let died = dies_in_plugin(folder.path(), &toolchain, mode, "Boom").unwrap();
        let plugin = folder.path().join("p.so").canonicalize().unwrap();
        let plugin = Some(plugin.to_str().unwrap());
        let core = |args: &[&str]| asked(&died.core, args)["answers"].as_array().unwrap().clone();
        // Files that were to be asked and could not.
        let not_asked = |args: &[&str]| {
            let notes = asked(&died.core, args)["notes"].as_array().unwrap().clone();
            notes
                .iter()
                .any(|note| note.as_str().unwrap().starts_with("not asked") && note.as_str().unwrap().contains("p.so"))
        };
        let names: [&[&str]; 3] = [&["main.nobody"], &["nobody.go:1"], &["--writes", "map[string]*main.Thing"]];
        assert!(names.iter().all(|args| !not_asked(args)), "{name}");
        // Types and itabs of the executable by its file, of the plugin by memory.
        let info = json("info", &died.core, &[]);
        let modules = info["program"]["modules"].as_array().unwrap();
        let listed = |list: &str| modules.iter().filter(|module| module[list].as_u64().is_some_and(|n| n > 0)).count();
        assert_eq!((modules.len(), listed("types"), listed("itabs")), (2, 2, 2), "{name}: {modules:#?}");
        // Everything that the runtime printed with a pc, in the executable and in the plugin.
        let (mut of_plugin, mut of_program) = (0, 0);
        for (function, line, pc) in frames(&String::from_utf8_lossy(&died.stderr)) {
            let answer = core(&[&pc]).remove(0);
            let place = &answer["place"];
            let said = place["function"][0]["name"].as_str().unwrap_or_default();
            // The traceback names the innermost of the functions that are inlined there.
            let frames = place["frames"][0]["frames"].as_array().cloned().unwrap_or_default();
            let returned = place["call_before"]["frames"].as_array().cloned().unwrap_or_default();
            let at = |frames: &[Value]| frames.iter().any(|f| f["function"] == *function && f["line"] == line);
            let is_it = function == "panic" || said == function || at(&frames) || at(&returned);
            assert!(is_it, "{name}: {pc} {function}:{line}: {answer:#}");
            match answer["file"].as_str() == plugin {
                true => of_plugin += 1,
                false => of_program += 1,
            }
            if function.ends_with(".Boom") {
                assert_eq!((line, &place["line"][0]["line"]), (line_of("t.N = 5"), &line.into()), "{name}: {answer:#}");
            }
        }
        assert!(of_plugin >= 3 && of_program >= 3, "{name}: {of_plugin} {of_program}");
        // By name and by line: what the executable does not know.
        let by_name = core(&["(*Thing).Wait", "main.main"]);
        assert_eq!((by_name[0]["file"].as_str(), by_name[1]["file"].as_str()), (plugin, None), "{name}");
        let entry = |answer: &Value| answer["place"]["function"][0]["entry"].clone();
        assert_eq!(entry(&by_name[0]), by_name[0]["place"]["address"], "{name}");
        let line = format!("p/main.go:{}", line_of("only one to write"));
        let by_line = core(&[&line]).remove(0);
        assert_eq!(
            (by_line["file"].as_str(), by_line["found"].as_str()),
            (plugin, Some("line")),
            "{name}: {by_line:#}"
        );
        // Who writes: none in the executable, one in the plugin.
        let writers = core(&["--writes", "map[string]*main.Thing"]);
        let uses: Vec<_> =
            writers.iter().map(|a| (a["file"].as_str(), a["maps"]["uses"].as_array().unwrap().len())).collect();
        assert_eq!(uses, [(None, 0), (plugin, 1)], "{name}: {writers:#?}");
        assert_eq!(writers[1]["maps"]["uses"][0]["frames"][0]["line"], line_of("only one to write"), "{name}");
        // Without the file nothing is said of its code.
        let pc = entry(&by_name[0]).as_str().unwrap().to_owned();
        std::fs::rename(folder.path().join("p.so"), folder.path().join("gone")).unwrap();
        let gone = core(&[&pc, "(*Thing).Wait"]);
        assert!(gone.iter().all(|answer| answer["found"] == "nothing"), "{name}: {gone:#?}");
        assert!(gone[0]["why"].as_str().unwrap().contains("p.so"), "{name}: {gone:#?}");
        assert!(names.iter().all(|args| not_asked(args)), "{name}");
        assert!(!not_asked(&["main.main"]), "{name}: the executable knows it");
    }
}

/// What the code is stands in the source of the specimen.
const GENERATED: [&str; 6] = ["push rbp", "mov rbp, rsp", "mov rdx, [rdx+8]", "call qword ptr [rdx]", "pop rbp", "ret"];

#[test]
fn places_in_generated_code() {
    let specimen = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo/specimens/generated-code");
    for (version, mode) in [("1.16", BuildMode::Plain), ("1.20", BuildMode::Pie), (NEWEST, BuildMode::Stripped)] {
        let toolchain = match core_pattern_problem().map_or_else(|| Toolchain::find(version), Err) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        let name = format!("{} {}", toolchain.release, mode.as_str());
        let folder = tempfile::tempdir().unwrap();
        run(toolchain.build(&specimen, &folder.path().join("app"), mode.flags(), false).arg(".")).unwrap();
        let died = dies(folder.path(), "./app", &[]).unwrap();
        let stderr = String::from_utf8_lossy(&died.stderr);
        let printed = frames(&stderr);
        // A goroutine's stack is in no file, and no code.
        let on_stack = stderr.split_once(" fp=").and_then(|(_, rest)| rest.split(' ').next()).unwrap();
        let answer = asked(&died.core, &[on_stack])["answers"][0].clone();
        assert_eq!(
            (&answer["found"], &answer["why"]),
            (&"nothing".into(), &"it lies in memory that is in no file".into()),
            "{name}"
        );
        let generated: Vec<_> = printed.iter().filter(|(function, ..)| function.starts_with("jit.")).collect();
        assert_eq!(generated.len(), 2, "{name}");
        for (function, _, pc) in generated {
            let answer = asked(&died.core, &[pc, "--all"])["answers"][0].clone();
            let place = &answer["place"];
            assert_eq!(answer["file"], "generated code", "{name}: {answer:#}");
            assert_eq!(
                (&place["function"][0]["name"], &place["call_before"]["address"]),
                (&function.as_str().into(), &before(pc, 2)),
                "{name}"
            );
            assert_eq!(place["function"][0]["entry"], before(pc, 10), "{name}");
            let listed: Vec<_> = place["listing"]["instructions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|i| i["text"].as_str().unwrap())
                .collect();
            assert_eq!(listed, GENERATED, "{name}");
            let notes: Vec<_> =
                place["notes"].as_array().unwrap().iter().map(|note| note["id"].as_str().unwrap()).collect();
            assert_eq!(notes, ["generated"], "{name}: {answer:#}");
            assert!(place["line"].as_array().unwrap().is_empty(), "{name}: {answer:#}");
        }
    }
}

/// So many bytes before an address.
fn before(pc: &str, bytes: u64) -> Value {
    let pc = u64::from_str_radix(pc.trim_start_matches("0x"), 16).unwrap();
    format!("{:#x}", pc - bytes).into()
}
