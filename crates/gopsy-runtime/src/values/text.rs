//! A text that grows to a bound, and what values are written with.

use std::fmt::Write;

/// So much of what is left out is counted.
const MAX_COUNTED: usize = 64 * 1024;

/// A text that grows to a bound and counts what did not fit.
#[derive(Debug)]
pub(super) struct Text {
    text: String,
    /// How long it may become.
    end: usize,
    /// What was left out.
    left: usize,
}

/// The bounds of a [`Text`] around a part that has one of its own.
#[derive(Clone, Copy)]
pub(super) struct Outer {
    end: usize,
    left: usize,
}

impl Text {
    pub(super) fn of(end: usize) -> Self {
        Text { text: String::new(), end, left: 0 }
    }

    pub(super) fn push(&mut self, part: &str) {
        let room = if self.left > 0 { 0 } else { self.end.saturating_sub(self.text.len()) };
        let fits = part.floor_char_boundary(room);
        let (now, later) = part.split_at_checked(fits).unwrap_or(("", part));
        self.text.push_str(now);
        self.left = self.left.saturating_add(later.len());
    }

    /// Nothing more need be written: so much was left out that it is not even counted.
    pub(super) fn is_full(&self) -> bool {
        self.left > MAX_COUNTED
    }

    /// Bounds what is written up to [`Text::close`].
    pub(super) fn open(&mut self, most: usize) -> Outer {
        let outer = Outer { end: self.end, left: self.left };
        self.end = self.end.min(self.text.len().saturating_add(most));
        outer
    }

    pub(super) fn close(&mut self, outer: Outer) {
        let left = self.left.saturating_sub(outer.left);
        let of_its_own = self.end < outer.end;
        self.end = outer.end;
        // What went beyond the whole's bound is left out of the whole.
        if outer.left == 0 && left > 0 && of_its_own {
            self.left = 0;
            self.push(&left_out(left));
        }
    }

    pub(super) fn into_string(mut self) -> String {
        if self.left > 0 {
            self.text.push_str(&left_out(self.left));
        }
        self.text
    }
}

fn left_out(bytes: usize) -> String {
    match bytes > MAX_COUNTED {
        true => format!("… more than {MAX_COUNTED} more bytes"),
        false => format!("… {bytes} more bytes"),
    }
}

/// A string as Go source has it.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A number as `%v` prints it: with an exponent where that is below -4 or from 21 on (`fmtFloat` in `fmt/format.go`).
pub(super) fn float(value: f64, plain: &str, digits: &str) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    match digits.split_once('e').and_then(|(mantissa, e)| Some((mantissa, e.parse::<i32>().ok()?))) {
        Some((mantissa, exponent)) if !(-4..21).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_fit_is_counted() {
        let mut text = Text::of(4);
        text.push("ab");
        assert!(!text.is_full());
        text.push("cde");
        // Nothing follows a gap.
        text.push("f");
        assert_eq!(text.into_string(), "abcd… 2 more bytes");
        let mut whole = Text::of(4);
        whole.push("abcd");
        assert_eq!(whole.into_string(), "abcd");
        let mut cut = Text::of(2);
        cut.push("aé");
        assert_eq!(cut.into_string(), "a… 2 more bytes");
        let mut endless = Text::of(0);
        (0..MAX_COUNTED).for_each(|_| endless.push("xy"));
        assert!(endless.is_full() && endless.into_string().contains("more than 65536"));
    }

    #[test]
    fn parts_have_bounds_of_their_own() {
        let mut text = Text::of(100);
        text.push("a(");
        let outer = text.open(3);
        text.push("bcdef");
        text.close(outer);
        text.push(")");
        assert_eq!(text.into_string(), "a(bcd… 2 more bytes)");
        // The whole's bound is the nearer one.
        let mut text = Text::of(4);
        text.push("a(");
        let outer = text.open(3);
        text.push("bcd");
        text.close(outer);
        text.push(")");
        assert_eq!(text.into_string(), "a(bc… 2 more bytes");
    }

    #[test]
    fn numbers_as_go_prints_them() {
        let go = |value: f64| float(value, &format!("{value}"), &format!("{value:e}"));
        let all = [1.5, 100.0, 1e20, 1e21, 1.5e300, 0.0001, 0.00001, -2.0, f64::INFINITY, f64::NAN].map(go);
        let right =
            ["1.5", "100", "100000000000000000000", "1e+21", "1.5e+300", "0.0001", "1e-05", "-2", "+Inf", "NaN"];
        assert_eq!(all, right);
    }
}
