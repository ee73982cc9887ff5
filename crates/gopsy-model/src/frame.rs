//! Frames and stacks.

use crate::{Known, Missing, Str, Trust};
use std::ops::Range;

/// The name of a function as the Go runtime prints it, without arguments: `example.com/a/b.(*T).Method`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionName(pub Str);

impl FunctionName {
    /// The import path of the package (`example.com/a/b`), or `None` for names without one (C functions, `panic`).
    ///
    /// The path ends at the first dot (or `·`, in texts before Go 1.4) behind the last slash that stands before
    /// any receiver, bracket or argument.
    #[must_use]
    pub fn package(&self) -> Option<&str> {
        let name: &str = &self.0;
        let head = name.find(['(', '[', '{']).map_or(name, |i| name.get(..i).unwrap_or(name));
        let start = head.rfind('/').map_or(0, |i| i + 1);
        let tail = head.get(start..)?;
        let dot = tail.find(['.', '\u{b7}'])?;
        let end = start + dot;
        let path = name.get(..end)?;
        if path.is_empty() { None } else { Some(path) }
    }

    /// The part behind the package: `(*T).Method`, `f.func1`.
    #[must_use]
    pub fn local(&self) -> &str {
        match self.package() {
            Some(path) => {
                let rest = self.0.get(path.len()..).unwrap_or("");
                rest.strip_prefix('.').or_else(|| rest.strip_prefix('\u{b7}')).unwrap_or(rest)
            }
            None => &self.0,
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One printed argument word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    /// A word. `stale` is the runtime's `?`: the register's home on the stack may hold an older value (Go 1.18+).
    Word {
        /// The word itself.
        value: u64,
        /// The runtime marked it with `?`.
        stale: bool,
    },
    /// `{…}`: the words of one composite argument (Go 1.17+).
    Group(Vec<Arg>),
    /// `_`: not recoverable.
    Unreachable,
    /// `...`: more arguments than the runtime prints.
    More,
}

/// The printed arguments of a frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Args {
    /// The arguments in order.
    pub list: Vec<Arg>,
    /// The list was cut or damaged in the text.
    pub truncated: bool,
}

impl Args {
    /// The `n`-th machine word counted through composite arguments, if it was printed.
    #[must_use]
    pub fn word(&self, n: usize) -> Option<u64> {
        self.words().get(n).copied().flatten().map(|(value, _)| value)
    }

    /// All words, flattened: `(value, stale)`, `None` where the runtime printed `_`.
    #[must_use]
    pub fn words(&self) -> Vec<Option<(u64, bool)>> {
        fn flatten(list: &[Arg], out: &mut Vec<Option<(u64, bool)>>) {
            for arg in list {
                match arg {
                    Arg::Word { value, stale } => out.push(Some((*value, *stale))),
                    Arg::Group(inner) => flatten(inner, out),
                    Arg::Unreachable => out.push(None),
                    Arg::More => {}
                }
            }
        }
        let mut out = Vec::new();
        flatten(&self.list, &mut out);
        out
    }
}

/// One activation of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function's name.
    pub function: Known<FunctionName>,
    /// The source file as the binary names it.
    pub file: Known<Str>,
    /// The line. Negative lines have been seen in real texts.
    pub line: Known<i64>,
    /// Distance of the pc from the function's entry, in bytes (`+0x1d`).
    pub offset: Known<u64>,
    /// Program counter.
    pub pc: Known<u64>,
    /// Stack pointer.
    pub sp: Known<u64>,
    /// Frame pointer as Go prints it: the canonical frame address.
    pub fp: Known<u64>,
    /// Printed arguments.
    pub args: Known<Args>,
    /// The frame was inlined into the next one.
    pub inlined: bool,
    /// A C (or other foreign) frame.
    pub foreign: bool,
    /// The file that holds the code of such a frame, by its base name (`libc.so.6`).
    pub module: Known<Str>,
}

impl Frame {
    /// A frame of which only the function's name was printed.
    #[must_use]
    pub fn named(function: &str) -> Self {
        Frame {
            function: Known::printed(FunctionName(function.into())),
            file: Known::not_printed(),
            line: Known::not_printed(),
            offset: Known::not_printed(),
            pc: Known::not_printed(),
            sp: Known::not_printed(),
            fp: Known::not_printed(),
            args: Known::not_printed(),
            inlined: false,
            foreign: false,
            module: Known::Missing(Missing::NotApplicable),
        }
    }

    /// What the frame as a whole is worth: the worst of how its pc, its function and its place are known.
    #[must_use]
    pub fn trust(&self) -> Option<Trust> {
        [self.pc.trust(), self.function.trust(), self.file.trust(), self.line.trust()].into_iter().flatten().max()
    }

    /// Whether it was found by a search of the stack: it may be left over from a call that has long returned.
    #[must_use]
    pub fn is_scanned(&self) -> bool {
        self.trust() == Some(Trust::Scanned)
    }
}

/// Who started a goroutine (`created by …`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    /// The function that contains the `go` statement.
    pub function: FunctionName,
    /// Its file.
    pub file: Known<Str>,
    /// The line of the `go` statement.
    pub line: Known<i64>,
    /// The goroutine that executed it (Go 1.21+).
    pub goroutine: Known<u64>,
}

/// Frames that the runtime, a person or a bound of gopsy left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elision {
    /// How many frames of the stack stand before the gap.
    pub after: usize,
    /// How many frames are missing, if that was said.
    pub count: Known<u64>,
    /// Whose frames they are, with how many each, the most frequent first; empty where that is not known. Of very many functions the
    /// first ones.
    pub functions: Vec<(FunctionName, u64)>,
}

impl Elision {
    /// A gap of which no more is known than how many frames are missing in it.
    #[must_use]
    pub fn of(after: usize, count: Known<u64>) -> Self {
        Elision { after, count, functions: Vec::new() }
    }

    /// Whether it is known of each frame that is missing whose it is.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let named = self.functions.iter().fold(0u64, |sum, (_, times)| sum.saturating_add(*times));
        self.count.value().is_some_and(|count| *count == named)
    }
}

/// The frames of one goroutine or thread, innermost first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stack {
    /// The frames, innermost first.
    pub frames: Vec<Frame>,
    /// Gaps.
    pub elided: Vec<Elision>,
    /// Why there are no frames, or why they end early, in the runtime's words (`stack unavailable`).
    pub unavailable: Option<Str>,
    /// What is to be known of how the frames were found.
    pub remarks: Vec<Str>,
}

impl Stack {
    /// Some of its frames, by their indices, with what is told of the whole as far as it is about these.
    #[must_use]
    pub fn part(self, part: Range<usize>) -> Stack {
        let Stack { mut frames, elided, unavailable, remarks } = self;
        let to_its_end = part.end >= frames.len();
        frames.truncate(part.end);
        let frames: Vec<Frame> = frames.into_iter().skip(part.start).collect();
        let within = |after: &usize| (1..frames.len()).contains(after) || (to_its_end && *after == frames.len());
        let shifted =
            |gap: Elision| gap.after.checked_sub(part.start).filter(within).map(|after| Elision { after, ..gap });
        let elided = elided.into_iter().filter_map(shifted).collect();
        let (unavailable, remarks) = if to_its_end { (unavailable, remarks) } else { (None, Vec::new()) };
        Stack { frames, elided, unavailable, remarks }
    }
}

/// Whether an address lies in the page where the kernel keeps the trampoline of uretprobes on x86-64, whose address stands in
/// place of a return address that one of them has replaced: the last page but one below the end of what a process may map, of
/// four levels of page tables or five (`xol_add_vma` and `arch_uretprobe_hijack_return_addr` in `kernel/events/uprobes.c`,
/// `task_size_max` in `arch/x86/include/asm/page_64.h`, 6.18).
#[must_use]
pub fn is_uprobe_page(address: u64) -> bool {
    matches!(address & !0xfff, 0x7fff_ffff_e000 | 0xff_ffff_ffff_e000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(name: &str) -> (Option<String>, String) {
        let f = FunctionName(name.into());
        (f.package().map(str::to_owned), f.local().to_owned())
    }

    #[test]
    fn packages_of_names() {
        let some = |p: &str, l: &str| (Some(p.to_owned()), l.to_owned());
        assert_eq!(split("main.main"), some("main", "main"));
        assert_eq!(split("example.com/a/b.(*T).M"), some("example.com/a/b", "(*T).M"));
        assert_eq!(split("gopkg.in/check%2ev1.(*R).run"), some("gopkg.in/check%2ev1", "(*R).run"));
        assert_eq!(split("a/b.F[...].func1"), some("a/b", "F[...].func1"));
        assert_eq!(split("main\u{b7}generate"), some("main", "generate"));
        assert_eq!(
            split("encoding/json.(*E).(encoding/json.encode)-fm"),
            some("encoding/json", "(*E).(encoding/json.encode)-fm")
        );
        assert_eq!(split("panic"), (None, "panic".to_owned()));
        assert_eq!(split("copystack"), (None, "copystack".to_owned()));
    }

    #[test]
    fn a_part_of_a_stack_has_what_is_told_of_its_frames() {
        let gap = |after, count| Elision::of(after, Known::printed(count));
        let whole = Stack {
            frames: ["a", "b", "c", "d"].map(Frame::named).into(),
            elided: vec![gap(1, 10), gap(2, 20), gap(4, 40)],
            unavailable: Some("it ends early".into()),
            remarks: vec!["a remark".into()],
        };
        let names = |stack: &Stack| -> Vec<String> {
            stack.frames.iter().map(|f| f.function.value().unwrap().as_str().to_owned()).collect()
        };
        let inner = whole.clone().part(1..3);
        assert_eq!((names(&inner), inner.elided), (vec!["b".to_owned(), "c".to_owned()], vec![gap(1, 20)]));
        assert_eq!((inner.unavailable, inner.remarks.len()), (None, 0));
        let outer = whole.clone().part(2..9);
        assert_eq!((names(&outer), outer.elided), (vec!["c".to_owned(), "d".to_owned()], vec![gap(2, 40)]));
        assert_eq!((outer.unavailable.as_deref(), outer.remarks.len()), (Some("it ends early"), 1));
        let none = whole.part(1..1);
        assert_eq!((none.frames.len(), none.elided.len(), none.unavailable), (0, 0, None));
    }

    #[test]
    fn words_are_counted_through_groups() {
        let args = Args {
            list: vec![
                Arg::Word { value: 1, stale: false },
                Arg::Group(vec![Arg::Word { value: 2, stale: true }, Arg::Unreachable]),
                Arg::More,
            ],
            truncated: false,
        };
        assert_eq!(args.word(1), Some(2));
        assert_eq!(args.words().len(), 3);
    }
}
