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
const GENERIC: &str = include_str!("types/generic.go");
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

fn all_marks(generic: bool) -> BTreeSet<Use> {
    let files =
        [("/main.go", MAIN), ("/store/store.go", STORE), ("/other/store/store.go", OTHER), ("/generic.go", GENERIC)];
    let files = files.iter().take(if generic { 4 } else { 3 });
    let marks: Vec<Use> = files.flat_map(|(file, source)| marks(file, source)).collect();
    assert_eq!(marks.len(), if generic { 21 } else { 12 });
    marks.into_iter().collect()
}

/// Up to Go 1.19 generic code passes the type of its shape, and not the one of the map.
fn passes_shapes(toolchain: &Toolchain) -> bool {
    ["go1.18", "go1.19"].iter().any(|release| toolchain.release.starts_with(release))
}

/// Type parameters exist since Go 1.18.
fn has_generics(toolchain: &Toolchain) -> bool {
    !toolchain.release.starts_with("go1.16") && !toolchain.release.starts_with("go1.17")
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
    write("generic.go", GENERIC);
    let (language, tags) = if has_generics(toolchain) { ("1.18", "generic") } else { ("1.16", "") };
    write("go.mod", &format!("module example.com/types\n\ngo {language}\n"));
    let mut command = toolchain.build(folder, &folder.join("app"), mode.flags(), mode.needs_cgo());
    run(command.arg(format!("-tags={tags}")).arg(".")).unwrap();
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

/// The lines in the program's own sources.
fn lines<'u>(folder: &Path, uses: impl Iterator<Item = &'u MapUse>) -> BTreeSet<(String, u64)> {
    let folder = folder.to_string_lossy();
    let of = |one: &MapUse| {
        let at = &one.frames[0].at;
        Some((at.file.as_deref()?.strip_prefix(&*folder)?.to_owned(), at.line?))
    };
    uses.filter_map(of).collect()
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
            let all = all_marks(has_generics(&toolchain));
            let (in_generic, others): (BTreeSet<Use>, BTreeSet<Use>) =
                all.into_iter().partition(|(file, ..)| file == "/generic.go");
            let shapes = passes_shapes(&toolchain);
            let marks: BTreeSet<Use> =
                if shapes { others } else { others.into_iter().chain(in_generic.clone()).collect() };
            // What is not resolved are the generic ones, where only their shapes are known.
            let unresolved = lines(folder.path(), uses.uses.iter().filter(|one| one.of_type.is_none()));
            let expected: BTreeSet<(String, u64)> =
                in_generic.iter().filter(|_| shapes).map(|(file, line, ..)| (file.clone(), *line)).collect();
            assert_eq!(found, marks, "{name}");
            assert_eq!(unresolved, expected, "{name}");
            let listed = locator.listed_map_types().unwrap();
            // Nothing is used that has no name of its own and is not listed: who is not among them is not in the program.
            for of in uses.uses.iter().filter_map(|one| one.of_type.as_ref()) {
                assert!(!of.name.starts_with("map[") || listed.contains(of), "{name}: {of:?}");
            }
            if shapes {
                may_be(&name, &in_generic, &|text| {
                    lines(folder.path(), uses.of_type(&AskedType::new(text), Some(&listed)).unresolved.iter())
                });
            }
            asked(&name, &marks, &|text| uses.of_type(&AskedType::new(text), Some(&listed)), folder.path());
        }
    }
}

/// What is found where a type is asked for.
fn asked(name: &str, marks: &BTreeSet<Use>, of_type: &dyn Fn(&str) -> UsesOfType, folder: &Path) {
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

/// Calls that only have a shape may be of the types that have it, and of no others.
fn may_be(name: &str, generic: &BTreeSet<Use>, unresolved: &dyn Fn(&str) -> BTreeSet<(String, u64)>) {
    let with = |wanted: &dyn Fn(&str) -> bool| -> BTreeSet<(String, u64)> {
        generic.iter().filter(|(.., of)| wanted(of)).map(|(file, line, ..)| (file.clone(), *line)).collect()
    };
    let pointers = with(&|of| of.starts_with("map[string]*"));
    assert_eq!(unresolved("map[string]*store.Item"), pointers, "{name}");
    assert_eq!(unresolved("map[uint32]bool"), with(&|of| of == "map[uint32]bool"), "{name}");
    assert_eq!(unresolved("map[string]float64"), with(&|of| of == "map[string]float64"), "{name}");
    assert_eq!(unresolved("map[[2]byte]rune"), BTreeSet::new(), "{name}");
}
