//! A crash text with the binary that it is of.
//!
//! A text says function and distance (`main.f+0x1d`), the file and the line; a binary says which line stands there. If all of them
//! agree, and some are of the program's own code, the binary answers what the text does not say: the release, the modules, the
//! pcs. That is inferred: another build in which these functions are the same would agree, too, so the build id is not
//! taken. If one does not agree, that is told, and nothing is taken.

use crate::{Evidence, Program, StackId};
use gopsy_image::{Func, Image, Pclntab};
use gopsy_mem::LinkAddr;
use gopsy_model::{
    Brief, Crash, Frame, FunctionName, Goroutine, Identity, Known, Missing, Role, Source, Stack, Str, Trust,
};
use gopsy_runtime::StatedVersion;
use gopsy_unwind::printed_name;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

/// So many stacks of a text, and so many frames of each, are held against the binary.
const STACKS: usize = 256;
const FRAMES: usize = 64;

/// A text, and the binary if they fit.
pub struct TextWithBinary {
    text: Program,
    binary: Option<Binary>,
    /// What to say of how they fit.
    note: Option<String>,
    /// It contradicts the last binary that was tried.
    contradicts: bool,
}

/// Why a text and a binary are not joined.
enum Refusal {
    /// The text is of another program.
    Other(String),
    /// Nothing tells.
    Unknown(String),
}

/// The binary of a text.
struct Binary {
    image: Arc<Image>,
    /// Where the functions begin that the text names, those of which there is one of the name.
    entries: HashMap<Str, LinkAddr>,
}

/// How a text and a binary fit.
#[derive(Debug, Default)]
struct Fit {
    /// Frames that stand where the binary says.
    same: usize,
    /// Those of them that are of the program's own code: Go's is the same in all programs of a release.
    own: usize,
    /// Frames that do not.
    other: usize,
    /// The first of those, in words.
    example: Option<String>,
    /// Frames that do not, and may be a plugin's.
    unsure: usize,
}

impl TextWithBinary {
    /// Joins a text with the first of the binaries that it fits. Each has the name by which it is called. That it fits none is
    /// said if they were `named` for it.
    #[must_use]
    pub fn join(
        text: Program,
        binaries: impl IntoIterator<Item = (String, Arc<Image>)>,
        named: bool,
    ) -> TextWithBinary {
        let names = names(&text);
        let mut joined = TextWithBinary { text, binary: None, note: None, contradicts: false };
        for (name, image) in binaries {
            match try_binary(&joined.text, &names, &image, &name) {
                Ok((entries, fits)) => {
                    let binary = Some(Binary { image, entries });
                    return TextWithBinary { binary, note: Some(fits), contradicts: false, ..joined };
                }
                Err(Refusal::Other(why)) => (joined.note, joined.contradicts) = (named.then_some(why), true),
                Err(Refusal::Unknown(why)) => (joined.note, joined.contradicts) = (named.then_some(why), false),
            }
        }
        joined
    }

    /// Whether the text is of another program than the last of the binaries that were tried.
    #[must_use]
    pub fn contradicts(&self) -> bool {
        self.contradicts
    }
}

/// Where the functions begin that a text names, if it fits that binary; with what to say of that.
fn try_binary(
    text: &Program,
    names: &[Str],
    image: &Image,
    name: &str,
) -> Result<(HashMap<Str, LinkAddr>, String), Refusal> {
    let table = image.pclntab().map_err(|error| Refusal::Unknown(format!("{name} is not used: {error}")))?;
    let functions = named(&table, names);
    let build = image.build_info().ok();
    let main = build.and_then(|b| b.main).map(|module| module.path);
    let fit = fit(text, &functions, main.as_deref(), &Homes::of(image, table, text, &functions));
    let all = fit.same.saturating_add(fit.other);
    match fit {
        Fit { other, example: Some(example), .. } => Err(Refusal::Other(format!(
            "the text is NOT of {name}: {other} of {all} frames stand elsewhere there, such as {example}; nothing was taken \
             from it"
        ))),
        Fit { unsure: 1.., .. } => Err(Refusal::Unknown(format!(
            "nothing tells whether the text is of {name}: {} of its frames stand elsewhere there, or in a plugin, which has \
             copies of its own",
            fit.unsure
        ))),
        Fit { own: 0, .. } => Err(Refusal::Unknown(format!(
            "nothing tells whether the text is of {name}: it places no function of the program's own"
        ))),
        Fit { same, .. } => {
            let only = |(name, all): (&str, Vec<Func<'_>>)| match all.as_slice() {
                [func] => Some((name.into(), func.entry())),
                _ => None,
            };
            let note = format!("the text fits {name}: {same} frames stand where it says");
            Ok((functions.into_iter().filter_map(only).collect(), note))
        }
    }
}

/// The functions of a binary that a text names. Several may have one name: instances of a generic function, an assembly function
/// and its wrapper.
fn named<'a, 'n>(table: &Pclntab<'a>, names: &'n [Str]) -> HashMap<&'n str, Vec<Func<'a>>> {
    let wanted: HashMap<&[u8], &str> = names.iter().map(|name| (name.as_bytes(), &**name)).collect();
    let mut found: HashMap<&str, Vec<Func<'a>>> = HashMap::new();
    for func in table.funcs() {
        let Some(raw) = func.raw_name() else { continue };
        // Most names are printed as they are.
        let name = if raw.contains(&b'[') || raw == b"runtime.gopanic" {
            wanted.get(printed_name(&String::from_utf8_lossy(raw)).as_bytes())
        } else {
            wanted.get(raw)
        };
        if let Some(name) = name {
            found.entry(*name).or_default().push(func);
        }
    }
    found
}

/// The functions that a text names with a distance.
fn names(text: &Program) -> Vec<Str> {
    let mut names: Vec<Str> = frames(text).filter_map(|f| Some(f.function.value()?.0.clone())).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The frames with a distance, those of the death's own stacks. Of an ancestor's the runtime prints the innermost function of each
/// pc, an inlined one too, which has no place of its own.
fn frames(text: &Program) -> impl Iterator<Item = Frame> + '_ {
    let of = |id| text.stack(id).frames.into_iter().take(FRAMES);
    let own = text.stacks().take(STACKS).filter(|id| text.goroutine(*id).role != Role::Ancestor);
    own.flat_map(of).filter(|f| f.offset.value().is_some())
}

fn fit(text: &Program, functions: &HashMap<&str, Vec<Func<'_>>>, main: Option<&str>, homes: &Homes<'_>) -> Fit {
    let mut fit = Fit::default();
    for frame in frames(text) {
        let (Some(name), Some(offset), Some(line)) = (frame.function.value(), frame.offset.value(), frame.line.value())
        else {
            continue;
        };
        let Some(named) = functions.get(name.as_str()) else {
            // A name that no function has says as much as a wrong line, if it is a Go function at all and of this file.
            if !frame.foreign && name.as_str().contains('.') && homes.of_frame(&frame) == Home::Here {
                fit.no(|| format!("{}, which it does not have", name.as_str()));
            }
            continue;
        };
        let lines: Vec<i64> = named.iter().flat_map(|func| lines_at(func, *offset)).collect();
        if lines.contains(line) {
            // Two builds of one source have the same lines at the same distances, and the functions at other addresses.
            if let Some((stated, built)) = homes.moved(&frame, *offset, named) {
                fit.no(|| format!("{}: the text says that it begins at {stated}, the binary {built}", name.as_str()));
                continue;
            }
            fit.same = fit.same.saturating_add(1);
            fit.own = fit.own.saturating_add(usize::from(is_own(name, main)));
            continue;
        }
        match homes.of_frame(&frame) {
            Home::Elsewhere => {}
            Home::NotKnown => fit.unsure = fit.unsure.saturating_add(1),
            Home::Here => {
                let place = frame.file.value().map_or("", |f| f.rsplit('/').next().unwrap_or(f));
                let there = lines.first().map_or_else(|| "none".to_owned(), i64::to_string);
                fit.no(|| {
                    format!("{}+{offset:#x}: the text says {place}:{line}, the binary line {there}", name.as_str())
                });
            }
        }
    }
    fit
}

/// The lines that a frame may have at that distance: that of the call before its return address, or that of the instruction
/// itself where a fault was taken. Of the function itself, whatever is inlined there.
fn lines_at(func: &Func<'_>, offset: u64) -> impl Iterator<Item = i64> + use<> {
    let pc = func.entry().checked_add(offset);
    let before = pc.and_then(|pc| pc.0.checked_sub(1)).map(LinkAddr);
    let line = |pc| func.source_frames(pc).ok()?.last()?.line.map(i64::from);
    [before.and_then(line), pc.and_then(line)].into_iter().flatten()
}

/// Whether a function is no part of Go itself: of package main, of the main module, or of another that has a host's name.
fn is_own(name: &FunctionName, main: Option<&str>) -> bool {
    let Some(package) = name.package() else { return false };
    let within =
        |module: &str| package.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    package == "main" || package.split('/').next().is_some_and(|host| host.contains('.')) || main.is_some_and(within)
}

/// Whether the code of a frame is the executable's: generated code is not, nor is a plugin's, which has copies of its own of many
/// a function. Such a frame says nothing of the executable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    Here,
    Elsewhere,
    /// The program loads plugins, and the text does not print where the frame stands.
    NotKnown,
}

/// What tells where frames are at home.
struct Homes<'a> {
    table: Pclntab<'a>,
    /// What was added to the addresses that the executable states, as far as that is known.
    bias: Option<u64>,
    plugins: OnceCell<bool>,
}

impl<'a> Homes<'a> {
    fn of(image: &Image, table: Pclntab<'a>, text: &Program, functions: &HashMap<&str, Vec<Func<'_>>>) -> Self {
        // A frame that fits tells where a position-independent program was.
        let moved = |frame: Frame| {
            let [func] = functions.get(frame.function.value()?.as_str())?.as_slice() else { return None };
            let (offset, line) = (*frame.offset.value()?, *frame.line.value()?);
            lines_at(func, offset).any(|at| at == line).then_some(())?;
            Some(frame.pc.value()?.wrapping_sub(func.entry().checked_add(offset)?.0))
        };
        let bias = if image.relocatable() { frames(text).find_map(moved) } else { Some(0) };
        Homes { table, bias, plugins: OnceCell::new() }
    }

    /// Where a frame's function begins by its pc, and by the binary, if that is elsewhere.
    fn moved(&self, frame: &Frame, offset: u64, named: &[Func<'_>]) -> Option<(LinkAddr, LinkAddr)> {
        let pc = frame.pc.value()?.wrapping_sub(self.bias?);
        let stated = LinkAddr(pc.wrapping_sub(offset));
        let first = named.first()?.entry();
        let elsewhere = self.of_frame(frame) == Home::Here && named.iter().all(|func| func.entry() != stated);
        elsewhere.then_some((stated, first))
    }

    fn of_frame(&self, frame: &Frame) -> Home {
        // The runtime knows the file of every function that a linker made.
        if frame.file.value().is_some_and(|file| &**file == "?") {
            return Home::Elsewhere;
        }
        let stated = self.bias.zip(frame.pc.value()).map(|(bias, pc)| LinkAddr(pc.wrapping_sub(bias)));
        let loads_plugins = || *self.plugins.get_or_init(|| self.table.by_name("plugin.open").is_some());
        match stated {
            Some(pc) if (self.table.text()..self.table.etext()).contains(&pc) => Home::Here,
            Some(_) => Home::Elsewhere,
            None if loads_plugins() => Home::NotKnown,
            None => Home::Here,
        }
    }
}

impl Fit {
    fn no(&mut self, example: impl FnOnce() -> String) {
        self.other = self.other.saturating_add(1);
        self.example.get_or_insert_with(example);
    }
}

impl Evidence for TextWithBinary {
    fn source(&self) -> Source {
        Source::Text
    }

    fn crash(&self) -> &Crash {
        self.text.crash()
    }

    fn identity(&self) -> Identity {
        let own = self.text.identity();
        let Some(Binary { image, .. }) = &self.binary else { return own };
        let build = image.build_info().ok();
        let built = |value: Option<Str>| match value {
            Some(value) => Known::have(value, Trust::Inferred, Source::Binary),
            None => Known::Missing(Missing::NotSupported("the binary has no build information".into())),
        };
        let or = |own: Known<Str>, value: Option<Str>| if own.value().is_some() { own } else { built(value) };
        let build = build.as_ref();
        let module = build.and_then(|b| b.main.as_ref().map(|m| m.path.clone()).or(b.path.clone()));
        Identity {
            go_version: or(own.go_version, StatedVersion::of(image).map(|stated| stated.text.into())),
            os: or(own.os, build.and_then(|b| b.setting("GOOS")).map(Into::into)),
            arch: or(own.arch, image.machine().goarch().map(Into::into)),
            module: or(own.module, module.map(Into::into)),
            ..own
        }
    }

    fn stack_count(&self) -> usize {
        self.text.stack_count()
    }

    fn goroutines(&self) -> std::ops::Range<StackId> {
        self.text.goroutines()
    }

    fn goroutine(&self, id: StackId) -> Goroutine {
        self.text.goroutine(id)
    }

    fn stack(&self, id: StackId) -> Stack {
        let mut stack = self.text.stack(id);
        // A position-independent program stood elsewhere.
        if let Some(Binary { entries, .. }) = self.binary.as_ref().filter(|b| !b.image.relocatable()) {
            for frame in stack.frames.iter_mut().filter(|f| f.pc.value().is_none()) {
                let name = frame.function.value().and_then(|name| entries.get(&name.0));
                if let (Some(entry), Some(offset)) = (name, frame.offset.value())
                    && let Some(pc) = entry.checked_add(*offset)
                {
                    frame.pc = Known::have(pc.0, Trust::Inferred, Source::Binary);
                }
            }
        }
        stack
    }

    fn alarms(&self) -> Vec<String> {
        self.note.clone().filter(|_| self.contradicts).into_iter().chain(self.text.alarms()).collect()
    }

    fn notes(&self) -> Vec<String> {
        self.note.clone().filter(|_| !self.contradicts).into_iter().chain(self.text.notes()).collect()
    }

    fn stack_key(&self, id: StackId) -> u64 {
        self.text.stack_key(id)
    }

    fn brief(&self, id: StackId) -> Brief {
        self.text.brief(id)
    }
}
