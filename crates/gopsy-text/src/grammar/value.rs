//! The value of a panic, which may have many lines.
//!
//! Since Go 1.23 every line of a value but the first is indented by a tab (`printindented`, runtime/error.go), so that a
//! stack in a value (pools and supervisors panic with the stack that they collected) is told from the stacks of the death,
//! which stand at the margin:
//!
//! ```text
//! panic: worker: index out of range
//!         goroutine 18 [running]:
//!         main.work(...)
//!
//! goroutine 1 [running]:
//! ```
//!
//! A dump that somebody indented as a whole, but for its first line, begins alike. So what follows decides: where no
//! goroutine stands at the margin, the indented ones are those of the death.

use super::{Grammar, MAX_VALUE, Mode};
use crate::header;
use crate::headline::{self, Said};
use crate::scan;
use gopsy_model::PanicLine;

/// A value that is being read.
#[derive(Default)]
pub(super) struct Value {
    text: Vec<u8>,
    /// Where in it the first header stands.
    stack: Option<usize>,
    /// The empty line behind it was read.
    over: bool,
}

impl Value {
    pub(super) fn begin(text: Vec<u8>) -> Self {
        Value { text, ..Value::default() }
    }

    /// Takes an empty line of the value, if it still goes on.
    pub(super) fn blank(&mut self) -> bool {
        let goes_on = !self.over && self.text.len() <= MAX_VALUE;
        if goes_on {
            self.text.push(b'\n');
        }
        goes_on
    }
}

impl Grammar {
    /// A line behind `panic: …`: more of its value, or something else.
    pub(super) fn value_line(&mut self, mut value: Value, line: &[u8]) -> bool {
        let (body, indent) = scan::trim_start(line);
        if line.is_empty() {
            if value.stack.is_none() {
                self.end_value(&value.text);
            } else {
                value.over = true;
                self.mode = Mode::Value(value);
            }
            return true;
        }
        let header = body.starts_with(b"goroutine ") && header::header(body).is_some();
        let said = headline::said(line);
        let structural = matches!(
            said,
            Some(
                Said::Panic { .. }
                    | Said::Fatal(_)
                    | Said::SignalNote(_)
                    | Said::ExitStatus
                    | Said::RuntimeStack
                    | Said::DuringPanic
                    | Said::RunningTests
                    | Said::Race
                    | Said::Pc { .. }
            )
        );
        let quoted = header && scan::at(line, 0) == b'\t' && !self.value_indented;
        if value.over || structural || (header && !quoted) || value.text.len() > MAX_VALUE {
            let of_the_death = match said {
                Some(Said::Panic { nested, .. }) => nested,
                Some(Said::SignalNote(_) | Said::DuringPanic | Said::RuntimeStack) => indent == 0,
                _ => header && indent == 0,
            };
            match value.stack {
                Some(stack) if !of_the_death => self.indented_dump(&value.text, stack),
                _ => self.end_value(&value.text),
            }
            return false;
        }
        value.text.push(b'\n');
        if quoted {
            value.stack.get_or_insert(value.text.len());
        }
        value.text.extend_from_slice(scan::upto(line.strip_prefix(b"\t").unwrap_or(line), MAX_VALUE));
        self.mode = Mode::Value(value);
        true
    }

    /// Nothing follows that would belong to the panic whose value is being read.
    pub(super) fn value_alone(&mut self) {
        match std::mem::replace(&mut self.mode, Mode::Lines) {
            Mode::Value(Value { text, stack: Some(stack), .. }) => self.indented_dump(&text, stack),
            Mode::Value(value) => self.end_value(&value.text),
            other => self.mode = other,
        }
    }

    /// What looked like a stack in the value is the first of the death.
    fn indented_dump(&mut self, text: &[u8], stack: usize) {
        self.end_value(scan::upto(text, stack));
        self.within(|g| scan::from(text, stack).split(|&c| c == b'\n').for_each(|line| g.line(line)));
    }

    pub(super) fn end_value(&mut self, raw: &[u8]) {
        let text = scan::text(raw);
        let mut value = PanicLine::of("");
        let mut own = text.trim_end();
        if let Some(v) = own.strip_suffix("[recovered, repanicked]") {
            (value.recovered, value.repanicked) = (true, true);
            own = v.trim_end();
        } else if let Some(v) = own.strip_suffix("[recovered]") {
            value.recovered = true;
            own = v.trim_end();
        }
        value.value = own.into();
        self.crashes.panic(value);
    }
}
