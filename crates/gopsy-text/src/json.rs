//! The little of JSON that log carriers need: the fields of one flat object on one line.

use crate::escaped::unescape;
use crate::scan::{self, Cursor};

/// A field's value, as far as carriers use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A string, unescaped; also an array of byte values, as journald exports text with control characters.
    Text(Vec<u8>),
    /// A number, a literal or a structure: its raw text.
    Other(Vec<u8>),
}

/// Calls `each` with key and value of every top-level field. False if the line is no JSON object.
pub(crate) fn fields(line: &[u8], mut each: impl FnMut(&[u8], Value)) -> bool {
    let mut c = Cursor::new(scan::trim(line));
    if !c.eat(b"{") {
        return false;
    }
    loop {
        c.take_while(|b| b.is_ascii_whitespace() || b == b',');
        if c.eat(b"}") {
            return c.at_end();
        }
        let Some(key) = string(&mut c) else { return false };
        c.blanks();
        if !c.eat(b":") {
            return false;
        }
        c.blanks();
        let value = match c.peek() {
            b'"' => match string(&mut c) {
                Some(s) => Value::Text(s),
                None => return false,
            },
            b'{' | b'[' => {
                let Some(raw) = structure(&mut c) else { return false };
                match byte_array(raw) {
                    Some(bytes) => Value::Text(bytes),
                    None => Value::Other(raw.to_vec()),
                }
            }
            _ => {
                let raw = c.take_while(|b| !matches!(b, b',' | b'}' | b' '));
                if raw.is_empty() {
                    return false;
                }
                Value::Other(raw.to_vec())
            }
        };
        each(&key, value);
    }
}

/// The text of one field.
#[cfg(test)]
pub(crate) fn text_field(line: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let mut found = None;
    let whole = fields(line, |k, v| {
        if k == key
            && let Value::Text(t) = v
        {
            found = Some(t);
        }
    });
    found.filter(|_| whole)
}

fn string(c: &mut Cursor<'_>) -> Option<Vec<u8>> {
    if !c.eat(b"\"") {
        return None;
    }
    let start = c.rest();
    let mut n = 0usize;
    let mut plain = true;
    loop {
        n = n.saturating_add(c.take_while(|b| b != b'"' && b != b'\\').len());
        match c.peek() {
            b'"' => {
                c.skip(1);
                let raw = scan::upto(start, n);
                return Some(if plain { raw.to_vec() } else { unescape(raw) });
            }
            b'\\' => {
                plain = false;
                c.skip(2);
                n = n.saturating_add(2);
            }
            _ => return None,
        }
    }
}

/// A nested object or array as raw text.
fn structure<'a>(c: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let start = c.rest();
    let mut depth = 0u32;
    loop {
        match c.peek() {
            b'"' => {
                string(c)?;
            }
            b'{' | b'[' => {
                depth = depth.saturating_add(1);
                c.skip(1);
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                c.skip(1);
            }
            0 if c.at_end() => return None,
            _ => {
                c.skip(1);
                c.take_while(|b| !matches!(b, b'"' | b'{' | b'}' | b'[' | b']'));
            }
        }
        if depth == 0 {
            return Some(scan::upto(start, start.len().saturating_sub(c.rest().len())));
        }
    }
}

fn byte_array(raw: &[u8]) -> Option<Vec<u8>> {
    let inner = raw.strip_prefix(b"[")?.strip_suffix(b"]")?;
    if inner.is_empty() {
        return None;
    }
    inner.split(|&c| c == b',').map(|n| scan::dec(scan::trim(n)).and_then(|n| u8::try_from(n).ok())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_of_json() {
        let docker = br#"{"log":"\tmain.go:3 \u003cx\u003e\n","stream":"stderr","time":"2024"}"#;
        assert_eq!(text_field(docker, b"log"), Some(b"\tmain.go:3 <x>\n".to_vec()));
        let journal = br#"{ "_PID" : "7", "N":{"a":[1,"]"]}, "MESSAGE" : [103, 111, 9] }"#;
        assert_eq!(text_field(journal, b"MESSAGE"), Some(b"go\t".to_vec()));
        assert_eq!(text_field(br#"{"log":"cut"#, b"log"), None);
        assert_eq!(text_field(br#"{"a":"x"} tail"#, b"a"), None);
    }
}
