//! Which layouts fit the memory of a core.

use super::CoreError;
use super::modules;
use gopsy_image::{GoModule, Image, Machine};
use gopsy_mem::{Addr, Bias};
use gopsy_model::Source;
use gopsy_runtime::{Basis, Layouts, Refuted, Release, Runtime, RuntimeError, StatedVersion, Witness};
use gopsy_target::{Attachment, Core};
use std::path::Path;

/// Where the program of a core was loaded, if code of its machine is read; `path` is where the program lies.
pub(super) fn loaded(core: &Core, image: &Image, path: &Path) -> Result<Bias, CoreError> {
    if core.machine() != Machine::X86_64 {
        return Err(CoreError::Machine(core.machine().goarch().unwrap_or("another machine")));
    }
    core.bias(image).ok_or_else(|| CoreError::NoBase { path: path.to_owned() })
}

/// That a program is Go's.
pub(super) fn is_go(image: &Image, path: &Path) -> Result<(), CoreError> {
    image.module().map(drop).map_err(|error| CoreError::Binary { path: path.to_owned(), error })
}

/// Asks the Go runtime of a core whose program is at hand, at `path`, with those modules beside it; with the remarks on how it
/// was read.
///
/// # Errors
/// When the program is not Go's, or nothing tells how its memory is to be read.
pub fn ask_runtime<T>(
    core: &Core,
    image: &Image,
    path: &Path,
    modules: &[GoModule],
    question: impl FnOnce(&Runtime<'_>, &Basis) -> T,
) -> Result<(T, Vec<String>), CoreError> {
    let bias = loaded(core, image, path)?;
    is_go(image, path)?;
    let (version, mut notes) = (StatedVersion::of(image), Vec::new());
    let attachment = core.compare(&core.program(), image).answer;
    let process = Process { core, image, bias, modules };
    let layouts = process.layouts(version.as_ref(), attachment, None, &mut notes)?;
    Ok((question(&Runtime::new(core, &layouts, bias, Source::Core), layouts.basis()), notes))
}

/// What the layouts of a process must fit.
pub(super) struct Process<'a> {
    pub(super) core: &'a Core,
    pub(super) image: &'a Image,
    pub(super) bias: Bias,
    pub(super) modules: &'a [GoModule],
}

impl Process<'_> {
    /// The layouts that fit this memory.
    pub(super) fn layouts(
        &self,
        version: Option<&StatedVersion>,
        attachment: Attachment,
        layouts_of: Option<&Release>,
        notes: &mut Vec<String>,
    ) -> Result<Layouts, CoreError> {
        let Process { core, image, bias, modules } = *self;
        let release = version.and_then(|stated| Release::parse(&stated.text));
        let candidates: Box<dyn Iterator<Item = Layouts>> = match layouts_of {
            Some(other) => Box::new(std::iter::once(Layouts::of_release(image, other)?)),
            None => Layouts::candidates(image, release.as_ref())?,
        };
        let code = modules::code(core, image, bias, modules);
        let function = |pc: Addr| {
            let (func, bias) = code.function(pc)?;
            Some((func.raw_name()?, bias.load(func.entry()) == pc))
        };
        let tids = core.threads().iter().map(|t| u64::from(t.tid)).collect();
        let witness = Witness { function: &function, tids: &tids, parent: super::threads::parent(core) };
        let mut layouts = match Layouts::choose(candidates, core, bias, Source::Core, &witness) {
            Ok(layouts) => {
                if let Basis::Nearest(near) = layouts.basis() {
                    let named = version.map_or("of unknown release", |stated| stated.text.as_str());
                    notes.push(format!(
                        "the runtime's structures are read by the layouts of {near} (the program is {named}), \
                     and only as far as this core proves them"
                    ));
                }
                layouts
            }
            // This build's own layouts are right even where its memory is wrong.
            Err(Refuted { first: Some(first), silent, why })
                if attachment == Attachment::Same && !matches!(first.basis(), Basis::Nearest(_)) =>
            {
                notes.extend(why.first().map(|why| match silent {
                    true => format!("what is said of the runtime's structures is not proved ({why})"),
                    false => format!("the runtime's structures look damaged ({why})"),
                }));
                *first
            }
            Err(Refuted { silent: true, why, .. }) => return Err(RuntimeError::NotBorneOut(why).into()),
            Err(Refuted { why, .. }) => return Err(RuntimeError::DoNotFit(why).into()),
        };
        // Generated code has no types of its own.
        for module in modules.iter().filter(|module| module.data().linked) {
            layouts.add_module(module.data());
        }
        Ok(layouts)
    }
}
