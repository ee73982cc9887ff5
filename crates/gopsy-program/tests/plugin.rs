//! A program with a plugin: a module of Go that only the runtime's own list tells of. What the runtime printed is what is right.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_image::Image;
use gopsy_model::{Headline, Role, Stack};
use gopsy_program::{CoreEvidence, Evidence, Program, TextEvidence, TextWithBinary};
use gopsy_testing::{BuildMode, NEWEST, Toolchain, cgo_core_problem, dies_in_plugin, skip, versions};
use std::sync::Arc;

/// Those at which moduledata changed; `GOPSY_ZOO=all` takes all.
const VERSIONS: [&str; 5] = ["1.16", "1.20", "1.22", "1.26", NEWEST];

/// Function, line and distance of each frame.
fn frames(stack: &Stack) -> Vec<(String, Option<i64>, Option<u64>)> {
    let frame = |f: &gopsy_model::Frame| {
        let name = f.function.value().map_or_else(String::new, |name| name.as_str().to_owned());
        (name, f.line.value().copied(), f.offset.value().copied())
    };
    stack.frames.iter().map(frame).collect()
}

/// A death: what the core says, what was printed, the executable.
struct Death {
    core: CoreEvidence,
    /// Without the plugin's file.
    alone: CoreEvidence,
    printed: Vec<u8>,
    host: Arc<Image>,
}

impl Death {
    fn of(toolchain: &Toolchain, mode: BuildMode, way: &str) -> Death {
        let folder = tempfile::tempdir().unwrap();
        let died = dies_in_plugin(folder.path(), toolchain, mode, way).unwrap();
        let host = folder.path().join("host");
        let core = CoreEvidence::open(&died.core, Some(&host)).unwrap();
        let host = Arc::new(Image::parse(Arc::new(std::fs::read(&host).unwrap())).unwrap());
        std::fs::remove_file(folder.path().join("p.so")).unwrap();
        let alone = CoreEvidence::open(&died.core, Some(&folder.path().join("host"))).unwrap();
        Death { core, alone, printed: died.stderr, host }
    }

    fn text(&self) -> Program {
        text(&self.printed)
    }

    /// Whether the text is found to be of another program than that, and what is said.
    fn is_not_of(&self, host: &Arc<Image>) -> (bool, String) {
        joined(self.text(), host)
    }

    /// The same of the text as it is without `GOTRACEBACK=crash`, which does not print where frames stand.
    fn is_not_of_without_addresses(&self, host: &Arc<Image>) -> (bool, String) {
        let printed = String::from_utf8_lossy(&self.printed);
        let lines = printed.lines().map(|line| line.split(" fp=0x").next().unwrap());
        joined(text(lines.collect::<Vec<_>>().join("\n").as_bytes()), host)
    }
}

fn text(printed: &[u8]) -> Program {
    let dump = gopsy_text::read_bytes(printed, &gopsy_text::Options::default());
    TextEvidence::programs(dump).pop().expect("it printed its death")
}

fn joined(text: Program, host: &Arc<Image>) -> (bool, String) {
    let joined = TextWithBinary::join(text, [("host".to_owned(), Arc::clone(host))], true);
    (joined.contradicts(), [joined.alarms(), joined.notes()].concat().concat())
}

#[test]
fn goroutines_in_a_plugin_are_as_the_runtime_printed_them() {
    if let Some(problem) = cgo_core_problem() {
        return skip("zoo", &problem);
    }
    let mut before: Option<Death> = None;
    for version in versions(&VERSIONS) {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        let deaths = [
            (BuildMode::Plain, "Boom"),
            (BuildMode::Pie, "Boom"),
            (BuildMode::Stripped, "Boom"),
            (BuildMode::Stripped, "Throw"),
        ];
        for (mode, way) in deaths {
            let name = format!("{} {} {way}", toolchain.release, mode.as_str());
            let death = Death::of(&toolchain, mode, way);
            let (core, text) = (&death.core, death.text());
            assert!(core.notes().iter().all(|note| !note.contains("modules")), "{name}: {:?}", core.notes());
            // Whose tables are missing without its file is said, and whose code that is. Where memory has them all, nothing is missing.
            let notes = death.alone.notes().join("\n");
            let lost = notes.contains(", of p.so: its tables: ");
            assert!(lost == notes.contains("modules") && !notes.contains("executable's"), "{name}: {notes}");
            let crashed = death.alone.stack(death.alone.crash().crashed.unwrap());
            let unnamed = crashed.frames.iter().filter_map(|frame| frame.function.missing()).map(ToString::to_string);
            let why = unnamed.chain(crashed.unavailable.as_deref().map(str::to_owned)).collect::<Vec<_>>().join("; ");
            let named = frames(&crashed).iter().any(|frame| frame.0.ends_with(&format!(".{way}")));
            let told = why.contains("p.so has code there") || why.contains("is in no Go function");
            assert!(named != lost && told == lost, "{name}: {why} {:?}", frames(&crashed));
            let mut compared = 0;
            for id in text.stacks().filter(|id| text.goroutine(*id).role == Role::Goroutine) {
                let number = text.goroutine(id).id.value().copied().filter(|number| *number > 0);
                let Some(number) = number else { continue };
                let is_it = |id: &usize| core.goroutine(*id).id.value() == Some(&number);
                let twin = (0..core.stack_count()).find(is_it).unwrap_or_else(|| panic!("{name}: {number} is missing"));
                assert_eq!(frames(&core.stack(twin)), frames(&text.stack(id)), "{name}: goroutine {number}");
                compared += 1;
            }
            assert!(compared >= 3, "{name}: {compared}");
            // What is right by the source: who waits in the plugin, and where it died.
            let function = |id, name: &str| frames(&core.stack(id)).iter().any(|f| f.0.ends_with(name));
            assert!((0..core.stack_count()).any(|id| function(id, ".(*Thing).Wait")), "{name}");
            assert!(function(core.crash().crashed.unwrap(), &format!(".{way}")), "{name}");
            if way == "Throw" {
                let Some(Headline::Panic(panic)) = core.crash().headlines.first() else { panic!("{name}") };
                let held = panic.held.value().unwrap_or_else(|| panic!("{name}: {:?}", panic.held));
                assert_eq!((&*held.type_name, &*held.text), ("*main.Thing", "&main.Thing{N: 7}"), "{name}");
            }
            // That the executable lacks the plugin's functions is no sign that it is another; lines that differ are.
            let (is_not, notes) = death.is_not_of(&death.host);
            assert!(!is_not && notes.contains("the text fits host"), "{name}: {notes}");
            // The first of a release: that of the release before is another.
            if let Some(other) = before.as_ref().filter(|_| (mode, way) == (BuildMode::Plain, "Boom")) {
                let (is_not, notes) = death.is_not_of(&other.host);
                assert!(is_not && notes.contains("NOT of host"), "{name}: {notes}");
                // Without addresses each frame that differs may be the plugin's.
                let (is_not, notes) = death.is_not_of_without_addresses(&other.host);
                assert!(!is_not && notes.contains("nothing tells"), "{name}: {notes}");
            }
            let (is_not, notes) = death.is_not_of_without_addresses(&death.host);
            assert!(!is_not, "{name}: {notes}");
            before = Some(death);
        }
    }
}
