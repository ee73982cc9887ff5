//! Who writes which map, of real programs in which types look the same. What must be found stands behind the lines of their
//! sources.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_image::Image;
use gopsy_locate::{AskedType, Locator, MapUse, UsesOfType};
use gopsy_testing::{BuildMode, NEWEST, Toolchain, has_tool, run, skip, versions};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

const MAIN: &str = include_str!("types/main.go");
const STORE: &str = include_str!("types/store/store.go");
const OTHER: &str = include_str!("types/other/store/store.go");
const WITHOUT: &str = include_str!("types/without.go");

/// The file's end, the line, the operation, the type with the paths of packages.
type Use = (String, u64, String, String);

/// What stands behind the lines of a source.
fn marks(file: &str, source: &str) -> Vec<Use> {
    let operations = ["assign ", "delete ", "clear ", "iterate "];
    let of_line = |(number, line): (usize, &str)| -> Vec<Use> {
        let Some((_, mark)) = line.split_once("// ").filter(|(code, _)| !code.trim().is_empty()) else {
            return Vec::new();
        };
        let Some(operation) = operations.iter().find(|operation| mark.starts_with(**operation)) else {
            return Vec::new();
        };
        let types = mark[operation.len()..].split(" | ");
        types.map(|of| (file.to_owned(), number as u64 + 1, operation.trim().to_owned(), of.to_owned())).collect()
    };
    source.lines().enumerate().flat_map(of_line).collect()
}

fn all_marks() -> BTreeSet<Use> {
    let files = [("/main.go", MAIN), ("/store/store.go", STORE), ("/other/store/store.go", OTHER)];
    let marks: Vec<Use> = files.iter().flat_map(|(file, source)| marks(file, source)).collect();
    assert_eq!(marks.len(), 12);
    marks.into_iter().collect()
}

fn build(toolchain: &Toolchain, mode: BuildMode, folder: &Path) -> Image {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("main.go", MAIN);
    write("store/store.go", STORE);
    write("other/store/store.go", OTHER);
    write("without.go", WITHOUT);
    write("go.mod", "module example.com/types\n\ngo 1.16\n");
    run(toolchain.build(folder, &folder.join("app"), mode.flags(), mode.needs_cgo()).arg(".")).unwrap();
    Image::parse(Arc::new(std::fs::read(folder.join("app")).unwrap())).unwrap()
}

fn as_marked(folder: &Path, uses: &[MapUse]) -> Vec<Use> {
    let folder = folder.to_string_lossy();
    let of = |one: &MapUse| {
        let at = &one.frames[0].at;
        let file = at.file.as_deref()?.strip_prefix(&*folder)?.to_owned();
        Some((file, at.line?, one.operation.as_str().to_owned(), one.of_type.as_ref()?.path.clone()?))
    };
    uses.iter().filter_map(of).collect()
}

#[test]
fn types_that_look_the_same() {
    let mut modes = vec![BuildMode::Plain, BuildMode::Stripped, BuildMode::Pie, BuildMode::Noopt];
    modes.extend(has_tool("gcc").then_some(BuildMode::Race));
    for version in versions(&["1.16", "1.18", "1.20", "1.23", "1.24", NEWEST]) {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        for mode in &modes {
            let name = format!("{} {}", toolchain.release, mode.as_str());
            let folder = tempfile::tempdir().unwrap();
            let image = build(&toolchain, *mode, folder.path());
            let locator = Locator::new(&image);
            let uses = locator.map_uses(false).unwrap();
            let found: BTreeSet<Use> = as_marked(folder.path(), &uses.uses).into_iter().collect();
            assert_eq!(found, all_marks(), "{name}");
            let listed = locator.listed_map_types().unwrap();
            // Nothing is used that has no name of its own and is not listed: who is not among them is not in the program.
            for of in uses.uses.iter().filter_map(|one| one.of_type.as_ref()) {
                assert!(!of.name.starts_with("map[") || listed.contains(of), "{name}: {of:?}");
            }
            asked(&name, &|text| uses.of_type(&AskedType::new(text), Some(&listed)), folder.path());
        }
    }
}

/// What is found where a type is asked for.
fn asked(name: &str, of_type: &dyn Fn(&str) -> UsesOfType, folder: &Path) {
    let marks = all_marks();
    let with = |types: &[&str]| -> BTreeSet<Use> {
        marks.iter().filter(|(_, _, _, of)| types.contains(&of.as_str())).cloned().collect()
    };
    let direct = |text: &str| as_marked(folder, &of_type(text).uses).into_iter().collect::<BTreeSet<Use>>();
    let twins = |text: &str| as_marked(folder, &of_type(text).by_conversion).into_iter().collect::<BTreeSet<Use>>();

    // Two types of one name: both are found by it, and each alone by its path.
    let (one, two) = ("map[string]*example.com/types/store.Item", "map[string]*example.com/types/other/store.Item");
    assert_eq!(direct("map[string]*store.Item"), with(&[one, two]), "{name}");
    assert_eq!(direct("map[string]*Item"), with(&[one, two]), "{name}");
    assert_eq!(direct(one), with(&[one]), "{name}");
    assert_eq!(direct(two), with(&[two]), "{name}");
    assert_eq!(direct("*other/store.Item"), with(&[two]), "{name}");
    assert_eq!(twins("map[string]*store.Item"), BTreeSet::new(), "{name}");
    // Two of one name and one path are two by their descriptors.
    let local = of_type("map[string]main.local");
    let descriptors: BTreeSet<_> = local.uses.iter().map(|one| one.of_type.as_ref().unwrap().descriptor).collect();
    assert_eq!((local.uses.len(), descriptors.len()), (2, 2), "{name}");
    assert_eq!(local.by_conversion, [], "{name}");

    for (text, of) in [
        ("map[string]struct{}", "map[string]struct {}"),
        ("map[any]int", "map[interface {}]int"),
        ("map[string]any", "map[string]interface {}"),
        ("map[string]interface{}", "map[string]interface {}"),
        ("map[[2]byte]rune", "map[[2]uint8]int32"),
        ("map[ [2]uint8 ] int32", "map[[2]uint8]int32"),
    ] {
        assert_eq!(direct(text), with(&[of]), "{name}: {text}");
        assert_eq!(direct(&text.replace("]", "]*")), BTreeSet::new(), "{name}: {text}");
    }

    // Three names of one map, and one that it has not.
    let (registry, roster, plain) = ("main.registry", "main.roster", "map[main.userID]*main.sess");
    for (text, of, others) in [
        (registry, registry, [roster, plain]),
        ("registry", registry, [roster, plain]),
        (roster, roster, [registry, plain]),
        (plain, plain, [registry, roster]),
        ("map[userID]*sess", plain, [registry, roster]),
    ] {
        assert_eq!(direct(text), with(&[of]), "{name}: {text}");
        assert_eq!(twins(text), with(&others), "{name}: {text}");
    }
    assert_eq!(
        (direct("main.directory"), twins("main.directory")),
        (with(&["main.directory"]), BTreeSet::new()),
        "{name}"
    );
    // Nobody uses it by this name; of some releases its descriptor is in the file, and then what it can be converted into is known.
    assert_eq!(direct("map[int64]*main.sess"), BTreeSet::new(), "{name}");
    assert!(twins("map[int64]*main.sess").is_subset(&with(&["main.directory"])), "{name}");
    assert!(!of_type("map[string]main.nobody").any(), "{name}");
}
