//! The types and itabs that a program's file lists, held against where the program itself finds them.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_image::{Image, TypeName, TypeSection};
use gopsy_mem::LinkAddr;
use gopsy_testing::{BuildMode, NEWEST, Toolchain, has_tool, skip, versions};
use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;

/// Prints where types stand, what they are called and whether they have that name of their own; then two itabs and their types.
const SOURCE: &str = "package main

import (
	\"fmt\"
	\"io\"
	\"os\"
	\"reflect\"
	\"unsafe\"
)

type named struct {
	n int
	s string
}

func (named) String() string { return \"\" }

func (named) Error() string { return \"\" }

type function func(int, ...string) (named, error)

type table map[string]*named

type shouter interface {
	fmt.Stringer
	error
	shout(int)
}

func first(x interface{}) uintptr { return *(*uintptr)(unsafe.Pointer(&x)) }

func main() {
	values := []interface{}{
		named{}, &named{}, []named{}, [3]named{}, map[string]named{}, table{}, make(chan named), function(nil),
		func(int, ...string) (named, error) { return named{}, nil }, new(shouter), []shouter{}, \"\", 1.5,
		struct {
			X int
			named
		}{}, map[[2]int]struct{}{},
	}
	for _, x := range values {
		fmt.Println(\"type\", first(x), reflect.TypeOf(x).Name() != \"\", reflect.TypeOf(x))
	}
	var stringer fmt.Stringer = named{}
	var writer io.Writer = os.Stdout
	fmt.Println(\"itab\", *(*uintptr)(unsafe.Pointer(&stringer)), first(stringer))
	fmt.Println(\"itab\", *(*uintptr)(unsafe.Pointer(&writer)), first(writer))
}
";

#[test]
fn the_lists_are_what_the_program_finds() {
    let mut modes = vec![BuildMode::Plain, BuildMode::Stripped, BuildMode::Pie];
    modes.extend(has_tool("gcc").then_some(BuildMode::Cgo));
    for version in versions(&["1.16", "1.18", "1.22", "1.26", NEWEST]) {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        for mode in &modes {
            let name = format!("{} {}", toolchain.release, mode.as_str());
            let folder = tempfile::tempdir().unwrap();
            let app = toolchain.program(folder.path(), SOURCE, mode.flags(), mode.needs_cgo()).unwrap();
            let image = Image::parse(Arc::new(std::fs::read(&app).unwrap())).unwrap();
            let data = image.module().unwrap().data();
            let section = TypeSection::of(data);
            let types: HashMap<u64, String> = data
                .listed_types(&image)
                .unwrap_or_else(|error| panic!("{name}: {error}"))
                .into_iter()
                .map(|at| (at.0, TypeName::read(&image, &section, at).unwrap().name))
                .collect();
            let itabs: HashMap<u64, LinkAddr> = data
                .itabs(&image)
                .unwrap_or_else(|error| panic!("{name}: {error}"))
                .into_iter()
                .map(|itab| (itab.address.0, itab.of))
                .collect();
            assert!(types.len() > 100 && itabs.len() > 5, "{name}: {} {}", types.len(), itabs.len());

            let printed = String::from_utf8(Command::new(&app).output().unwrap().stdout).unwrap();
            assert_eq!(printed.lines().count(), 17, "{name}: {printed}");
            // Where it was loaded is told by a type that is listed once.
            let place = |line: &str| line.split(' ').nth(1).unwrap().parse::<u64>().unwrap();
            let of_slice = printed.lines().find(|line| line.ends_with(" []main.named")).unwrap();
            let here: Vec<u64> = types.iter().filter(|(_, name)| *name == "[]main.named").map(|(at, _)| *at).collect();
            let [here] = here[..] else { panic!("{name}: {here:?}") };
            let moved = place(of_slice).wrapping_sub(here);
            assert!(moved == 0 || *mode == BuildMode::Pie, "{name}: {moved:#x}");
            for line in printed.lines() {
                let (at, rest) = (place(line).wrapping_sub(moved), line.splitn(4, ' ').skip(2).collect::<Vec<_>>());
                match rest[..] {
                    [has_name, of] if line.starts_with("type") => {
                        let listed = types.get(&at).map(String::as_str);
                        assert_eq!(listed, (has_name == "false").then_some(of), "{name}: {line}");
                        assert_eq!(TypeName::read(&image, &section, LinkAddr(at)).unwrap().name, of, "{name}");
                    }
                    [of] => {
                        let of = of.parse::<u64>().unwrap().wrapping_sub(moved);
                        assert_eq!(itabs.get(&at), Some(&LinkAddr(of)), "{name}: {line}");
                    }
                    _ => panic!("{name}: {line}"),
                }
            }
        }
    }
}
