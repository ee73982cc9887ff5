//! What stands at an address that an instruction names.

use crate::Locator;
use gopsy_image::{Stated, SymbolKind, TypeName, TypeSection};
use gopsy_mem::LinkAddr;

/// What stands at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// Code of a function, so many bytes behind its beginning.
    Function(String, u64),
    /// A variable or constant with a symbol, so many bytes behind its beginning.
    Data(String, u64),
    /// The descriptor of a type.
    Type(String),
    /// A word that holds the address of a function, as a func value does.
    FunctionPointer(String),
    /// Bytes whose number the code loads beside their address, shortened.
    Text {
        /// The text.
        text: String,
        /// How many bytes there are.
        len: u64,
    },
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Named::Function(name, 0) | Named::Data(name, 0) => write!(f, "{name}"),
            Named::Function(name, offset) | Named::Data(name, offset) => write!(f, "{name}+{offset:#x}"),
            Named::Type(name) => write!(f, "type {name}"),
            Named::FunctionPointer(name) => write!(f, "func value {name}"),
            Named::Text { text, len } => {
                let more = if u64::try_from(text.len()).is_ok_and(|shown| shown < *len) { "…" } else { "" };
                write!(f, "{text:?}{more} ({len} byte{})", if *len == 1 { "" } else { "s" })
            }
        }
    }
}

/// Longer texts are shortened.
const MAX_TEXT: usize = 48;
/// The code loads no literal that is longer; and what is longer is not read.
const MAX_LEN: u64 = 1 << 20;

impl Locator<'_> {
    /// What stands at an address, where a source of the file says so.
    #[must_use]
    pub fn named(&self, at: LinkAddr) -> Option<Named> {
        if self.image.is_executable(at)
            && let Some(name) = self.function_name(at)
        {
            return Some(name);
        }
        let symbols = self.image.symbol_table().covering(self.image, at);
        let data = symbols.iter().find(|s| s.kind == SymbolKind::Object);
        // All types are within one symbol of the linker's (`type:*`).
        if let Some(name) = self.type_name(at) {
            return Some(Named::Type(name.name));
        }
        if let Some(symbol) = data {
            let offset = at.offset_from(symbol.address)?;
            if !covers_everything(&symbol.name) {
                return Some(Named::Data(symbol.name.clone().into_owned(), offset));
            }
        }
        self.function_pointer(at)
    }

    /// The type whose descriptor stands there.
    pub(crate) fn type_name(&self, at: LinkAddr) -> Option<TypeName> {
        TypeName::read(self.image, &TypeSection::of(self.image.module_data().ok()?), at)
    }

    fn function_name(&self, at: LinkAddr) -> Option<Named> {
        if let Some(func) = self.func(at) {
            return Some(Named::Function(func.name()?, at.offset_from(func.entry())?));
        }
        let symbols = self.image.symbol_table().covering(self.image, at);
        let symbol = symbols.into_iter().find(|s| s.kind != SymbolKind::Object)?;
        Some(Named::Function(symbol.name.into_owned(), at.offset_from(symbol.address)?))
    }

    /// A func value in constant memory: a word that is exactly where a function begins.
    fn function_pointer(&self, at: LinkAddr) -> Option<Named> {
        if self.image.is_variable(at) || self.image.is_executable(at) || !at.0.is_multiple_of(8) {
            return None;
        }
        let target = LinkAddr(self.image.word(at)?);
        let func = self.func(target).filter(|f| f.entry() == target)?;
        Some(Named::FunctionPointer(func.name()?))
    }

    /// Constant bytes as text, if they are one.
    pub(crate) fn text_at(&self, at: LinkAddr, len: u64) -> Option<Named> {
        if self.image.is_variable(at) || self.image.is_executable(at) || !(1..=MAX_LEN).contains(&len) {
            return None;
        }
        let text = std::str::from_utf8(self.image.read(at, len)?).ok()?;
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) {
            return None;
        }
        let mut end = text.len().min(MAX_TEXT);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        Some(Named::Text { text: text.get(..end)?.to_owned(), len })
    }
}

/// Symbols that the linker lays over many things (`cmd/link/internal/ld/data.go`, `symtab.go`): they say nothing of one of
/// them. Go 1.20 changed the dot in their names to a colon.
fn covers_everything(name: &str) -> bool {
    let bundled = ["type", "go:string", "go.string", "go:func", "go.func", "runtime.gcbits", "typelink", "itablink"];
    name.ends_with(".*") && bundled.iter().any(|b| name.starts_with(b))
        || matches!(name, "type:*" | "runtime.types" | "runtime.rodata" | "runtime.data" | "runtime.bss")
}
