//! A core with the program that wrote it, before anything is asked of the Go runtime.

use super::{CoreError, CoreOptions, Modules, completeness, fitting, foreign, modules};
use gopsy_image::{BuildInfo, GoModule, Image, hex};
use gopsy_mem::Bias;
use gopsy_model::{Identity, Known, Missing, Source, Str, Trust};
use gopsy_runtime::{StatedBy, StatedVersion};
use gopsy_target::finder::{self, Finder};
use gopsy_target::{Attachment, Core};
use gopsy_unwind::{Code, Foreign, Sites, Stacks, Walk, Walker};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Threads beyond this are not walked where a question is about all of them.
pub(super) const MAX_WALKED: usize = 10_000;

/// A core, its program and the code of its process, Go's or not.
pub(super) struct Joined {
    pub(super) core: Core,
    pub(super) image: Arc<Image>,
    /// What names the program in messages.
    pub(super) path: PathBuf,
    pub(super) bias: Bias,
    /// Whether it is proved to be the program; never another.
    pub(super) attachment: Attachment,
    pub(super) stated: Stated,
    pub(super) modules: Vec<GoModule>,
    pub(super) foreign: Foreign,
    /// What must be said before all else.
    pub(super) alarm: Option<String>,
    pub(super) notes: Vec<String>,
}

impl Joined {
    /// Finds the program of a core.
    ///
    /// # Errors
    /// When the core is of a machine that is not read, or its program is not here.
    pub(super) fn find(mut core: Core, options: &CoreOptions) -> Result<Self, CoreError> {
        let finder = options.finder.near(&core);
        match finder.program(&mut core) {
            Ok(found) => {
                let (alarm, remarks) = (finder.alarm(&found), found.remarks.clone());
                let mut joined = Self::of(core, found.image, &found.path, &finder)?;
                joined.notes.splice(0..0, remarks);
                joined.alarm = alarm;
                Ok(joined)
            }
            Err(tried) => Err(CoreError::NoBinary {
                process: completeness::process(&core),
                cut: completeness::cut(&core),
                build: completeness::build(&core),
                tried,
            }),
        }
    }

    /// Joins a core and a program that are already open.
    ///
    /// # Errors
    /// When they do not belong together, or are of a machine that is not read.
    pub(super) fn of(mut core: Core, image: Arc<Image>, path: &Path, finder: &Finder) -> Result<Self, CoreError> {
        let mut notes = Vec::new();
        core.take_if_library(&image);
        let bias = fitting::loaded(&core, &image, path)?;
        let comparison = core.attach_file(&core.program(), &image);
        let attachment = comparison.answer;
        match attachment {
            Attachment::Same => {}
            Attachment::Other => return Err(CoreError::OtherBuild { path: path.to_owned(), why: comparison }),
            Attachment::CannotTell => notes.push(finder::unproved(path, comparison)),
        }
        let foreign = foreign::load(&mut core, (&image, path), bias, finder, &mut notes);
        let stated = Stated { build: image.build_info().ok(), version: StatedVersion::of(&image) };
        let Modules { list: modules, broken } = Modules::of(&core, &image, bias, stated.version.as_ref());
        notes.extend(broken.map(|why| format!("the list of Go modules is not whole: {why}")));
        Ok(Joined {
            core,
            image,
            path: path.to_owned(),
            bias,
            attachment,
            stated,
            modules,
            foreign,
            alarm: None,
            notes,
        })
    }

    /// The walk of a thread by its registers alone, without the runtime's structures.
    pub(super) fn walk(&self, thread: usize, sites: &Sites) -> Option<Walk> {
        let registers = &self.core.threads().get(thread)?.registers;
        let code = self.code();
        let walker = Walker::new(&self.core, &code, sites);
        Some(foreign::walk(&walker, &self.core, &self.foreign, registers, &Stacks::default()))
    }

    /// The Go code of the process.
    pub(super) fn code(&self) -> Code<'_> {
        modules::code(&self.core, &self.image, self.bias, &self.modules)
    }
}

/// What a program says of its own build.
pub(super) struct Stated {
    pub(super) build: Option<BuildInfo>,
    pub(super) version: Option<StatedVersion>,
}

/// Which program it was.
pub(super) fn identity(core: &Core, image: &Image, stated: &Stated) -> Identity {
    let build = stated.build.as_ref();
    let missing = || Missing::NotSupported("the binary has no build information".into());
    let built = |value: Option<Str>| match value {
        Some(value) => Known::have(value, Trust::Exact, Source::Binary),
        None => Known::Missing(missing()),
    };
    let module = build.and_then(|b| b.main.as_ref().map(|m| m.path.clone()).or(b.path.clone()));
    let id = image.build_id().map(|id| hex(&id.bytes));
    Identity {
        go_version: match &stated.version {
            Some(StatedVersion { text, by }) => {
                let trust = if *by == StatedBy::Variable { Trust::Table } else { Trust::Exact };
                Known::have(text.as_str().into(), trust, Source::Binary)
            }
            None => Known::Missing(missing()),
        },
        os: Known::have("linux".into(), Trust::Exact, Source::Core),
        arch: built(core.machine().goarch().map(Into::into)),
        module: built(module.map(Into::into)),
        build_id: match id {
            Some(id) => Known::have(id.into(), Trust::Exact, Source::Binary),
            None => Known::Missing(Missing::NotApplicable),
        },
        pid: match core.process() {
            Some(process) => Known::have(u64::from(process.pid), Trust::Exact, Source::Core),
            None => Known::Missing(Missing::NotInCore),
        },
    }
}
