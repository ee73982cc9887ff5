//! Compressed cores. What is compressed here is compressed by the formats' own tools where they are there.

use super::file;
use crate::{Core, Format, Limits, Stopped};
use gopsy_mem::{Addr, MemoryExt};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A core with a megabyte of memory that is mostly zeros and partly noise.
fn big() -> (Vec<u8>, Vec<u8>) {
    let mut memory = vec![0u8; 1 << 20];
    let mut state = 7u64;
    for byte in memory[0x2_0000..0x6_0000].iter_mut().chain([]) {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        *byte = (state >> 40) as u8;
    }
    memory[0xf_ffff] = 1;
    (file().memory(0xd000_0000, 1 << 20, 6, &memory).bytes(), memory)
}

/// Compressed by that tool; `None` where it is not installed.
fn tool(command: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let mut child =
        Command::new(command[0]).args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(out.status.success(), "{command:?}");
    Some(out.stdout)
}

fn open(bytes: &[u8], limits: &Limits) -> Result<Core, crate::TargetError> {
    let named = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(named.path(), bytes).unwrap();
    Core::open_within(named.path(), limits)
}

const TOOLS: &[(Format, &[&str])] = &[
    (Format::Zstd, &["zstd", "-q", "-c"]),
    (Format::Lz4, &["lz4", "-q", "-c", "-B4"]),
    (Format::Gzip, &["gzip", "-c"]),
    (Format::Xz, &["xz", "-c"]),
];

/// Each tool's form of those bytes; a tool that is not there is told.
fn compressed(bytes: &[u8]) -> Vec<(Format, Vec<u8>)> {
    let mut out = Vec::new();
    for (format, command) in TOOLS {
        match tool(command, bytes) {
            Some(packed) => out.push((*format, packed)),
            None => gopsy_testing::skip("zoo", &format!("{} is not installed", command[0])),
        }
    }
    out
}

#[test]
fn every_form_is_known_by_its_first_bytes_and_unpacked() {
    let (bytes, memory) = big();
    for (format, packed) in compressed(&bytes) {
        let core = open(&packed, &Limits::default()).unwrap();
        let unpacked = core.unpacked().unwrap();
        assert_eq!((unpacked.format, unpacked.packed), (Some(format), packed.len() as u64));
        assert_eq!((unpacked.len, &unpacked.stopped), (bytes.len() as u64, &None));
        // 64 pages of noise, the last page, the notes and headers; not the pages of zeros.
        assert!(unpacked.written < 0x4_0000 + 8 * 4096, "{format}: {}", unpacked.written);
        assert_eq!((core.truncated(), core.file_len()), (false, bytes.len() as u64));
        assert!(core.bytes(Addr(0xd000_0000), 1 << 20, 1 << 20).unwrap() == memory, "{format}");
        assert_eq!(core.threads().len(), 2);
    }
    assert!(open(&bytes, &Limits::default()).unwrap().unpacked().is_none());
}

#[test]
fn a_stream_that_was_cut_off_gives_what_came_before() {
    let (bytes, memory) = big();
    for (format, packed) in compressed(&bytes) {
        for part in [packed.len() / 2, packed.len() - 1, packed.len() - 9] {
            let core = open(&packed[..part], &Limits::default()).unwrap();
            let unpacked = core.unpacked().unwrap();
            assert!(matches!(unpacked.stopped, Some(Stopped::Damaged(_))), "{format} {part}: {unpacked}");
            assert!(core.truncated(), "{format} {part}");
            // Whatever is read is the core's own: the noise starts at 0x20000.
            let held = core.segment_at(Addr(0xd000_0000)).unwrap().held;
            if part == packed.len() / 2 {
                assert!(held > 0x2_0000, "{format}: {held:#x}");
            }
            assert!(core.bytes(Addr(0xd000_0000), held, 1 << 20).unwrap() == memory[..held as usize], "{format}");
        }
    }
}

#[test]
fn a_damaged_stream_ends_where_the_damage_is_seen() {
    let (bytes, _) = big();
    for (format, mut packed) in compressed(&bytes) {
        let place = packed.len() / 2;
        for byte in &mut packed[place..place + 64] {
            *byte ^= 0x5a;
        }
        let core = open(&packed, &Limits::default()).unwrap();
        assert!(matches!(core.unpacked().unwrap().stopped, Some(Stopped::Damaged(_))), "{format}");
        assert!(core.truncated(), "{format}");
    }
}

#[test]
fn streams_behind_each_other_are_one() {
    let (bytes, memory) = big();
    let (first, second) = bytes.split_at(bytes.len() / 3);
    for ((format, a), (_, b)) in compressed(first).into_iter().zip(compressed(second)) {
        // A frame to be skipped stands between, where the format has such and its reader knows it.
        let between: &[u8] = match format {
            Format::Zstd => &[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3],
            _ => &[],
        };
        let core = open(&[&a[..], between, &b[..]].concat(), &Limits::default()).unwrap();
        assert_eq!(core.unpacked().unwrap().stopped, None, "{format}");
        assert!(core.bytes(Addr(0xd000_0000), 1 << 20, 1 << 20).unwrap() == memory, "{format}");
    }
}

#[test]
fn a_bomb_is_stopped() {
    let (bytes, _) = big();
    for (format, packed) in compressed(&bytes) {
        let core = open(&packed, &Limits { len: 100_000, ..Limits::default() }).unwrap();
        let unpacked = core.unpacked().unwrap();
        assert_eq!((unpacked.len, &unpacked.stopped), (100_000, &Some(Stopped::TooLong)), "{format}");
        assert!(core.truncated());
        // A reserve that no disk has: nothing is written, and nothing is left to be a core.
        assert!(open(&packed, &Limits { reserve: 1 << 60, ..Limits::default() }).is_err());
    }
}

#[test]
fn what_is_no_core_is_not_unpacked() {
    // Its first bytes tell: there is no need of the room that is not there.
    for (format, packed) in compressed(&big().1[0x2_0000..]) {
        let error = open(&packed, &Limits { reserve: 1 << 60, ..Limits::default() }).unwrap_err();
        assert!(matches!(error, crate::TargetError::NotCore), "{format}: {error}");
    }
}

#[test]
fn a_window_that_is_too_large_is_refused() {
    let noise = big().0.repeat(3);
    let Some(packed) = tool(&["zstd", "-q", "-c", "--long=31", "--ultra", "-1"], &noise) else { return };
    // Of a stream whose length is not known the window is what was asked for: 2 GiB.
    let error = open(&packed, &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("zstd, it is damaged"), "{error}");
    let packed = tool(&["zstd", "-q", "-c", "--long=27"], &noise).unwrap();
    assert!(open(&packed, &Limits::default()).unwrap().unpacked().unwrap().stopped.is_none());
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let (bytes, _) = big();
    let limits = Limits { folder: Some(Path::new("/nonexistent").to_owned()), ..Limits::default() };
    for (_, packed) in compressed(&bytes) {
        let error = open(&packed, &limits).unwrap_err();
        assert!(matches!(error, crate::TargetError::Unpack { .. }), "{error}");
    }
}

#[test]
fn a_compressed_core_is_taken_for_one_and_a_compressed_text_is_not() {
    use crate::input::{Input, open};
    for (content, is_core) in [(big().0, true), (b"goroutine 1 [running]:\nmain.main()\n".repeat(9), false)] {
        for (_, packed) in compressed(&content) {
            let named = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(named.path(), &packed).unwrap();
            match open(named.path().to_str().unwrap()).unwrap() {
                Input::Core(_) => assert!(is_core),
                Input::Text(mut text) => {
                    let mut whole = Vec::new();
                    std::io::Read::read_to_end(&mut text, &mut whole).unwrap();
                    assert!(!is_core && whole == packed, "a text is given from its beginning");
                }
                _ => panic!("neither"),
            }
        }
    }
}

/// Opens what comes through a pipe, as a shell's `<(…)` and standard input do.
fn piped(bytes: &[u8]) -> Result<crate::input::Input, crate::input::InputError> {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let bytes = bytes.to_vec();
    // Whoever looks no further closes the pipe.
    std::thread::spawn(move || drop(writer.write_all(&bytes)));
    crate::input::open(&format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader)))
}

#[test]
fn what_comes_through_a_pipe_is_what_it_is() {
    use crate::input::Input;
    let (bytes, memory) = big();
    let mut forms: Vec<_> = compressed(&bytes).into_iter().map(|(format, packed)| (Some(format), packed)).collect();
    forms.push((None, bytes.clone()));
    for (format, packed) in forms {
        let Input::Core(file) = piped(&packed).unwrap() else { panic!("{format:?}: no core") };
        let core = file.open().unwrap();
        let unpacked = core.unpacked().unwrap();
        assert_eq!((unpacked.format, unpacked.packed), (format, packed.len() as u64));
        assert_eq!((unpacked.len, &unpacked.stopped), (bytes.len() as u64, &None));
        assert!(unpacked.written < 0x4_0000 + 8 * 4096, "{format:?}: {}", unpacked.written);
        assert_eq!((core.truncated(), core.folder()), (false, Some(Path::new("."))));
        assert!(core.bytes(Addr(0xd000_0000), 1 << 20, 1 << 20).unwrap() == memory, "{format:?}");
    }
    // The pipe ends before the core does.
    let Input::Core(file) = piped(&bytes[..bytes.len() / 2]).unwrap() else { panic!("no core") };
    assert!(file.open().unwrap().truncated());
    let text = b"goroutine 1 [running]:\nmain.main()\n".repeat(9);
    let texts =
        compressed(&text).into_iter().map(|(_, packed)| packed).chain([text.clone(), text[..3].to_vec(), vec![]]);
    for sent in texts {
        let Input::Text(mut text) = piped(&sent).unwrap() else { panic!("no text") };
        let mut whole = Vec::new();
        std::io::Read::read_to_end(&mut text, &mut whole).unwrap();
        assert!(whole == sent, "a text is given from its beginning");
    }
    let mut executable = bytes[..64].to_vec();
    executable[16] = 2;
    assert!(matches!(piped(&executable).unwrap(), Input::Executable(_)));
}

#[test]
fn a_report_of_apports_says_what_to_do_with_it() {
    let report = "ProblemType: Crash\nArchitecture: amd64\nCoreDump: base64\n H4sICAAAAAAC/0NvcmU=\n";
    let named = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(named.path(), report).unwrap();
    let error = crate::input::open_file(named.path()).err().unwrap().to_string();
    assert!(error.contains(&format!("`apport-unpack {} FOLDER`", named.path().display())), "{error}");
    let error = piped(report.as_bytes()).err().unwrap().to_string();
    assert!(error.contains("apport-unpack"), "{error}");
}

#[test]
fn compressed_cores_of_a_folder_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let endings = [(Format::Zstd, "zst"), (Format::Lz4, "lz4"), (Format::Gzip, "gz"), (Format::Xz, "xz")];
    let mut expected = Vec::new();
    for (format, packed) in compressed(&big().0) {
        let (_, ending) = endings.iter().find(|(of, _)| *of == format).unwrap();
        let path = folder.path().join(format!("core.app.{ending}"));
        std::fs::write(&path, packed).unwrap();
        expected.push(path);
    }
    // Something else that is compressed.
    for (format, packed) in compressed(b"a program\n") {
        if format == Format::Xz {
            std::fs::write(folder.path().join("source.tar.xz"), packed).unwrap();
        }
    }
    expected.sort();
    let Ok(crate::input::Input::Folder(found)) = crate::input::open_file(folder.path()) else { panic!("no folder") };
    assert_eq!(found, expected);
}
