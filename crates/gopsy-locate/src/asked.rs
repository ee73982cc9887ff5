//! A type as somebody writes it, held against types as their descriptors name them.

use crate::MapType;

/// A type that is asked for: all of it, or an end that begins with a name. It may be written as source code has it (`any`,
/// `byte`, `rune`, `struct{}`, blanks as one likes), with packages by their names or by their paths, or without any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedType(Vec<Part>);

/// A piece of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// A name, a keyword, a number.
    Word(String),
    /// A name with its package.
    Qualified(String, String),
    /// A text in quotes: the tag of a field.
    Quoted(String),
    /// A bracket, a comma, …
    Sign(char),
}

/// What has a name in every package; a type of the program with one of these names is only meant with its package before it.
const PREDECLARED: [&str; 19] = [
    "bool",
    "complex128",
    "complex64",
    "error",
    "float32",
    "float64",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "string",
    "uint",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "uintptr",
    "comparable",
];
const KEYWORDS: [&str; 5] = ["map", "chan", "func", "interface", "struct"];

impl AskedType {
    /// What is meant by that text.
    #[must_use]
    pub fn new(text: &str) -> AskedType {
        AskedType(parts(text))
    }

    /// Whether it is all of a map's type, with its key.
    #[must_use]
    pub fn is_map(&self) -> bool {
        matches!(self.0.as_slice(), [Part::Word(map), Part::Sign('['), ..] if map == "map")
    }

    /// Its key, where that is one word.
    pub(crate) fn key(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Word(map), Part::Sign('['), Part::Word(key), Part::Sign(']'), ..] if map == "map" => Some(key),
            _ => None,
        }
    }

    /// Whether a type is one of those that are meant.
    #[must_use]
    pub fn fits(&self, of: &MapType) -> bool {
        self.fits_spelling(&of.name, of.path.as_deref())
    }

    fn fits_spelling(&self, name: &str, path: Option<&str>) -> bool {
        let names = parts(name);
        let paths = path.map(parts).filter(|paths| paths.len() == names.len());
        let Some(before) = names.len().checked_sub(self.0.len()).filter(|_| !self.0.is_empty()) else { return false };
        let by_path = paths.iter().flatten().map(Some).chain(std::iter::repeat(None));
        let mut ends = names.iter().zip(by_path).skip(before).zip(&self.0);
        ends.all(|((name, path), asked)| asked.is(name) || path.is_some_and(|path| asked.is(path)))
    }
}

impl Part {
    /// Whether this is what is meant by that part of a type.
    fn is(&self, of: &Part) -> bool {
        match (self, of) {
            // As within its own package.
            (Part::Word(asked), Part::Qualified(_, name)) => asked == name && !PREDECLARED.contains(&asked.as_str()),
            (Part::Qualified(package, asked), Part::Qualified(of, name)) => {
                let ends_so =
                    of.strip_suffix(package.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('/'));
                asked == name && ends_so
            }
            _ => self == of,
        }
    }
}

/// A text in parts; `any`, `byte` and `rune` as what they stand for.
fn parts(text: &str) -> Vec<Part> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = if first.is_alphanumeric() || first == '_' {
            let len = word_len(rest);
            match rest.get(..len).unwrap_or_default() {
                "any" => found.extend([Part::Word("interface".to_owned()), Part::Sign('{'), Part::Sign('}')]),
                "byte" => found.push(Part::Word("uint8".to_owned())),
                "rune" => found.push(Part::Word("int32".to_owned())),
                word => found.push(word_part(word)),
            }
            len
        } else if first == '"' || first == '`' {
            let len = quoted_len(rest, first);
            found.push(Part::Quoted(rest.get(..len).unwrap_or_default().to_owned()));
            len
        } else {
            if !first.is_whitespace() {
                found.push(Part::Sign(first));
            }
            first.len_utf8()
        };
        rest = rest.get(len..).unwrap_or_default();
    }
    found
}

/// How long a word is: a name with the path of its package has dots, slashes and what else a path may have. The arrow of a
/// channel is none of that.
fn word_len(text: &str) -> usize {
    let within = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | '~' | '+' | '%' | '·' | '@');
    let len = text.find(|c| !within(c)).unwrap_or(text.len());
    let word = text.get(..len).unwrap_or_default();
    // A keyword ends where it ends: `chan...` is nobody's path.
    KEYWORDS
        .iter()
        .find(|k| word.strip_prefix(**k).is_some_and(|rest| rest.starts_with(['-', '.'])))
        .map_or(len, |k| k.len())
}

/// The name stands behind the last dot of what is behind the last slash. The linker writes some dots of a path as `%2e`.
fn word_part(word: &str) -> Part {
    let last = word.rfind('/').map_or(0, |slash| slash.saturating_add(1));
    match word.get(last..).and_then(|end| end.rfind('.')) {
        Some(dot) => {
            let dot = dot.saturating_add(last);
            let package = word.get(..dot).unwrap_or_default().replace("%2e", ".");
            Part::Qualified(package, word.get(dot.saturating_add(1)..).unwrap_or_default().to_owned())
        }
        None => Part::Word(word.to_owned()),
    }
}

fn quoted_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return index.saturating_add(c.len_utf8());
        }
        escaped = c == '\\' && !escaped && quote == '"';
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(name: &str, asked: &str) -> bool {
        AskedType::new(asked).fits_spelling(name, None)
    }

    #[test]
    fn the_whole_type_or_an_end_of_it() {
        let name = "map[string]*main.sess";
        for asked in [name, "*main.sess", "main.sess", "sess", "map[string]*sess", " map [ string ] * main.sess "] {
            assert!(fits(name, asked), "{asked}");
        }
        for asked in ["ess", "in.sess", "map[int]*main.sess", "map[string]main.sess", "other.sess", "", " "] {
            assert!(!fits(name, asked), "{asked}");
        }
        // A name that every package has is not one of a package.
        assert!(!fits("map[int]main.string", "map[int]string"));
        assert!(fits("map[int]main.string", "map[int]main.string"));
    }

    #[test]
    fn as_source_code_has_it() {
        for (name, asked) in [
            ("map[string]struct {}", "map[string]struct{}"),
            ("map[interface {}]int", "map[any]int"),
            ("map[interface {}]int", "map[interface{}]int"),
            ("map[[2]uint8]int32", "map[[2]byte]rune"),
            ("map[string]func(int, ...uint8) error", "map[string]func(int,...byte)error"),
            ("map[string]chan<- int32", "map[string]chan<-rune"),
            ("map[string]chan (<-chan int)", "map[string]chan (<-chan int)"),
            ("map[main.K]struct { a int; B uint8 }", "map[K]struct{a int; B byte}"),
            ("main.Cache[string,*example.com/a-b/x.T]", "main.Cache[string, *x.T]"),
        ] {
            assert!(fits(name, asked), "{asked}");
            assert!(!fits(name, &asked.replace("map[", "map[*")) || !asked.starts_with("map["), "{asked}");
        }
        // Types of the program with those names.
        assert!(!fits("map[main.any]int", "map[any]int") && fits("map[main.any]int", "map[main.any]int"));
        assert!(!fits("map[string]struct { a int }", "map[string]struct{}"));
    }

    #[test]
    fn packages_by_name_and_by_path() {
        let asked = |asked: &str| {
            let path = "map[string]*example.com/acme/maps2/other/store.Item";
            AskedType::new(asked).fits_spelling("map[string]*store.Item", Some(path))
        };
        for whole in ["store", "other/store", "maps2/other/store", "example.com/acme/maps2/other/store"] {
            assert!(asked(&format!("map[string]*{whole}.Item")), "{whole}");
        }
        for other in ["example.com/acme/maps2/store", "ther/store", "tore", "other", "store/store"] {
            assert!(!asked(&format!("map[string]*{other}.Item")), "{other}");
        }
        // The last element of a path is not always the name; and its dots may be escaped.
        let yaml = |asked: &str| {
            AskedType::new(asked).fits_spelling("map[int]yaml.Node", Some("map[int]gopkg.in/yaml%2ev3.Node"))
        };
        assert!(yaml("map[int]yaml.Node") && yaml("map[int]gopkg.in/yaml.v3.Node") && !yaml("map[int]v3.Node"));
    }

    #[test]
    fn any_text_is_survived() {
        for text in [
            "map[",
            "]",
            "\"",
            "`a",
            "\"\\",
            "....",
            "a/",
            "/.",
            "é.ü",
            "map[string]*",
            "chan<-",
            "chan-",
            "a.b.c/",
            "-",
        ] {
            assert!(!fits("map[string]int", text), "{text}");
            assert!(!AskedType::new("int").fits_spelling(text, Some(text)), "{text}");
        }
    }
}
