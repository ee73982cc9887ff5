//! How much of a process's memory is at hand, and why the rest is not, as far as the core itself tells.
//!
//! Folklore: RLIMIT_CORE counts what is written, and holes are not. With a limit of 100 KiB the kernel (6.18) left a core
//! of 180,224 bytes of a small Go program, with 1,000 KiB one of 41,836,544. The length of a file that was cut off says
//! nothing of the limit; what it takes on disk comes near it.

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
}

impl fmt::Display for MemoryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MemoryKind::Anonymous => "anonymous",
            MemoryKind::Shared => "shared",
            MemoryKind::File => "file-backed",
            MemoryKind::Kernel => "the kernel's",
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
    /// Anonymous memory was left out. All of it: `coredump_filter`. Some: MADV_DONTDUMP, or a device's memory.
    Anonymous {
        /// In bytes.
        memory: u64,
        /// All of it.
        all: bool,
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
                write!(f, "{memory} bytes of anonymous memory were left out (MADV_DONTDUMP, or a device's)")
            }
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
        let kinds = [MemoryKind::Anonymous, MemoryKind::Shared, MemoryKind::File, MemoryKind::Kernel];
        let mut amounts = kinds.map(|kind| Amount { kind, named: 0, held: 0, backed: 0 });
        let mut left_out = kinds.map(|_| 0u64);
        let (mut reserved, mut cut, mut first_pages, mut anonymous) = (0u64, 0u64, false, false);
        for segment in self.segments() {
            let len = segment.range.len();
            if !(segment.readable || segment.writable || segment.executable) {
                reserved = reserved.saturating_add(len);
                continue;
            }
            let kind = self.kind_of(segment);
            let Some(index) = kinds.iter().position(|k| *k == kind) else { continue };
            let (Some(amount), Some(out)) = (amounts.get_mut(index), left_out.get_mut(index)) else { continue };
            amount.named = amount.named.saturating_add(len);
            amount.held = amount.held.saturating_add(segment.held);
            if !segment.writable {
                let rest = Range { start: segment.held_range().end, end: segment.range.end };
                amount.backed = amount.backed.saturating_add(self.supplied(rest));
            }
            *out = out.saturating_add(len.saturating_sub(segment.written));
            cut = cut.saturating_add(segment.written.saturating_sub(segment.held));
            first_pages |= kind == MemoryKind::File && segment.written == PAGE && len > PAGE;
            anonymous |= kind == MemoryKind::Anonymous && segment.writable && segment.written > 0;
        }
        let not_named = self.not_named(&mut amounts);
        let [of_anonymous, of_shared, of_files, _] = left_out;
        let damage = |wanted: fn(&Damage) -> bool| self.damage().iter().find(|d| wanted(d));
        let cut = match damage(|d| matches!(d, Damage::Cut { .. })) {
            Some(Damage::Cut { len, promised }) => {
                Some(Lost::Cut { len: *len, promised: *promised, on_disk: self.content.on_disk(), memory: cut })
            }
            _ => None,
        };
        let lost = [
            self.unpacked().and_then(|u| u.stopped.clone()).map(Lost::Unpacking),
            cut,
            damage(|d| matches!(d, Damage::Headers { .. })).map(|_| Lost::Headers),
            (of_anonymous > 0).then_some(Lost::Anonymous { memory: of_anonymous, all: !anonymous }),
            (of_shared > 0).then_some(Lost::Shared { memory: of_shared }),
            (of_files > 0).then_some(Lost::Files { memory: of_files, first_pages }),
            (not_named > 0).then_some(Lost::NotNamed { memory: not_named }),
        ];
        Completeness {
            amounts: amounts.into_iter().filter(|a| a.named > 0).collect(),
            reserved,
            lost: lost.into_iter().flatten().collect(),
            by_gdb: self.headers.notes.by_gdb,
            by_delve: self.headers.notes.by_delve,
        }
    }

    fn kind_of(&self, segment: &CoreSegment) -> MemoryKind {
        match self.mapping_at(segment.range.start) {
            Some(mapping) => kind_of_file(mapping),
            None if segment.range.start >= KERNEL => MemoryKind::Kernel,
            None if self.vdso_at().is_some_and(|at| segment.range.contains(at)) => MemoryKind::Kernel,
            None => MemoryKind::Anonymous,
        }
    }

    /// Adds what only NT_FILE names, and answers with how much that is.
    fn not_named(&self, amounts: &mut [Amount]) -> u64 {
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
            if let Some(amount) = amounts.iter_mut().find(|a| a.kind == kind_of_file(mapping)) {
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

/// Files without a name in a file system: the kernel calls them so in `/proc/PID/maps` and in NT_FILE.
fn kind_of_file(mapping: &FileMapping) -> MemoryKind {
    let shared = [&b"/memfd:"[..], b"/SYSV", b"/dev/zero (deleted)"].iter().any(|p| mapping.path.starts_with(p));
    if shared { MemoryKind::Shared } else { MemoryKind::File }
}
