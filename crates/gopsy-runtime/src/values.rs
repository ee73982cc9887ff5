//! Go values by their own type descriptors, as `%+v` would write them: what is left of types in a stripped program.

mod sorting;
mod text;

use crate::Runtime;
use crate::maps::NoMap;
use gopsy_image::{Loaded, TypeBody, TypeKind, TypeName};
use gopsy_mem::{Addr, Fault, LinkAddr, MemoryExt, Why};
use gopsy_model::Str;
use text::{Text, float, quoted};

/// A value is cut behind so many bytes of text.
const MAX_TEXT: usize = 4096;
/// What a pointer in a field or element leads to, behind so many: it is not to hide what follows.
const MAX_POINTED: usize = 1024;
/// Strings within a value are cut behind so many bytes.
const MAX_STRING: u64 = 1024;
/// Elements of a slice, an array or a map that are written.
const MAX_ELEMENTS: u64 = 64;
/// Values within values.
const MAX_DEPTH: u32 = 16;
/// Values that are looked at.
const MAX_STEPS: u32 = 1 << 14;
/// Buckets and groups of all maps of a value that are looked at: a million slots.
const MAX_STORES: u64 = 1 << 17;

/// The name of the function that begins at an address.
pub type Functions<'a> = &'a dyn Fn(Addr) -> Option<Str>;

impl Runtime<'_> {
    /// The value in an interface, by the two words of it, with its type: `&main.failure{Code: 7, Name: "disk"}`. What cannot be
    /// read is written as `?`; where something is left out, how much.
    #[must_use]
    pub fn value(&self, descriptor: Addr, data: Addr, functions: Functions<'_>) -> Option<String> {
        let of = self.type_at(descriptor).ok()?;
        let mut writer = Writer {
            of: self,
            functions,
            text: Text::of(MAX_TEXT),
            followed: Vec::new(),
            depth: 0,
            steps: 0,
            stores: MAX_STORES,
        };
        writer.held((descriptor, &of), data);
        Some(writer.text.into_string())
    }

    /// What a type is made of.
    pub(crate) fn body(&self, descriptor: Addr, of: &TypeName) -> Option<TypeBody> {
        let section = self.layouts.types_at(descriptor, self.bias)?;
        let type_at = |at: LinkAddr| self.type_at(Addr(at.0)).ok();
        TypeBody::read(&Loaded(self.mem), &section, LinkAddr(descriptor.0), of, &type_at)
    }
}

/// A value that is being written.
struct Writer<'a> {
    of: &'a Runtime<'a>,
    functions: Functions<'a>,
    text: Text,
    /// The pointers that led here.
    followed: Vec<(Addr, Addr)>,
    depth: u32,
    steps: u32,
    /// How many buckets and groups may still be looked at.
    stores: u64,
}

impl Writer<'_> {
    fn push(&mut self, part: &str) {
        self.text.push(part);
    }

    /// What an interface holds: itself, or where it stands.
    fn held(&mut self, (descriptor, of): (Addr, &TypeName), data: Addr) {
        if of.direct { self.word((descriptor, of), data, true) } else { self.value((descriptor, of), data) }
    }

    /// A value that is one pointer, which is at hand. Of what an interface holds, the type is said where nothing else tells it.
    fn word(&mut self, (descriptor, of): (Addr, &TypeName), value: Addr, typed: bool) {
        let body = self.of.body(descriptor, of);
        match (of.kind, body) {
            (TypeKind::Pointer, Some(TypeBody::Of(element))) if self.pointed(Addr(element.0), value) => {}
            (TypeKind::Map, _) if !value.is_null() => self.map((descriptor, of), value),
            (TypeKind::Func, _) if !value.is_null() && self.function(value) => {}
            // A struct or an array of one pointer.
            (TypeKind::Struct, Some(TypeBody::Struct(fields))) => {
                self.push(&of.name);
                self.push("{");
                for (index, field) in fields.iter().enumerate() {
                    self.push(if index > 0 { ", " } else { "" });
                    self.push(&field.name);
                    self.push(": ");
                    match field.of.size {
                        0 => self.push(&format!("{}{{}}", field.of.name)),
                        _ => self.word((Addr(field.descriptor.0), &field.of), value, false),
                    }
                }
                self.push("}");
            }
            (TypeKind::Array, Some(TypeBody::Array { element, len: 1 })) => match self.of.type_at(Addr(element.0)) {
                Ok(held) => {
                    self.push("[");
                    self.word((Addr(element.0), &held), value, false);
                    self.push("]");
                }
                Err(_) => self.push("?"),
            },
            _ if typed => self.push(&format!("({}) {}", of.name, pointer(value))),
            _ => self.push(&pointer(value)),
        }
    }

    /// What a pointer leads to. False where that is not written: for the memory is not there, it led here, or is of no interest.
    fn pointed(&mut self, element: Addr, value: Addr) -> bool {
        let Ok(of) = self.of.type_at(element) else { return false };
        if value.is_null() {
            return false;
        }
        // A type is told by its name.
        if matches!(of.name.as_str(), "reflect.rtype" | "abi.Type" | "runtime._type")
            && let Ok(named) = self.of.type_at(value)
        {
            self.push(&format!("(*{}) {}", of.name, named.name));
            return true;
        }
        // All the changes of a time zone are not what is asked for.
        let dull = of.name == "time.Location";
        let held =
            of.size == 0 || u8_at(self.of, value) && last_of(value, of.size).is_some_and(|at| u8_at(self.of, at));
        let here = (element, value);
        if dull || !held || self.depth >= MAX_DEPTH || self.followed.contains(&here) {
            return false;
        }
        self.push("&");
        self.followed.push(here);
        self.value((element, &of), value);
        self.followed.pop();
        true
    }

    /// A function by its name: what a func value leads to begins with its address (`runtime.funcval`).
    fn function(&mut self, value: Addr) -> bool {
        let entry = self.of.mem.ptr(value).ok();
        match entry.and_then(|entry| (self.functions)(entry)) {
            Some(name) => self.push(&name),
            None => return false,
        }
        true
    }

    /// The value that stands at an address.
    fn value(&mut self, (descriptor, of): (Addr, &TypeName), at: Addr) {
        self.steps = self.steps.saturating_add(1);
        if self.text.is_full() {
            return;
        }
        if self.depth > MAX_DEPTH || self.steps > MAX_STEPS {
            self.push("…");
            return;
        }
        self.depth = self.depth.saturating_add(1);
        let of_type = (descriptor, of);
        match of.kind {
            TypeKind::Struct => self.fields(of_type, at),
            TypeKind::Array | TypeKind::Slice => self.elements(of_type, at),
            TypeKind::Interface => self.interface(descriptor, at),
            TypeKind::String => self.string(at),
            TypeKind::Pointer | TypeKind::Map | TypeKind::Chan | TypeKind::Func | TypeKind::UnsafePointer => {
                self.word_at(of_type, at);
            }
            _ => {
                let number = self.number(of.kind, at);
                self.push(number.as_deref().unwrap_or("?"));
            }
        }
        self.depth = self.depth.saturating_sub(1);
    }

    /// A value that is one pointer, in another value.
    fn word_at(&mut self, of: (Addr, &TypeName), at: Addr) {
        let Ok(value) = self.of.mem.ptr(at) else { return self.push("?") };
        let outer = self.text.open(MAX_POINTED);
        self.word(of, value, false);
        self.text.close(outer);
    }

    /// A value that is a number, or true or false.
    fn number(&self, kind: TypeKind, at: Addr) -> Result<String, Fault> {
        let mem = self.of.mem;
        let f32_at = |at| mem.u32(at).map(f32::from_bits).map(|n| float(n.into(), &format!("{n}"), &format!("{n:e}")));
        let f64_at = |at| mem.u64(at).map(f64::from_bits).map(|n| float(n, &format!("{n}"), &format!("{n:e}")));
        let second = |offset| at.checked_add(offset).ok_or(Fault { address: at, why: Why::Unmapped });
        Ok(match kind {
            TypeKind::Bool => (mem.u8(at)? != 0).to_string(),
            TypeKind::Int | TypeKind::Int64 => mem.u64(at)?.cast_signed().to_string(),
            TypeKind::Int8 => mem.u8(at)?.cast_signed().to_string(),
            TypeKind::Int16 => mem.u16(at)?.cast_signed().to_string(),
            TypeKind::Int32 => mem.u32(at)?.cast_signed().to_string(),
            TypeKind::Uint | TypeKind::Uint64 => mem.u64(at)?.to_string(),
            TypeKind::Uint8 => mem.u8(at)?.to_string(),
            TypeKind::Uint16 => mem.u16(at)?.to_string(),
            TypeKind::Uint32 => mem.u32(at)?.to_string(),
            TypeKind::Uintptr => format!("{:#x}", mem.u64(at)?),
            TypeKind::Float32 => f32_at(at)?,
            TypeKind::Float64 => f64_at(at)?,
            TypeKind::Complex64 => crate::FloatFormat::complex(&f32_at(at)?, &f32_at(second(4)?)?),
            TypeKind::Complex128 => crate::FloatFormat::complex(&f64_at(at)?, &f64_at(second(8)?)?),
            _ => "?".to_owned(),
        })
    }

    fn string(&mut self, at: Addr) {
        let words = self.of.mem.ptr(at).and_then(|data| Ok((data, self.of.mem.u64(Addr(at.0.wrapping_add(8)))?)));
        let bytes = words.and_then(|(data, len)| Ok((self.bytes(data, len)?, len)));
        match bytes {
            Ok((bytes, len)) => self.text_of(&bytes, len),
            Err(_) => self.push("?"),
        }
    }

    /// The first of so many bytes.
    fn bytes(&self, data: Addr, len: u64) -> Result<Vec<u8>, Fault> {
        self.of.mem.bytes(data, len.min(MAX_STRING), usize::MAX)
    }

    /// A string of which these are the first bytes.
    fn text_of(&mut self, bytes: &[u8], len: u64) {
        let shown = whole_characters(bytes, len);
        self.push(&quoted(&String::from_utf8_lossy(shown)));
        match len.saturating_sub(u64::try_from(shown.len()).unwrap_or(len)) {
            0 => {}
            more => self.push(&format!("… {more} more bytes")),
        }
    }

    fn fields(&mut self, (descriptor, of): (Addr, &TypeName), at: Addr) {
        self.push(&of.name);
        let Some(TypeBody::Struct(fields)) = self.of.body(descriptor, of) else { return self.push("{?}") };
        self.push("{");
        for (index, field) in fields.iter().enumerate() {
            if self.text.is_full() {
                return;
            }
            self.push(if index > 0 { ", " } else { "" });
            self.push(&field.name);
            self.push(": ");
            match at.checked_add(field.offset) {
                Some(at) => self.value((Addr(field.descriptor.0), &field.of), at),
                None => self.push("?"),
            }
        }
        self.push("}");
    }

    fn elements(&mut self, (descriptor, of): (Addr, &TypeName), at: Addr) {
        let parts = || {
            let mem = self.of.mem;
            let (element, start, len) = match self.of.body(descriptor, of)? {
                TypeBody::Array { element, len } => (element, at, len),
                TypeBody::Of(element) => (element, mem.ptr(at).ok()?, mem.u64(at.checked_add(8)?).ok()?),
                _ => return None,
            };
            Some((Addr(element.0), self.of.type_at(Addr(element.0)).ok()?, start, len))
        };
        let Some((element, of_element, start, len)) = parts() else { return self.push("?") };
        if of.kind == TypeKind::Slice && of_element.kind == TypeKind::Uint8 && self.text_in_bytes(of, start, len) {
            return;
        }
        self.push("[");
        for index in 0..len.min(MAX_ELEMENTS) {
            if self.text.is_full() {
                return;
            }
            self.push(if index > 0 { " " } else { "" });
            match index.checked_mul(of_element.size).and_then(|offset| start.checked_add(offset)) {
                Some(at) => self.value((element, &of_element), at),
                None => self.push("?"),
            }
        }
        self.rest(len);
    }

    /// The end of a list of so many.
    fn rest(&mut self, len: u64) {
        match len.saturating_sub(MAX_ELEMENTS) {
            0 => self.push("]"),
            more => self.push(&format!(" … {more} more]")),
        }
    }

    /// Bytes that are a text, as one: `[]byte("…")`.
    fn text_in_bytes(&mut self, of: &TypeName, start: Addr, len: u64) -> bool {
        let Ok(bytes) = self.bytes(start, len) else { return false };
        let Ok(text) = str::from_utf8(whole_characters(&bytes, len)) else { return false };
        if text.is_empty() || text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) {
            return false;
        }
        // The language calls it so; `uint8` is the runtime's word.
        let name = if of.name == "[]uint8" { "[]byte" } else { &of.name };
        self.push(&format!("{name}("));
        self.text_of(&bytes, len);
        self.push(")");
        true
    }

    /// The entries of a map, sorted as `fmt` sorts them as far as that is simple.
    fn map(&mut self, (descriptor, of): (Addr, &TypeName), map: Addr) {
        let Some(shape) = self.of.map_shape(descriptor, of) else { return self.push("map[?]") };
        let mut entries = match self.of.map_entries(&shape, map, &mut self.stores) {
            Ok(entries) => entries,
            Err(NoMap::TooLarge) => return self.push("map[… too large to be read]"),
            Err(NoMap::Fault(_) | NoMap::Malformed) => return self.push("map[?]"),
        };
        let len = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        self.of.sort_by_key(&shape.key.1, &mut entries);
        self.push("map[");
        for (index, (key, element)) in (0..MAX_ELEMENTS).zip(entries) {
            if self.text.is_full() {
                return;
            }
            self.push(if index > 0 { " " } else { "" });
            self.value((shape.key.0, &shape.key.1), key);
            self.push(":");
            self.value((shape.element.0, &shape.element.1), element);
        }
        self.rest(len);
    }

    /// The value in an interface; of one with methods an itab leads to its type.
    fn interface(&mut self, descriptor: Addr, at: Addr) {
        // `abi.ITab.Type` and the length of `abi.InterfaceType.Methods`, in all releases from 1.16 to 1.27.
        const ITAB_TYPE: u64 = 8;
        const METHODS: u64 = 64;
        let mem = self.of.mem;
        let words = mem.ptr(at).and_then(|tab| Ok((tab, mem.ptr(Addr(at.0.wrapping_add(8)))?)));
        let Ok((tab, data)) = words else { return self.push("?") };
        if tab.is_null() {
            return self.push("nil");
        }
        let held = match mem.u64(Addr(descriptor.0.wrapping_add(METHODS))) {
            Ok(0) => Some(tab),
            Ok(_) => mem.ptr(Addr(tab.0.wrapping_add(ITAB_TYPE))).ok(),
            Err(_) => None,
        };
        let Some((descriptor, held)) = held.and_then(|at| Some((at, self.of.type_at(at).ok()?))) else {
            return self.push("?");
        };
        if says_its_type(&held) {
            return self.held((descriptor, &held), data);
        }
        self.push(&format!("{}(", held.name));
        self.held((descriptor, &held), data);
        self.push(")");
    }
}

/// Whether what is written of a value shows its type, or it is of the type that such a constant has.
fn says_its_type(of: &TypeName) -> bool {
    match of.kind {
        TypeKind::Bool => of.name == "bool",
        TypeKind::Int => of.name == "int",
        TypeKind::Float64 => of.name == "float64",
        TypeKind::Complex128 => of.name == "complex128",
        TypeKind::String => of.name == "string",
        TypeKind::Int8 | TypeKind::Int16 | TypeKind::Int32 | TypeKind::Int64 => false,
        TypeKind::Uint | TypeKind::Uint8 | TypeKind::Uint16 | TypeKind::Uint32 | TypeKind::Uint64 => false,
        TypeKind::Uintptr | TypeKind::Float32 | TypeKind::Complex64 => false,
        _ => true,
    }
}

/// The bytes of which not all are there, without the part of a character at their end.
fn whole_characters(bytes: &[u8], len: u64) -> &[u8] {
    let cut = u64::try_from(bytes.len()).is_ok_and(|held| held < len);
    match str::from_utf8(bytes) {
        Err(error) if cut && error.error_len().is_none() => bytes.get(..error.valid_up_to()).unwrap_or(bytes),
        _ => bytes,
    }
}

fn u8_at(runtime: &Runtime<'_>, at: Addr) -> bool {
    runtime.mem.u8(at).is_ok()
}

fn last_of(at: Addr, size: u64) -> Option<Addr> {
    at.checked_add(size.checked_sub(1)?)
}

fn pointer(value: Addr) -> String {
    if value.is_null() { "nil".to_owned() } else { value.to_string() }
}
