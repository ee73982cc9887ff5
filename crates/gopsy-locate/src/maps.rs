//! Who writes a map: calls of the runtime's map functions, with the type that each passes.

use crate::Locator;
use crate::body::{Body, Spot};
use gopsy_image::{Func, SourceFrame, TypeKind};
use gopsy_insn::{Decoder, Flow, Reg};
use gopsy_mem::LinkAddr;
use std::collections::HashMap;

/// What is done to a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MapOperation {
    /// `m[k] = v`, `m[k]++`.
    Assign,
    /// `delete(m, k)`.
    Delete,
    /// `clear(m)`, or a loop that deletes every key.
    Clear,
    /// `range` over it.
    Iterate,
    /// `m[k]` as a value.
    Read,
}

impl MapOperation {
    /// The operation of a function of the runtime, by its name in pclntab (`runtime/map*.go`, `internal/runtime/maps`, whose
    /// functions keep the names of package runtime).
    #[must_use]
    pub fn of(function: &str) -> Option<MapOperation> {
        let name = function.strip_prefix("runtime.")?;
        // Variants for keys of one size: mapassign_fast64ptr, mapaccess1_fat.
        let variant = |base: &str| {
            name.strip_prefix(base).is_some_and(|rest| {
                rest.is_empty() || rest.strip_prefix('_').is_some_and(|v| v.bytes().all(|b| b.is_ascii_alphanumeric()))
            })
        };
        match name {
            _ if variant("mapassign") => Some(MapOperation::Assign),
            _ if variant("mapdelete") => Some(MapOperation::Delete),
            "mapclear" => Some(MapOperation::Clear),
            "mapiterinit" | "mapIterStart" => Some(MapOperation::Iterate),
            _ if variant("mapaccess1") || variant("mapaccess2") => Some(MapOperation::Read),
            _ => None,
        }
    }

    /// The word, which is also the one of the wire form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MapOperation::Assign => "assign",
            MapOperation::Delete => "delete",
            MapOperation::Clear => "clear",
            MapOperation::Iterate => "iterate",
            MapOperation::Read => "read",
        }
    }
}

/// A call of a map function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapUse {
    /// The call.
    pub call: LinkAddr,
    /// What is done.
    pub operation: MapOperation,
    /// The function of the runtime that is called.
    pub callee: String,
    /// Where the source has it, innermost first: more than one where the code is inlined.
    pub frames: Vec<SourceFrame>,
    /// The map's type, as `%T` prints it; `None` where it was not resolved.
    pub type_name: Option<String>,
}

impl MapUse {
    /// Whether the call is the runtime's own, or made on behalf of package reflect: any map can come there.
    #[must_use]
    pub fn is_of_the_runtime(&self) -> bool {
        let package = |name: &str| ["runtime.", "reflect.", "internal/runtime/"].iter().any(|p| name.starts_with(p));
        self.frames.last().and_then(|f| f.function.as_deref()).is_some_and(package)
    }
}

/// Whether a type is the one that is asked for: the whole text, or an end of it that begins with a name (`*main.sess` and
/// `sess` fit `map[string]*main.sess`, `ess` does not).
#[must_use]
pub fn fits_type(name: &str, asked: &str) -> bool {
    let Some(before) = name.strip_suffix(asked).filter(|_| !asked.is_empty()) else { return false };
    let within = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    !(within(before.chars().next_back()) && within(asked.chars().next()))
}

/// A map function that is called.
struct Callee {
    operation: MapOperation,
    name: String,
    /// Where it takes the map's type; `None` where its code does not show it.
    argument: Option<Spot>,
}

impl Locator<'_> {
    /// All calls of map functions in the Go code, by address; those that only read if asked for.
    #[must_use]
    pub fn map_uses(&self, reads: bool) -> Vec<MapUse> {
        let Ok(table) = &self.table else { return Vec::new() };
        let funcs = || (0..table.len()).filter_map(|index| table.func(index));
        let callees: HashMap<LinkAddr, Callee> = funcs()
            .filter_map(|func| Some((func.entry(), self.callee(&func)?)))
            .filter(|(_, callee)| reads || callee.operation != MapOperation::Read)
            .collect();
        let mut uses = Vec::new();
        for func in funcs() {
            let Some(bytes) = self.bytes(func.entry(), func.end()) else { continue };
            // Most functions use no map: those are only looked through.
            let mut insns = Decoder::new(bytes, func.entry());
            let concerned =
                insns.any(|insn| matches!(insn.flow(), Flow::Call(target) if callees.contains_key(&target)));
            if !concerned {
                continue;
            }
            let body = Body::of(self.image, bytes, func.entry());
            for (call, target) in body.calls() {
                if let Some(callee) = callees.get(&target) {
                    uses.push(self.map_use(&func, &body, call, callee));
                }
            }
        }
        uses
    }

    fn callee(&self, func: &Func<'_>) -> Option<Callee> {
        let name = func.name()?;
        let operation = MapOperation::of(&name)?;
        let takes_rax = self.body(func).and_then(|body| body.takes_rax());
        let argument = takes_rax.map(|rax| if rax { Spot::Reg(Reg::Rax) } else { Spot::Stack(0) });
        Some(Callee { operation, name, argument })
    }

    fn map_use(&self, func: &Func<'_>, body: &Body, call: LinkAddr, callee: &Callee) -> MapUse {
        let value = callee.argument.and_then(|spot| body.value(self.image, call, spot));
        let of_type = value.and_then(|at| self.type_name(LinkAddr(at))).filter(|t| t.kind == TypeKind::Map);
        // Of a damaged inline tree the function itself is still known.
        let frames = func.source_frames(call).unwrap_or_else(|_| {
            vec![SourceFrame {
                function: func.name(),
                file: func.file(call),
                line: func.line(call),
                start_line: 0,
                func_id: func.func_id(),
                inlined: false,
            }]
        });
        MapUse {
            call,
            operation: callee.operation,
            callee: callee.name.clone(),
            frames,
            type_name: of_type.map(|t| t.name),
        }
    }
}
