//! Values in interfaces, as `printpanicval` prints them (`runtime/error.go`), by Go's own type descriptors
//! (`internal/abi/type.go`).

use crate::reader::missing;
use crate::{Known, Runtime};
use gopsy_mem::{Addr, MemoryExt};
use gopsy_model::{Missing, Str};

/// Names of types longer than this are cut.
const MAX_NAME: usize = 4096;
/// `abi.TFlagExtraStar`: the name is stored with a `*` in front that does not belong to it.
const EXTRA_STAR: u64 = 2;
const KIND_MASK: u64 = 31;

impl Runtime<'_> {
    /// The text that the runtime prints for the `any` at `eface`.
    pub(crate) fn printed_value(&self, eface: Addr) -> Known<Str> {
        let words = self.mem.ptr(eface).and_then(|t| Ok((t, self.mem.ptr(Addr(eface.0.wrapping_add(8)))?)));
        let (descriptor, data) = match words {
            Ok(words) => words,
            Err(fault) => return Known::Missing(missing(fault)),
        };
        if descriptor.is_null() {
            return self.have("nil".into());
        }
        let name = match self.type_name(descriptor) {
            Known::Have { value, .. } => value,
            Known::Missing(why) => return Known::Missing(why),
        };
        let kind = match self.of_type(descriptor, "Kind_", "kind").map(|k| k & KIND_MASK) {
            Known::Have { value, .. } => value,
            Known::Missing(why) => return Known::Missing(why),
        };
        let (text, basic) = match kind {
            1 => (self.mem.u8(data).map(|b| (b != 0).to_string()), "bool"),
            2 => (self.mem.u64(data).map(|n| n.cast_signed().to_string()), "int"),
            3 => (self.mem.u8(data).map(|n| n.cast_signed().to_string()), "int8"),
            4 => (self.mem.u16(data).map(|n| n.cast_signed().to_string()), "int16"),
            5 => (self.mem.u32(data).map(|n| n.cast_signed().to_string()), "int32"),
            6 => (self.mem.u64(data).map(|n| n.cast_signed().to_string()), "int64"),
            7 => (self.mem.u64(data).map(|n| n.to_string()), "uint"),
            8 => (self.mem.u8(data).map(|n| n.to_string()), "uint8"),
            9 => (self.mem.u16(data).map(|n| n.to_string()), "uint16"),
            10 => (self.mem.u32(data).map(|n| n.to_string()), "uint32"),
            11 => (self.mem.u64(data).map(|n| n.to_string()), "uint64"),
            12 => (self.mem.u64(data).map(|n| n.to_string()), "uintptr"),
            13..=16 => {
                return Known::Missing(Missing::NotSupported(format!("printing a panic value of type {name}").into()));
            }
            24 => (self.string(data), "string"),
            // Anything else is printed as its type and the address of its data.
            _ => return self.have(format!("({name}) {data}").into()),
        };
        match text {
            Ok(text) if name == basic => self.have(text.into()),
            Ok(text) if kind == 24 => self.have(format!("{name}(\"{text}\")").into()),
            Ok(text) => self.have(format!("{name}({text})").into()),
            Err(fault) => Known::Missing(missing(fault)),
        }
    }

    /// Whether a type descriptor of the program can stand there: it has a kind and a name.
    pub(crate) fn is_type(&self, descriptor: Addr) -> bool {
        let kind = self.of_type(descriptor, "Kind_", "kind").map(|k| k & KIND_MASK);
        let named = |name: String| !name.is_empty() && !name.chars().any(char::is_control);
        kind.value().is_some_and(|k| (1..=26).contains(k)) && self.type_name(descriptor).into_value().is_some_and(named)
    }

    /// A member of a type descriptor: of `abi.Type`, or of `runtime._type` before Go 1.21.
    fn of_type(&self, descriptor: Addr, name: &str, before: &str) -> Known<u64> {
        match self.layouts.field("internal/abi.Type", name) {
            Some(_) => self.word(descriptor, &[("internal/abi.Type", name)]),
            None => self.word(descriptor, &[("runtime._type", before)]),
        }
    }

    /// A type's name as `%T` prints it (`main.T`, `*main.T`, `string`).
    fn type_name(&self, descriptor: Addr) -> Known<String> {
        let Some(types) = self.layouts.types() else {
            return Known::Missing(Missing::NotSupported("type names without moduledata".into()));
        };
        let (offset, flags) = match (self.of_type(descriptor, "Str", "str"), self.of_type(descriptor, "TFlag", "tflag"))
        {
            (Known::Have { value: offset, .. }, Known::Have { value: flags, .. }) => (offset, flags),
            (Known::Missing(why), _) | (_, Known::Missing(why)) => return Known::Missing(why),
        };
        let Some(at) = self.bias.load(types).checked_add(offset) else {
            return Known::Missing(Missing::Unreadable("a type name beyond the end of memory".into()));
        };
        self.answer(self.name_at(at)).map(|name| match name.strip_prefix('*') {
            Some(bare) if flags & EXTRA_STAR != 0 => bare.to_owned(),
            _ => name,
        })
    }

    /// `abi.Name`: a byte of flags, a varint length, the bytes. In Go 1.16 two bytes of length, the higher first: that of a short
    /// name begins with 0, which no varint of a name does.
    fn name_at(&self, at: Addr) -> Result<String, gopsy_mem::Fault> {
        let (mut len, mut cursor) = (0u64, Addr(at.0.wrapping_add(1)));
        for shift in [0u32, 7, 14] {
            let byte = self.mem.u8(cursor)?;
            cursor = Addr(cursor.0.wrapping_add(1));
            len |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                break;
            }
        }
        if len == 0 {
            len = u64::from(self.mem.u8(cursor)?);
            cursor = Addr(cursor.0.wrapping_add(1));
        }
        let bytes = self.mem.bytes(cursor, len, MAX_NAME)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
