//! The order of the entries of a map.

use crate::Runtime;
use crate::maps::Entries;
use gopsy_image::{TypeKind, TypeName};
use gopsy_mem::{Addr, MemoryExt};

/// Maps of more entries are left in the order in which they stand.
const MAX_SORTED: usize = 4096;
/// Keys are compared by so much of them.
const MAX_KEY: usize = 256;

/// What keys are ordered by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Number(i128),
    /// A float by its bits, turned so that they order.
    Float(i64),
    Text(Vec<u8>),
    /// No order is known, or the key cannot be read.
    Any,
}

impl Runtime<'_> {
    /// Sorts as `fmt` does (`internal/fmtsort`) maps whose keys are numbers, strings, bools or pointers.
    pub(super) fn sort_by_key(&self, of: &TypeName, entries: &mut Entries) {
        if entries.len() <= MAX_SORTED {
            entries.sort_by_cached_key(|(key, _)| self.rank(of.kind, *key).unwrap_or(Rank::Any));
        }
    }

    fn rank(&self, kind: TypeKind, at: Addr) -> Option<Rank> {
        let mem = self.mem;
        let float = |n: f64| {
            let bits = n.to_bits().cast_signed();
            // The smallest is NaN.
            if n.is_nan() {
                i64::MIN
            } else {
                bits ^ (bits.wrapping_shr(63).cast_unsigned().wrapping_shr(1)).cast_signed()
            }
        };
        Some(match kind {
            TypeKind::Bool | TypeKind::Uint8 => Rank::Number(mem.u8(at).ok()?.into()),
            TypeKind::Uint16 => Rank::Number(mem.u16(at).ok()?.into()),
            TypeKind::Uint32 => Rank::Number(mem.u32(at).ok()?.into()),
            TypeKind::Uint | TypeKind::Uint64 | TypeKind::Uintptr => Rank::Number(mem.u64(at).ok()?.into()),
            TypeKind::Pointer | TypeKind::Chan | TypeKind::UnsafePointer => Rank::Number(mem.u64(at).ok()?.into()),
            TypeKind::Int8 => Rank::Number(mem.u8(at).ok()?.cast_signed().into()),
            TypeKind::Int16 => Rank::Number(mem.u16(at).ok()?.cast_signed().into()),
            TypeKind::Int32 => Rank::Number(mem.u32(at).ok()?.cast_signed().into()),
            TypeKind::Int | TypeKind::Int64 => Rank::Number(mem.u64(at).ok()?.cast_signed().into()),
            TypeKind::Float32 => Rank::Float(float(f32::from_bits(mem.u32(at).ok()?).into())),
            TypeKind::Float64 => Rank::Float(float(f64::from_bits(mem.u64(at).ok()?))),
            TypeKind::String => {
                let (data, len) = (mem.ptr(at).ok()?, mem.u64(at.checked_add(8)?).ok()?);
                Rank::Text(mem.bytes(data, len, MAX_KEY).ok()?)
            }
            _ => Rank::Any,
        })
    }
}
