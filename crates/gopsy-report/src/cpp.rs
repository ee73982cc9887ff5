//! Names of C++ for people.

/// Names within names beyond this are of nobody who wants to be read.
const MAX_DEPTH: u32 = 32;
/// A constructor repeats the name of its class: so many parts have what is written bounded by the name's length.
const MAX_PARTS: usize = 64;
/// The longest of 82,671 names in the libraries of a machine with LLVM has 604 bytes.
const MAX_LEN: usize = 1 << 14;

/// The path of a function of C++, as far as its mangled name is read (Itanium C++ ABI, 5.1): `rocksdb::DBImpl::Get` of
/// `_ZN7rocksdb6DBImpl3GetEi`. Arguments of templates are `<…>`, parameters are left out. `None` of what is no such name, and of what is
/// not read: expressions in arguments, conversions.
///
/// Linear in the name's length: demanglers that write all of it out take names to which they write gigabytes.
#[must_use]
pub(crate) fn path(mangled: &str) -> Option<String> {
    let rest = mangled.strip_prefix("_Z").filter(|rest| rest.len() <= MAX_LEN)?;
    let mut name = Name { rest, parts: Vec::new() };
    name.encoding(0)?;
    (!name.parts.is_empty()).then(|| name.parts.join("::"))
}

/// A mangled name, and what was read of it.
struct Name<'a> {
    rest: &'a str,
    parts: Vec<String>,
}

impl<'a> Name<'a> {
    fn encoding(&mut self, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let deeper = depth.checked_add(1)?;
        // A function of a local class or a lambda: of which function they are is what can be said.
        if self.eat("Z") {
            self.encoding(deeper)?;
            self.parts.push("…".to_owned());
            return Some(());
        }
        // What adjusts `this` and goes on.
        if self.eat("Th") {
            self.eat("n");
            self.number();
            return if self.eat("_") { self.encoding(deeper) } else { None };
        }
        if self.eat("N") {
            while self.eat("K") || self.eat("V") || self.eat("r") || self.eat("R") || self.eat("O") {}
            while !self.eat("E") {
                self.part()?;
            }
            return Some(());
        }
        self.part()?;
        // Of `St` alone nothing is called.
        if self.parts.len() == 1 && self.parts.first().is_some_and(|part| part == "std") {
            self.part()?;
        }
        if self.rest.starts_with('I') { self.part() } else { Some(()) }
    }

    /// One part of a path, or what belongs to the last one.
    fn part(&mut self) -> Option<()> {
        const SHORT: [(&str, &str); 7] = [
            ("St", "std"),
            ("Sa", "std::allocator"),
            ("Sb", "std::basic_string"),
            ("Ss", "std::string"),
            ("Si", "std::istream"),
            ("So", "std::ostream"),
            ("Sd", "std::iostream"),
        ];
        if self.parts.len() >= MAX_PARTS {
            return None;
        }
        if let Some((_, long)) = SHORT.iter().find(|(short, _)| self.eat(short)) {
            self.parts.push((*long).to_owned());
            return Some(());
        }
        if self.eat("I") {
            self.skip_to_end(0)?;
            let last = self.parts.last_mut()?;
            last.push_str(if last.ends_with('<') { " <…>" } else { "<…>" });
            return Some(());
        }
        if ["C1", "C2", "C3", "C4"].iter().any(|kind| self.eat(kind)) {
            let class = self.class()?;
            self.parts.push(class);
            return Some(());
        }
        if ["D0", "D1", "D2", "D4"].iter().any(|kind| self.eat(kind)) {
            let class = self.class()?;
            self.parts.push(format!("~{class}"));
            return Some(());
        }
        if self.eat("Ul") {
            self.lambda(0)?;
            self.parts.push("{lambda}".to_owned());
            return Some(());
        }
        if self.eat("Ut") {
            self.number();
            self.parts.push("{unnamed}".to_owned());
            return self.eat("_").then_some(());
        }
        // A tag of the library's version; a function that only its file sees.
        if self.eat("B") {
            return self.identifier().map(drop);
        }
        self.eat("L");
        if let Some((_, operator)) = OPERATORS.iter().find(|(short, _)| self.eat(short)) {
            self.parts.push(format!("operator{operator}"));
            return Some(());
        }
        let identifier = self.identifier()?;
        let anonymous = identifier.starts_with("_GLOBAL__N_");
        self.parts.push(if anonymous { "(anonymous namespace)".to_owned() } else { identifier.to_owned() });
        Some(())
    }

    /// The class that a constructor is of: the last part without its arguments and what it lies in.
    fn class(&self) -> Option<String> {
        let last = self.parts.last()?.trim_end_matches("<…>");
        Some(last.rsplit("::").next().unwrap_or(last).to_owned())
    }

    /// Skips types and names to the end of what began, with it.
    fn skip_to_end(&mut self, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        loop {
            let first = self.rest.chars().next()?;
            match first {
                'E' => return self.eat("E").then_some(()),
                '0'..='9' => self.identifier().map(drop)?,
                'N' | 'I' | 'J' | 'F' | 'Z' => {
                    self.rest = self.rest.get(1..)?;
                    self.skip_to_end(depth.checked_add(1)?)?;
                }
                'L' => self.literal(depth)?,
                'U' if self.eat("Ul") => self.lambda(depth)?,
                'U' if self.eat("Ut") => {
                    self.number();
                    self.eat("_").then_some(())?;
                }
                'S' => {
                    self.rest = self.rest.get(1..)?;
                    if !["t", "a", "b", "s", "i", "o", "d"].iter().any(|short| self.eat(short)) {
                        self.skip_to_underscore(|c| c.is_ascii_digit() || c.is_ascii_uppercase())?;
                    }
                }
                'T' | 'A' => {
                    self.rest = self.rest.get(1..)?;
                    self.skip_to_underscore(|c| c.is_ascii_digit())?;
                }
                'D' => {
                    let of_two = ["Dp", "Dn", "Di", "Ds", "Du", "Da", "Dc", "Do"];
                    of_two.iter().any(|kind| self.eat(kind)).then_some(())?;
                }
                'B' | 'C' | 'G' | 'K' | 'M' | 'O' | 'P' | 'R' | 'V' | 'Y' | 'a'..='z' => {
                    self.rest = self.rest.get(1..)?;
                }
                _ => return None,
            }
        }
    }

    /// A constant among the arguments: of a type of one letter, or the address of something that is named.
    fn literal(&mut self, depth: u32) -> Option<()> {
        self.eat("L");
        if self.eat("_Z") {
            return self.skip_to_end(depth.checked_add(1)?);
        }
        self.rest.starts_with(|c: char| c.is_ascii_lowercase()).then_some(())?;
        let end = self.rest.find('E')?;
        self.rest = self.rest.get(end.checked_add(1)?..)?;
        Some(())
    }

    /// The rest of a lambda: the types of its parameters, its number.
    fn lambda(&mut self, depth: u32) -> Option<()> {
        self.skip_to_end(depth.checked_add(1)?)?;
        self.number();
        self.eat("_").then_some(())
    }

    fn skip_to_underscore(&mut self, of: impl Fn(char) -> bool) -> Option<()> {
        self.rest = self.rest.trim_start_matches(of);
        self.eat("_").then_some(())
    }

    /// A length and so many bytes.
    fn identifier(&mut self) -> Option<&'a str> {
        let len = self.number()?;
        let found = self.rest.get(..len).filter(|found| !found.is_empty())?;
        self.rest = self.rest.get(len..)?;
        Some(found)
    }

    fn number(&mut self) -> Option<usize> {
        let digits = self.rest.len().checked_sub(self.rest.trim_start_matches(|c: char| c.is_ascii_digit()).len())?;
        let (number, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        number.parse().ok()
    }

    fn eat(&mut self, word: &str) -> bool {
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

/// Operators that are functions (5.1.3.1).
const OPERATORS: [(&str, &str); 46] = [
    ("nw", " new"),
    ("na", " new[]"),
    ("dl", " delete"),
    ("da", " delete[]"),
    ("ps", "+"),
    ("ng", "-"),
    ("ad", "&"),
    ("de", "*"),
    ("co", "~"),
    ("pl", "+"),
    ("mi", "-"),
    ("ml", "*"),
    ("dv", "/"),
    ("rm", "%"),
    ("an", "&"),
    ("or", "|"),
    ("eo", "^"),
    ("aS", "="),
    ("pL", "+="),
    ("mI", "-="),
    ("mL", "*="),
    ("dV", "/="),
    ("rM", "%="),
    ("aN", "&="),
    ("oR", "|="),
    ("eO", "^="),
    ("ls", "<<"),
    ("rs", ">>"),
    ("lS", "<<="),
    ("rS", ">>="),
    ("eq", "=="),
    ("ne", "!="),
    ("lt", "<"),
    ("gt", ">"),
    ("le", "<="),
    ("ge", ">="),
    ("ss", "<=>"),
    ("nt", "!"),
    ("aa", "&&"),
    ("oo", "||"),
    ("pp", "++"),
    ("mm", "--"),
    ("cm", ","),
    ("pt", "->"),
    ("cl", "()"),
    ("ix", "[]"),
];

#[cfg(test)]
mod tests {
    use super::path;

    /// As c++filt has them (2.40, `-p`), but for the arguments of templates.
    #[test]
    fn names_are_read_as_others_read_them() {
        for (mangled, expected) in [
            ("_ZN7rocksdb6DBImpl3GetEi", "rocksdb::DBImpl::Get"),
            ("_Z3foov", "foo"),
            ("_ZL3foov", "foo"),
            ("_ZSt9terminatev", "std::terminate"),
            ("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<…>::push_back"),
            ("_ZNSs6appendEPKc", "std::string::append"),
            (
                "_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEED1Ev",
                "std::__cxx11::basic_string<…>::~basic_string",
            ),
            ("_ZNKSt5ctypeIcE8do_widenEc", "std::ctype<…>::do_widen"),
            ("_ZN12_GLOBAL__N_14pool4freeEPv", "(anonymous namespace)::pool::free"),
            ("_ZN3fooC2ERKS_", "foo::foo"),
            ("_ZlsRSoRK5thing", "operator<<"),
            ("_ZN3VecixEi", "Vec::operator[]"),
            ("_Znwm", "operator new"),
            ("_ZThn16_N4Base3runEv", "Base::run"),
            ("_ZZN3app3runEvENKUlvE_clEv", "app::run::…"),
            ("_ZN3app5applyIZNS_3runEvEUlvE0_EEvT_", "app::apply<…>"),
            (
                "_ZN11__sanitizer13InternalAllocEmPNS_30SizeClassAllocator32LocalCacheINS_20SizeClassAllocator32INS_4AP32EEEEEm",
                "__sanitizer::InternalAlloc",
            ),
            (
                "_ZN11__sanitizer17CombinedAllocatorINS_20SizeClassAllocator32INS_4AP32EEENS_32LargeMmapAllocatorPtrArrayStaticEE8AllocateEPNS_30SizeClassAllocator32LocalCacheIS3_EEmm",
                "__sanitizer::CombinedAllocator<…>::Allocate",
            ),
            ("_ZN5ArrayIiLm4EE4fillERKi", "Array<…>::fill"),
            ("_ZN5boost4bindIPFviEEEvT_", "boost::bind<…>"),
        ] {
            assert_eq!(path(mangled).as_deref(), Some(expected), "{mangled}");
        }
    }

    #[test]
    fn what_is_not_read_has_no_path() {
        for name in [
            "",
            "_Z",
            "main",
            "_ZN",
            "_ZNE",
            "_ZN3fo",
            "_Z99foo",
            "_ZN3fooI",
            "_ZN3fooIE",
            "_ZN1AcvbEv",
            "_ZTV3foo",
            "_ZS_",
            "_Z0",
            "_ZN3fooIXsr3barE3bazEEvv",
            "_Z2f\u{e4}v",
            "_ZC1v",
            "_ZN99999999999999999999999fE",
        ] {
            assert_eq!(path(name), None, "{name}");
        }
        for (begin, end) in [("N", "E"), ("I", "E"), ("F", "E"), ("Ul", "E_")] {
            assert_eq!(path(&format!("_ZN1fI{}{}EEvv", begin.repeat(4000), end.repeat(4000))), None, "{begin}");
        }
        assert_eq!(path(&format!("_Z{}3fooEv", "Z".repeat(10_000))), None);
        assert_eq!(path(&format!("_ZN1000{}{}E", "f".repeat(1000), "C1".repeat(7000))), None);
        assert_eq!(path(&format!("_Z100000{}", "f".repeat(100_000))), None);
    }
}
