//! The layout of Go before its first release (2009): place first, then the call.
//!
//! ```text
//! rand·*rngSource·Int63+0x14b /home/u/go/src/pkg/rand/rng.go:243
//!        rand·*rngSource·Int63(0xb7f92000, 0xb7f85048, 0x0)
//! ```

use crate::frame;
use crate::grammar::Grammar;
use crate::scan;

/// Takes the line if it is a frame of that layout.
pub(crate) fn line(body: &[u8], grammar: &mut Grammar) -> bool {
    let Some(blank) = memchr::memchr(b' ', body) else { return false };
    let head = scan::upto(body, blank);
    let place = scan::trim(scan::from(body, blank));
    let name = match memchr::memmem::rfind(head, b"+0x") {
        Some(plus) if scan::hex(scan::from(head, plus.saturating_add(1))).is_some() => scan::upto(head, plus),
        _ => head,
    };
    let old = name.len() < head.len() || scan::has(name, "\u{b7}".as_bytes());
    if !old || !place.starts_with(b"/") {
        return false;
    }
    let in_stack = grammar.in_stack();
    match frame::file_line(place) {
        Some(f) if frame::is_source_path(f.path) => {
            if !in_stack {
                let role = grammar.crashes.role_of_bare_stack();
                grammar.start_bare(role);
            }
            grammar.old_layout = true;
            grammar.foreign_frame(name, f.path, f.line, 0);
            true
        }
        _ => false,
    }
}
