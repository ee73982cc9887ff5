//! The names of types, from Go's own descriptors (`internal/abi/type.go`, before Go 1.21 `runtime/type.go`): what is left
//! of them in a stripped file.
//!
//! The members that are read here stand at the same offsets in all releases from 1.16 to 1.27; only what the byte of the
//! kind holds beside the kind has changed.

use crate::moduledata::TypeLists;
use crate::stated::Stated;
use crate::{ModuleData, bytes};
use gopsy_mem::{Bias, LinkAddr};

/// `abi.Type`: TFlag, Align, FieldAlign, Kind_, Str.
const SIZE: usize = 48;
const TFLAG: u64 = 20;
const ALIGN: u64 = 21;
const FIELD_ALIGN: u64 = 22;
const KIND: u64 = 23;
const STR: u64 = 40;
/// `abi.KindMask`: the bits above are `KindDirectIface` (up to Go 1.25) and `KindGCProg` (up to 1.23).
const KIND_MASK: u8 = 31;
/// `abi.TFlagUncommon`.
const UNCOMMON: u8 = 1;
/// `abi.TFlagExtraStar`: the name is stored with a `*` in front that does not belong to it.
const EXTRA_STAR: u8 = 2;
/// `abi.TFlagNamed`.
const NAMED: u8 = 4;
/// In the byte of the kind up to Go 1.25, in the flags since.
const DIRECT: u8 = 32;
/// Longer names are generated ones that nobody reads.
const MAX_NAME: u64 = 1 << 16;

/// What a type is built of (`abi.Kind`; the numbers are the same in all releases from 1.16 to 1.27).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TypeKind {
    Bool,
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Uintptr,
    Float32,
    Float64,
    Complex64,
    Complex128,
    Array,
    Chan,
    Func,
    Interface,
    Map,
    Pointer,
    Slice,
    String,
    Struct,
    UnsafePointer,
}

impl TypeKind {
    /// In the order of their numbers, from 1 on.
    const ALL: [TypeKind; 26] = [
        TypeKind::Bool,
        TypeKind::Int,
        TypeKind::Int8,
        TypeKind::Int16,
        TypeKind::Int32,
        TypeKind::Int64,
        TypeKind::Uint,
        TypeKind::Uint8,
        TypeKind::Uint16,
        TypeKind::Uint32,
        TypeKind::Uint64,
        TypeKind::Uintptr,
        TypeKind::Float32,
        TypeKind::Float64,
        TypeKind::Complex64,
        TypeKind::Complex128,
        TypeKind::Array,
        TypeKind::Chan,
        TypeKind::Func,
        TypeKind::Interface,
        TypeKind::Map,
        TypeKind::Pointer,
        TypeKind::Slice,
        TypeKind::String,
        TypeKind::Struct,
        TypeKind::UnsafePointer,
    ];

    fn of(number: u8) -> Option<TypeKind> {
        TypeKind::ALL.get(usize::from(number.checked_sub(1)?)).copied()
    }

    /// Whether a type of that kind without a name of its own can be written so.
    fn spells(self, name: &str) -> bool {
        let starts = |prefixes: &[&str]| prefixes.iter().any(|p| name.starts_with(p));
        match self {
            TypeKind::Array => starts(&["["]),
            TypeKind::Chan => starts(&["chan", "<-chan"]),
            TypeKind::Func => starts(&["func("]),
            TypeKind::Interface => starts(&["interface {"]),
            TypeKind::Map => starts(&["map["]),
            TypeKind::Pointer => starts(&["*"]),
            TypeKind::Slice => starts(&["[]"]),
            // What a map stores its entries in is called after the map (`cmd/compile/internal/types/fmt.go`).
            TypeKind::Struct => starts(&["struct {", "map.bucket[", "map.group["]),
            // What is left has a name.
            _ => false,
        }
    }
}

/// Where the types of a module stand, and how their names are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeSection {
    /// What type and name offsets count from.
    pub types: LinkAddr,
    /// The end of the types.
    pub etypes: LinkAddr,
    /// Lengths of names may have two bytes: the module is of Go 1.16 or 1.17.
    pub two_byte_lengths: bool,
    /// Descriptors of maps have the strides of keys and elements: the module is of Go 1.27, whose types stand one behind
    /// the other.
    pub map_strides: bool,
}

impl TypeSection {
    /// The types of a module.
    #[must_use]
    pub fn of(module: &ModuleData) -> Self {
        let two_byte_lengths = module.releases.first() == Some(&"1.16–1.17");
        let map_strides = matches!(module.type_lists, Some(TypeLists::Extents { .. }));
        TypeSection { types: module.types, etypes: module.etypes, two_byte_lengths, map_strides }
    }

    /// The same where they were loaded, to be read by a [`Loaded`](crate::Loaded).
    #[must_use]
    pub fn loaded(self, bias: Bias) -> Self {
        let shift = |at: LinkAddr| LinkAddr(bias.load(at).0);
        TypeSection { types: shift(self.types), etypes: shift(self.etypes), ..self }
    }
}

/// A type by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeName {
    /// As `%T` prints it: packages by their names, not their paths.
    pub name: String,
    /// What it is built of, also where it has a name of its own.
    pub kind: TypeKind,
    /// How many bytes a value has.
    pub size: u64,
    /// How it is aligned within a struct, in bytes: a power of two.
    pub field_align: u64,
    /// An interface holds the value itself, which is one pointer; of other types, the address of the value.
    pub direct: bool,
}

impl TypeName {
    /// The type whose descriptor stands at that address.
    ///
    /// It is only believed where the descriptor shows what it is: it lies among the module's types, its kind is one, and
    /// a type without a name of its own is spelled as its kind is.
    #[must_use]
    pub fn read(stated: &dyn Stated, section: &TypeSection, at: LinkAddr) -> Option<TypeName> {
        let Descriptor { bytes: descriptor, kind, name } = Descriptor::read(stated, section, at)?;
        let tflag = bytes::u8(&descriptor, TFLAG)?;
        let text = name_at(stated, section, name)?;
        let name = match text.strip_prefix('*') {
            Some(bare) if tflag & EXTRA_STAR != 0 => bare.to_owned(),
            _ => text,
        };
        let as_spelled = tflag & NAMED != 0 || kind.spells(&name);
        (as_spelled && !name.is_empty()).then_some(())?;
        let size = bytes::u64(&descriptor, 0)?;
        // `KindDirectIface`, since Go 1.26 `TFlagDirectIface`; the other bit means nothing in the other releases.
        let direct = bytes::u8(&descriptor, KIND)? & DIRECT != 0 || tflag & DIRECT != 0;
        Some(TypeName { name, kind, size, field_align: u64::from(bytes::u8(&descriptor, FIELD_ALIGN)?), direct })
    }
}

impl TypeSection {
    /// The path of the package that declares what a pointer type points to (`runtime/pprof` of `*pprof.labelMap`), by the
    /// `abi.UncommonType` behind the pointer's own descriptor. `None` of one that has no methods, and so has none.
    #[must_use]
    pub fn package_of_pointer(&self, stated: &dyn Stated, at: LinkAddr) -> Option<String> {
        let descriptor = Descriptor::read(stated, self, at)?;
        (descriptor.kind == TypeKind::Pointer && descriptor.is_uncommon()).then_some(())?;
        self.package_behind(stated, at.checked_add(descriptor.own_size()?)?)
    }

    /// The path that an `abi.UncommonType` has: `PkgPath` is an offset of 4 bytes, 0 for none.
    pub(crate) fn package_behind(&self, stated: &dyn Stated, uncommon: LinkAddr) -> Option<String> {
        let mut path = [0; 4];
        stated.fill(uncommon, &mut path).then_some(())?;
        let offset = u64::from(u32::from_le_bytes(path));
        let name = self.types.checked_add(offset).filter(|name| offset > 0 && *name < self.etypes)?;
        name_at(stated, self, name)
    }
}

/// The 48 bytes with which every descriptor begins, as far as they can be right without a look at the name.
pub(crate) struct Descriptor {
    bytes: [u8; SIZE],
    pub(crate) kind: TypeKind,
    /// Where the name stands.
    name: LinkAddr,
}

impl Descriptor {
    pub(crate) fn read(stated: &dyn Stated, section: &TypeSection, at: LinkAddr) -> Option<Descriptor> {
        let end = at.checked_add(u64::try_from(SIZE).ok()?)?;
        if !at.0.is_multiple_of(8) || at < section.types || end > section.etypes {
            return None;
        }
        let mut bytes = [0; SIZE];
        stated.fill(at, &mut bytes).then_some(())?;
        let aligns = [bytes::u8(&bytes, ALIGN)?, bytes::u8(&bytes, FIELD_ALIGN)?];
        let kind = TypeKind::of(bytes::u8(&bytes, KIND)? & KIND_MASK)?;
        let offset = u64::try_from(bytes::i32(&bytes, STR)?).ok().filter(|o| *o > 0)?;
        let name = section.types.checked_add(offset).filter(|name| *name < section.etypes)?;
        let aligned = aligns.iter().all(|align| align.is_power_of_two() && *align <= 64);
        aligned.then_some(Descriptor { bytes, kind, name })
    }

    /// The size of its own struct, behind which `abi.UncommonType` stands if there is one (`(*abi.Type).Uncommon`); `None` of a map's, which
    /// has changed. The same in all releases from 1.16 to 1.27.
    pub(crate) fn own_size(&self) -> Option<u64> {
        Some(match self.kind {
            TypeKind::Map => return None,
            TypeKind::Struct | TypeKind::Interface => 80,
            TypeKind::Pointer | TypeKind::Func | TypeKind::Slice => 56,
            TypeKind::Array => 72,
            TypeKind::Chan => 64,
            _ => 48,
        })
    }

    /// `abi.TFlagNamed`: it has a name of its own.
    pub(crate) fn is_named(&self) -> bool {
        bytes::u8(&self.bytes, TFLAG).is_some_and(|flags| flags & NAMED != 0)
    }

    /// `abi.TFlagUncommon`: it has methods, or a package.
    pub(crate) fn is_uncommon(&self) -> bool {
        bytes::u8(&self.bytes, TFLAG).is_some_and(|flags| flags & UNCOMMON != 0)
    }
}

/// `abi.Name`: a byte of flags, a length, the bytes. The length is a varint since Go 1.17 and had two bytes, the higher
/// first, before; a text that is not UTF-8, or holds a NUL, is not one.
pub(crate) fn name_at(stated: &dyn Stated, section: &TypeSection, at: LinkAddr) -> Option<String> {
    let mut head = [0; 11];
    stated.fill(at, &mut head).then_some(())?;
    let varint = bytes::uvarint(head.get(1..)?);
    let two = (u64::from(*head.get(1)?) << 8) | u64::from(*head.get(2)?);
    let text = |(len, taken): (u64, u64)| {
        let from = at.checked_add(taken.checked_add(1)?)?;
        let whole = from.checked_add(len).is_some_and(|end| end <= section.etypes);
        let part = stated.part(from, Some(len).filter(|len| whole && (1..=MAX_NAME).contains(len))?)?;
        let text = String::from_utf8(part.bytes().to_vec()).ok()?;
        (!text.chars().any(char::is_control)).then_some(text)
    };
    let varint = varint.and_then(|(len, taken)| Some((len, u64::try_from(taken).ok()?)));
    match section.two_byte_lengths {
        true if head.get(1) == Some(&0) => text((two, 2)),
        _ => text(varint?),
    }
}
