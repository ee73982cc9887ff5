//! A crash text as evidence.

use crate::{Evidence, Program, StackId};
use gopsy_model::{Brief, Crash, Goroutine, Identity, Source, Stack};
use gopsy_text::Dump;
use std::rc::Rc;

/// One death of a crash text.
///
/// The goroutines of the whole text can be asked about; [`Crash::stacks`] says which belong to this death.
pub struct TextEvidence {
    dump: Rc<Dump>,
    crash: Crash,
}

impl TextEvidence {
    /// The deaths of a text, in its order; each is a Program of its own. Empty if the text tells of none.
    #[must_use]
    pub fn programs(dump: Dump) -> Vec<Program> {
        let dump = Rc::new(dump);
        dump.crashes()
            .iter()
            .map(|crash| Program::new(TextEvidence { dump: Rc::clone(&dump), crash: crash.clone() }))
            .collect()
    }
}

impl Evidence for TextEvidence {
    fn source(&self) -> Source {
        Source::Text
    }

    fn crash(&self) -> &Crash {
        &self.crash
    }

    fn identity(&self) -> Identity {
        self.dump.identity()
    }

    fn stack_count(&self) -> usize {
        self.dump.stack_count()
    }

    fn goroutine(&self, id: StackId) -> Goroutine {
        self.dump.goroutine(id)
    }

    fn stack(&self, id: StackId) -> Stack {
        self.dump.stack(id)
    }

    fn notes(&self) -> Vec<String> {
        self.dump.notes().to_vec()
    }

    fn stack_key(&self, id: StackId) -> u64 {
        self.dump.stack_key(id)
    }

    fn brief(&self, id: StackId) -> Brief {
        self.dump.brief(id)
    }
}
