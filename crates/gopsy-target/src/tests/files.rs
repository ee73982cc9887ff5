//! Files that supply what a core does not hold.

use super::{R, RW, binary, binary_with, core, file};
use crate::finder::{Artifact, Fetch, Finder, How, Request};
use crate::testkit::CoreFile;
use crate::{Attachment, Core, Told};
use gopsy_image::Image;
use gopsy_mem::{Addr, MemoryExt, Why};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

fn image(bytes: Vec<u8>) -> Arc<Image> {
    Arc::new(Image::parse(Arc::new(bytes)).unwrap())
}

/// The same executable, without an id, as a shared object of two segments: code, and data that may be written.
fn library(code: u8) -> Vec<u8> {
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    for half in [3u16, 62, 1, 0] {
        out.extend(half.to_le_bytes());
    }
    for word in [0u64, 64, 0] {
        out.extend(word.to_le_bytes());
    }
    for half in [0u16, 0, 64, 56, 2, 0, 0, 0] {
        out.extend(half.to_le_bytes());
    }
    for (flags, offset, address, size) in [(5u32, 0u64, 0u64, 0x3000u64), (6, 0x3000, 0x3000, 0x2000)] {
        out.extend(1u32.to_le_bytes());
        out.extend(flags.to_le_bytes());
        for word in [offset, address, address, size, size, 0x1000] {
            out.extend(word.to_le_bytes());
        }
    }
    out.resize(0x1000, 0);
    out.resize(0x3000, code);
    out.resize(0x5000, 0xdd);
    out
}

const BASE: u64 = 0x7f00_0000_0000;

/// A process with the library: its first two pages are held (or only the first), the third is not; its data was
/// relocated and made read-only, and is not held.
fn with_library(held: usize) -> CoreFile {
    file()
        .files(&[
            (BASE, BASE + 0x3000, 0, "/lib/x.so"),
            (BASE + 0x3000, BASE + 0x4000, 3, "/lib/x.so"),
            (BASE + 0x4000, BASE + 0x5000, 4, "/lib/x.so"),
        ])
        .memory(BASE, 0x3000, 5, &library(0xcc)[..held])
        .memory(BASE + 0x3000, 0x1000, R, &[])
        .memory(BASE + 0x4000, 0x1000, RW, &[])
}

/// What an executable has embedded is another program's: only its variables say how it was built itself.
#[test]
fn build_information_stands_among_the_variables() {
    let blob = |version: &str| {
        let mut out = b"\xff Go buildinf:\x08\x02".to_vec();
        out.resize(32, 0);
        out.push(version.len() as u8);
        out.extend(version.bytes());
        out.push(0);
        out.resize(0x1000, 0);
        out
    };
    let built = |variables: &[u8]| {
        CoreFile::new()
            .thread(1, 0)
            .auxv(&[(9, 0x40_0000)])
            .files(&[(0x40_0000, 0x40_1000, 0, "/bin/prog"), (0x40_1000, 0x40_2000, 1, "/bin/prog")])
            .memory(0x40_0000, 0x1000, R, &blob("go1.99"))
            .memory(0x40_1000, 0x1000, RW, variables)
    };
    let said = |variables: &[u8]| {
        let core = core(&built(variables));
        core.build_info(&core.program()).map(|build| build.version)
    };
    assert_eq!(said(&blob("go1.27.3")).as_deref(), Some("go1.27.3"));
    assert_eq!(said(&[0; 0x1000]), None);
}

#[test]
fn any_number_of_files_supply_their_own_mappings() {
    let mut core = core(&with_library(0x2000));
    let files = core.elves();
    let paths: Vec<_> = files.iter().map(|f| (f.path.as_slice(), f.program)).collect();
    assert_eq!(paths, [(&b"/bin/prog"[..], true), (b"/lib/x.so", false)]);
    assert_eq!(files[0].build_id.as_deref(), Some(&[7, 7, 7, 7][..]));
    assert_eq!(core.attach(&image(binary())), Attachment::Same);
    let id = core.attach_file(&files[1], &image(library(0xcc)));
    assert_eq!((id.answer, id.told), (Attachment::Same, Told::Pages(1)));
    assert_eq!(core.u8(Addr(0x40_1000)), Ok(0xbb));
    assert_eq!(core.u16(Addr(BASE + 0x1fff)), Ok(0xcccc));
    // Read-only when the process died, but the file's word is that it is written to (RELRO).
    assert_eq!(core.u8(Addr(BASE + 0x3000)).unwrap_err().why, Why::NotHeld);
    assert_eq!(core.u8(Addr(BASE + 0x4000)).unwrap_err().why, Why::NotHeld);
    let of_files = core.completeness().amounts.iter().find(|a| a.kind == crate::MemoryKind::File).copied().unwrap();
    // Of the program the second page, of the library the third.
    assert_eq!((of_files.named, of_files.held, of_files.backed), (0x3000 + 0x5000, 0x3000, 0x2000));
}

#[test]
fn without_an_id_the_code_tells() {
    let library_of = |core: &Core| core.elves().into_iter().find(|f| !f.program).unwrap();
    let mut held = core(&with_library(0x2000));
    let other = held.attach_file(&library_of(&held), &image(library(0xcd)));
    assert_eq!((other.answer, other.to_string().as_str()), (Attachment::Other, "its bytes are others"));
    assert_eq!(held.u8(Addr(BASE + 0x2000)).unwrap_err().why, Why::OtherBuild);
    // Only the page with the headers is held, and two builds may have the same.
    let mut first = core(&with_library(0x1000));
    for code in [0xcc, 0xcd] {
        let cannot = first.attach_file(&library_of(&first), &image(library(code)));
        assert_eq!((cannot.answer, cannot.told), (Attachment::CannotTell, Told::Nothing));
        assert_eq!(first.u8(Addr(BASE + 0x2000)).unwrap_err().why, Why::NotHeld);
    }
    // The right one after the wrong one.
    assert_eq!(held.attach_file(&library_of(&held), &image(library(0xcc))).answer, Attachment::Same);
    assert_eq!(held.u8(Addr(BASE + 0x2000)), Ok(0xcc));
}

#[test]
fn where_it_cannot_lie_no_id_helps() {
    let told = |entry| {
        let files = [(0x40_0000, 0x40_3000, 0, "/bin/prog")];
        let built = CoreFile::new().thread(1, 0).auxv(&[(9, entry)]).files(&files);
        let core = core(&built.memory(0x40_0000, 0x1000, R, &binary()[..0x1000]));
        let told = core.compare(&core.program(), &image(binary()));
        (told.answer, told.told)
    };
    assert_eq!(told(0x40_1000), (Attachment::Same, Told::BuildId));
    // Mapped, but not where this program begins: it cannot be moved.
    assert_eq!(told(0x40_1010), (Attachment::Other, Told::Address));
    // Nothing is there: this is no entry point.
    assert_eq!(told(0x1234_5678), (Attachment::Same, Told::BuildId));
}

#[test]
fn an_id_that_the_file_lacks_says_nothing() {
    let mut stripped = binary();
    // The note is another owner's.
    stripped[0xb0 + 12..0xb0 + 15].copy_from_slice(b"XYZ");
    let core = core(&file());
    let told = core.compare(&core.program(), &image(stripped));
    assert_eq!((told.answer, told.told), (Attachment::Other, Told::Pages(0)));
}

#[test]
fn what_gcore_leaves_out_comes_from_the_file() {
    // No header names the program's second page: gcore writes none for what a file has.
    let built = CoreFile::new()
        .thread(1, 0)
        .auxv(&[(9, 0x40_1000)])
        .files(&[(0x40_0000, 0x40_3000, 0, "/bin/prog")])
        .memory(0x40_0000, 0x1000, R, &binary()[..0x1000]);
    let mut core = core(&built);
    assert_eq!(core.u8(Addr(0x40_1000)).unwrap_err().why, Why::NotHeld);
    assert_eq!(core.attach(&image(binary())), Attachment::Same);
    assert_eq!(core.u16(Addr(0x40_0fff)), Ok(0xbb00));
    assert_eq!(core.u8(Addr(0x40_3000)).unwrap_err().why, Why::Unmapped);
}

#[test]
fn a_core_that_names_no_files_still_takes_its_program() {
    let built = CoreFile::new().thread(1, 0).auxv(&[(9, 0x40_1000)]).memory(0x40_0000, 0x3000, R, &binary()[..0x1000]);
    let mut core = core(&built);
    assert_eq!(core.attach(&image(binary())), Attachment::Same);
    assert_eq!(core.u8(Addr(0x40_2fff)), Ok(0xbb));
}

#[test]
fn a_debug_file_with_the_same_id_supplies_nothing_from_other_offsets() {
    let mut core = core(&file());
    // What objcopy --only-keep-debug leaves: the headers, and other things where code was.
    let mut debug = binary();
    debug.truncate(0x1000);
    debug.resize(0x3000, 0xee);
    let size = 64 + 32;
    debug[size..size + 8].copy_from_slice(&0x100u64.to_le_bytes());
    assert_eq!(core.attach(&image(debug)), Attachment::Same);
    assert_eq!(core.u8(Addr(0x40_1000)).unwrap_err().why, Why::NotHeld);
}

/// A folder with files of a container, of this machine, and what was named.
struct Places {
    dir: tempfile::TempDir,
    core: Core,
}

impl Places {
    fn new() -> Self {
        // A path that no machine has: nothing is found there by accident.
        let dir = tempfile::tempdir().unwrap();
        let built = CoreFile::new()
            .thread(1, 0)
            .auxv(&[(9, 0x40_1000)])
            .files(&[(0x40_0000, 0x40_3000, 0, "/gopsy-nowhere/bin/prog (deleted)")])
            .memory(0x40_0000, 0x3000, 5, &binary()[..0x1000]);
        Places { dir, core: core(&built) }
    }

    fn put(&self, path: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn finder(&self) -> Finder {
        Finder {
            root: Some(self.dir.path().join("root")),
            bins: vec![self.dir.path().join("bins"), self.dir.path().join("one")],
            debug_dirs: vec![self.dir.path().join("debug")],
            beside: Some(self.dir.path().join("cores")),
            fetch: None,
        }
    }

    fn find(&self, fetch: Option<&Arc<Brings>>) -> Result<(How, PathBuf), Vec<(How, String)>> {
        let file = self.core.program();
        let fetch = fetch.map(|brings| Arc::clone(brings) as Arc<dyn Fetch>);
        match (Finder { fetch, ..self.finder() }).find(&self.core, &file) {
            Ok(found) => Ok((found.how, found.path)),
            Err(tried) => Err(tried.misses.into_iter().map(|m| (m.how, m.why)).collect()),
        }
    }
}

/// Brings one file, whatever is asked for.
#[derive(Debug)]
struct Brings(PathBuf, Mutex<Vec<Request>>);

impl Fetch for Brings {
    fn fetch(&self, request: &Request) -> Result<PathBuf, String> {
        self.1.lock().unwrap().push(request.clone());
        if self.0.exists() { Ok(self.0.clone()) } else { Err("the server does not have it".to_owned()) }
    }
}

#[test]
fn the_first_file_that_is_proved_is_found() {
    let places = Places::new();
    std::fs::create_dir_all(places.dir.path().join("bins")).unwrap();
    let not_there = |how| (how, "not there".to_owned());
    let tried = places.find(None).unwrap_err();
    let wanted = [How::Named, How::Named, How::Path, How::Root, How::Beside, How::BuildId, How::BuildId];
    assert_eq!(tried, wanted.map(not_there));

    // From the last place to the first: each is taken as long as none before it has the file.
    let fetched = places.put("fetched", &binary());
    let brings = Arc::new(Brings(fetched.clone(), Vec::new().into()));
    assert_eq!(places.find(Some(&brings)), Ok((How::Fetched, fetched)));
    assert_eq!(*brings.1.lock().unwrap(), [Request { build_id: vec![7; 4], artifact: Artifact::Executable }]);
    for (path, how) in [
        ("debug/.build-id/07/070707", How::BuildId),
        ("cores/prog", How::Beside),
        ("root/gopsy-nowhere/bin/prog", How::Root),
        ("one", How::Named),
        ("bins/prog", How::Named),
    ] {
        let path = places.put(path, &binary());
        assert_eq!(places.find(None), Ok((how, path)));
    }
    // Another build in the first places: it is told, and the next one is taken.
    let beside = places.dir.path().join("cores/prog");
    places.put("bins/prog", &binary_with(9));
    places.put("one", &binary_with(9));
    places.put("root/gopsy-nowhere/bin/prog", &binary_with(8));
    assert_eq!(places.find(None), Ok((How::Beside, beside)));
    places.put("cores/prog", b"#!/bin/sh\n");
    places.put("debug/.build-id/07/070707", &binary_with(9));
    let tried = places.find(None).unwrap_err();
    let other = "its build id is another".to_owned();
    assert_eq!(
        (&tried[0], &tried[3..5]),
        (&(How::Named, other.clone()), &[(How::Root, other), (How::Beside, "it is not an ELF file".into())][..])
    );
    let nothing = Arc::new(Brings(places.dir.path().join("none"), Vec::new().into()));
    assert_eq!(places.find(Some(&nothing)).unwrap_err().pop().unwrap().1, "the server does not have it");
}

#[test]
fn a_fifo_in_the_way_is_passed_over() {
    let places = Places::new();
    let path = places.dir.path().join("cores");
    std::fs::create_dir_all(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(path.join("prog")).status().unwrap();
    assert!(made.success());
    let tried = places.find(None).unwrap_err();
    assert!(tried.contains(&(How::Beside, "not a regular file".to_owned())), "{tried:?}");
}

#[test]
fn one_that_may_be_it_is_remembered() {
    let mut places = Places::new();
    // The core holds no page of the program.
    let built = CoreFile::new()
        .thread(1, 0)
        .auxv(&[(9, 0x40_1000)])
        .files(&[(0x40_0000, 0x40_3000, 0, "/gopsy-nowhere/bin/prog")])
        .memory(0x40_0000, 0x3000, 5, &[]);
    let mut core = core(&built);
    let path = places.put("one", &binary());
    let tried = places.finder().find(&core, &core.program()).unwrap_err();
    assert_eq!(tried.doubtful.map(|found| (found.path, found.how)), Some((path.clone(), How::Named)));
    // Of the program it is taken then, with a word on what is not proved.
    let found = places.finder().program(&mut core).unwrap();
    assert_eq!((found.path.as_path(), found.proved(), places.finder().alarm(&found)), (path.as_path(), false, None));
    let beside = places.put("cores/prog", &binary());
    let unnamed = Finder { bins: vec![places.put("other", b"#!/bin/sh")], ..places.finder() };
    let found = unnamed.program(&mut core).unwrap();
    assert_eq!((&found.path, found.proved()), (&beside, false));
    let said = unnamed.alarm(&found).unwrap();
    assert!(said.starts_with("what was named is NOT the binary") && said.ends_with("prog may be"), "{said}");
    // One that is proved goes before it, whatever comes first.
    let found = unnamed.program(&mut places.core.clone()).unwrap();
    assert_eq!((&found.path, found.proved()), (&beside, true));
    assert!(unnamed.alarm(&found).unwrap().ends_with("prog is"));
    assert!(Finder { beside: None, ..unnamed }.program(&mut places.core).is_err());
}

#[test]
fn a_finder_looks_where_the_core_lies() {
    let places = Places::new();
    let path = places.put("cores/core", &file().bytes());
    let near = Finder::default().near(&Core::open(&path).unwrap());
    assert_eq!(near.beside, path.parent().map(std::path::Path::to_owned));
    assert_eq!(places.finder().near(&places.core).beside, places.finder().beside);
    assert_eq!(Finder::default().near(&places.core).beside, None);
}

/// The executable with a section `.gnu_debuglink`.
fn linked(name: &str, crc: u32) -> Vec<u8> {
    let mut out = binary();
    let link = out.len();
    out.extend(name.bytes());
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(crc.to_le_bytes());
    let names = out.len();
    out.extend(b"\0.gnu_debuglink\0.shstrtab\0");
    out.resize(out.len().next_multiple_of(8), 0);
    let table = out.len() as u64;
    out.extend([0; 64]);
    for (name, kind, at, size) in [(1u32, 1u32, link, names - link), (16, 3, names, 26)] {
        out.extend(name.to_le_bytes());
        out.extend(kind.to_le_bytes());
        for word in [0, 0, at as u64, size as u64, 0, 1, 0] {
            out.extend(word.to_le_bytes());
        }
    }
    out[40..48].copy_from_slice(&table.to_le_bytes());
    out[58..64].copy_from_slice(&[64, 0, 3, 0, 2, 0]);
    out
}

/// The CRC of gzip, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1)))
    })
}

#[test]
fn debug_files_are_found_by_id_and_by_link() {
    let places = Places::new();
    let debug = [&binary()[..], b"and debug information"].concat();
    let linked_image = image(linked("prog.debug", crc(&debug)));
    let at = places.dir.path().join("usr/bin/prog");
    let find = || match places.finder().find_debug(&linked_image, &at) {
        Ok(found) => Ok((found.how, found.path)),
        Err(tried) => Err(tried.misses.into_iter().map(|m| (m.how, m.why)).collect::<Vec<_>>()),
    };
    assert_eq!(find().unwrap_err().len(), 6);
    let below = format!("debug/{}/usr/bin/prog.debug", places.dir.path().strip_prefix("/").unwrap().display());
    for (path, how) in [
        (below.as_str(), How::DebugLink),
        ("usr/bin/.debug/prog.debug", How::DebugLink),
        ("usr/bin/prog.debug", How::DebugLink),
        ("debug/.build-id/07/070707.debug", How::BuildId),
        ("root/usr/lib/debug/.build-id/07/070707.debug", How::BuildId),
    ] {
        let path = places.put(path, &debug);
        assert_eq!(find(), Ok((how, path)));
    }
    // Other contents under the right names.
    places.put("debug/.build-id/07/070707.debug", &binary_with(8));
    places.put("root/usr/lib/debug/.build-id/07/070707.debug", &binary_with(8));
    places.put("usr/bin/prog.debug", &binary());
    assert_eq!(find(), Ok((How::DebugLink, places.dir.path().join("usr/bin/.debug/prog.debug"))));
    // A link that leads elsewhere.
    let evil = image(linked("../../etc/passwd", 0));
    let tried = places.finder().find_debug(&evil, &at).unwrap_err();
    assert_eq!(tried.misses.last().unwrap().why, "the debug link is not the name of a file");
}
