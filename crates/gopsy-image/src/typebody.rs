//! What a type is made of, from Go's own descriptors: the element of a pointer, a slice or an array, the fields of a struct,
//! what a map holds.
//!
//! What is read here stands at the same offsets in all releases from 1.16 to 1.27, behind the 48 bytes of `abi.Type`. Only the
//! offset of a field was shifted by a bit up to Go 1.18; which of the two it is, the fields themselves tell.

use crate::stated::Stated;
use crate::typename::name_at;
use crate::{TypeKind, TypeName, TypeSection};
use gopsy_mem::LinkAddr;

/// `abi.PtrType.Elem`, `abi.SliceType.Elem`, `abi.ArrayType.Elem`, `abi.ChanType.Elem`.
const ELEM: u64 = 48;
/// `abi.MapType.Key`, `.Elem`, and `.Bucket` (up to Go 1.23, and with `noswissmap`) or `.Group`.
pub(crate) const MAP_KEY: u64 = 48;
pub(crate) const MAP_ELEM: u64 = 56;
pub(crate) const MAP_STORE: u64 = 64;
/// `abi.ArrayType.Len`.
const LEN: u64 = 64;
/// `abi.StructType.Fields`: a slice of `abi.StructField`, of three words each.
const FIELDS: u64 = 56;
const FIELD: u64 = 24;
/// Structs with more fields than this are not read.
const MAX_FIELDS: u64 = 4096;

/// What a type is made of, as far as its values can be read by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeBody {
    /// Of nothing else, or of what values do not show (funcs, interfaces).
    Plain,
    /// A pointer, slice or channel, by the descriptor of what it leads to.
    Of(LinkAddr),
    /// An array.
    Array {
        /// The descriptor of its elements.
        element: LinkAddr,
        /// How many it has.
        len: u64,
    },
    /// A map, by descriptors.
    Map {
        /// Of its keys.
        key: LinkAddr,
        /// Of its elements.
        element: LinkAddr,
        /// Of the struct in which it stores eight of each: its bucket or its group.
        store: LinkAddr,
    },
    /// A struct.
    Struct(Vec<StructField>),
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StructField {
    /// Its name; of an embedded one that of its type.
    pub name: String,
    /// Its type.
    pub of: TypeName,
    /// The descriptor of its type.
    pub descriptor: LinkAddr,
    /// From the start of the struct, in bytes.
    pub offset: u64,
}

impl TypeBody {
    /// What the type is made of whose descriptor stands at that address, in that section. `type_at` knows the types of its
    /// fields, which may be another module's. `None` where a part of it is damaged.
    #[must_use]
    pub fn read(
        stated: &dyn Stated,
        section: &TypeSection,
        at: LinkAddr,
        of: &TypeName,
        type_at: &dyn Fn(LinkAddr) -> Option<TypeName>,
    ) -> Option<TypeBody> {
        let word = |offset| stated.word(at.checked_add(offset)?);
        Some(match of.kind {
            TypeKind::Pointer | TypeKind::Slice | TypeKind::Chan => TypeBody::Of(LinkAddr(word(ELEM)?)),
            TypeKind::Array => TypeBody::Array { element: LinkAddr(word(ELEM)?), len: word(LEN)? },
            TypeKind::Map => TypeBody::Map {
                key: LinkAddr(word(MAP_KEY)?),
                element: LinkAddr(word(MAP_ELEM)?),
                store: LinkAddr(word(MAP_STORE)?),
            },
            TypeKind::Struct => {
                let (list, len) = (LinkAddr(word(FIELDS)?), word(FIELDS.checked_add(8)?)?);
                TypeBody::Struct(fields(stated, section, (list, len), of.size, type_at)?)
            }
            _ => TypeBody::Plain,
        })
    }
}

fn fields(
    stated: &dyn Stated,
    section: &TypeSection,
    (list, len): (LinkAddr, u64),
    size: u64,
    type_at: &dyn Fn(LinkAddr) -> Option<TypeName>,
) -> Option<Vec<StructField>> {
    if len > MAX_FIELDS {
        return None;
    }
    let mut fields = Vec::new();
    for index in 0..len {
        let at = list.checked_add(index.checked_mul(FIELD)?)?;
        let word = |offset| stated.word(at.checked_add(offset)?);
        let (name, descriptor) = (LinkAddr(word(0)?), LinkAddr(word(8)?));
        fields.push(StructField {
            name: name_at(stated, section, name)?,
            of: type_at(descriptor)?,
            descriptor,
            offset: word(16)?,
        });
    }
    for shift in [0, 1] {
        if follow(&fields, size, shift) {
            for field in &mut fields {
                field.offset = field.offset.wrapping_shr(shift);
            }
            return Some(fields);
        }
    }
    None
}

/// Whether fields at these offsets, with so many bits to leave out, stand where the compiler puts them: each at the next
/// address that its alignment allows, and the struct ends behind the last as its own alignment says (`CalcStructSize` in
/// `cmd/compile/internal/types/size.go`).
fn follow(fields: &[StructField], size: u64, shift: u32) -> bool {
    let (mut end, mut align) = (0u64, 1u64);
    for field in fields {
        align = align.max(field.of.field_align);
        match end.checked_next_multiple_of(field.of.field_align) {
            Some(offset) if offset == field.offset.wrapping_shr(shift) => end = offset.saturating_add(field.of.size),
            _ => return false,
        }
    }
    // A last field without a size gets a byte, so that its address is not that of the next object.
    let last = fields.last().is_some_and(|f| f.of.size == 0 && end > 0);
    end.saturating_add(u64::from(last)).checked_next_multiple_of(align) == Some(size)
}
