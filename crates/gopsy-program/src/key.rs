//! The fixed hash by which stacks are grouped and compared.
//!
//! `std`'s hasher is keyed anew in every process and the derives of `Hash` may change with a release; keys here are
//! written into JSON and compared between runs, so the function is spelled out: FNV-1a over bytes, with a final mix
//! (the one of splitmix64) so that short inputs differ in all bits.
//!
//! A key is 64 bits: two different stacks among 100,000 share one with a probability of about 3 in 10^10. It is not
//! made against an adversary; who writes the crash text can at worst make two of their own stacks look alike.

use gopsy_model::{Creation, Frame, Goroutine, Known, Role, Stack, Str};

/// An incremental hash with a fixed definition.
#[derive(Debug, Clone)]
pub struct KeyHasher(u64);

impl Default for KeyHasher {
    fn default() -> Self {
        KeyHasher::new()
    }
}

impl KeyHasher {
    /// The state before anything was hashed.
    #[must_use]
    pub const fn new() -> Self {
        KeyHasher(0xcbf2_9ce4_8422_2325)
    }

    /// Hashes a text with its end, so that `ab` + `c` differs from `a` + `bc`.
    pub fn text(&mut self, text: &str) {
        for &byte in text.as_bytes() {
            self.byte(byte);
        }
        // 0xff occurs in no UTF-8 text.
        self.byte(0xff);
    }

    /// Hashes a number in one step.
    pub fn number(&mut self, number: u64) {
        self.0 = (self.0 ^ mix(number)).wrapping_mul(PRIME);
    }

    /// Hashes an absence.
    pub fn absent(&mut self) {
        self.byte(0xfe);
    }

    /// The key.
    #[must_use]
    pub fn finish(&self) -> u64 {
        mix(self.0)
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(PRIME);
    }

    fn known_text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.absent(),
        }
    }

    fn known_line(&mut self, line: &Known<i64>) {
        match line.value() {
            Some(line) => self.number(line.cast_unsigned()),
            None => self.absent(),
        }
    }
}

const PRIME: u64 = 0x0000_0100_0000_01b3;

const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// What two goroutines of one run share when they belong to one group: role, functions, files, lines, gaps and the
/// `go` statement that started them. Not: numbers, waits, labels, arguments, pcs, offsets, the creating goroutine.
#[must_use]
pub fn stack_key(goroutine: &Goroutine, stack: &Stack) -> u64 {
    let mut hasher = KeyHasher::new();
    role(&mut hasher, goroutine.role);
    for frame in &stack.frames {
        exact_frame(&mut hasher, frame);
    }
    for gap in &stack.elided {
        hasher.absent();
        hasher.number(gap.after as u64);
    }
    if let Some(creation) = goroutine.created_by.value() {
        exact_creation(&mut hasher, creation);
    }
    hasher.finish()
}

/// What a group is recognised by in another run, on another machine, after another build: role, functions and the base
/// names of the files. Not the lines: an edit above a function must not make its goroutines new ones.
#[must_use]
pub fn stable_key(goroutine: &Goroutine, stack: &Stack) -> u64 {
    let mut hasher = KeyHasher::new();
    role(&mut hasher, goroutine.role);
    for frame in &stack.frames {
        hasher.known_text(frame.function.value().map(|f| f.as_str()));
        hasher.known_text(frame.file.value().map(|f| base_name(f)));
    }
    if !stack.elided.is_empty() {
        hasher.absent();
    }
    if let Some(creation) = goroutine.created_by.value() {
        hasher.text(creation.function.as_str());
        hasher.known_text(creation.file.value().map(|f| base_name(f)));
    }
    hasher.finish()
}

/// The lines alone: what tells groups with the same [`stable_key`] apart.
#[must_use]
pub fn lines_key(goroutine: &Goroutine, stack: &Stack) -> u64 {
    let mut hasher = KeyHasher::new();
    for frame in &stack.frames {
        hasher.known_line(&frame.line);
    }
    if let Some(creation) = goroutine.created_by.value() {
        hasher.known_line(&creation.line);
    }
    hasher.finish()
}

/// The key of a name (a group that is not made of stacks).
#[must_use]
pub fn name_key(name: &str) -> u64 {
    let mut hasher = KeyHasher::new();
    hasher.text(name);
    hasher.finish()
}

/// The last part of a path, with either kind of separator.
#[must_use]
pub fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn role(hasher: &mut KeyHasher, role: Role) {
    // Spelled out: the order of the variants in the source must not be part of the key.
    hasher.number(match role {
        Role::Goroutine => 1,
        Role::System => 2,
        Role::Signal => 3,
        Role::Bare => 4,
        Role::Ancestor => 5,
        Role::Thread => 6,
    });
}

fn exact_frame(hasher: &mut KeyHasher, frame: &Frame) {
    hasher.known_text(frame.function.value().map(|f| f.as_str()));
    hasher.known_text(frame.file.value().map(Str::as_ref));
    hasher.known_line(&frame.line);
}

fn exact_creation(hasher: &mut KeyHasher, creation: &Creation) {
    hasher.byte(0xfd);
    hasher.text(creation.function.as_str());
    hasher.known_text(creation.file.value().map(Str::as_ref));
    hasher.known_line(&creation.line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_never_changes() {
        // Written into JSON that people keep: if this fails, a new key needs a new schema number.
        assert_eq!(name_key(""), mix((0xcbf2_9ce4_8422_2325_u64 ^ 0xff).wrapping_mul(PRIME)));
        assert_eq!(format!("{:016x}", name_key("chan receive")), CHAN_RECEIVE);
    }

    #[test]
    fn ends_are_part_of_a_text() {
        let key = |parts: &[&str]| {
            let mut hasher = KeyHasher::new();
            parts.iter().for_each(|p| hasher.text(p));
            hasher.finish()
        };
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
    }

    #[test]
    fn base_names() {
        assert_eq!(base_name("/a/b.go"), "b.go");
        assert_eq!(base_name(r"C:\src\b.go"), "b.go");
        assert_eq!(base_name("b.go"), "b.go");
    }

    const CHAN_RECEIVE: &str = "e2a78984c5113457";
}
