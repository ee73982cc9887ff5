//! How much of a process's memory is at hand, and why the rest is not, as far as the core itself tells.
//!
//! Folklore: RLIMIT_CORE counts what is written, and holes are not. With a limit of 100 KiB the kernel (6.18) left a core
//! of 180,224 bytes of a small Go program, with 1,000 KiB one of 41,836,544. The length of a file that was cut off says
//! nothing of the limit; what it takes on disk comes near it.
//!
//! Folklore: of private memory in no file the kernel writes nothing until the process has written to it (`vma_dump_size` of
//! `fs/coredump.c`, 5.17: no `anon_vma`; seen with 6.18), whether it was read or not; it writes nothing of it after
//! `madvise(MADV_DONTDUMP)` either. The core has the same of both: a program header without bytes. What was written to and
//! then freed or protected is written whole. Memory of devices is of a file, and `NT_FILE` names it.

use crate::core::{Core, CoreSegment};
use crate::headers::Damage;
use crate::notes::FileMapping;
use crate::unpack::Stopped;
use gopsy_mem::{Addr, Range};
use std::fmt;

/// Where the kernel's half of the address space begins: the page `[vsyscall]` lies there.
const KERNEL: Addr = Addr(1 << 63);
/// What the kernel writes of a mapping when it writes only its first page (`coredump_filter` bit 4).
const PAGE: u64 = 4096;

/// What a stretch of memory was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryKind {
    /// Of no file: heap, stacks.
    Anonymous,
    /// Of a file without a place in a file system: shared between processes (`memfd_create`, `shmget`, shared mappings of
    /// no file).
    Shared,
    /// Of a file.
    File,
    /// The kernel's own: vDSO, vsyscall.
    Kernel,
    /// The core lacks the list of files (`NT_FILE`): nobody knows.
    Unknown,
}

impl fmt::Display for MemoryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MemoryKind::Anonymous => "anonymous",
            MemoryKind::Shared => "shared",
            MemoryKind::File => "file-backed",
            MemoryKind::Kernel => "the kernel's",
            MemoryKind::Unknown => "not known",
        })
    }
}

/// How much there is of one kind of memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// The kind.
    pub kind: MemoryKind,
    /// How much the process could read.
    pub named: u64,
    /// How much of that the core holds.
    pub held: u64,
    /// How much of the rest attached files supply.
    pub backed: u64,
    /// How much of the rest was never written to, or was not to be dumped ([`Lost::Unwritten`]).
    pub unwritten: u64,
}

/// Why some memory is not in a core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// The file was cut off: the disk was full, RLIMIT_CORE or another limit was reached, a copy was not finished.
    Cut {
        /// Its length in bytes.
        len: u64,
        /// The least length that holds everything its headers name.
        promised: u64,
        /// How much of it is on disk: what RLIMIT_CORE counts, about.
        on_disk: Option<u64>,
        /// How much memory is lost by it.
        memory: u64,
    },
    /// What was compressed could not be unpacked to its end.
    Unpacking(Stopped),
    /// Program headers are lost: nobody knows what else was there.
    Headers,
    /// Memory of files was left out, which is what `coredump_filter` says by default.
    Files {
        /// In bytes.
        memory: u64,
        /// The first page of some was written: bit 4 of `coredump_filter`, or the like.
        first_pages: bool,
    },
    /// Memory shared between processes was left out: `coredump_filter`, or MADV_DONTDUMP.
    Shared {
        /// In bytes.
        memory: u64,
    },
    /// Anonymous memory was left out. All of it: `coredump_filter`. Some, which the kernel does not do: whoever wrote the core.
    Anonymous {
        /// In bytes.
        memory: u64,
        /// All of it.
        all: bool,
    },
    /// Whole stretches of anonymous memory are not in the core: nothing was ever written there, and they read as zeros; or the
    /// process had asked for that (MADV_DONTDUMP). The core does not tell which.
    Unwritten {
        /// In bytes.
        memory: u64,
    },
    /// Memory was left out of which nobody knows what it was: the list of files is lost.
    Unknown {
        /// In bytes.
        memory: u64,
    },
    /// gcore names only what it writes; files were mapped here that it left out.
    NotNamed {
        /// In bytes.
        memory: u64,
    },
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Cut { len, promised, memory, .. } => {
                write!(f, "the core was cut off after {len} of {promised} bytes; {memory} bytes of memory are lost")
            }
            Lost::Unpacking(why) => write!(f, "the core could not be unpacked to its end: {why}"),
            Lost::Headers => write!(f, "program headers are lost: what memory there was is not known"),
            Lost::Files { memory, first_pages: false } => write!(f, "{memory} bytes of files were left out"),
            Lost::Files { memory, first_pages: true } => {
                write!(f, "{memory} bytes of files were left out (the first pages of some were written)")
            }
            Lost::Shared { memory } => write!(f, "{memory} bytes of shared memory were left out"),
            Lost::Anonymous { memory, all: true } => {
                write!(f, "all anonymous memory, {memory} bytes, was left out (coredump_filter)")
            }
            Lost::Anonymous { memory, all: false } => {
                write!(f, "{memory} bytes of anonymous memory were left out by who wrote the core")
            }
            Lost::Unwritten { memory } => write!(
                f,
                "{memory} bytes of anonymous memory are not in the core: never written to (they read as zeros), or left out by \
                 MADV_DONTDUMP"
            ),
            Lost::Unknown { memory } => write!(
                f,
                "{memory} bytes were left out; whether of files or not is not known: the core has no whole list of files (NT_FILE)"
            ),
            Lost::NotNamed { memory } => write!(f, "{memory} bytes of files were left out by who wrote the core"),
        }
    }
}

/// How complete a core is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completeness {
    /// Each kind of memory that there was.
    pub amounts: Vec<Amount>,
    /// Address space that was reserved: nothing could be read there. (Go reserves much.) gcore tells it from nothing else.
    pub reserved: u64,
    /// Why memory is missing, whether or not files supply it.
    pub lost: Vec<Lost>,
    /// gdb wrote it (gcore): it says so itself.
    pub by_gdb: bool,
    /// Delve wrote it (`dump`): it says so itself.
    pub by_delve: bool,
}

impl Core {
    /// How complete this core is, with the files that are attached.
    #[must_use]
    pub fn completeness(&self) -> Completeness {
        let mut sums = Sums::default();
        let mut reserved = 0u64;
        for segment in self.segments() {
            if segment.readable || segment.writable || segment.executable {
                self.count(segment, &mut sums);
            } else {
                reserved = reserved.saturating_add(segment.range.len());
            }
        }
        let headers = self.damage().iter().any(|d| matches!(d, Damage::Headers { .. }));
        // Every process has a stack, and has written to it. It may stand behind the headers that are there.
        let filtered = !sums.written && !headers;
        if filtered && let Some(anonymous) = sums.amount(MemoryKind::Anonymous) {
            anonymous.unwritten = 0;
            sums.anonymous = sums.anonymous.saturating_add(std::mem::take(&mut sums.unwritten));
        }
        let not_named = self.not_named(&mut sums);
        let lost = [
            self.unpacked().and_then(|u| u.stopped.clone()).map(Lost::Unpacking),
            self.damage().iter().find_map(|damage| match damage {
                Damage::Cut { len, promised } => Some(Lost::Cut {
                    len: *len,
                    promised: *promised,
                    on_disk: self.content.on_disk(),
                    memory: sums.cut,
                }),
                _ => None,
            }),
            headers.then_some(Lost::Headers),
            (sums.anonymous > 0).then_some(Lost::Anonymous { memory: sums.anonymous, all: filtered }),
            (sums.unwritten > 0).then_some(Lost::Unwritten { memory: sums.unwritten }),
            (sums.unknown > 0).then_some(Lost::Unknown { memory: sums.unknown }),
            (sums.shared > 0).then_some(Lost::Shared { memory: sums.shared }),
            (sums.files > 0).then_some(Lost::Files { memory: sums.files, first_pages: sums.first_pages }),
            (not_named > 0).then_some(Lost::NotNamed { memory: not_named }),
        ];
        Completeness {
            amounts: sums.amounts.into_iter().filter(|a| a.named > 0).collect(),
            reserved,
            lost: lost.into_iter().flatten().collect(),
            by_gdb: self.headers.notes.by_gdb,
            by_delve: self.headers.notes.by_delve,
        }
    }

    /// Adds a stretch of memory to the sums.
    fn count(&self, segment: &CoreSegment, sums: &mut Sums) {
        let (kind, len) = (self.kind_of(segment), segment.range.len());
        let rest = Range { start: segment.held_range().end, end: segment.range.end };
        let backed = if segment.writable { 0 } else { self.supplied(rest) };
        let left_out = len.saturating_sub(segment.written);
        let unwritten = if kind == MemoryKind::Anonymous && segment.written == 0 { len } else { 0 };
        if let Some(amount) = sums.amount(kind) {
            amount.named = amount.named.saturating_add(len);
            amount.held = amount.held.saturating_add(segment.held);
            amount.backed = amount.backed.saturating_add(backed);
            amount.unwritten = amount.unwritten.saturating_add(unwritten.saturating_sub(backed));
        }
        let sum = match kind {
            MemoryKind::Anonymous if unwritten > 0 => Some(&mut sums.unwritten),
            MemoryKind::Anonymous => Some(&mut sums.anonymous),
            MemoryKind::Unknown => Some(&mut sums.unknown),
            MemoryKind::Shared => Some(&mut sums.shared),
            MemoryKind::File => Some(&mut sums.files),
            MemoryKind::Kernel => None,
        };
        if let Some(sum) = sum {
            *sum = sum.saturating_add(left_out);
        }
        sums.cut = sums.cut.saturating_add(segment.written.saturating_sub(segment.held));
        sums.first_pages |= kind == MemoryKind::File && segment.written == PAGE && len > PAGE;
        sums.written |= kind == MemoryKind::Anonymous && segment.writable && segment.written > 0;
    }

    fn kind_of(&self, segment: &CoreSegment) -> MemoryKind {
        match self.mapping_at(segment.range.start) {
            Some(mapping) => kind_of_file(mapping),
            None if segment.range.start >= KERNEL => MemoryKind::Kernel,
            None if self.vdso_at().is_some_and(|at| segment.range.contains(at)) => MemoryKind::Kernel,
            // Every process has the mappings of its executable.
            None if self.mappings().is_empty() => MemoryKind::Unknown,
            None => MemoryKind::Anonymous,
        }
    }

    /// Adds what only NT_FILE names, and answers with how much that is.
    fn not_named(&self, sums: &mut Sums) -> u64 {
        let mut all = 0u64;
        for mapping in self.mappings() {
            let from = self.segments().partition_point(|s| s.range.end <= mapping.range.start);
            let segments = self.segments().iter().skip(from).take_while(|s| s.range.start < mapping.range.end);
            let (mut bytes, mut supplied) = (mapping.range.len(), self.supplied(mapping.range));
            for segment in segments {
                let (start, end) =
                    (segment.range.start.max(mapping.range.start), segment.range.end.min(mapping.range.end));
                bytes = bytes.saturating_sub(Range { start, end }.len());
                supplied = supplied.saturating_sub(self.supplied(Range { start, end }));
            }
            if let Some(amount) = sums.amount(kind_of_file(mapping)) {
                amount.named = amount.named.saturating_add(bytes);
                amount.backed = amount.backed.saturating_add(supplied);
            }
            all = all.saturating_add(bytes);
        }
        all
    }

    /// How many bytes of a range attached files could supply.
    fn supplied(&self, range: Range) -> u64 {
        let parts = self.backing.parts();
        let from = parts.partition_point(|p| p.range.end <= range.start);
        let overlapping = parts.iter().skip(from).take_while(|p| p.range.start < range.end);
        let common = |p: Range| Range { start: p.start.max(range.start), end: p.end.min(range.end) }.len();
        overlapping.map(|p| common(p.range)).fold(0, u64::saturating_add)
    }
}

/// What stretches of memory add up to, in bytes.
struct Sums {
    amounts: [Amount; 5],
    /// What was left out, by kind.
    anonymous: u64,
    unwritten: u64,
    unknown: u64,
    shared: u64,
    files: u64,
    /// What the end of the file cut off.
    cut: u64,
    /// Of some file only the first page was written.
    first_pages: bool,
    /// Some anonymous memory was.
    written: bool,
}

impl Default for Sums {
    fn default() -> Self {
        use MemoryKind::{Anonymous, File, Kernel, Shared, Unknown};
        let none = |kind| Amount { kind, named: 0, held: 0, backed: 0, unwritten: 0 };
        Sums {
            amounts: [Anonymous, Shared, File, Kernel, Unknown].map(none),
            anonymous: 0,
            unwritten: 0,
            unknown: 0,
            shared: 0,
            files: 0,
            cut: 0,
            first_pages: false,
            written: false,
        }
    }
}

impl Sums {
    fn amount(&mut self, kind: MemoryKind) -> Option<&mut Amount> {
        self.amounts.iter_mut().find(|amount| amount.kind == kind)
    }
}

/// Files without a name in a file system: the kernel calls them so in `/proc/PID/maps` and in NT_FILE.
fn kind_of_file(mapping: &FileMapping) -> MemoryKind {
    let shared = [&b"/memfd:"[..], b"/SYSV", b"/dev/zero (deleted)"].iter().any(|p| mapping.path.starts_with(p));
    if shared { MemoryKind::Shared } else { MemoryKind::File }
}
