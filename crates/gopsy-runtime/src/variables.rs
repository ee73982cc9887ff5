//! Where package runtime has its variables in a binary without debug information: by its symbol table, else by its code.

use crate::globals::{Answer, Code, FunctionCode, Globals, Withheld};
use gopsy_image::{Image, Machine, Pclntab, Stated, Variable};
use gopsy_mem::LinkAddr;
use std::collections::HashMap;

/// The runtime's reasons for waiting are short; this many there are at most.
const MAX_REASONS: u64 = 128;
const MAX_REASON: usize = 64;

/// Variables of package runtime.
#[derive(Default)]
pub(crate) struct Variables {
    /// Those that were found.
    pub(crate) found: HashMap<String, Variable>,
    /// Why others were not.
    pub(crate) withheld: HashMap<&'static str, Withheld>,
}

impl Variables {
    /// The variables of those names: by symbols, and those that have none by code.
    pub(crate) fn of(image: &Image, names: &[&'static str]) -> Variables {
        let symbols = image.symbols(names);
        let found = symbols.into_iter().map(|(name, symbol)| (name.to_owned(), symbol)).collect();
        let mut variables = Variables { found, ..Variables::default() };
        let rest: Vec<&'static str> = names.iter().copied().filter(|n| !variables.found.contains_key(*n)).collect();
        if rest.is_empty() {
            return variables;
        }
        let globals = Globals::of(image);
        for name in rest {
            match globals.get(name) {
                Some(Answer::Found { address, .. }) => {
                    let variable = Variable { address: *address, size: size(image, name, *address) };
                    variables.found.insert(name.to_owned(), variable);
                }
                Some(Answer::Withheld(why)) => {
                    variables.withheld.insert(name, why.clone());
                }
                None => {}
            }
        }
        variables
    }
}

impl Globals {
    /// Where a program keeps them, by its own pclntab and code.
    #[must_use]
    pub fn of(image: &Image) -> Globals {
        image.pclntab().map(|table| Globals::find(&Listed::of(image, table))).unwrap_or_default()
    }
}

/// The size of a variable whose size the code does not tell.
fn size(image: &Image, name: &str, at: LinkAddr) -> Option<u64> {
    match name {
        // `[512]byte` in all releases from 1.16 to 1.27 (runtime/print.go).
        "runtime.printBacklog" => Some(512),
        // `[_NSIG]sigTabT`, 65 of them, of 24 bytes (runtime/sigtab_linux_generic.go, runtime/os_linux.go).
        "runtime.sigtable" => Some(65 * 24),
        "runtime.waitReasonStrings" => Some(reasons(image, at).saturating_mul(16)),
        _ => None,
    }
}

/// How many string headers stand there, one behind the other. The linker has filled them in; the first is empty.
fn reasons(image: &Image, at: LinkAddr) -> u64 {
    let is_reason = |index: u64| {
        let (at, text) = printable(image, at.checked_add(index.saturating_mul(16))?, MAX_REASON)?;
        Some(if text.is_empty() { index == 0 } else { !image.is_variable(at) })
    };
    (0..MAX_REASONS).take_while(|index| is_reason(*index).unwrap_or(false)).count().try_into().unwrap_or(0)
}

/// The text of a string header that the linker has filled in, and where it stands. `None` unless it is printable, and no longer than `max`.
pub(crate) fn printable(image: &Image, header: LinkAddr, max: usize) -> Option<(LinkAddr, String)> {
    let (at, len) = (LinkAddr(image.word(header)?), image.word(header.checked_add(8)?)?);
    let mut bytes = vec![0; usize::try_from(len).ok().filter(|len| *len <= max)?];
    let held = bytes.is_empty() || image.fill(at, &mut bytes);
    let text = String::from_utf8(bytes).ok()?;
    (held && text.bytes().all(|b| (b' '..=b'~').contains(&b))).then_some((at, text))
}

/// The functions of package runtime, by name.
struct Listed<'a> {
    image: &'a Image,
    functions: HashMap<&'a [u8], Vec<(LinkAddr, LinkAddr)>>,
}

impl<'a> Listed<'a> {
    fn of(image: &'a Image, table: Pclntab<'a>) -> Self {
        let mut functions: HashMap<&[u8], Vec<_>> = HashMap::new();
        for func in table.funcs() {
            if let Some(name) = func.raw_name().filter(|n| n.starts_with(b"runtime")) {
                functions.entry(name).or_default().push((func.entry(), func.end()));
            }
        }
        Listed { image, functions }
    }
}

impl Code for Listed<'_> {
    fn machine(&self) -> Machine {
        self.image.machine()
    }

    fn functions(&self, name: &str) -> Vec<FunctionCode<'_>> {
        let of_name = self.functions.get(name.as_bytes()).map_or(&[][..], Vec::as_slice);
        let code = |(entry, end): &(LinkAddr, LinkAddr)| {
            let bytes = self.image.read(*entry, end.offset_from(*entry)?)?;
            Some(FunctionCode { entry: *entry, bytes })
        };
        of_name.iter().filter_map(code).collect()
    }

    fn is_variable(&self, at: LinkAddr) -> bool {
        self.image.is_variable(at)
    }
}
