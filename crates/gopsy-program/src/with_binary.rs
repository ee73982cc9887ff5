//! A crash text with the binary that it is of.
//!
//! A text says function and distance (`main.f+0x1d`), the file and the line; a binary says which file and line stand there. If
//! all of them agree the text is of this build, and then the binary answers what the text does not say: the release, the
//! modules, the pcs. If they do not, that is told, and nothing is taken from it.

use crate::{Evidence, Program, StackId};
use gopsy_image::{Func, Image};
use gopsy_mem::LinkAddr;
use gopsy_model::{Brief, Crash, Frame, Goroutine, Identity, Known, Missing, Source, Stack, Str, Trust};
use std::collections::HashMap;
use std::sync::Arc;

/// So many stacks of a text, and so many frames of each, are held against the binary.
const STACKS: usize = 256;
const FRAMES: usize = 64;

/// A text, and the binary if it is proved to be of it.
pub struct TextWithBinary {
    text: Program,
    binary: Option<Binary>,
    /// How they fit.
    note: String,
}

/// The binary of a text.
struct Binary {
    image: Arc<Image>,
    /// Where the functions begin that the text names.
    entries: HashMap<Str, LinkAddr>,
}

/// How a text and a binary fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Fit {
    /// Frames that stand where the binary says.
    same: usize,
    /// Frames that do not.
    other: usize,
    /// The first of those, in words.
    example: Option<String>,
}

impl TextWithBinary {
    /// Joins a text with the first of the binaries that it is of. Each has the name by which it is called.
    #[must_use]
    pub fn join(text: Program, binaries: impl IntoIterator<Item = (String, Arc<Image>)>) -> TextWithBinary {
        let names = names(&text);
        let mut last = "no binary is there".to_owned();
        for (name, image) in binaries {
            match try_binary(&text, &names, &image, &name) {
                Ok((entries, note)) => return TextWithBinary { text, binary: Some(Binary { image, entries }), note },
                Err(note) => last = note,
            }
        }
        TextWithBinary { text, binary: None, note: last }
    }
}

/// Where the functions begin that a text names, if it is of that binary; with what to say of that.
fn try_binary(
    text: &Program,
    names: &[Str],
    image: &Image,
    name: &str,
) -> Result<(HashMap<Str, LinkAddr>, String), String> {
    let table = image.pclntab().map_err(|error| format!("{name} is not used: {error}"))?;
    let asked: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let found = table.by_names(&asked);
    let entries = found.into_iter().map(|(name, func)| (name.into(), func.entry())).collect();
    let fit = fit(text, image, &entries);
    let all = fit.same.saturating_add(fit.other);
    match fit {
        Fit { other, example: Some(example), .. } => Err(format!(
            "the text is NOT of {name}: {other} of {all} frames stand elsewhere there, such as {example}; nothing was taken \
             from it"
        )),
        Fit { same: 0, .. } => {
            Err(format!("nothing tells whether the text is of {name}: it names no function and distance of it"))
        }
        Fit { same, .. } => Ok((entries, format!("the text is of {name}: {same} frames stand where it says"))),
    }
}

/// The functions that a text names with a distance.
fn names(text: &Program) -> Vec<Str> {
    let mut names: Vec<Str> = frames(text).filter_map(|f| Some(f.function.value()?.0.clone())).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The frames with a distance, those of the death's own stacks.
fn frames(text: &Program) -> impl Iterator<Item = Frame> + '_ {
    let of = |id| text.stack(id).frames.into_iter().take(FRAMES);
    text.stacks().take(STACKS).flat_map(of).filter(|f| f.offset.value().is_some())
}

fn fit(text: &Program, image: &Image, entries: &HashMap<Str, LinkAddr>) -> Fit {
    let mut fit = Fit::default();
    let Ok(table) = image.pclntab() else { return fit };
    for frame in frames(text) {
        let (Some(name), Some(offset), Some(line)) = (frame.function.value(), frame.offset.value(), frame.line.value())
        else {
            continue;
        };
        let file = frame.file.value();
        let at = entries.get(&name.0).and_then(|entry| Some((table.find(*entry)?, entry.checked_add(*offset)?)));
        let Some((func, pc)) = at else {
            // A name that no function has says as much as a wrong line, if it is a Go function at all.
            if !frame.foreign && name.as_str().contains('.') {
                fit.no(|| format!("{}, which it does not have", name.as_str()));
            }
            continue;
        };
        // The line of a call is that before its return address; of the instruction itself where a fault was taken.
        let there = [pc.0.checked_sub(1).map(LinkAddr), Some(pc)].into_iter().flatten();
        let lines: Vec<i64> = there.filter_map(|pc| line_of(&func, pc)).collect();
        if lines.contains(line) {
            fit.same = fit.same.saturating_add(1);
        } else {
            let place = file.map_or("", |f| f.rsplit('/').next().unwrap_or(f));
            let there = lines.first().map_or_else(|| "none".to_owned(), i64::to_string);
            fit.no(|| format!("{}+{offset:#x}: the text says {place}:{line}, the binary line {there}", name.as_str()));
        }
    }
    fit
}

impl Fit {
    fn no(&mut self, example: impl FnOnce() -> String) {
        self.other = self.other.saturating_add(1);
        self.example.get_or_insert_with(example);
    }
}

/// The line of the function itself, whatever is inlined there.
fn line_of(func: &Func<'_>, pc: LinkAddr) -> Option<i64> {
    func.source_frames(pc).ok()?.last()?.line.map(i64::from)
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
            Some(value) => Known::have(value, Trust::Exact, Source::Binary),
            None => Known::Missing(Missing::NotSupported("the binary has no build information".into())),
        };
        let or = |own: Known<Str>, value: Option<Str>| if own.value().is_some() { own } else { built(value) };
        let build = build.as_ref();
        let module = build.and_then(|b| b.main.as_ref().map(|m| m.path.clone()).or(b.path.clone()));
        Identity {
            go_version: or(own.go_version, build.map(|b| b.version.as_str().into())),
            os: or(own.os, build.and_then(|b| b.setting("GOOS")).map(Into::into)),
            arch: or(own.arch, image.machine().goarch().map(Into::into)),
            module: or(own.module, module.map(Into::into)),
            build_id: or(own.build_id, image.build_id().map(|id| gopsy_image::hex(&id.bytes).into())),
            pid: own.pid,
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
                    frame.pc = Known::have(pc.0, Trust::Table, Source::Binary);
                }
            }
        }
        stack
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![self.note.clone()];
        notes.extend(self.text.notes());
        notes
    }

    fn stack_key(&self, id: StackId) -> u64 {
        self.text.stack_key(id)
    }

    fn brief(&self, id: StackId) -> Brief {
        self.text.brief(id)
    }
}
