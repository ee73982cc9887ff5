//! A core in which no goroutine can be found: its threads are all there is.

use super::completeness;
use super::ended::Ended;
use super::joined::{Joined, identity};
use super::opening::{Refused, Unread};
use crate::{Evidence, StackId};
use gopsy_model::{Crash, Goroutine, Identity, Missing, Role, Source, Stack};
use gopsy_runtime::{Layouts, Runtime};
use gopsy_unwind::{Sites, Walk};
use std::ops::Range;

/// A core whose program is no Go program, or of which the Go runtime's structures cannot be read. What the kernel wrote of
/// its threads is there, and their stacks as far as code and its tables lead.
pub struct UnreadCore {
    joined: Joined,
    sites: Sites,
    ended: Option<Ended>,
    crash: Crash,
}

impl UnreadCore {
    /// The threads of a process of which the Go runtime cannot be read.
    pub(super) fn of(Unread { mut joined, refused }: Unread) -> Self {
        let Refused { why, layouts } = *refused;
        let unread = format!("Go's structures cannot be read: {why}");
        joined.notes.retain(|note| !unread.contains(note.as_str()));
        joined.notes.insert(0, unread);
        if joined.image.cut().is_some_and(|cut| cut.loaded) {
            let build = completeness::build(&joined.core).join("; ");
            let whole = "name the whole file with --bin";
            joined.notes.insert(1, if build.is_empty() { whole.to_owned() } else { format!("{whole}: {build}") });
        }
        joined.notes.extend(completeness::missing(&joined.core, || None));
        let mut evidence = UnreadCore { joined, sites: Sites::default(), ended: None, crash: Crash::default() };
        evidence.describe(layouts.as_ref());
        evidence
    }

    fn walk(&self, id: StackId) -> Option<Walk> {
        self.joined.walk(id, &self.sites)
    }

    fn describe(&mut self, layouts: Option<&Layouts>) {
        let Joined { core, bias, .. } = &self.joined;
        let code = self.joined.code();
        self.crash.stacks = 0..core.threads().len();
        self.crash.unread = completeness::may_have_died(core);
        let ended = Ended::of(core, &code, &|id| self.walk(id)).filter(|_| self.crash.unread);
        let Some(ended) = ended else { return };
        self.crash.crashed = Some(ended.thread).filter(|_| !ended.asked_for);
        let mut crash = std::mem::take(&mut self.crash);
        ended.tell(core, &code, &Missing::Unreadable("Go's structures cannot be read".into()), &mut crash);
        let runtime = layouts.map(|layouts| Runtime::new(core, layouts, *bias, Source::Core));
        let said = runtime.and_then(|runtime| ended.add_last_words(core, &code, &runtime, &mut crash));
        self.crash = crash;
        self.joined.notes.extend(said);
        self.ended = Some(ended);
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
        identity(&self.joined.core, &self.joined.image, &self.joined.stated)
    }

    fn stack_count(&self) -> usize {
        self.joined.core.threads().len()
    }

    fn goroutines(&self) -> Range<StackId> {
        0..0
    }

    fn goroutine(&self, id: StackId) -> Goroutine {
        Goroutine {
            thread: self.joined.core.threads().get(id).map(|thread| thread.tid),
            ..Goroutine::bare(Role::Thread)
        }
    }

    fn stack(&self, id: StackId) -> Stack {
        let Some(walk) = self.walk(id) else { return Stack::default() };
        let skip = self.ended.as_ref().filter(|ended| ended.thread == id).map_or(0, |ended| ended.begins);
        gopsy_unwind::frames_with(&walk, skip, &self.joined.code(), &self.joined.foreign, Source::Core)
    }

    fn alarms(&self) -> Vec<String> {
        self.joined.alarm.iter().cloned().collect()
    }

    fn notes(&self) -> Vec<String> {
        self.joined.notes.clone()
    }
}
