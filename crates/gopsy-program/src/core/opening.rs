//! From a core and its program to evidence: with goroutines if they can be read, else with threads.

use super::fitting::{self, Process};
use super::joined::Joined;
use super::{CoreError, CoreEvidence, CoreOptions, UnreadCore};
use crate::Program;
use gopsy_image::Image;
use gopsy_mem::{Addr, Bias};
use gopsy_model::{Source, Status};
use gopsy_runtime::{Culprit, Layouts, M, Runtime, RuntimeError, Threads};
use gopsy_target::Core;
use std::path::Path;
use std::sync::Arc;

/// A process of which the Go runtime cannot be read, and why.
pub(super) struct Unread {
    pub(super) joined: Joined,
    pub(super) refused: Box<Refused>,
}

/// Why nothing was found of the Go runtime of a process.
pub(super) struct Refused {
    pub(super) why: CoreError,
    /// How its memory would be read: where that is known the core lacks what there is to read.
    pub(super) layouts: Option<Layouts>,
}

impl From<CoreError> for Box<Refused> {
    fn from(why: CoreError) -> Self {
        Box::new(Refused { why, layouts: None })
    }
}

/// What was found of the Go runtime of a process.
pub(super) struct Found {
    pub(super) layouts: Layouts,
    pub(super) threads: Vec<M>,
    pub(super) all_threads: bool,
    /// Which of the core's threads each of them is, by their indices.
    pub(super) kernel_threads: Vec<Option<usize>>,
    /// Those that are not dead.
    pub(super) goroutines: Vec<Addr>,
    pub(super) all_goroutines: bool,
    pub(super) culprit: Option<Culprit>,
    /// How it was read.
    pub(super) remarks: Vec<String>,
}

impl Found {
    /// Asks a process.
    ///
    /// # Errors
    /// When the program is not Go's, or nothing tells how its memory is to be read.
    pub(super) fn in_memory(joined: &Joined, options: &CoreOptions) -> Result<Found, Box<Refused>> {
        let Joined { core, image, path, bias, attachment, stated, modules, .. } = joined;
        fitting::is_go(image, path)?;
        let mut remarks = Vec::new();
        let process = Process { core, image, bias: *bias, modules };
        let layouts =
            process.layouts(stated.version.as_ref(), *attachment, options.layouts_of.as_ref(), &mut remarks)?;
        Found::by(layouts, core, *bias, remarks)
    }

    /// By the layouts that fit.
    fn by(layouts: Layouts, core: &Core, bias: Bias, mut remarks: Vec<String>) -> Result<Found, Box<Refused>> {
        let refused = |why: RuntimeError, layouts| Box::new(Refused { why: why.into(), layouts: Some(layouts) });
        let runtime = Runtime::new(core, &layouts, bias, Source::Core);
        let (threads, listed) = match runtime
            .threads()
            .and_then(|threads| Ok((threads, runtime.possible_goroutines(&core.written_memory())?)))
        {
            Ok(lists) => lists,
            Err(why) => return Err(refused(why, layouts)),
        };
        let Threads { list: threads, broken } = threads;
        let all_threads = broken.is_none();
        let forked = super::threads::forked_by(&threads, core);
        let kernel_threads = super::threads::kernel_threads(&runtime, &threads, core, forked);
        remarks.extend(
            broken.map(|broken| format!("the list of threads breaks off behind {}: {}", threads.len(), broken.why)),
        );
        if threads.is_empty() && listed.addresses.is_empty() {
            let why = "none of them is in the core".to_owned();
            return Err(refused(
                RuntimeError::Unreadable { what: "threads and goroutines", why, not_saved: true },
                layouts,
            ));
        }
        remarks.extend(listed.remarks);
        let all_goroutines = listed.complete;
        let dead = |g: &Addr| runtime.status(*g).value() == Some(&Status::Dead);
        let goroutines = listed.addresses.into_iter().filter(|g| !dead(g)).collect();
        remarks.extend(forked.map(|parent| {
            format!("thread {parent} of the program forked this process: of its parent's threads it has that one only")
        }));
        let signalled = core.threads().iter().position(|t| t.signal != 0);
        let signalled = signalled.and_then(|number| kernel_threads.iter().position(|of| *of == Some(number)));
        let culprit = runtime.culprit(&threads, signalled);
        Ok(Found { layouts, threads, all_threads, kernel_threads, goroutines, all_goroutines, culprit, remarks })
    }
}

/// A core, as far as it can be read.
pub enum AnyCore {
    /// With its goroutines.
    Read(Box<CoreEvidence>),
    /// With its threads only.
    Unread(Box<UnreadCore>),
}

impl AnyCore {
    /// Reads a core; its program is looked for as the options say.
    ///
    /// # Errors
    /// When it is of a machine that is not read, or its program is not here.
    pub fn find(core: Core, options: &CoreOptions) -> Result<Self, CoreError> {
        Joined::find(core, options).map(|joined| Self::of(joined, options))
    }

    /// Joins a core and a binary that are already open; `path` names the binary in messages.
    ///
    /// # Errors
    /// When they do not belong together, or are of a machine that is not read.
    pub fn join(core: Core, image: Arc<Image>, path: &Path, options: &CoreOptions) -> Result<Self, CoreError> {
        Joined::of(core, image, path, &options.finder).map(|joined| Self::of(joined, options))
    }

    fn of(joined: Joined, options: &CoreOptions) -> Self {
        match CoreEvidence::of(joined, options) {
            Ok(evidence) => AnyCore::Read(Box::new(evidence)),
            Err(unread) => AnyCore::Unread(Box::new(UnreadCore::of(*unread))),
        }
    }

    /// The program that it is evidence of.
    #[must_use]
    pub fn program(self) -> Program {
        match self {
            AnyCore::Read(evidence) => Program::new(*evidence),
            AnyCore::Unread(unread) => Program::new(*unread),
        }
    }
}
