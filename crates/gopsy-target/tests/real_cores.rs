//! Real cores: of the kernel and of gcore, of Go programs that are built and killed here.
//!
//! What must be read is known from the programs' sources (`tests/programs/`); they print where it stands. Needs Go, a
//! kernel that writes cores to the working folder, and gdb for gcore. What is not there is told and passed over; where
//! `GOPSY_REQUIRE` names `zoo` that is a failure.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_image::Image;
use gopsy_mem::{Addr, Fault, MemoryExt, Why};
use gopsy_target::finder::{Finder, How};
use gopsy_target::{Attachment, Core, Lost, MappedFile, MemoryKind, TargetError, Told};
use gopsy_testing::{BuildMode, NEWEST, Toolchain, core_pattern_problem, run, skip};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// A folder in which a program is built, run and dumped.
struct Bench {
    go: Toolchain,
    dir: tempfile::TempDir,
}

impl Bench {
    /// `None` where no core can be made.
    fn new() -> Option<Bench> {
        if let Some(problem) = core_pattern_problem() {
            skip("zoo", &problem);
            return None;
        }
        match Toolchain::find(NEWEST) {
            Ok(go) => Some(Bench { go, dir: tempfile::tempdir().unwrap() }),
            Err(why) => {
                skip("zoo", &why);
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Builds one of the programs, for another machine if one is named. `None` where that cannot be done (cgo without a C
    /// compiler).
    fn build(&self, source: &str, flags: &[&str], goarch: Option<&str>) -> Option<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(source);
        let out = self.path("prog");
        let mut command = self.go.build(&folder, &out, flags, source == "cgo");
        command.envs(goarch.map(|goarch| ("GOARCH", goarch)));
        match run(&mut command) {
            Ok(()) => Some(out),
            Err(why) => {
                skip("zoo", &why);
                None
            }
        }
    }

    /// Runs a program until it dies; the core and where its memory stands.
    fn crash(&self, program: &Path, arguments: &str, filter: &str) -> (PathBuf, Vec<Addr>, u32) {
        let shell = format!(
            "ulimit -c unlimited && echo {filter} > /proc/self/coredump_filter && exec {} {arguments}",
            program.display()
        );
        let mut child = Command::new("sh")
            .args(["-c", &shell])
            .env("GOTRACEBACK", "crash")
            .current_dir(self.dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let addresses = addresses(child.stdout.take().unwrap());
        let pid = child.id();
        let status = child.wait().unwrap();
        assert!(status.core_dumped(), "{status:?}");
        let core = self.path(&format!("core.{pid}"));
        // The kernel adds the pid where `kernel.core_uses_pid` says so, and more where its pattern does.
        if !core.exists() {
            let names = std::fs::read_dir(self.dir.path()).unwrap().map(|e| e.unwrap().file_name());
            let is_its = |name: &str| name.starts_with("core") && (name == "core" || name.contains(&pid.to_string()));
            let written = names.into_iter().find(|name| name.to_str().is_some_and(is_its)).unwrap();
            std::fs::rename(self.path(written.to_str().unwrap()), &core).unwrap();
        }
        (core, addresses, pid)
    }

    /// gcore of a program that waits.
    fn gcore(&self, program: &Path, arguments: &str) -> Option<(PathBuf, Vec<Addr>, u32)> {
        let shell = format!("exec {} {arguments}", program.display());
        let mut child = Command::new("sh").args(["-c", &shell]).stdout(Stdio::piped()).spawn().unwrap();
        let addresses = addresses(child.stdout.take().unwrap());
        let pid = child.id();
        let made = Command::new("gcore")
            .arg("-o")
            .arg(self.path("gcore"))
            .arg(pid.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        child.kill().unwrap();
        child.wait().unwrap();
        match made {
            Ok(status) if status.success() => Some((self.path(&format!("gcore.{pid}")), addresses, pid)),
            _ => {
                skip("zoo", "there is no gcore, or it may not attach");
                None
            }
        }
    }
}

/// The line of addresses that the plain program prints.
fn addresses(stdout: impl std::io::Read) -> Vec<Addr> {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    line.split_whitespace().map(|word| Addr(u64::from_str_radix(word, 16).unwrap())).collect()
}

/// What the source says that stands there.
fn expect_memory(core: &Core, addresses: &[Addr], last: u64) {
    let heap: Vec<u8> = (0..1u32 << 20).map(|i| (i * 7) as u8).collect();
    assert!(core.bytes(addresses[0], 1 << 20, 1 << 20).unwrap() == heap);
    let words: Vec<u64> = (0..4).map(|i| core.u64(Addr(addresses[1].0 + 8 * i)).unwrap()).collect();
    assert_eq!(words, [0x1111, 0x2222, 0x3333, last]);
}

fn image(path: &Path) -> Arc<Image> {
    Arc::new(Image::parse(Arc::new(MappedFile::open(path).unwrap())).unwrap())
}

const CONSTANT: &[u8] = b"the constant of the first build";

#[test]
fn a_core_of_the_kernel() {
    let Some(bench) = Bench::new() else { return };
    let Some(program) = bench.build("plain", &[], None) else { return };
    let (path, addresses, pid) = bench.crash(&program, "die \"two  words\"", "0x33");
    let mut core = Core::open(&path).unwrap();
    expect_memory(&core, &addresses, 0x4445);
    assert!(!core.truncated() && core.damage().is_empty() && core.threads().len() > 1);
    // The runtime ends itself by SIGABRT, which it sends to its own thread; the kernel tells of that thread only.
    let died = &core.threads()[0];
    let siginfo = died.siginfo.unwrap();
    assert_eq!((died.signal, siginfo.number, siginfo.sender().unwrap().0), (6, 6, pid));
    assert!(core.threads()[1..].iter().all(|t| t.siginfo.is_none()));
    let process = core.process().unwrap();
    let arguments = format!("{} die two  words", program.display());
    assert_eq!((process.pid, process.name.as_str()), (pid, "prog"));
    assert_eq!(process.arguments, arguments[..arguments.len().min(79)]);
    // The kernel names the thread that started it, not its process.
    assert!(Path::new(&format!("/proc/self/task/{}", process.parent)).exists());
    let executable = core.executable().unwrap();
    assert_eq!(executable.path, program.as_os_str().as_encoded_bytes());
    // Every thread of Go has its own stack pointer, within memory that is there, and its m in thread-local storage.
    for thread in core.threads() {
        assert!(core.u64(thread.registers.sp()).is_ok());
        assert_ne!(thread.registers.get("fs_base"), Some(0));
        assert_eq!(core.vector_registers(thread).unwrap().len(), 16);
        assert!(core.xstate(thread).unwrap().len() >= 576);
    }
    // tgkill's number, in the thread that died.
    assert_eq!(died.registers.get("rax"), Some(0));
    assert_eq!(died.registers.get("orig_rax"), Some(234));

    // The vDSO is an ELF file of its own, and says where it was.
    let (vdso, range) = (core.vdso_image().unwrap(), core.vdso_range().unwrap());
    assert!(core.segments().iter().any(|s| s.range.start == range.start && s.executable));
    assert!(vdso.0.build_id().is_some() && range.contains(vdso.1.load(vdso.0.entry())));

    // Constants are in the file only, until it is attached.
    assert_eq!(core.u8(addresses[3]).unwrap_err().why, Why::NotHeld);
    let complete = core.completeness();
    assert!(matches!(complete.lost[..], [Lost::Files { first_pages: true, .. }]), "{:?}", complete.lost);
    assert!(complete.reserved > 0 && !complete.by_gdb);
    let found = Finder::default().find(&core, &core.program()).unwrap();
    assert_eq!((found.how, found.path.as_path(), found.id.answer), (How::Path, program.as_path(), Attachment::Same));
    assert_eq!(core.attach(&found.image), Attachment::Same);
    assert_eq!(core.bytes(addresses[3], 31, 31).unwrap(), CONSTANT);
    let of_files = core.completeness().amounts.into_iter().find(|a| a.kind == MemoryKind::File).unwrap();
    // The last page of each of the file's two read-only segments is longer than what the file says of it.
    assert!(of_files.named - of_files.held - of_files.backed < 2 * 4096, "{of_files:?}");
}

#[test]
fn a_program_from_its_own_memory() {
    let Some(bench) = Bench::new() else { return };
    let redacted = &["-ldflags=-buildid=redacted"][..];
    for (source, flags) in [("cgo", &[][..]), ("cgo", BuildMode::Pie.flags()), ("plain", redacted)] {
        let Some(program) = bench.build(source, flags, None) else { return };
        let file = image(&program);
        let gone = bench.path("gone");
        std::fs::rename(&program, &gone).unwrap();
        // Files that were not written to are in the core, or not.
        for (filter, there) in [("0x37", true), ("0x33", false)] {
            std::fs::rename(&gone, &program).unwrap();
            let (path, _, _) = bench.crash(&program, "die", filter);
            std::fs::rename(&program, &gone).unwrap();
            let mut core = Core::open(&path).unwrap();
            let found = Finder::default().program(&mut core);
            if !there {
                let tried = found.unwrap_err().to_string();
                assert!(tried.contains("from the core's own memory") && tried.contains("bytes of its code"), "{tried}");
                continue;
            }
            let found = found.unwrap();
            assert_eq!((found.how, found.id.told), (How::Memory, Told::Memory));
            assert!(found.remarks[0].contains("the binary is not here"));
            // Where another program lies at its path, it is not said to be away.
            std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
            let beside = Finder::default().program(&mut core).unwrap();
            std::fs::remove_file(&program).unwrap();
            let there = format!("{} is not the binary that wrote this core: ", program.display());
            assert!(beside.how == How::Memory && beside.remarks[0].starts_with(&there), "{:?}", beside.remarks);
            assert_eq!(core.attach(&found.image), Attachment::Same, "{flags:?}");
            assert_eq!(found.image.go_build_id().map(|id| &id.bytes), file.go_build_id().map(|id| &id.bytes));
            assert_eq!(found.image.build_info().unwrap(), file.build_info().unwrap());
            for segment in file.segments().iter().filter(|s| !s.writable) {
                let read = |image: &Image| image.read(segment.address, segment.file_size).unwrap().to_vec();
                assert!(read(&found.image) == read(&file), "{:?}", segment.address);
            }
            let functions = |image: &Image| image.pclntab().unwrap_or_else(|e| panic!("{flags:?} {e}")).len();
            assert!(functions(&found.image) > 1000 && functions(&found.image) == functions(&file));
        }
        std::fs::rename(&gone, &program).unwrap();
    }
}

#[test]
fn a_core_of_gcore() {
    let Some(bench) = Bench::new() else { return };
    let Some(program) = bench.build("plain", &[], None) else { return };
    let Some((path, addresses, pid)) = bench.gcore(&program, "wait") else { return };
    let mut core = Core::open(&path).unwrap();
    expect_memory(&core, &addresses, 0x4444);
    assert_eq!(core.process().map(|p| (p.pid, p.name.as_str())), Some((pid, "prog")));
    assert!(core.threads().len() > 1 && core.threads().iter().all(|t| t.siginfo.is_some()));
    let complete = core.completeness();
    assert!(complete.by_gdb);
    // Of a file that was not written to gcore leaves out what does not begin with its ELF header, and names it only in
    // NT_FILE.
    assert!(complete.lost.iter().any(|l| matches!(l, Lost::NotNamed { .. })), "{:?}", complete.lost);
    assert_eq!(core.u8(addresses[3]).unwrap_err().why, Why::NotHeld);
    assert_eq!(core.attach(&image(&program)), Attachment::Same);
    assert_eq!(core.bytes(addresses[3], 31, 31).unwrap(), CONSTANT);
    assert!(core.vdso().is_some());
}

#[test]
fn libraries_of_a_position_independent_program() {
    let Some(bench) = Bench::new() else { return };
    let Some(program) = bench.build("cgo", BuildMode::Pie.flags(), None) else { return };
    // Without anonymous memory (bit 0), what the loader relocated and then protected is not in the core either.
    for filter in ["0x33", "0x32"] {
        let (path, _, _) = bench.crash(&program, "", filter);
        let mut core = Core::open(&path).unwrap();
        let files = core.elves();
        let names: Vec<String> = files.iter().map(|f| String::from_utf8_lossy(&f.path).into_owned()).collect();
        assert!(files.len() >= 3 && files.iter().filter(|f| f.program).count() == 1, "{names:?}");
        assert!(names.iter().any(|n| n.contains("libc.so")) && names.iter().any(|n| n.contains("ld-")), "{names:?}");
        for file in &files {
            assert!(file.build_id.is_some(), "{:?}", file.path);
            let found = Finder::default().find(&core, file).unwrap();
            assert_eq!((found.how, found.id.told), (How::Path, Told::BuildId));
            assert_eq!(core.attach_file(file, &found.image).answer, Attachment::Same);
            let (mut read, mut written) = (0, 0);
            for segment in found.image.segments() {
                let first = found.image.segments()[0];
                let base = file.mappings[0].range.start.0 - (first.address.0 - first.file_offset);
                let at = Addr(base + segment.address.0);
                let of_file = found.image.read(segment.address, segment.file_size).unwrap();
                if !segment.writable {
                    let of_core = core.bytes(at, segment.file_size, usize::MAX).unwrap();
                    assert!(of_core == of_file, "{:?} {at}", file.path);
                    read += 1;
                } else if filter == "0x32" {
                    // RELRO: it was written to, so the file does not know.
                    assert_eq!(core.u8(at), Err(Fault { address: at, why: Why::NotHeld }));
                    written += 1;
                } else {
                    assert!(core.u8(at).is_ok());
                }
            }
            assert!(read >= 2 && (filter == "0x33" || written > 0));
        }
        if filter == "0x32" {
            let lost = core.completeness().lost;
            assert!(lost.iter().any(|l| matches!(l, Lost::Anonymous { all: true, .. })), "{lost:?}");
        }
    }
}

#[test]
fn without_a_build_id_only_code_tells() {
    let Some(bench) = Bench::new() else { return };
    // Without ids; and with one that every program of the house has.
    for flags in ["-ldflags=-buildid= -B none", "-ldflags=-buildid=redacted"] {
        let Some(program) = bench.build("plain", &[flags], None) else { return };
        // Another constant of the same length: nothing else differs, and the first page does not.
        let bytes = std::fs::read(&program).unwrap();
        let at = bytes.windows(CONSTANT.len()).position(|w| w == CONSTANT).unwrap();
        let mut changed = bytes.clone();
        changed[at + 26..at + 31].copy_from_slice(b"other");
        assert!(changed[..4096] == bytes[..4096]);
        let other = bench.path("other");
        std::fs::write(&other, changed).unwrap();
        for (filter, same, differs) in
            [("0x33", Attachment::CannotTell, Attachment::CannotTell), ("0x37", Attachment::Same, Attachment::Other)]
        {
            let (path, _, _) = bench.crash(&program, "die", filter);
            let mut core = Core::open(&path).unwrap();
            assert_eq!(core.attach(&image(&other)), differs, "{flags} {filter}");
            assert_eq!(core.attach(&image(&program)), same, "{flags} {filter}");
            assert_eq!(core.program().build_id.is_none(), flags.contains("none"));
        }
    }
}

/// A kernel that dumps no ELF headers (`CONFIG_CORE_DUMP_DEFAULT_ELF_HEADERS` off): the core holds nothing of the file but variables.
#[test]
fn without_headers_the_places_of_its_tables_tell_another_build() {
    let Some(bench) = Bench::new() else { return };
    for mode in [&[][..], &["-buildmode=pie"], &["-ldflags=-s -w"]] {
        let flags = [mode, &["-gcflags=-l"]].concat();
        let Some(built) = bench.build("plain", &flags, None) else { return };
        let other = bench.path("other");
        std::fs::rename(built, &other).unwrap();
        let Some(program) = bench.build("plain", mode, None) else { return };
        let (path, _, _) = bench.crash(&program, "die", "0x23");
        let core = Core::open(&path).unwrap();
        let compared = |path: &Path| core.compare(&core.program(), &image(path));
        let (own, other) = (compared(&program), compared(&other));
        assert_eq!((own.answer, own.told), (Attachment::CannotTell, Told::Tables(9)), "{mode:?}");
        assert_eq!(other.answer, Attachment::Other, "{mode:?}");
        assert!(matches!(other.told, Told::Tables(_)), "{mode:?}: {other}");
    }
}

#[test]
fn memory_that_was_not_to_be_dumped_and_memory_that_was_never_written_to() {
    let Some(bench) = Bench::new() else { return };
    let Some(program) = bench.build("plain", &[], None) else { return };
    for (what, lost) in [("dontdump", true), ("untouched", true), ("read", true), ("freed", false), ("", false)] {
        let (path, addresses, _) = bench.crash(&program, &format!("die {what}"), "0x33");
        let core = Core::open(&path).unwrap();
        let complete = core.completeness();
        let unwritten = Lost::Unwritten { memory: 1 << 20 };
        assert_eq!(complete.lost.contains(&unwritten), lost, "{what}: {:?}", complete.lost);
        let said: Vec<&Lost> = complete.lost.iter().filter(|l| !matches!(l, Lost::Files { .. })).collect();
        assert_eq!(said, lost.then_some(&unwritten).into_iter().collect::<Vec<_>>(), "{what}");
        let amount = complete.amounts.iter().find(|a| a.kind == MemoryKind::Anonymous).unwrap();
        assert_eq!(amount.named - amount.held, amount.unwritten, "{what}");
        let byte = core.u8(addresses[2]).map_err(|fault| fault.why);
        assert_eq!(byte, if lost { Err(Why::NotHeld) } else { Ok(u8::from(what.is_empty())) }, "{what}");
    }
}

#[test]
fn a_core_of_a_32_bit_program_says_whose_it_was() {
    let Some(bench) = Bench::new() else { return };
    let Some(program) = bench.build("plain", &[], Some("386")) else { return };
    let (path, _, pid) = bench.crash(&program, "die", "0x33");
    let Err(TargetError::OtherMachine(other)) = Core::open(&path) else { panic!() };
    let (found, name, arguments) = other.process.clone().unwrap();
    assert_eq!((other.machine, other.bits, other.signal), (3, 32, Some(6)));
    assert_eq!((found, name.as_str()), (pid, "prog"));
    assert!(arguments.starts_with(&program.display().to_string()), "{arguments}");
}

#[test]
fn wherever_a_core_is_cut_what_is_read_is_right() {
    let Some(bench) = Bench::new() else { return };
    let Some(program) = bench.build("plain", &[], None) else { return };
    let (path, addresses, _) = bench.crash(&program, "die", "0x33");
    let whole = Core::open(&path).unwrap();
    let len = std::fs::metadata(&path).unwrap().len();
    let cut = bench.path("cut");
    std::fs::copy(&path, &cut).unwrap();
    // Every word of headers and notes, then sixteenths of what is left, from the end to the beginning.
    let mut places: Vec<u64> = (0..0x6000).step_by(8).chain((1..16).map(|i| len / 16 * i + 5)).collect();
    places.push(len - 1);
    places.reverse();
    let mut right = 0u64;
    for place in places {
        std::fs::OpenOptions::new().write(true).open(&cut).unwrap().set_len(place).unwrap();
        let Ok(core) = Core::open(&cut) else {
            assert!(place < 64, "{place}");
            continue;
        };
        assert!(core.truncated(), "{place}");
        assert!(core.threads().iter().zip(whole.threads()).all(|(a, b)| a.tid == b.tid && a.registers == b.registers));
        let known = [addresses[0], addresses[1], whole.threads()[0].registers.sp()];
        for at in whole.segments().iter().map(|s| s.range.start).chain(known) {
            match (core.u64(at), whole.u64(at)) {
                (Ok(a), Ok(b)) if a == b => right += 1,
                (Err(fault), _) => assert!(matches!(fault.why, Why::NotHeld | Why::Unmapped), "{place} {fault}"),
                (a, b) => panic!("{place} {at} {a:?} {b:?}"),
            }
        }
    }
    assert!(right > 100);
}

#[test]
fn a_compressed_core_is_the_same_core() {
    let Some(bench) = Bench::new() else { return };
    let Some(program) = bench.build("plain", &[], None) else { return };
    let (path, addresses, pid) = bench.crash(&program, "die", "0x33");
    for (command, ending) in [("zstd", "zst"), ("lz4", "lz4"), ("gzip", "gz"), ("xz", "xz")] {
        let out = bench.path("packed");
        let file = std::fs::File::create(&out).unwrap();
        let fast = if command == "xz" { "-0" } else { "-1" };
        let made = Command::new(command).args([fast, "-c"]).arg(&path).stdout(file).stderr(Stdio::null()).status();
        if !made.is_ok_and(|s| s.success()) {
            skip("zoo", &format!("{command} is not installed"));
            continue;
        }
        let core = Core::open(&out).unwrap();
        expect_memory(&core, &addresses, 0x4445);
        let unpacked = core.unpacked().unwrap();
        assert_eq!((unpacked.len, &unpacked.stopped), (std::fs::metadata(&path).unwrap().len(), &None), "{ending}");
        assert!(unpacked.written < unpacked.len / 8, "most of a Go core is empty: {unpacked}");
        assert_eq!(core.process().map(|p| p.pid), Some(pid));
    }
}
