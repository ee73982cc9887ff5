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

/// Prints where types stand, and what they are called with the paths of their packages. Two packages of one name are among them.
const PATHS: &str = "package main

import (
	\"fmt\"
	goscanner \"go/scanner\"
	\"net/url\"
	\"text/scanner\"
	\"unsafe\"
)

type table map[string]*scanner.Scanner

type inner struct{ n int8; m int8 }

type shouter interface{ shout(int) }

func (t table) Len() int { return len(t) }

func main() {
	values := []struct {
		of   interface{}
		path string
	}{
		{scanner.Scanner{}, \"text/scanner.Scanner\"},
		{goscanner.Scanner{}, \"go/scanner.Scanner\"},
		{map[string]*scanner.Scanner{}, \"map[string]*text/scanner.Scanner\"},
		{map[string]*goscanner.Scanner{}, \"map[string]*go/scanner.Scanner\"},
		{table{}, \"main.table\"},
		{url.Values{}, \"net/url.Values\"},
		{map[url.Userinfo][]table{}, \"map[net/url.Userinfo][]main.table\"},
		{map[[2]byte]rune{}, \"map[[2]uint8]int32\"},
		{map[interface{}]struct{}{}, \"map[interface {}]struct {}\"},
		{map[string]unsafe.Pointer{}, \"map[string]unsafe.Pointer\"},
		{map[string]func(int, ...*scanner.Scanner) error{}, \"map[string]func(int, ...*text/scanner.Scanner) error\"},
		{map[string]func() (int, url.Values){}, \"map[string]func() (int, net/url.Values)\"},
		{map[string]interface{ Host() url.URL; At(int) }{}, \"map[string]interface { At(int); Host() net/url.URL }\"},
		{map[string]shouter{}, \"map[string]main.shouter\"},
		{map[string]interface{ shout(url.URL) }{}, \"map[string]interface { main.shout(net/url.URL) }\"},
		{map[string]struct{ a, b int8; url.URL }{}, \"map[string]struct { a int8; b int8; net/url.URL }\"},
		{map[string]struct{ inner; *url.URL }{}, \"map[string]struct { main.inner; *net/url.URL }\"},
		{map[int]chan (<-chan url.URL){}, \"map[int]chan (<-chan net/url.URL)\"},
		{map[int]chan<- map[bool]url.URL{}, \"map[int]chan<- map[bool]net/url.URL\"},
	}
	for _, value := range values {
		fmt.Println(*(*uintptr)(unsafe.Pointer(&value.of)), value.path)
	}
}
";

#[test]
fn types_are_called_by_their_paths() {
    for version in versions(&["1.16", "1.18", "1.20", "1.23", "1.24", "1.26", NEWEST]) {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        for mode in [BuildMode::Plain, BuildMode::Stripped] {
            let name = format!("{} {}", toolchain.release, mode.as_str());
            let folder = tempfile::tempdir().unwrap();
            let app = toolchain.program(folder.path(), PATHS, mode.flags(), false).unwrap();
            let image = Image::parse(Arc::new(std::fs::read(&app).unwrap())).unwrap();
            let section = TypeSection::of(image.module().unwrap().data());
            let printed = String::from_utf8(Command::new(&app).output().unwrap().stdout).unwrap();
            assert_eq!(printed.lines().count(), 19, "{name}: {printed}");
            for line in printed.lines() {
                let (at, path) = line.split_once(' ').unwrap();
                let at = LinkAddr(at.parse().unwrap());
                assert_eq!(
                    TypeName::path(&image, &section, at).as_deref(),
                    Some(path),
                    "{name}: {}",
                    TypeName::read(&image, &section, at).unwrap().name
                );
            }
        }
    }
}
