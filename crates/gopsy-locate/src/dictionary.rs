//! What generic functions find in the dictionaries that their callers pass.
//!
//! Types of one shape share their code (`go.shape.string`), and what differs stands in a dictionary, constant memory that comes as an
//! argument. The compiler calls such code directly and nowhere else: a func value, a method of an interface, a method of
//! the instantiated type are wrappers that name the dictionary (`cmd/compile/internal/noder/reader.go`, `shapedFunctionValue`
//! and `methodExprWrap`, since Go 1.20; `stencil.go` before). So the dictionaries of all calls are all dictionaries. A closure
//! within has it, or what was found in it, in its context.

use crate::Locator;
use crate::body::Body;
use crate::origin::{Argument, Origin, Spot, follow, on_stack};
use gopsy_image::Func;
use gopsy_insn::{Decoder, Flow, Mem, Operation, Reg};
use gopsy_mem::LinkAddr;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Bytes of code that are looked at for what calls pass.
const MAX_CODE: usize = 64 << 20;
/// Places that one question leads to, and what all of them may hold.
const MAX_PLACES: usize = 256;
const MAX_VALUES: usize = 4096;
/// Instructions around the one that puts the code of a closure into its context, among which the rest is put there.
const MAX_AROUND: usize = 64;

/// The values that come to a place by dictionaries.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passed {
    pub(crate) values: BTreeSet<u64>,
    /// No others can come.
    pub(crate) all: bool,
}

/// Where code that shares its shape is called, and where its address is taken: the function and the instruction.
#[derive(Default)]
struct Uses {
    calls: HashMap<LinkAddr, Vec<(LinkAddr, LinkAddr)>>,
    taken: HashMap<LinkAddr, Vec<(LinkAddr, LinkAddr)>>,
}

/// What a function is given: a register, or a word of the context that a closure finds by rdx, which holds no argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    function: LinkAddr,
    reg: Reg,
    field: Option<i64>,
}

impl Place {
    /// Where an argument is given, and what is loaded by it then.
    fn of(function: LinkAddr, argument: &Argument) -> Option<(Place, Vec<i64>)> {
        let reg = argument.reg;
        if reg != Reg::Rdx {
            return Some((Place { function, reg, field: None }, argument.loads.clone()));
        }
        let (field, rest) = argument.loads.split_first()?;
        Some((Place { function, reg, field: Some(*field) }, rest.to_vec()))
    }
}

/// What one call gives, or one closure that is made.
#[derive(Debug, Clone)]
enum Given {
    Number(u64),
    /// What the caller was given, and what it loads by it.
    Own(Place, Vec<i64>),
    Unknown,
}

/// Answers where values come from that were passed.
pub(crate) struct Dictionaries<'l> {
    locator: &'l Locator<'l>,
    /// Found when first needed: most programs pass no map types.
    uses: Option<Uses>,
    given: HashMap<Place, Vec<Given>>,
    known: HashMap<Place, Passed>,
    /// The function that was looked at last: calls of one stand together.
    last: Option<(LinkAddr, Body)>,
    room: usize,
}

/// Whether a function is of a generic one, or of a closure in it: pclntab has its type arguments, or `[...]`.
pub(crate) fn is_generic(func: &Func<'_>) -> bool {
    func.raw_name().is_some_and(|name| name.contains(&b'['))
}

impl<'l> Dictionaries<'l> {
    pub(crate) fn new(locator: &'l Locator<'l>) -> Dictionaries<'l> {
        Dictionaries { locator, uses: None, given: HashMap::new(), known: HashMap::new(), last: None, room: MAX_CODE }
    }

    /// What a function may find by an argument.
    pub(crate) fn passed(&mut self, func: &Func<'_>, argument: &Argument) -> Passed {
        let Some((place, loads)) = Place::of(func.entry(), argument).filter(|_| is_generic(func)) else {
            return Passed::default();
        };
        let Passed { values, all } = match self.known.get(&place) {
            Some(known) => known.clone(),
            None => {
                let found = self.values(place);
                self.known.insert(place, found.clone());
                found
            }
        };
        let found: BTreeSet<Option<u64>> =
            values.iter().map(|value| follow(self.locator.image, *value, &loads)).collect();
        Passed { all: all && !found.contains(&None), values: found.into_iter().flatten().collect() }
    }

    /// All values that are given at a place.
    fn values(&mut self, place: Place) -> Passed {
        // A plugin that the program loads may call code of the program, and the other way round.
        let mut all = !self.locator.image.is_shared_object() && !self.locator.loads_plugins();
        // From caller to caller: every place that one may come from.
        let mut places = vec![place];
        let mut next = 0;
        while let Some(place) = places.get(next).copied() {
            next = next.saturating_add(1);
            for given in self.given_at(place) {
                match given {
                    Given::Own(of, _) if !places.contains(&of) && places.len() < MAX_PLACES => places.push(of),
                    Given::Own(of, _) => all &= places.contains(&of),
                    Given::Unknown => all = false,
                    Given::Number(_) => {}
                }
            }
        }
        // And back, until nothing is added: functions call each other with dictionaries that lead back to the first.
        let mut values: HashMap<Place, BTreeSet<u64>> = HashMap::new();
        let mut room = MAX_VALUES;
        loop {
            let before = room;
            for place in &places {
                let mut added = BTreeSet::new();
                for given in self.given.get(place).into_iter().flatten() {
                    match given {
                        Given::Number(value) => _ = added.insert(*value),
                        Given::Own(of, loads) => {
                            let values = values.get(of).into_iter().flatten();
                            let found = values.map(|value| follow(self.locator.image, *value, loads));
                            for value in found {
                                all &= value.is_some();
                                added.extend(value);
                            }
                        }
                        Given::Unknown => {}
                    }
                }
                let values = values.entry(*place).or_default();
                for value in added {
                    if room > 0 && values.insert(value) {
                        room = room.saturating_sub(1);
                    }
                }
            }
            if room == before {
                break;
            }
        }
        let values = values.remove(&place).unwrap_or_default();
        Passed { all: all && room > 0 && !values.is_empty(), values }
    }

    /// What every call, or everything that makes the closure, gives there.
    fn given_at(&mut self, place: Place) -> Vec<Given> {
        if let Some(known) = self.given.get(&place) {
            return known.clone();
        }
        let uses = self.uses.take().unwrap_or_else(|| self.all_uses());
        let (calls, taken) = (uses.calls.get(&place.function), uses.taken.get(&place.function));
        let (of, others) = if place.field.is_some() { (taken, calls) } else { (calls, taken) };
        let mut given: Vec<Given> =
            of.into_iter().flatten().map(|(caller, at)| self.given_by(place, *caller, *at)).collect();
        // Who calls a closure directly, or takes the address of what is no closure, does what is not understood here.
        if of.is_none() || others.is_some() {
            given.push(Given::Unknown);
        }
        self.uses = Some(uses);
        self.given.insert(place, given.clone());
        given
    }

    fn given_by(&mut self, place: Place, caller: LinkAddr, at: LinkAddr) -> Given {
        let generic = self.locator.func(caller).is_some_and(|func| is_generic(&func));
        let origin = self.body(caller).and_then(|(locator, body)| match place.field {
            Some(field) => captured(locator, body, at, field),
            None => body.origin(locator.image, locator, at, Spot::Reg(place.reg)),
        });
        match origin {
            Some(Origin::Number(value)) => Given::Number(value),
            Some(Origin::Argument(own)) if generic => {
                Place::of(caller, &own).map_or(Given::Unknown, |(place, loads)| Given::Own(place, loads))
            }
            _ => Given::Unknown,
        }
    }

    fn all_uses(&self) -> Uses {
        let generic: HashSet<LinkAddr> = self.locator.funcs().filter(is_generic).map(|func| func.entry()).collect();
        let mut uses = Uses::default();
        for func in self.locator.funcs() {
            let Some(bytes) = self.locator.bytes(func.entry(), func.end()) else { continue };
            for insn in Decoder::new(bytes, func.entry()) {
                let here = (func.entry(), insn.address());
                match insn.flow() {
                    Flow::Call(to) | Flow::Jump(to) | Flow::Branch(to)
                        if generic.contains(&to) && to != func.entry() =>
                    {
                        uses.calls.entry(to).or_default().push(here);
                    }
                    Flow::Call(to) if generic.contains(&to) => uses.calls.entry(to).or_default().push(here),
                    Flow::Next => {
                        if let Operation::Address { of: Mem { absolute: Some(of), .. }, .. } = insn.operation()
                            && generic.contains(&of)
                        {
                            uses.taken.entry(of).or_default().push(here);
                        }
                    }
                    _ => {}
                }
            }
        }
        uses
    }

    fn body(&mut self, entry: LinkAddr) -> Option<(&'l Locator<'l>, &Body)> {
        if self.last.as_ref().is_none_or(|(at, _)| *at != entry) {
            let func = self.locator.func(entry)?;
            let bytes = self.locator.bytes(func.entry(), func.end())?;
            self.room = self.room.checked_sub(bytes.len())?;
            self.last = Some((entry, Body::of(self.locator.image, bytes, entry)));
        }
        self.last.as_ref().map(|(_, body)| (self.locator, body))
    }
}

impl Locator<'_> {
    /// Whether the program has package plugin, whose `Open` is the only way to load one.
    fn loads_plugins(&self) -> bool {
        self.funcs().any(|func| func.raw_name() == Some(b"plugin.open"))
    }
}

/// What was captured by a closure whose code's address is taken at that instruction: the context is filled in around it, and never
/// changed. `field` is where it stands in the context.
fn captured(locator: &Locator<'_>, body: &Body, at: LinkAddr, field: i64) -> Option<Origin> {
    let index = body.index(at)?;
    let Operation::Address { to: code, .. } = body.insn(index)?.operation() else { return None };
    let (put, to) = code_put(body, index, code.reg)?;
    // The code's address stands at the beginning.
    let (context, start) = object(locator, body, put, &to)?;
    let wanted = start.checked_add(field)?;
    let around = put.saturating_sub(MAX_AROUND)..put.saturating_add(MAX_AROUND);
    let mut stores = around.filter_map(|i| {
        let insn = body.insn(i)?;
        let Operation::Store { to, from } = insn.operation() else { return None };
        let is_word = to.size == 8 && from.width == 8 && i != put;
        let is_field = is_word && object(locator, body, i, &to).is_some_and(|found| found == (context.clone(), wanted));
        is_field.then_some((insn.address(), from.reg))
    });
    let (store, reg) = stores.next()?;
    if stores.next().is_some() {
        return None;
    }
    body.origin(locator.image, locator, store, Spot::Reg(reg))
}

/// What an instruction stores into, and how far from its beginning: a new object, or the stack.
fn object(locator: &Locator<'_>, body: &Body, index: usize, to: &Mem<LinkAddr>) -> Option<(Origin, i64)> {
    if let Some(offset) = on_stack(to) {
        return Some((Origin::Stack(0), offset));
    }
    let plain = to.index.is_none() && to.segment.is_none() && to.absolute.is_none();
    let base = to.base.filter(|_| plain)?;
    let at = body.insn(index)?.address();
    match body.origin(locator.image, locator, at, Spot::Reg(base))? {
        Origin::Stack(offset) => Some((Origin::Stack(0), offset.checked_add(to.displacement)?)),
        Origin::Result(call) => Some((Origin::Result(call), to.displacement)),
        _ => None,
    }
}

/// Where the code's address is put into the context.
fn code_put(body: &Body, index: usize, code: Reg) -> Option<(usize, Mem<LinkAddr>)> {
    for i in index.checked_add(1)?..index.checked_add(MAX_AROUND)? {
        let insn = body.insn(i)?;
        match insn.operation() {
            Operation::Store { to, from } if from.reg == code && from.width == 8 => return Some((i, to)),
            _ if insn.effects().writes(code) || !matches!(insn.flow(), Flow::Next) => return None,
            _ => {}
        }
    }
    None
}
