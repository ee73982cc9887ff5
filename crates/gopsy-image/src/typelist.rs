//! The types and itabs that the linker lists for the runtime.
//!
//! Types are listed that have no name of their own, which reflection may look for: `[]T`, `*T`, `map[K]V`. Those with a name are reached
//! through them. Up to Go 1.26 `typelinks` has their offsets, and `itablinks` the addresses of the itabs. Since Go 1.27 the
//! descriptors of the types that are listed stand one behind the other in front of all others, and so do the itabs (`moduleTypelinks` in
//! `runtime/type.go`, `addModuleItabs` in `runtime/iface.go`, `dodataSect` in `cmd/link/internal/ld/data.go`).

use crate::moduledata::TypeLists;
use crate::stated::Stated;
use crate::typename::Descriptor;
use crate::typepath::STRIDES;
use crate::{ImageError, ModuleData, TypeKind, TypeSection};
use gopsy_mem::LinkAddr;

/// More types and itabs than this are not listed; the largest programs have some hundred thousand.
const MAX_LISTED: u64 = 1 << 22;

/// `abi.UncommonType`, with its `Mcount`, and `abi.Method`.
pub(crate) const UNCOMMON_SIZE: u64 = 16;
const METHOD_COUNT: u64 = 4;
const METHOD_SIZE: u64 = 16;

/// `abi.ITab`: Inter, Type, Hash, Fun, which has as many words as the interface has methods.
const ITAB_SIZE: u64 = 32;
const ITAB_TYPE: u64 = 8;
const ITAB_FUN: u64 = 24;
/// The length of `abi.InterfaceType.Methods`.
const INTERFACE_METHODS: u64 = 64;

/// A type as an interface sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Itab {
    /// Where it stands.
    pub address: LinkAddr,
    /// The descriptor of the interface.
    pub interface: LinkAddr,
    /// The descriptor of the type.
    pub of: LinkAddr,
}

impl ModuleData {
    /// The descriptors of the types that are listed: those without a name of their own.
    ///
    /// # Errors
    /// When the list cannot be read, or leads to what is no type.
    pub fn listed_types(&self, stated: &dyn Stated) -> Result<Vec<LinkAddr>, ImageError> {
        let section = TypeSection::of(self);
        let is_type = |at: &LinkAddr| Descriptor::read(stated, &section, *at).is_some();
        let types = match self.type_lists {
            Some(TypeLists::Slices { types: (list, len), .. }) => offsets(stated, self.types, list, len),
            Some(TypeLists::Extents { types: (from, len), .. }) => walk_types(stated, &section, from, len),
            None => None,
        };
        let types = types.filter(|types| types.iter().all(is_type));
        types.ok_or_else(|| ImageError::damaged("its list of types cannot be read, or leads to what is none"))
    }

    /// The itabs that the linker made; the runtime makes others while the program runs.
    ///
    /// # Errors
    /// When the list cannot be read, or leads to what is no itab.
    pub fn itabs(&self, stated: &dyn Stated) -> Result<Vec<Itab>, ImageError> {
        let section = TypeSection::of(self);
        // Another module's may be loaded elsewhere, or not be at hand.
        let may_be_type = |at: LinkAddr| {
            let own = section.types <= at && at < section.etypes;
            at.0 != 0 && (!own || Descriptor::read(stated, &section, at).is_some())
        };
        let itab = |address: LinkAddr| {
            let descriptor =
                |offset| stated.word(address.checked_add(offset)?).map(LinkAddr).filter(|at| may_be_type(*at));
            Some(Itab { address, interface: descriptor(0)?, of: descriptor(ITAB_TYPE)? })
        };
        let itabs: Option<Vec<Itab>> = match self.type_lists {
            Some(TypeLists::Slices { itabs: (list, len), .. }) if len <= MAX_LISTED => {
                (0..len).map(|index| itab(LinkAddr(stated.word(list.checked_add(index.checked_mul(8)?)?)?))).collect()
            }
            Some(TypeLists::Extents { itabs: (from, len), .. }) => {
                walk(from, len, |at| itab_size(stated, at)).and_then(|itabs| itabs.into_iter().map(itab).collect())
            }
            _ => None,
        };
        itabs.ok_or_else(|| ImageError::damaged("its list of itabs cannot be read, or leads to what is none"))
    }
}

/// Offsets of 4 bytes from the beginning of the types.
fn offsets(stated: &dyn Stated, types: LinkAddr, list: LinkAddr, len: u64) -> Option<Vec<LinkAddr>> {
    let part = stated.part(list, len.checked_mul(4).filter(|_| len <= MAX_LISTED)?)?;
    let (offsets, _) = part.bytes().as_chunks::<4>();
    offsets.iter().map(|offset| types.checked_add(u64::from(u32::from_le_bytes(*offset)))).collect()
}

/// One behind the other, from there on; they must end where they are said to.
fn walk(from: LinkAddr, len: u64, size: impl Fn(LinkAddr) -> Option<u64>) -> Option<Vec<LinkAddr>> {
    let (mut at, end) = (from, from.checked_add(len)?);
    let mut found = Vec::new();
    while at < end {
        found.push(at);
        at = at.checked_add(size(at)?.checked_next_multiple_of(8)?)?;
        if u64::try_from(found.len()).is_ok_and(|found| found > MAX_LISTED) {
            return None;
        }
    }
    (at == end).then_some(found)
}

/// A word stands before the first type.
fn walk_types(stated: &dyn Stated, section: &TypeSection, from: LinkAddr, len: u64) -> Option<Vec<LinkAddr>> {
    walk(from.checked_add(8)?, len.checked_sub(8)?, |at| {
        descriptor_size(stated, at, &Descriptor::read(stated, section, at)?)
    })
}

/// `abi.Type.DescriptorSize` (`internal/abi/type.go`, Go 1.27).
fn descriptor_size(stated: &dyn Stated, at: LinkAddr, of: &Descriptor) -> Option<u64> {
    let word = |offset: u64| stated.word(at.checked_add(offset)?);
    let list = |offset: u64, size: u64| word(offset)?.checked_mul(size);
    let base = of.own_size().unwrap_or(STRIDES);
    let added = match of.kind {
        TypeKind::Func => {
            // InCount, and OutCount, whose highest bit says that the last parameter is variadic.
            let counts = word(48)?;
            ((counts & 0xffff).checked_add(counts.checked_shr(16)? & 0x7fff)?).checked_mul(8)?
        }
        TypeKind::Interface => list(INTERFACE_METHODS, 8)?,
        TypeKind::Struct => list(64, 24)?,
        _ => 0,
    };
    let uncommon = if of.is_uncommon() {
        let methods = word(METHOD_COUNT.checked_add(base)?)? & 0xffff;
        UNCOMMON_SIZE.checked_add(methods.checked_mul(METHOD_SIZE)?)?
    } else {
        0
    };
    base.checked_add(added)?.checked_add(uncommon)
}

/// `abi.ITab.Size` (`internal/abi/iface.go`, Go 1.27).
fn itab_size(stated: &dyn Stated, at: LinkAddr) -> Option<u64> {
    let word = |at: LinkAddr, offset: u64| stated.word(at.checked_add(offset)?);
    if word(at, ITAB_FUN)? == 0 {
        return Some(ITAB_SIZE);
    }
    let methods = word(LinkAddr(word(at, 0)?), INTERFACE_METHODS)?;
    ITAB_SIZE.checked_add(methods.checked_sub(1)?.checked_mul(8)?)
}
