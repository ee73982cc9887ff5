//! Sentences and paths without what is private.

use super::{Private, Tally, count};
use gopsy_model::Str;
use std::borrow::Cow;
use std::sync::Arc;

/// What stands in the place of something that was left out.
pub(crate) fn left_out() -> &'static str {
    "(left out)"
}

/// Messages that the runtime and the standard library word themselves, by their beginnings; what follows them are
/// numbers and types (runtime/error.go, runtime/panic.go, runtime/chan.go, sync/*.go, reflect/value.go, testing.go).
const RUNTIME_MADE: &[&str] = &[
    "runtime error: ",
    "close of closed channel",
    "close of nil channel",
    "send on closed channel",
    "all goroutines are asleep",
    "assignment to entry in nil map",
    "interface conversion: ",
    "deadlock: ",
    "test timed out after ",
    "test executed panic(nil)",
    "panic called with nil argument",
    "sync: negative WaitGroup counter",
    "sync: WaitGroup ",
    "sync: Unlock of unlocked",
    "sync: unlock of unlocked",
    "sync: RUnlock of unlocked",
    "sync: inconsistent mutex state",
    "sync: call to WaitGroup",
    "reflect: ",
    "reflect.",
    "invalid memory address or nil pointer dereference",
    "checkptr: ",
    "cgo argument has Go pointer",
    "cgo result has Go pointer",
    "cgo result is unpinned",
    "makeslice: ",
    "makechan: ",
    "negative shift amount",
    "integer divide by zero",
    "index out of range",
    "slice bounds out of range",
    "bufio: ",
    "bytes.Buffer: ",
    "strings: negative Repeat count",
    "net/http: abort Handler",
    "time: ",
    "unaligned 64-bit atomic operation",
    "Fail in goroutine after ",
];

/// After these the runtime's words end and the program's begin.
const USER_FOLLOWS: &[&str] = &["Log in goroutine after "];

/// Where systems keep the home folders of their users: each folder in one of these is a home.
const HOMES_OF_USERS: &[&str] =
    &["/home/", "/Users/", "\\Users\\", "/Documents and Settings/", "\\Documents and Settings\\"];

/// The superuser's home folder on every Unix but macOS (Filesystem Hierarchy Standard 3.0, 3.14).
const HOME_OF_ROOT: &str = "/root";

/// Whether a folder's name is over here.
fn ends_path(c: char) -> bool {
    matches!(c, '/' | '\\' | '"' | '\'' | '`' | ',' | ';' | ':' | ')' | ']' | '>') || c.is_whitespace()
}

/// Whether a path may begin behind this.
fn begins_path(c: char) -> bool {
    c.is_whitespace() || c.is_ascii_punctuation() && !matches!(c, '/' | '.' | '-' | '_' | '~')
}

/// Where a folder is named whole in a text, not as the beginning of a longer name: from, to.
fn folder<'t>(text: &'t str, folder: &'t str) -> impl Iterator<Item = (usize, usize)> + 't {
    let places = text.match_indices(folder).map(|(from, found)| (from, from + found.len()));
    places.filter(|(_, to)| text.get(*to..).is_none_or(|t| t.chars().next().is_none_or(ends_path)))
}

fn is_runtime_made(value: &str) -> bool {
    let value = value.trim_start();
    RUNTIME_MADE.iter().any(|made| value.starts_with(made)) && !value.contains('\n')
}

/// Finds and replaces what is private.
#[derive(Debug)]
pub(crate) struct Cleaner {
    /// Texts of the program, longest first.
    values: Vec<String>,
    homes: Vec<String>,
    users: Vec<String>,
    hosts: Vec<String>,
    tally: Arc<Tally>,
}

impl Cleaner {
    pub(crate) fn new(private: &Private, tally: Arc<Tally>) -> Self {
        let mut homes: Vec<String> =
            private.homes.iter().map(|h| h.trim_end_matches(['/', '\\']).to_owned()).filter(|h| h.len() > 1).collect();
        homes.sort_by_key(|h| std::cmp::Reverse(h.len()));
        Cleaner {
            values: Vec::new(),
            homes,
            users: private.users.iter().filter(|u| u.len() > 2).cloned().collect(),
            hosts: private.hosts.iter().filter(|h| h.len() > 2).cloned().collect(),
            tally,
        }
    }

    /// A panic's or label's value, to be found wherever a sentence repeats it.
    pub(crate) fn learn_value(&mut self, value: &str) {
        let pieces = [value].into_iter().chain(value.lines());
        for piece in pieces.map(str::trim).filter(|p| p.len() > 3 && !is_runtime_made(p)) {
            if !self.values.iter().any(|v| v == piece) {
                self.values.push(piece.to_owned());
            }
        }
        self.values.sort_by_key(|v| std::cmp::Reverse(v.len()));
    }

    pub(crate) fn learn_host(&mut self, host: &str) {
        if host.len() > 2 && !self.hosts.iter().any(|h| h == host) {
            self.hosts.push(host.to_owned());
        }
    }

    /// A panic's value: the runtime's words, or how long the program's were; and whether something was left out.
    pub(crate) fn value(&self, value: &str) -> (String, bool) {
        if is_runtime_made(value) {
            return (value.to_owned(), false);
        }
        if let Some(start) = USER_FOLLOWS.iter().find(|start| value.starts_with(**start)) {
            let test = value.get(start.len()..).and_then(|rest| rest.split(' ').next()).unwrap_or("");
            return (format!("{start}{test} has completed: {}", left_out()), true);
        }
        (format!("(left out, {})", crate::names::plural(value.len() as u64, "byte")), true)
    }

    /// A headline as a verdict gives it, in the runtime's form.
    pub(crate) fn headline(&self, headline: &str) -> String {
        let Some(start) = headline.find("panic: ").map(|i| i + "panic: ".len()) else { return self.text(headline) };
        let (before, value) = headline.split_at(start);
        let (value, was_left_out) = self.value(value);
        count(&self.tally.values, u64::from(was_left_out));
        format!("{}{value}", self.text(before))
    }

    /// The path without the home folder it is under; `None` if there is nothing to leave out.
    pub(crate) fn path(&self, path: &str) -> Option<Str> {
        match self.clean_path(path) {
            Cow::Owned(cleaned) => Some(cleaned.into()),
            Cow::Borrowed(_) => None,
        }
    }

    fn clean_path<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let mut out = String::new();
        let mut done = 0;
        while let Some((from, to)) = path.get(done..).and_then(|rest| self.home_in(rest)) {
            out.push_str(path.get(done..done + from).unwrap_or(""));
            out.push('~');
            done += to;
        }
        if done == 0 {
            self.without_users(Cow::Borrowed(path))
        } else {
            out.push_str(path.get(done..).unwrap_or(""));
            self.without_users(Cow::Owned(out))
        }
    }

    /// User names that stand alone between separators (`/tmp/me/x`, `/mnt/c/me/y`).
    fn without_users<'p>(&self, path: Cow<'p, str>) -> Cow<'p, str> {
        let is_user = |element: &str| self.users.iter().any(|u| u == element);
        if !path.split(['/', '\\']).any(is_user) {
            return path;
        }
        let mut out = String::with_capacity(path.len());
        for piece in path.split_inclusive(['/', '\\']) {
            let name = piece.trim_end_matches(['/', '\\']);
            let separator = piece.get(name.len()..).unwrap_or("");
            out.push_str(if is_user(name) { "(user)" } else { name });
            out.push_str(separator);
        }
        Cow::Owned(out)
    }

    /// The first home folder in a text: from, to.
    fn home_in(&self, text: &str) -> Option<(usize, usize)> {
        let known = self.homes.iter().filter_map(|home| folder(text, home).next());
        let usual = HOMES_OF_USERS.iter().filter_map(|parent| {
            text.match_indices(parent).find_map(|(at, _)| {
                let name = text.get(at + parent.len()..)?;
                let length = name.find(ends_path).unwrap_or(name.len());
                // `C:` belongs to what is left out.
                let drive = text.get(..at).filter(|t| t.ends_with(':') && t.len() >= 2).map_or(0, |_| 2);
                (length > 0).then_some((at - drive, at + parent.len() + length))
            })
        });
        // Not a folder of that name elsewhere (`/srv/root`).
        let root = folder(text, HOME_OF_ROOT)
            .find(|(from, _)| text.get(..*from).is_none_or(|t| t.chars().next_back().is_none_or(begins_path)));
        known.chain(usual).chain(root).min()
    }

    /// A sentence.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.values {
            replace(&mut text, value, left_out(), &self.tally.values);
        }
        for host in &self.hosts {
            replace(&mut text, host, "(host)", &self.tally.hosts);
        }
        if let Cow::Owned(cleaned) = self.clean_path(&text) {
            count(&self.tally.paths, 1);
            text = cleaned;
        }
        self.words(&text)
    }

    /// Addresses, process ids and hexadecimal words, found by their form.
    fn words(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut previous = "";
        for piece in
            text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '{' | '}' | '=' | ';'))
        {
            let word = piece
                .trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '{' | '}' | '=' | ';'));
            let tail = piece.get(word.len()..).unwrap_or("");
            if is_address(word) {
                count(&self.tally.hosts, 1);
                out.push_str("(address)");
            } else if is_long_hex(word) {
                count(&self.tally.words, 1);
                out.push_str("0x…");
            } else if previous.eq_ignore_ascii_case("pid") && is_number(word) {
                count(&self.tally.pids, 1);
                out.push_str("(pid)");
            } else {
                out.push_str(word);
            }
            out.push_str(tail);
            if !word.is_empty() {
                previous = word.trim_end_matches(':');
            }
        }
        out
    }
}

fn replace(text: &mut String, what: &str, with: &str, counter: &std::sync::atomic::AtomicU64) {
    let found = text.matches(what).count();
    if found > 0 {
        count(counter, found as u64);
        *text = text.replace(what, with);
    }
}

fn is_number(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ':', ']']);
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

/// `0x` and more digits than a small offset has: an argument word or an address.
fn is_long_hex(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ':', ']', '?']).trim_start_matches('[');
    word.strip_prefix("0x").is_some_and(|digits| digits.len() > 4 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `10.0.0.7`, `10.0.0.7:443`, `[fe80::1]:443`.
fn is_address(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ':']);
    if let Some((inner, _)) = word.strip_prefix('[').and_then(|w| w.split_once(']')) {
        return inner.matches(':').count() >= 2
            && inner.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'%'));
    }
    let host = word.split_once(':').map_or(word, |(host, _)| host);
    let parts: Vec<&str> = host.split('.').collect();
    parts.len() == 4 && parts.iter().all(|p| (1..=3).contains(&p.len()) && p.parse::<u8>().is_ok())
}
