//! Types of maps, by their descriptors, and what each can be asked to do.

use crate::Locator;
use gopsy_image::{MapBody, TypeBody, TypeKind, TypeName, TypeSection};
use gopsy_mem::LinkAddr;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

impl MapType {
    /// Whether it stands for all types of one shape, as generic code of Go 1.18 and 1.19 passes it (`go.shape.string_0`,
    /// `cmd/compile/internal/typecheck/subr.go`): a map has none of these types.
    pub(crate) fn is_shape(&self) -> bool {
        self.name.contains("go.shape.")
    }
}

/// A type of map. Two are one where their descriptors are one: the linker keeps one of each type in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapType {
    /// Where its descriptor stands.
    pub descriptor: LinkAddr,
    /// As `%T` prints it: packages by their names. Types of several packages may look the same.
    pub name: String,
    /// The same with packages by their import paths; `None` where a part of it is not described in this file.
    pub path: Option<String>,
    /// What it holds. Maps of two types that hold the same can be converted into each other.
    pub body: MapBody,
    /// What the compiler chooses the functions of the runtime by; `None` as with the path.
    pub slot: Option<MapSlot>,
}

/// What one entry of a map needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapSlot {
    /// What keys are built of.
    pub key: TypeKind,
    /// How many bytes a key has.
    pub key_size: u64,
    /// What elements are built of.
    pub element: TypeKind,
    /// How many bytes an element has.
    pub element_size: u64,
}

/// `abi.MapMaxElemBytes`, in all releases from 1.16 to 1.27: maps with larger elements have no functions of their own.
const MAX_FAST_ELEMENT: u64 = 128;

/// What the functions of one variant of `mapassign`, `mapdelete`, `mapaccess` take (`mapfast` in
/// `cmd/compile/internal/walk/walk.go`, before Go 1.17 `cmd/compile/internal/gc/walk.go`, of Go 1.16 to 1.27).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// `_faststr`: keys that are strings.
    String,
    /// `_fast32`, `_fast64`, and with `ptr`: keys of that many bytes that are compared as memory.
    Sized(u64),
    /// Those without a suffix, and `_fat`: what the others do not take.
    Other,
    /// `mapclear`, `mapiterinit`: any.
    Any,
}

impl Variant {
    pub(crate) fn of(callee: &str) -> Variant {
        let name = callee.rsplit('.').next().unwrap_or_default();
        let suffix = name.split_once('_').map(|(_, suffix)| suffix);
        match suffix {
            Some("faststr") => Variant::String,
            Some("fast32" | "fast32ptr") => Variant::Sized(4),
            Some("fast64" | "fast64ptr") => Variant::Sized(8),
            None | Some("fat") if !matches!(name, "mapclear" | "mapiterinit" | "mapIterStart") => Variant::Other,
            _ => Variant::Any,
        }
    }

    /// Whether the compiler may choose it for a key of that kind and size; of what is not known it may.
    fn may_take(self, key: TypeKind, key_size: u64, element_size: Option<u64>) -> bool {
        use TypeKind as K;
        let sized = matches!(
            key,
            K::Int | K::Int32 | K::Int64 | K::Uint | K::Uint32 | K::Uint64 | K::Uintptr | K::Pointer | K::UnsafePointer
        );
        let small = element_size.is_some_and(|size| size <= MAX_FAST_ELEMENT);
        let large = element_size.is_some_and(|size| size > MAX_FAST_ELEMENT);
        match self {
            Variant::String => key == K::String && !large,
            Variant::Sized(size) => key_size == size && key != K::String && !large,
            Variant::Other => !(small && (key == K::String || sized)),
            Variant::Any => true,
        }
    }

    /// Whether a map of that type may come there.
    pub(crate) fn may_be(self, of: &MapType) -> bool {
        of.slot.is_none_or(|slot| self.may_take(slot.key, slot.key_size, Some(slot.element_size)))
    }

    /// Whether a map may come there of whose type only the key is known, by its predeclared name.
    pub(crate) fn may_have_key(self, key: &str) -> bool {
        predeclared(key).is_none_or(|(kind, size)| self.may_take(kind, size, None))
    }
}

/// What a predeclared type is built of, and how many bytes it has.
pub(crate) fn predeclared(name: &str) -> Option<(TypeKind, u64)> {
    use TypeKind as K;
    Some(match name {
        "string" => (K::String, 16),
        "int" => (K::Int, 8),
        "int64" => (K::Int64, 8),
        "uint" => (K::Uint, 8),
        "uint64" => (K::Uint64, 8),
        "uintptr" => (K::Uintptr, 8),
        "int32" => (K::Int32, 4),
        "uint32" => (K::Uint32, 4),
        "bool" => (K::Bool, 1),
        "int8" => (K::Int8, 1),
        "uint8" => (K::Uint8, 1),
        "int16" => (K::Int16, 2),
        "uint16" => (K::Uint16, 2),
        _ => return None,
    })
}

/// Bytes that all names and paths together may have: real programs have some thousand types of maps with short names.
const MAX_NAMES: usize = 64 << 20;

/// The types that were asked for, each read once.
pub(crate) struct MapTypes<'l> {
    locator: &'l Locator<'l>,
    section: Option<TypeSection>,
    known: HashMap<LinkAddr, Option<Arc<MapType>>>,
    room: usize,
}

impl<'l> MapTypes<'l> {
    pub(crate) fn new(locator: &'l Locator<'l>) -> MapTypes<'l> {
        let section = locator.image.module_data().ok().map(TypeSection::of);
        MapTypes { locator, section, known: HashMap::new(), room: MAX_NAMES }
    }

    /// The type of map whose descriptor stands there.
    pub(crate) fn at(&mut self, at: LinkAddr) -> Option<Arc<MapType>> {
        if let Some(known) = self.known.get(&at) {
            return known.clone();
        }
        let of = self.read(at).and_then(|of| {
            let len = of.name.len().saturating_add(of.path.as_ref().map_or(0, String::len));
            self.room = self.room.saturating_sub(len);
            (self.room > 0).then_some(())?;
            Some(Arc::new(of))
        });
        self.known.insert(at, of.clone());
        of
    }

    fn read(&self, at: LinkAddr) -> Option<MapType> {
        let (image, section) = (self.locator.image, self.section?);
        let read = |at| TypeName::read(image, &section, at);
        let name = read(at).filter(|of| of.kind == TypeKind::Map)?.name;
        let body = MapBody::read(image, at)?;
        let path = TypeName::path(image, &section, at);
        let slot = read(body.key).zip(read(body.element)).map(|(key, element)| MapSlot {
            key: key.kind,
            key_size: key.size,
            element: element.kind,
            element_size: element.size,
        });
        Some(MapType { descriptor: at, name, path, body, slot })
    }
}

impl Locator<'_> {
    /// The types of maps that the linker lists, or that listed pointers lead to: all that have no name of their own, and
    /// some of those with one. `None` where the list cannot be read.
    #[must_use]
    pub fn listed_map_types(&self) -> Option<Vec<Arc<MapType>>> {
        let module = self.image.module_data().ok()?;
        let section = TypeSection::of(module);
        let mut found = BTreeSet::new();
        for at in module.listed_types(self.image).ok()? {
            let Some(of) = TypeName::read(self.image, &section, at) else { continue };
            match of.kind {
                TypeKind::Map => _ = found.insert(at),
                TypeKind::Pointer => {
                    let none = |_| None;
                    if let Some(TypeBody::Of(to)) = TypeBody::read(self.image, &section, at, &of, &none) {
                        found.insert(to);
                    }
                }
                _ => {}
            }
        }
        let mut types = MapTypes::new(self);
        let listed = found.into_iter().filter_map(|at| types.at(at)).collect();
        // Without some of them the list is none.
        (types.room > 0).then_some(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_variant_takes() {
        use TypeKind as K;
        let takes = |callee: &str, key, size, element| Variant::of(callee).may_take(key, size, Some(element));
        let string = |callee: &str, element| takes(callee, K::String, 16, element);
        assert!(string("runtime.mapassign_faststr", 8) && !string("runtime.mapassign_faststr", 200));
        assert!(!string("runtime.mapassign", 128) && string("runtime.mapassign", 129));
        assert!(!string("runtime.mapdelete_fast64", 8) && !string("runtime.mapassign_fast32ptr", 8));
        let int = |callee: &str, element| takes(callee, K::Int, 8, element);
        assert!(int("runtime.mapassign_fast64", 8) && !int("runtime.mapassign_fast32", 8));
        assert!(!int("runtime.mapassign_faststr", 8) && !int("runtime.mapaccess1", 8));
        // A struct of eight bytes may be compared as memory or not.
        let wide = |callee: &str| takes(callee, K::Struct, 8, 8);
        assert!(wide("runtime.mapassign_fast64") && wide("runtime.mapassign") && !wide("runtime.mapassign_faststr"));
        // A float is not.
        assert!(takes("runtime.mapdelete", K::Float64, 8, 8));
        for any in ["runtime.mapclear", "runtime.mapiterinit", "runtime.mapIterStart", "runtime.mapassign_new"] {
            assert!(string(any, 8) && int(any, 8), "{any}");
        }
        assert!(Variant::of("runtime.mapassign_faststr").may_have_key("string"));
        assert!(Variant::of("runtime.mapassign_faststr").may_have_key("K"));
        assert!(!Variant::of("runtime.mapassign_faststr").may_have_key("int64"));
        // The element decides, and is not known.
        assert!(Variant::of("runtime.mapassign").may_have_key("string"));
    }
}
