//! Types by their import paths. `%T` prints packages by their names, so that types of two packages with one name look the
//! same; the path stands in the `abi.UncommonType` of every type with a name (`internal/abi/type.go`, before Go 1.21
//! `runtime/type.go`; in stripped programs, too).
//!
//! A type without a name is spelled anew from what it is made of, with names and with paths. Only where the spelling with
//! names is what the descriptor itself says, the one with paths is believed.

use crate::stated::Stated;
use crate::typebody::{MAP_ELEM, MAP_KEY, MAP_STORE};
use crate::typelist::UNCOMMON_SIZE;
use crate::typename::{Descriptor, name_at};
use crate::{TypeKind, TypeName, TypeSection};
use gopsy_mem::LinkAddr;

/// Types within one type: more are only in generated ones, and in damaged descriptors that lead back to themselves.
const MAX_PARTS: usize = 256;
const MAX_DEPTH: usize = 32;
/// Both spellings end here: one part may stand in another many times.
const MAX_TEXT: usize = 1 << 13;

/// Behind the 48 bytes of `abi.Type`.
const BODY: u64 = 48;
/// The sizes of `abi.MapType`: up to Go 1.23, with Swiss maps, and since Go 1.27.
const BUCKETS: u64 = 88;
const SWISS: u64 = 112;
pub(crate) const STRIDES: u64 = 136;
/// `abi.MapType.GroupSize`, which repeats the size of the group.
const GROUP_SIZE: u64 = 80;

/// Flags of an `abi.Name`.
const EXPORTED: u8 = 1;
const TAGGED: u8 = 2;
const PACKAGE: u8 = 4;
const EMBEDDED: u8 = 8;

/// What a map holds, by the descriptors of both (`abi.MapType`; the offsets are the same from Go 1.16 to 1.27).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MapBody {
    /// Of its keys.
    pub key: LinkAddr,
    /// Of its elements.
    pub element: LinkAddr,
}

impl MapBody {
    /// Of the map type whose descriptor stands at that address. It is not asked again whether it is one.
    #[must_use]
    pub fn read(stated: &dyn Stated, at: LinkAddr) -> Option<MapBody> {
        let word = |offset| stated.word(at.checked_add(offset)?).map(LinkAddr);
        Some(MapBody { key: word(MAP_KEY)?, element: word(MAP_ELEM)? })
    }
}

impl TypeName {
    /// The type at that address as `%T` would print it if it wrote packages by their import paths, as far as `section` has
    /// all that it is made of. Package main is called `main`.
    #[must_use]
    pub fn path(stated: &dyn Stated, section: &TypeSection, at: LinkAddr) -> Option<String> {
        let name = TypeName::read(stated, section, at)?.name;
        [false, true].into_iter().find_map(|bit_of_offset| {
            let (names, paths) = (String::new(), String::new());
            let mut speller = Speller { stated, section, bit_of_offset, names, paths, parts: 0 };
            speller.spell(at, 0)?;
            (speller.names == name).then_some(speller.paths)
        })
    }
}

/// Writes a type in both ways.
struct Speller<'s> {
    stated: &'s dyn Stated,
    section: &'s TypeSection,
    /// That a field is embedded is told by the lowest bit of its offset (up to Go 1.18), and not by a flag of its name.
    bit_of_offset: bool,
    names: String,
    paths: String,
    parts: usize,
}

impl Speller<'_> {
    fn push(&mut self, text: &str) -> Option<()> {
        self.push_both(text, text)
    }

    fn push_both(&mut self, name: &str, path: &str) -> Option<()> {
        self.names.push_str(name);
        self.paths.push_str(path);
        (self.names.len().max(self.paths.len()) <= MAX_TEXT).then_some(())
    }

    fn word(&self, at: LinkAddr, offset: u64) -> Option<u64> {
        self.stated.word(at.checked_add(offset)?)
    }

    /// A name that the word there leads to, and its flags.
    fn name(&self, at: LinkAddr) -> Option<(String, u8)> {
        let mut flags = [0];
        self.stated.fill(at, &mut flags).then_some(())?;
        Some((name_at(self.stated, self.section, at)?, flags.first().copied()?))
    }

    fn offset(&self, at: LinkAddr) -> Option<u64> {
        Some(self.stated.word(at)? & 0xffff_ffff)
    }

    /// The type whose descriptor stands there.
    fn spell(&mut self, at: LinkAddr, depth: usize) -> Option<()> {
        self.parts = self.parts.checked_add(1).filter(|parts| *parts <= MAX_PARTS && depth <= MAX_DEPTH)?;
        let depth = depth.checked_add(1)?;
        let descriptor = Descriptor::read(self.stated, self.section, at)?;
        if descriptor.is_named() {
            return self.named(at, &descriptor);
        }
        let element = LinkAddr(self.word(at, BODY)?);
        match descriptor.kind {
            TypeKind::Pointer => self.push("*")?,
            TypeKind::Slice => self.push("[]")?,
            TypeKind::Array => {
                let len = self.word(at, 64)?;
                self.push(&format!("[{len}]"))?;
            }
            TypeKind::Map => {
                let MapBody { key, element } = MapBody::read(self.stated, at)?;
                self.push("map[")?;
                self.spell(key, depth)?;
                self.push("]")?;
                return self.spell(element, depth);
            }
            TypeKind::Chan => return self.channel(at, element, depth),
            TypeKind::Func => {
                self.push("func")?;
                return self.signature(at, &descriptor, depth);
            }
            TypeKind::Interface => return self.interface(at, depth),
            TypeKind::Struct => return self.structure(at, depth),
            _ => return None,
        }
        self.spell(element, depth)
    }

    /// A type with a name of its own: its package is the part before the first dot, if that is not of a type argument.
    fn named(&mut self, at: LinkAddr, descriptor: &Descriptor) -> Option<()> {
        let of = TypeName::read(self.stated, self.section, at)?;
        let own = of.name.split('[').next()?;
        match own.split_once('.') {
            // Predeclared ones, and one that is as good as.
            None => self.push(&of.name),
            Some(("unsafe", "Pointer")) => self.push(&of.name),
            Some((package, _)) => {
                let path = self.package(at, descriptor)?;
                let rest = of.name.get(package.len()..)?;
                self.push_both(&of.name, &format!("{path}{rest}"))
            }
        }
    }

    fn package(&self, at: LinkAddr, descriptor: &Descriptor) -> Option<String> {
        descriptor.is_uncommon().then_some(())?;
        let size = descriptor.own_size().or_else(|| self.size_of_map(at))?;
        self.section.package_behind(self.stated, at.checked_add(size)?)
    }

    /// A Swiss map's descriptor repeats the size of its group, where the others have the sizes of key, element and bucket in
    /// one word. (Go 1.24 and 1.25 have both, by GOEXPERIMENT.)
    fn size_of_map(&self, at: LinkAddr) -> Option<u64> {
        let group = LinkAddr(self.word(at, MAP_STORE)?);
        let swiss = self.stated.word(group)? == self.word(at, GROUP_SIZE)?;
        Some(match (swiss, self.section.map_strides) {
            (true, true) => STRIDES,
            (true, false) => SWISS,
            (false, _) => BUCKETS,
        })
    }

    /// `abi.ChanType`: the direction stands behind the element.
    fn channel(&mut self, at: LinkAddr, element: LinkAddr, depth: usize) -> Option<()> {
        match self.word(at, 56)? {
            1 => self.push("<-chan ")?,
            2 => self.push("chan<- ")?,
            3 => self.push("chan ")?,
            _ => return None,
        }
        // `chan (<-chan T)`: without the brackets it would be another type.
        let inner = TypeName::read(self.stated, self.section, element)?;
        let brackets =
            inner.name.starts_with("<-chan") && self.names.ends_with("chan ") && !self.names.ends_with("<-chan ");
        if brackets {
            self.push("(")?;
        }
        self.spell(element, depth)?;
        if brackets { self.push(")") } else { Some(()) }
    }

    /// `abi.FuncType`: InCount, OutCount with a bit for a variadic parameter; the types behind it, and behind what makes it
    /// uncommon.
    fn signature(&mut self, at: LinkAddr, descriptor: &Descriptor, depth: usize) -> Option<()> {
        let counts = self.word(at, BODY)?;
        let (parameters, results) = (counts & 0xffff, counts.checked_shr(16)? & 0x7fff);
        let variadic = counts & 0x8000_0000 != 0;
        let uncommon = if descriptor.is_uncommon() { UNCOMMON_SIZE } else { 0 };
        let list = at.checked_add(descriptor.own_size()?.checked_add(uncommon)?)?;
        self.push("(")?;
        self.types(list, 0..parameters, variadic, depth)?;
        self.push(")")?;
        let end = parameters.checked_add(results)?;
        match results {
            0 => Some(()),
            1 => {
                self.push(" ")?;
                self.types(list, parameters..end, false, depth)
            }
            _ => {
                self.push(" (")?;
                self.types(list, parameters..end, false, depth)?;
                self.push(")")
            }
        }
    }

    fn types(&mut self, list: LinkAddr, range: std::ops::Range<u64>, variadic: bool, depth: usize) -> Option<()> {
        let (first, last) = (range.start, range.end.checked_sub(1));
        for index in range {
            if index != first {
                self.push(", ")?;
            }
            let mut of = LinkAddr(self.word(list, index.checked_mul(8)?)?);
            if variadic && Some(index) == last {
                self.push("...")?;
                // The parameter is a slice.
                of = LinkAddr(self.word(of, BODY)?);
            }
            self.spell(of, depth)?;
        }
        Some(())
    }

    /// `abi.InterfaceType`: its package, and methods of two offsets each.
    fn interface(&mut self, at: LinkAddr, depth: usize) -> Option<()> {
        let (list, len) = (LinkAddr(self.word(at, 56)?), self.word(at, 64)?);
        self.push("interface {")?;
        for index in 0..len {
            let method = list.checked_add(index.checked_mul(8)?)?;
            let types = self.section.types;
            let (name, flags) = self.name(types.checked_add(self.offset(method)?)?)?;
            let of = types.checked_add(self.offset(method.checked_add(4)?)?)?;
            self.push(if index > 0 { "; " } else { " " })?;
            if flags & EXPORTED == 0 {
                let path = self.package_of_method(at, types.checked_add(self.offset(method)?)?, &name, flags)?;
                let package = path.rsplit('/').next()?.to_owned();
                self.push_both(&format!("{package}."), &format!("{path}."))?;
            }
            self.push(&name)?;
            self.signature(of, &Descriptor::read(self.stated, self.section, of)?, depth.checked_add(1)?)?;
            self.parts = self.parts.checked_add(1).filter(|parts| *parts <= MAX_PARTS)?;
        }
        self.push(if len > 0 { " }" } else { "}" })
    }

    /// The package of a method that is not exported: it stands behind its name, or is the interface's.
    fn package_of_method(&self, interface: LinkAddr, at: LinkAddr, name: &str, flags: u8) -> Option<String> {
        if flags & PACKAGE == 0 {
            return self.name(LinkAddr(self.word(interface, BODY)?)).map(|(path, _)| path);
        }
        let mut high = [0];
        self.stated.fill(at.checked_add(1)?, &mut high).then_some(())?;
        let len = u64::try_from(name.len()).ok()?;
        let two = len > 0x7f || self.section.two_byte_lengths && high == [0];
        let end = at.checked_add(if two { 3 } else { 2 })?.checked_add(len)?;
        let path = self.section.types.checked_add(self.offset(end)?)?;
        self.name(path).map(|(path, _)| path)
    }

    /// `abi.StructType`: its package, and fields of three words each.
    fn structure(&mut self, at: LinkAddr, depth: usize) -> Option<()> {
        let (list, len) = (LinkAddr(self.word(at, 56)?), self.word(at, 64)?);
        self.push("struct {")?;
        for index in 0..len {
            let field = list.checked_add(index.checked_mul(24)?)?;
            let (name, flags) = self.name(LinkAddr(self.word(field, 0)?))?;
            // Tags are written as Go quotes them; that is not done here.
            if flags & TAGGED != 0 {
                return None;
            }
            let embedded = if self.bit_of_offset { self.word(field, 16)? & 1 != 0 } else { flags & EMBEDDED != 0 };
            self.push(if index > 0 { "; " } else { " " })?;
            if !embedded {
                self.push(&name)?;
                self.push(" ")?;
            }
            self.spell(LinkAddr(self.word(field, 8)?), depth)?;
        }
        self.push(if len > 0 { " }" } else { "}" })
    }
}
