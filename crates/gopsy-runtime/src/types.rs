//! Values in interfaces, as `printpanicval` prints them (`runtime/error.go`).

use crate::reader::missing;
use crate::{FloatFormat, Known, Runtime};
use gopsy_image::{Loaded, TypeKind, TypeName};
use gopsy_mem::{Addr, Fault, LinkAddr, MemoryExt, Why};
use gopsy_model::{Missing, Str};

impl Runtime<'_> {
    /// The text that the runtime prints for the `any` at `eface`. How it prints floating-point numbers, `floats` knows.
    pub(crate) fn printed_value(&self, eface: Addr, floats: &dyn Fn() -> FloatFormat) -> Known<Str> {
        let words = self.mem.ptr(eface).and_then(|t| Ok((t, self.mem.ptr(Addr(eface.0.wrapping_add(8)))?)));
        let (descriptor, data) = match words {
            Ok(words) => words,
            Err(fault) => return Known::Missing(missing(fault)),
        };
        if descriptor.is_null() {
            return self.have("nil".into());
        }
        let TypeName { name, kind, .. } = match self.type_at(descriptor) {
            Ok(found) => found,
            Err(why) => return Known::Missing(why),
        };
        let (text, basic) = match kind {
            TypeKind::Bool => (self.mem.u8(data).map(|b| (b != 0).to_string()), "bool"),
            TypeKind::Int => (self.mem.u64(data).map(|n| n.cast_signed().to_string()), "int"),
            TypeKind::Int8 => (self.mem.u8(data).map(|n| n.cast_signed().to_string()), "int8"),
            TypeKind::Int16 => (self.mem.u16(data).map(|n| n.cast_signed().to_string()), "int16"),
            TypeKind::Int32 => (self.mem.u32(data).map(|n| n.cast_signed().to_string()), "int32"),
            TypeKind::Int64 => (self.mem.u64(data).map(|n| n.cast_signed().to_string()), "int64"),
            TypeKind::Uint => (self.mem.u64(data).map(|n| n.to_string()), "uint"),
            TypeKind::Uint8 => (self.mem.u8(data).map(|n| n.to_string()), "uint8"),
            TypeKind::Uint16 => (self.mem.u16(data).map(|n| n.to_string()), "uint16"),
            TypeKind::Uint32 => (self.mem.u32(data).map(|n| n.to_string()), "uint32"),
            TypeKind::Uint64 => (self.mem.u64(data).map(|n| n.to_string()), "uint64"),
            TypeKind::Uintptr => (self.mem.u64(data).map(|n| n.to_string()), "uintptr"),
            TypeKind::Float32 => (self.mem.u32(data).map(|bits| floats().float32(f32::from_bits(bits))), "float32"),
            TypeKind::Float64 => (self.mem.u64(data).map(|bits| floats().float64(f64::from_bits(bits))), "float64"),
            TypeKind::Complex64 | TypeKind::Complex128 => {
                let parts = match self.complex(data, kind, floats()) {
                    Ok(text) => text,
                    Err(fault) => return Known::Missing(missing(fault)),
                };
                // It has parentheses of its own.
                let unnamed = matches!(name.as_str(), "complex64" | "complex128");
                return self.have(if unnamed { parts } else { format!("{name}{parts}") }.into());
            }
            TypeKind::String => (self.string(data), "string"),
            // Anything else is printed as its type and the address of its data.
            _ => return self.have(format!("({name}) {data}").into()),
        };
        match text {
            Ok(text) if name == basic => self.have(text.into()),
            Ok(text) if kind == TypeKind::String => self.have(format!("{name}(\"{text}\")").into()),
            Ok(text) => self.have(format!("{name}({text})").into()),
            Err(fault) => Known::Missing(missing(fault)),
        }
    }

    fn complex(&self, at: Addr, kind: TypeKind, floats: FloatFormat) -> Result<String, Fault> {
        let second = |size| at.checked_add(size).ok_or(Fault { address: at, why: Why::Unmapped });
        let (real, imaginary) = if kind == TypeKind::Complex64 {
            let part = |at| self.mem.u32(at).map(|bits| floats.float32(f32::from_bits(bits)));
            (part(at)?, part(second(4)?)?)
        } else {
            let part = |at| self.mem.u64(at).map(|bits| floats.float64(f64::from_bits(bits)));
            (part(at)?, part(second(8)?)?)
        };
        Ok(FloatFormat::complex(&real, &imaginary))
    }

    /// The type of the program whose descriptor stands there.
    pub(crate) fn type_at(&self, descriptor: Addr) -> Result<TypeName, Missing> {
        let Some(section) = self.layouts.types_at(descriptor, self.bias) else {
            return Err(Missing::NotSupported("types without moduledata".into()));
        };
        let found = TypeName::read(&Loaded(self.mem), &section, LinkAddr(descriptor.0));
        found.ok_or_else(|| match self.mem.u64(descriptor) {
            Ok(_) => Missing::Unreadable(format!("no type of the program is described at {descriptor}").into()),
            Err(fault) => missing(fault),
        })
    }
}
