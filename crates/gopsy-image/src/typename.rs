//! The names of types, from Go's own descriptors (`internal/abi/type.go`, before Go 1.21 `runtime/type.go`): what is left
//! of them in a stripped file.
//!
//! The members that are read here stand at the same offsets in all releases from 1.16 to 1.27; only what the byte of the
//! kind holds beside the kind has changed.

use crate::stated::Stated;
use crate::{ModuleData, bytes};
use gopsy_mem::LinkAddr;

/// `abi.Type`: TFlag, Align, FieldAlign, Kind_, Str.
const SIZE: usize = 48;
const TFLAG: u64 = 20;
const ALIGN: u64 = 21;
const KIND: u64 = 23;
const STR: u64 = 40;
/// `abi.KindMask`: the bits above are `KindDirectIface` (up to Go 1.25) and `KindGCProg` (up to 1.23).
const KIND_MASK: u8 = 31;
/// `abi.TFlagExtraStar`: the name is stored with a `*` in front that does not belong to it.
const EXTRA_STAR: u8 = 2;
/// `abi.TFlagNamed`.
const NAMED: u8 = 4;
/// Longer names are generated ones that nobody reads.
const MAX_NAME: u64 = 1 << 16;

/// What a type is built of (`abi.Kind`), as far as its name shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeKind {
    /// `map[K]V`.
    Map,
    /// Any other.
    Other,
}

/// A type by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeName {
    /// As `%T` prints it: packages by their names, not their paths.
    pub name: String,
    /// What it is built of, also where it has a name of its own.
    pub kind: TypeKind,
}

impl TypeName {
    /// The type whose descriptor stands at that address.
    ///
    /// It is only believed where the descriptor shows what it is: it lies among the module's types, its kind is one, and
    /// a type without a name of its own is spelled as its kind is.
    #[must_use]
    pub fn read(stated: &dyn Stated, module: &ModuleData, at: LinkAddr) -> Option<TypeName> {
        let end = at.checked_add(u64::try_from(SIZE).ok()?)?;
        if !at.0.is_multiple_of(8) || at < module.types || end > module.etypes {
            return None;
        }
        let mut descriptor = [0; SIZE];
        stated.fill(at, &mut descriptor).then_some(())?;
        let (tflag, align) = (bytes::u8(&descriptor, TFLAG)?, bytes::u8(&descriptor, ALIGN)?);
        let kind = bytes::u8(&descriptor, KIND)? & KIND_MASK;
        let offset = u64::try_from(bytes::i32(&descriptor, STR)?).ok().filter(|o| *o > 0)?;
        let text = name_at(stated, module, module.types.checked_add(offset)?)?;
        let name = match text.strip_prefix('*') {
            Some(bare) if tflag & EXTRA_STAR != 0 => bare.to_owned(),
            _ => text,
        };
        let as_spelled = tflag & NAMED != 0 || spelled(kind, &name);
        let fits = align.is_power_of_two() && align <= 64 && (1..=26).contains(&kind) && as_spelled;
        (fits && !name.is_empty()).then_some(())?;
        Some(TypeName { name, kind: if kind == 21 { TypeKind::Map } else { TypeKind::Other } })
    }
}

/// Whether a type of that kind without a name of its own can be written so.
fn spelled(kind: u8, name: &str) -> bool {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|p| name.starts_with(p));
    match kind {
        17 => starts(&["["]),
        18 => starts(&["chan", "<-chan"]),
        19 => starts(&["func("]),
        20 => starts(&["interface {"]),
        21 => starts(&["map["]),
        22 => starts(&["*"]),
        23 => starts(&["[]"]),
        25 => starts(&["struct {"]),
        // What is left has a name.
        _ => false,
    }
}

/// `abi.Name`: a byte of flags, a length, the bytes. The length is a varint since Go 1.17 and had two bytes, the higher
/// first, before; a text that is not UTF-8, or holds a NUL, is not one.
fn name_at(stated: &dyn Stated, module: &ModuleData, at: LinkAddr) -> Option<String> {
    let mut head = [0; 11];
    stated.fill(at, &mut head).then_some(())?;
    let old = module.releases.first() == Some(&"1.16–1.17");
    let varint = bytes::uvarint(head.get(1..)?);
    let two = (u64::from(*head.get(1)?) << 8) | u64::from(*head.get(2)?);
    let text = |(len, taken): (u64, u64)| {
        let from = at.checked_add(taken.checked_add(1)?)?;
        let whole = from.checked_add(len).is_some_and(|end| end <= module.etypes);
        let part = stated.part(from, Some(len).filter(|len| whole && (1..=MAX_NAME).contains(len))?)?;
        let text = String::from_utf8(part.bytes().to_vec()).ok()?;
        (!text.chars().any(char::is_control)).then_some(text)
    };
    let varint = varint.and_then(|(len, taken)| Some((len, u64::try_from(taken).ok()?)));
    match old {
        true if head.get(1) == Some(&0) => text((two, 2)),
        _ => text(varint?),
    }
}
