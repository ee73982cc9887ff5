//! Quoted strings as Go writes them (`strconv.Unquote`, Go 1.18 to 1.27).

/// What a quoted string means, and what stands behind it. `None` of what is no such string.
pub(crate) fn unquote(text: &str) -> Option<(String, &str)> {
    if let Some(raw) = text.strip_prefix('`') {
        let (inner, rest) = raw.split_once('`')?;
        return Some((inner.replace('\r', ""), rest));
    }
    let mut rest = text.strip_prefix('"')?;
    let mut bytes = Vec::new();
    loop {
        let (plain, special) = rest.split_at(rest.find(['"', '\\', '\n'])?);
        bytes.extend_from_slice(plain.as_bytes());
        if let Some(behind) = special.strip_prefix('"') {
            return Some((String::from_utf8_lossy(&bytes).into_owned(), behind));
        }
        rest = escape(special.strip_prefix('\\')?, &mut bytes)?;
    }
}

/// Adds what an escape means, and answers with what stands behind it.
fn escape<'t>(text: &'t str, bytes: &mut Vec<u8>) -> Option<&'t str> {
    let (first, rest) = text.split_at_checked(1)?;
    let byte = match first {
        "a" => 7,
        "b" => 8,
        "f" => 12,
        "n" => b'\n',
        "r" => b'\r',
        "t" => b'\t',
        "v" => 11,
        "\\" | "\"" => *first.as_bytes().first()?,
        "x" => return digits(rest, 2, 16).and_then(|(byte, rest)| push(byte, rest, bytes)),
        "u" | "U" => {
            let (number, rest) = digits(rest, if first == "u" { 4 } else { 8 }, 16)?;
            let mut buffer = [0; 4];
            bytes.extend_from_slice(char::from_u32(number)?.encode_utf8(&mut buffer).as_bytes());
            return Some(rest);
        }
        _ => return digits(text, 3, 8).and_then(|(byte, rest)| push(byte, rest, bytes)),
    };
    bytes.push(byte);
    Some(rest)
}

fn push<'t>(byte: u32, rest: &'t str, bytes: &mut Vec<u8>) -> Option<&'t str> {
    bytes.push(u8::try_from(byte).ok()?);
    Some(rest)
}

fn digits(text: &str, count: usize, radix: u32) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(count)?;
    let all = digits.chars().all(|c| c.is_digit(radix));
    Some((u32::from_str_radix(digits, radix).ok().filter(|_| all)?, rest))
}

#[cfg(test)]
mod tests {
    use super::unquote;

    #[test]
    fn what_go_quotes() {
        let whole = |text| unquote(text).map(|(value, rest)| (value, rest.to_owned()));
        let some = |value: &str, rest: &str| Some((value.to_owned(), rest.to_owned()));
        assert_eq!(whole(r#""-X main.v=1 -X \"main.t=a b\"""#), some(r#"-X main.v=1 -X "main.t=a b""#, ""));
        assert_eq!(whole(r#""a\tb\\n\x41\101\u00fc\U0001f980"=x"#), some("a\tb\\nAA\u{fc}\u{1f980}", "=x"));
        assert_eq!(whole(r#""\xc3\xbc""#), some("\u{fc}", ""));
        assert_eq!(whole("`a\"\\n`b"), some("a\"\\n", "b"));
        assert_eq!(whole("\"\""), some("", ""));
        for no in [
            "",
            "a",
            "\"",
            "\"a",
            "\"\\\"",
            "\"\\",
            "\"\\x4",
            "\"\\x4ü\"",
            "\"\\x+4\"",
            "\"\\400\"",
            "\"\\ud800\"",
            "\"a\nb\"",
            "`a",
        ] {
            assert_eq!(whole(no), None, "{no}");
        }
    }
}
