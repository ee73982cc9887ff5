//! Who writes a map: calls of the runtime's map functions, with the type that each passes.

use crate::body::{Body, Spot};
use crate::{Frame, Locator, Unseen};
use gopsy_image::{Func, TypeKind};
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
    fn of(function: &str) -> Option<MapOperation> {
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
    pub frames: Vec<Frame>,
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

/// The calls of map functions that were found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapUses {
    /// By address.
    pub uses: Vec<MapUse>,
    /// How many functions were not looked through: the file does not hold their code, or they are too long.
    pub not_read: usize,
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
    ///
    /// # Errors
    /// Why nobody could look.
    pub fn map_uses(&self, reads: bool) -> Result<MapUses, Unseen> {
        self.looks_for_calls()?;
        let callees: HashMap<LinkAddr, Callee> = self
            .funcs()
            .filter_map(|func| Some((func.entry(), self.callee(&func)?)))
            .filter(|(_, callee)| reads || callee.operation != MapOperation::Read)
            .collect();
        let mut found = MapUses::default();
        for func in self.funcs().filter(|f| f.entry() < f.end()) {
            let Some(bytes) = self.bytes(func.entry(), func.end()) else {
                found.not_read = found.not_read.saturating_add(1);
                continue;
            };
            // Most functions use no map: those are only looked through, and nothing of them is kept.
            let mut insns = Decoder::new(bytes, func.entry());
            let concerned =
                insns.any(|insn| matches!(insn.flow(), Flow::Call(target) if callees.contains_key(&target)));
            if !concerned {
                continue;
            }
            let body = Body::of(self.image, bytes, func.entry());
            for (call, target) in body.calls() {
                if let Some(callee) = callees.get(&target) {
                    found.uses.push(self.map_use(&func, &body, call, callee));
                }
            }
        }
        Ok(found)
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
        let frames = func.source_frames(call).unwrap_or_else(|_| vec![func.without_line()]);
        let frames = frames.iter().map(Frame::of).collect();
        MapUse {
            call,
            operation: callee.operation,
            callee: callee.name.clone(),
            frames,
            type_name: of_type.map(|t| t.name),
        }
    }
}
