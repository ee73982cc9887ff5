//! A core in which no goroutine can be found: its threads are all there is.

use super::{CoreError, CoreOptions, completeness, death, foreign, identity, modules, threads};
use crate::{Evidence, StackId};
use gopsy_image::{BuildInfo, GoModule, Image, Machine};
use gopsy_mem::Bias;
use gopsy_model::{Crash, Goroutine, Headline, Identity, Known, Missing, Role, Signal, Source, Stack, Trust};
use gopsy_target::{Attachment, Core, finder, signal_name};
use gopsy_unwind::{Code, Foreign, SignalFrame, Sites, Stacks, Walk, Walker};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// More threads than this are not walked to find the one that died.
const MAX_WALKED: usize = 10_000;
/// Linux, all machines.
const SIGQUIT: u32 = 3;

/// A core whose program is no Go program, or of which the Go runtime's structures cannot be read. What the kernel wrote of
/// its threads is there, and their stacks as far as code and its tables lead.
pub struct UnreadCore {
    core: Core,
    image: Arc<Image>,
    bias: Bias,
    build: Option<BuildInfo>,
    modules: Vec<GoModule>,
    foreign: Foreign,
    sites: Sites,
    /// The thread that died.
    died: Option<StackId>,
    crash: Crash,
    notes: Vec<String>,
}

/// What a thread does when the runtime has decided to die.
struct Dying {
    /// The frame at which its death begins: what the runtime does afterwards stands before it.
    begins: usize,
    /// The signal that it dies of, if the runtime took it for fatal.
    signal: Option<SignalFrame>,
}

impl UnreadCore {
    /// Opens a core that cannot be opened as that of a Go program, and why it cannot.
    ///
    /// # Errors
    /// That reason, where there is no more to say: the core itself cannot be read, is of another machine, or the binary that
    /// wrote it is not here.
    pub fn open_with(path: &Path, options: &CoreOptions, why: CoreError) -> Result<Self, CoreError> {
        if !matches!(why, CoreError::Runtime(_) | CoreError::Binary { .. }) {
            return Err(why);
        }
        let core = Core::open(path)?;
        let options = &CoreOptions { finder: options.finder.near(&core), ..options.clone() };
        let Ok(found) = options.finder.program(&core) else { return Err(why) };
        let remark = options.finder.remark(&found);
        let mut evidence = Self::join(core, found.image, &found.path, options, why)?;
        evidence.notes.splice(1..1, remark);
        Ok(evidence)
    }

    /// Joins a core and a binary that are already open, and cannot be read as those of a Go program; `path` names the binary in
    /// messages.
    ///
    /// # Errors
    /// That reason, where there is no more to say.
    pub fn join(
        mut core: Core,
        image: Arc<Image>,
        path: &Path,
        options: &CoreOptions,
        why: CoreError,
    ) -> Result<Self, CoreError> {
        let bias = core.bias(&image).filter(|_| core.machine() == Machine::X86_64);
        let (Some(bias), CoreError::Runtime(_) | CoreError::Binary { .. }) = (bias, &why) else { return Err(why) };
        let mut notes = vec![format!("Go's structures cannot be read: {why}")];
        match core.attach_file(&core.program(), &image).answer {
            Attachment::Same => {}
            Attachment::Other => return Err(why),
            Attachment::CannotTell => notes.push(finder::unproved(path)),
        }
        let foreign = foreign::load(&mut core, (&image, path), bias, &options.finder, &mut notes);
        let modules = modules::Modules::of(&core, &image, bias).list;
        notes.extend(completeness::missing(&core, || None));
        let mut evidence = UnreadCore {
            build: image.build_info().ok(),
            core,
            image,
            bias,
            modules,
            foreign,
            sites: Sites::default(),
            died: None,
            crash: Crash::default(),
            notes,
        };
        evidence.describe();
        Ok(evidence)
    }

    fn code(&self) -> Code<'_> {
        modules::code(&self.core, &self.image, self.bias, &self.modules)
    }

    fn walk(&self, id: StackId) -> Option<Walk> {
        let (code, registers) = (self.code(), &self.core.threads().get(id)?.registers);
        let walker = Walker::new(&self.core, &code, &self.sites);
        Some(foreign::walk(&walker, &self.core, &self.foreign, registers, &Stacks::default()))
    }

    /// What the runtime did on a thread to die.
    fn dying(&self, walk: &Walk) -> Option<Dying> {
        let code = self.code();
        let named = |name: &'static [u8]| walk.frames.iter().position(|f| code.raw_name(f.func) == Some(name));
        let behind = |at: usize| at.saturating_add(1);
        if let Some(begins) = threads::threw(walk, &code).or_else(|| named(b"runtime.fatalpanic").map(behind)) {
            return Some(Dying { begins, signal: None });
        }
        named(b"runtime.sighandler")?;
        let handler = walk.frames.iter().rposition(|f| threads::is_handler(f, &code))?;
        Some(Dying { begins: behind(handler), signal: walk.signals.last().copied() })
    }

    /// Which thread died, and how the runtime made it. That is not always the first in the core, which is the one that the
    /// kernel ended: under `GOTRACEBACK=crash` a thread sends the others SIGQUIT before it ends the process, or lets the last
    /// of them do so (`sighandler` and `dopanic_m` in `runtime`).
    fn who_died(&self) -> Option<(StackId, Option<Dying>)> {
        let ended = self.core.threads().iter().position(|thread| self.core.signal_of(thread).is_some())?;
        let how = |id| self.walk(id).and_then(|walk| self.dying(&walk));
        let relayed = |dying: &Dying| dying.signal.is_some_and(|signal| signal.number == SIGQUIT);
        let others = (0..self.core.threads().len()).take(MAX_WALKED).filter(|id| *id != ended);
        let own = how(ended);
        if own.as_ref().is_some_and(|dying| !relayed(dying)) {
            return Some((ended, own));
        }
        let first = others.filter_map(|id| Some((id, how(id)?))).find(|(_, dying)| !relayed(dying));
        Some(first.map_or((ended, own), |(id, dying)| (id, Some(dying))))
    }

    fn describe(&mut self) {
        self.crash.stacks = 0..self.core.threads().len();
        if !completeness::may_have_died(&self.core) {
            return;
        }
        self.crash.unread = true;
        let Some((died, dying)) = self.who_died() else { return };
        self.died = Some(died);
        self.crash.crashed = Some(died);
        let unknown = || Known::Missing(Missing::NotInCore);
        if let Some(frame) = dying.and_then(|dying| dying.signal) {
            let in_foreign_code = self.code().find(frame.pc).is_none();
            let signal = Signal {
                in_foreign_code,
                ..death::fatal_signal(&frame, &unknown(), Known::Missing(Missing::NotInCore))
            };
            self.crash.headlines = vec![Headline::Signal(signal)];
            // It asks for a dump: nobody failed.
            self.crash.crashed = Some(died).filter(|_| frame.number != SIGQUIT);
            let registers = frame.registers(&self.core).unwrap_or_default();
            self.crash.registers = registers.into_iter().map(|(name, value)| (name.into(), value)).collect();
            self.crash.unread = false;
            return;
        }
        let Some(thread) = self.core.threads().get(died) else { return };
        self.crash.registers = thread.registers.iter().map(|(name, value)| (name.into(), value)).collect();
        let Some(number) = self.core.signal_of(thread).map(u64::from) else { return };
        let known = |value: u64| Known::have(value, Trust::Exact, Source::Core);
        let info = thread.siginfo;
        self.crash.signal = Some(Signal {
            name: signal_name(number).into(),
            description: Known::Missing(Missing::NotApplicable),
            code: info.map_or(Known::Missing(Missing::NotInCore), |info| {
                Known::have(i64::from(info.code), Trust::Exact, Source::Core)
            }),
            address: info.and_then(|i| i.fault_address()).map_or(Known::Missing(Missing::NotApplicable), known),
            pc: known(thread.registers.pc().0),
            m: Known::Missing(Missing::NotInCore),
            in_foreign_code: self.code().find(thread.registers.pc()).is_none(),
            instruction_bytes: Vec::new(),
        });
    }
}

impl Evidence for UnreadCore {
    fn source(&self) -> Source {
        Source::Core
    }

    fn crash(&self) -> &Crash {
        &self.crash
    }

    fn identity(&self) -> Identity {
        identity(&self.core, &self.image, self.build.as_ref())
    }

    fn stack_count(&self) -> usize {
        self.core.threads().len()
    }

    fn goroutines(&self) -> Range<StackId> {
        0..0
    }

    fn goroutine(&self, id: StackId) -> Goroutine {
        Goroutine { thread: self.core.threads().get(id).map(|thread| thread.tid), ..Goroutine::bare(Role::Thread) }
    }

    fn stack(&self, id: StackId) -> Stack {
        let Some(walk) = self.walk(id) else { return Stack::default() };
        let dying = self.dying(&walk).filter(|_| self.died == Some(id));
        let skip = dying.map_or(0, |dying| dying.begins);
        gopsy_unwind::frames_with(&walk, skip, &self.code(), &self.foreign, Source::Core)
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
