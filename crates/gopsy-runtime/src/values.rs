//! Go values by their own type descriptors, as `%+v` would write them: what is left of types in a stripped program.

use crate::Runtime;
use gopsy_image::{Loaded, TypeBody, TypeKind, TypeName};
use gopsy_mem::{Addr, LinkAddr, MemoryExt};
use std::fmt::Write;

/// A value is cut behind so many bytes of text.
const MAX_TEXT: usize = 2048;
/// Strings within a value are cut behind so many bytes.
const MAX_STRING: usize = 256;
/// Elements of a slice or an array that are written.
const MAX_ELEMENTS: u64 = 16;
/// Structs within structs.
const MAX_DEPTH: u32 = 6;
/// Pointers in interfaces are followed in the value itself and so many steps within it: an error within an error.
const MAX_FOLLOWED: u32 = 4;

/// A text that grows to a bound.
#[derive(Default)]
struct Text {
    text: String,
    /// Something was left out.
    cut: bool,
}

impl Text {
    fn push(&mut self, part: &str) {
        if self.text.len() >= MAX_TEXT {
            self.cut = true;
        } else {
            self.text.push_str(part);
        }
    }
}

impl Runtime<'_> {
    /// The value in an interface, by the two words of it, with its type: `&main.failure{Code: 7, Name: "disk"}`. What cannot be
    /// read is written as `?`.
    #[must_use]
    pub fn value(&self, descriptor: Addr, data: Addr) -> Option<String> {
        let of = self.type_at(descriptor).ok()?;
        let mut text = Text::default();
        self.write_held(&mut text, (descriptor, &of), data, 0);
        if text.cut {
            text.text.push('…');
        }
        Some(text.text)
    }

    /// What an interface holds. Where that is a pointer to a struct, the struct is what was meant.
    fn write_held(&self, text: &mut Text, (descriptor, of): (Addr, &TypeName), data: Addr, depth: u32) {
        if !of.direct {
            return self.write(text, (descriptor, of), data, depth);
        }
        if of.kind == TypeKind::Pointer
            && !data.is_null()
            && depth < MAX_FOLLOWED
            && let Some(TypeBody::Of(element)) = self.body(descriptor, of)
            && let Ok(pointed) = self.type_at(Addr(element.0))
            && pointed.kind == TypeKind::Struct
        {
            text.push("&");
            return self.write(text, (Addr(element.0), &pointed), data, depth);
        }
        self.write_pointer(text, (descriptor, of), data);
    }

    pub(crate) fn body(&self, descriptor: Addr, of: &TypeName) -> Option<TypeBody> {
        let section = self.layouts.types_at(descriptor, self.bias)?;
        let type_at = |at: LinkAddr| self.type_at(Addr(at.0)).ok();
        TypeBody::read(&Loaded(self.mem), &section, LinkAddr(descriptor.0), of, &type_at)
    }

    /// A value that is one pointer, which is at hand.
    fn write_pointer(&self, text: &mut Text, (descriptor, of): (Addr, &TypeName), value: Addr) {
        match self.body(descriptor, of) {
            // A struct or array of one pointer.
            Some(TypeBody::Struct(fields)) => {
                let name = fields.iter().find(|f| f.of.size > 0).map_or("?", |f| f.name.as_str());
                text.push(&format!("{}{{{name}: {}}}", of.name, pointer(value)));
            }
            _ => text.push(&format!("({}) {}", of.name, pointer(value))),
        }
    }

    /// The value that stands at an address.
    fn write(&self, text: &mut Text, (descriptor, of): (Addr, &TypeName), at: Addr, depth: u32) {
        if text.cut {
            return;
        }
        if depth > MAX_DEPTH {
            text.push("…");
            return;
        }
        let plain = match of.kind {
            TypeKind::Struct => return self.write_struct(text, (descriptor, of), at, depth),
            TypeKind::Array | TypeKind::Slice => return self.write_elements(text, (descriptor, of), at, depth),
            TypeKind::Interface => return self.write_interface(text, descriptor, at, depth),
            TypeKind::Bool => self.mem.u8(at).map(|b| (b != 0).to_string()),
            TypeKind::Int | TypeKind::Int64 => self.mem.u64(at).map(|n| n.cast_signed().to_string()),
            TypeKind::Int8 => self.mem.u8(at).map(|n| n.cast_signed().to_string()),
            TypeKind::Int16 => self.mem.u16(at).map(|n| n.cast_signed().to_string()),
            TypeKind::Int32 => self.mem.u32(at).map(|n| n.cast_signed().to_string()),
            TypeKind::Uint | TypeKind::Uint64 => self.mem.u64(at).map(|n| n.to_string()),
            TypeKind::Uint8 => self.mem.u8(at).map(|n| n.to_string()),
            TypeKind::Uint16 => self.mem.u16(at).map(|n| n.to_string()),
            TypeKind::Uint32 => self.mem.u32(at).map(|n| n.to_string()),
            TypeKind::Uintptr => self.mem.u64(at).map(|n| format!("{n:#x}")),
            TypeKind::Float32 => self.mem.u32(at).map(|n| f32::from_bits(n).to_string()),
            TypeKind::Float64 => self.mem.u64(at).map(|n| f64::from_bits(n).to_string()),
            TypeKind::String => self.string(at).map(|s| quoted(&s)),
            TypeKind::Pointer | TypeKind::Map | TypeKind::Chan | TypeKind::Func | TypeKind::UnsafePointer => {
                self.mem.ptr(at).map(pointer)
            }
            TypeKind::Complex64 | TypeKind::Complex128 => Ok("…".to_owned()),
        };
        text.push(&plain.unwrap_or_else(|_| "?".to_owned()));
    }

    fn write_struct(&self, text: &mut Text, (descriptor, of): (Addr, &TypeName), at: Addr, depth: u32) {
        text.push(&of.name);
        let Some(TypeBody::Struct(fields)) = self.body(descriptor, of) else { return text.push("{?}") };
        text.push("{");
        for (index, field) in fields.iter().enumerate() {
            if text.cut {
                return;
            }
            text.push(if index > 0 { ", " } else { "" });
            text.push(&field.name);
            text.push(": ");
            match at.checked_add(field.offset) {
                Some(at) => self.write(text, (Addr(field.descriptor.0), &field.of), at, depth.saturating_add(1)),
                None => text.push("?"),
            }
        }
        text.push("}");
    }

    fn write_elements(&self, text: &mut Text, (descriptor, of): (Addr, &TypeName), at: Addr, depth: u32) {
        let parts = || {
            let (element, start, len) = match self.body(descriptor, of)? {
                TypeBody::Array { element, len } => (element, at, len),
                TypeBody::Of(element) => (element, self.mem.ptr(at).ok()?, self.mem.u64(at.checked_add(8)?).ok()?),
                _ => return None,
            };
            Some((Addr(element.0), self.type_at(Addr(element.0)).ok()?, start, len))
        };
        let Some((element, of_element, start, len)) = parts() else { return text.push("?") };
        text.push("[");
        for index in 0..len.min(MAX_ELEMENTS) {
            if text.cut {
                return;
            }
            text.push(if index > 0 { " " } else { "" });
            match index.checked_mul(of_element.size).and_then(|offset| start.checked_add(offset)) {
                Some(at) => self.write(text, (element, &of_element), at, depth.saturating_add(1)),
                None => text.push("?"),
            }
        }
        let more = len.saturating_sub(MAX_ELEMENTS);
        text.push(&if more > 0 { format!(" … {more} more]") } else { "]".to_owned() });
    }

    /// The value in an interface; of one with methods an itab leads to its type.
    fn write_interface(&self, text: &mut Text, descriptor: Addr, at: Addr, depth: u32) {
        // `abi.ITab.Type` and the length of `abi.InterfaceType.Methods`, in all releases from 1.16 to 1.27.
        const ITAB_TYPE: u64 = 8;
        const METHODS: u64 = 64;
        let words = self.mem.ptr(at).and_then(|tab| Ok((tab, self.mem.ptr(Addr(at.0.wrapping_add(8)))?)));
        let Ok((tab, data)) = words else { return text.push("?") };
        if tab.is_null() {
            return text.push("nil");
        }
        let held = match self.mem.u64(Addr(descriptor.0.wrapping_add(METHODS))) {
            Ok(0) => Some(tab),
            Ok(_) => self.mem.ptr(Addr(tab.0.wrapping_add(ITAB_TYPE))).ok(),
            Err(_) => None,
        };
        match held.and_then(|descriptor| Some((descriptor, self.type_at(descriptor).ok()?))) {
            Some((descriptor, held)) => self.write_held(text, (descriptor, &held), data, depth.saturating_add(1)),
            None => text.push("?"),
        }
    }
}

fn pointer(value: Addr) -> String {
    if value.is_null() { "nil".to_owned() } else { value.to_string() }
}

/// A string as Go source has it, cut.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if out.len() >= MAX_STRING {
            out.push('…');
            break;
        }
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
