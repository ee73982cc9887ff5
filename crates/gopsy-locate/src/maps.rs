//! Who writes a map: calls of the runtime's map functions, with the type that each passes.

use crate::body::Body;
use crate::dictionary::Dictionaries;
use crate::maptype::{MapTypes, Variant, predeclared};
use crate::origin::{Origin, Spot};
use crate::{AskedType, Frame, Locator, MapSlot, MapType, Unseen};
use gopsy_image::{Func, MapBody};
use gopsy_insn::{Decoder, Flow, Reg};
use gopsy_mem::LinkAddr;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

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
    /// The map's type; `None` where it was not resolved.
    pub of_type: Option<Arc<MapType>>,
    /// The type comes from the dictionary that callers of a generic function pass: there is one such use for each type that
    /// they pass, and one more that is not resolved if they may pass others.
    pub passed: bool,
    /// Of a type that is not resolved, what its entries need: the function is shared by all types that need the same.
    pub shape: Option<MapSlot>,
}

impl MapUse {
    /// Whether the call is the runtime's own, or made on behalf of package reflect: any map can come there.
    #[must_use]
    pub fn is_of_the_runtime(&self) -> bool {
        let package = |name: &str| ["runtime.", "reflect.", "internal/runtime/"].iter().any(|p| name.starts_with(p));
        self.frames.last().and_then(|f| f.function.as_deref()).is_some_and(package)
    }

    /// Whether a map of that type may come there, by the function of the runtime that is called and the shape of the code.
    fn may_be(&self, of: &MapType) -> bool {
        let shaped = self.shape.is_none() || of.slot.is_none() || self.shape == of.slot;
        shaped && self.variant().may_be(of)
    }

    /// The same of a map of whose type only the key is known.
    fn may_have_key(&self, key: &str) -> bool {
        let shaped = match (self.shape, predeclared(key)) {
            (Some(shape), Some(key)) => (shape.key, shape.key_size) == key,
            _ => true,
        };
        shaped && self.variant().may_have_key(key)
    }

    /// What the called function takes. One without a suffix takes every map, and the compiler passes to it what the others do
    /// not take; but packages that link to it by its name (`//go:linkname`) do as they like. Only a generic function is the
    /// compiler's for sure.
    fn variant(&self) -> Variant {
        let generic = self.frames.first().and_then(|f| f.function.as_deref()).is_some_and(|name| name.contains('['));
        match Variant::of(&self.callee) {
            Variant::Other if !generic => Variant::Any,
            variant => variant,
        }
    }
}

/// The calls of map functions that were found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapUses {
    /// By address.
    pub uses: Vec<MapUse>,
    /// How many functions were not looked through: the file does not hold their code, or they are too long.
    pub not_read: usize,
}

/// The calls with maps of a type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsesOfType {
    /// Those whose type is one that is asked for, by address. More than one type may fit.
    pub uses: Vec<MapUse>,
    /// Those with another type of the same keys and elements, by address: a map of one becomes one of the other by conversion,
    /// without a call.
    pub by_conversion: Vec<MapUse>,
    /// Those whose type is not known and may be one that is asked for, by address; without the runtime's own.
    pub unresolved: Vec<MapUse>,
    /// How many calls there are whose type is not known, but is none of these: the called function takes no such maps.
    pub cannot_be: usize,
    /// How many calls of the runtime's own are not resolved: they serve package reflect.
    pub of_the_runtime: usize,
}

impl UsesOfType {
    /// Whether a call is known with a map of the type, or of one that can be converted into it.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.uses.is_empty() || !self.by_conversion.is_empty()
    }
}

impl MapUses {
    /// Those with maps of a type. `listed` are the types of the file, as far as they are known.
    #[must_use]
    pub fn of_type(&self, asked: &AskedType, listed: Option<&[Arc<MapType>]>) -> UsesOfType {
        let used = self.uses.iter().filter_map(|u| u.of_type.as_ref());
        let known: Vec<&Arc<MapType>> = used.chain(listed.into_iter().flatten()).filter(|of| asked.fits(of)).collect();
        let bodies: HashSet<MapBody> = known.iter().map(|of| of.body).collect();
        // All types without a name of their own are listed: then none but these can be meant.
        let all_known = asked.is_map() && listed.is_some() && !known.is_empty();
        let may_be = |one: &MapUse| match all_known {
            true => known.iter().any(|of| one.may_be(of)),
            false => asked.key().is_none_or(|key| one.may_have_key(key)),
        };
        let mut found = UsesOfType::default();
        for one in &self.uses {
            match &one.of_type {
                Some(of) if asked.fits(of) => found.uses.push(one.clone()),
                Some(of) if bodies.contains(&of.body) => found.by_conversion.push(one.clone()),
                Some(_) => {}
                None if one.is_of_the_runtime() => found.of_the_runtime = found.of_the_runtime.saturating_add(1),
                None if may_be(one) => found.unresolved.push(one.clone()),
                None => found.cannot_be = found.cannot_be.saturating_add(1),
            }
        }
        found
    }
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
        let mut sources = Sources { types: MapTypes::new(self), dictionaries: Dictionaries::new(self) };
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
                    found.uses.extend(self.map_uses_at(&mut sources, &func, &body, (call, callee)));
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

    /// One call, which code of several types may share.
    fn map_uses_at(
        &self,
        sources: &mut Sources<'_>,
        func: &Func<'_>,
        body: &Body,
        (call, callee): (LinkAddr, &Callee),
    ) -> Vec<MapUse> {
        // Of a damaged inline tree the function itself is still known.
        let frames = func.source_frames(call).unwrap_or_else(|_| vec![func.without_line()]);
        let unresolved = MapUse {
            call,
            operation: callee.operation,
            callee: callee.name.clone(),
            frames: frames.iter().map(Frame::of).collect(),
            of_type: None,
            passed: false,
            shape: None,
        };
        let of = |of_type, passed| MapUse { of_type: Some(of_type), passed, ..unresolved.clone() };
        match callee.argument.and_then(|spot| body.origin(self.image, self, call, spot)) {
            Some(Origin::Number(at)) => match sources.types.at(LinkAddr(at)) {
                Some(shape) if shape.is_shape() => vec![MapUse { shape: shape.slot, ..unresolved }],
                Some(of_type) => vec![of(of_type, false)],
                None => vec![unresolved],
            },
            Some(Origin::Argument(argument)) => {
                let passed = sources.dictionaries.passed(func, &argument);
                // What the called function does not take is none of its types, whatever was read.
                let types: Option<Vec<_>> = passed
                    .values
                    .iter()
                    .map(|at| sources.types.at(LinkAddr(*at)).filter(|of| !of.is_shape() && unresolved.may_be(of)))
                    .collect();
                match types {
                    None => vec![unresolved],
                    Some(types) => {
                        let mut uses: Vec<MapUse> = types.into_iter().map(|of_type| of(of_type, true)).collect();
                        uses.extend((!passed.all).then_some(unresolved));
                        uses
                    }
                }
            }
            Some(Origin::Stack(_) | Origin::Result(_)) | None => vec![unresolved],
        }
    }
}

/// What is asked for types.
struct Sources<'l> {
    types: MapTypes<'l>,
    dictionaries: Dictionaries<'l>,
}
