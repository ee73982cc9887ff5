//! Walking a thread: from where it stands outwards through Go and C, over every crossing between them.
//!
//! Go frames follow the rules of [`Walker::walk`]. C frames are found by call frame information, else by the chain of frame
//! pointers, else by a search of the stack; each says by which. The crossings are those of the runtime's assembly; what
//! each rests on is in `docs/unwinding.md`.

use crate::foreign::{CallBefore, call_before};
use crate::near::Near;
use crate::registers::{CALLEE_SAVED, RBP, RIP, RSP};
use crate::replaced::is_uretprobe;
use crate::sites::{FuncRole, Site};
use crate::walk::{Cursor, Lost, MAX_SIGNALS, MAX_STEPS, Step, WORD, no_go_function};
use crate::{End, Foreign, Found, On, Pc, RawFrame, RegisterSet, SignalFrame, Stacks, Walk, Walker, handover};
use gopsy_mem::{Addr, MemoryExt};
use gopsy_runtime::Gobuf;

/// C frames beyond this are not walked: a C stack has 8 MiB unless somebody asks for more.
const MAX_FOREIGN: u64 = 1 << 20;
/// Changes of the stack beyond this are not followed. Two belong to each callback.
const MAX_CROSSINGS: u32 = 1 << 12;
/// So many words of a stack are searched for a return address.
const MAX_SCAN: u64 = 512;
/// A frame of C larger than this is not believed to a frame pointer.
const MAX_FRAME: u64 = 1 << 20;

/// A walk under way.
struct Thread<'w> {
    walker: &'w Walker<'w>,
    foreign: &'w Foreign,
    stacks: &'w Stacks,
    at: Cursor,
    /// The registers there, as far as they are known.
    registers: RegisterSet,
    /// Where the innermost callback that was not passed yet left the system stack.
    callback_sp: Option<Addr>,
    /// What runs deferred functions was passed: callbacks further out may have been given up.
    panicked: bool,
    signals: Vec<SignalFrame>,
    /// A handler of C called Go's, which it told what it was told.
    handed_on: bool,
    lost: Vec<Lost>,
    near: Near,
    /// Where the innermost C frame stood that was called last.
    entered: Option<Addr>,
    foreign_steps: u64,
    crossings: u32,
    steps: u64,
}

impl Walker<'_> {
    /// The frames of a thread from its registers outwards, those of C included.
    #[must_use]
    pub fn walk_thread(&self, registers: &RegisterSet, foreign: &Foreign, stacks: &Stacks) -> Walk {
        self.walk_thread_until(registers, foreign, stacks, &|_| false)
    }

    /// As [`Walker::walk_thread`], up to the first frame for which `stop` holds (it is included).
    #[must_use]
    pub fn walk_thread_until(
        &self,
        registers: &RegisterSet,
        foreign: &Foreign,
        stacks: &Stacks,
        stop: &dyn Fn(&RawFrame) -> bool,
    ) -> Walk {
        let mut walk = Walk::empty();
        let (Some(pc), Some(sp)) = (registers.pc(), registers.sp()) else {
            walk.end = End::Broken("where the thread stands is not known".to_owned());
            return walk;
        };
        let mut thread = Thread {
            walker: self,
            foreign,
            stacks,
            at: Cursor { pc: Pc::Interrupted(pc), sp, found: Found::Context },
            registers: *registers,
            callback_sp: stacks.system_sp,
            handed_on: false,
            panicked: false,
            signals: Vec::new(),
            lost: Vec::new(),
            near: Near::default(),
            entered: None,
            foreign_steps: 0,
            crossings: 0,
            steps: 0,
        };
        walk.end = thread.run(&mut |frame| {
            walk.push(*frame);
            !stop(frame)
        });
        walk.signals = thread.signals;
        walk.lost = thread.lost;
        walk
    }
}

fn broken(why: impl Into<String>) -> Step {
    Step::End(End::Broken(why.into()))
}

impl Thread<'_> {
    fn run(&mut self, visit: &mut dyn FnMut(&RawFrame) -> bool) -> End {
        while self.steps < MAX_STEPS {
            self.steps = self.steps.saturating_add(1);
            if let Some((frame, next)) = self.walker.plain_step(&self.at, &mut self.near, self.stacks) {
                self.registers = RegisterSet::at(next.pc.address(), next.sp, next.found);
                (self.at, self.entered) = (next, None);
                if !visit(&frame) {
                    return End::Stopped;
                }
                continue;
            }
            let mut stopped = false;
            let mut seen = |frame: &RawFrame| stopped = !visit(frame);
            let site = self.near.site(self.walker.sites, self.at.pc, self.walker.code);
            let step = match site {
                Some(site) if !site.foreign => {
                    let step = self.leave_go(&site, &mut seen);
                    self.entered = None;
                    step
                }
                other => {
                    self.entered = self.entered.or(Some(self.at.sp));
                    self.leave_foreign(other, &mut seen)
                }
            };
            match step {
                Step::End(end) => return end,
                Step::To(_) if stopped => return End::Stopped,
                Step::To(next) => self.at = next,
            }
        }
        End::Limit
    }

    fn frame(&self, site: Option<&Site>, on: On, end: Option<(Addr, Found)>) -> RawFrame {
        RawFrame {
            pc: self.at.pc,
            sp: self.at.sp,
            end,
            func: site.map(|s| s.func),
            foreign: self.foreign.find(self.at.pc.lookup()).filter(|_| site.is_none_or(|s| s.foreign)),
            on,
            found: self.at.found,
        }
    }

    /// The stack that holds a stack pointer, and where it ends.
    fn stack(&self, sp: Addr) -> (On, Addr) {
        self.stacks.holding(sp).map_or((On::Other, Addr(u64::MAX)), |(on, range)| (on, range.end))
    }

    /// A Go frame.
    fn leave_go(&mut self, site: &Site, visit: &mut dyn FnMut(&RawFrame)) -> Step {
        self.panicked |= site.panics;
        let (on, limit) = self.stack(self.at.sp);
        let Some(delta) = site.delta else {
            visit(&self.frame(Some(site), on, None));
            return broken("the function's table says nothing about its stack pointer");
        };
        let end_of = |sp: Addr| sp.checked_add(delta).and_then(|a| a.checked_add(WORD));
        let Some(end) = end_of(self.at.sp).filter(|end| *end <= limit) else {
            return broken(format!("a frame at {} would reach beyond the end of its stack", self.at.sp));
        };
        // What `mcall` has called stands on the system stack, whether that is known or not.
        let on_system = on == On::System || (on == On::Other && matches!(self.at.pc, Pc::Return(_)));
        let grows_here = site.role == FuncRole::Morestack
            && end.checked_sub(WORD).is_some_and(|slot| handover::has_not_switched(self.walker, slot));
        if grows_here {
            visit(&self.frame(Some(site), on, Some((end, Found::Table))));
            return self.return_from(site, end);
        }
        if let Some(left) = self.behind_crash_stack(site) {
            visit(&self.frame(Some(site), on, Some((end, Found::Table))));
            if !self.crosses() {
                return Step::End(End::Limit);
            }
            return self.go_on(Pc::Return(left.pc), left.sp, Found::Table);
        }
        let left = site.role == FuncRole::Morestack && self.stacks.without_goroutine && on == On::System;
        if (site.role == FuncRole::Mcall && on_system) || left {
            visit(&self.frame(Some(site), on, Some((end, Found::Table))));
            return Step::End(End::Outermost);
        }
        let crossing = match site.role {
            FuncRole::Asmcgocall if on != On::Goroutine => Some(self.old_stack_of_asmcgocall(site, delta)),
            _ if site.sp_write && on != On::Goroutine => self.switched(site, delta),
            _ => None,
        };
        match crossing {
            // The frame as its caller sees it stands on the other stack.
            Some(Some((sp, found))) => {
                let Some(end) = end_of(sp).filter(|end| *end <= self.stack(sp).1) else {
                    visit(&self.frame(Some(site), on, None));
                    return broken(format!("a frame at {sp} would reach beyond the end of its stack"));
                };
                visit(&self.frame(Some(site), on, Some((end, found))));
                self.at.found = found;
                if sp != self.at.sp && !self.crosses() {
                    return Step::End(End::Limit);
                }
                return self.return_from(site, end);
            }
            Some(None) => {
                visit(&self.frame(Some(site), on, None));
                return broken("the function switches stacks in a way that its table does not tell");
            }
            None => visit(&self.frame(Some(site), on, Some((end, Found::Table)))),
        }
        match (site.role, self.stacks.sched.filter(|s| on == On::System && !s.sp.is_null())) {
            (FuncRole::Handler, _) => self.out_of_handler(site, end),
            // C code stands beyond where a thread began or a callback came in; the runtime's own traceback ends here.
            _ if site.top_frame => Step::End(End::Outermost),
            (FuncRole::Morestack, Some(sched)) => {
                if !self.crosses() {
                    return Step::End(End::Limit);
                }
                self.go_on(Pc::Return(sched.pc), sched.sp, Found::Table)
            }
            (FuncRole::Cgocallback, _) if on == On::Goroutine => self.callers_of_callback(site, delta, end),
            _ => self.return_from(site, end),
        }
    }

    /// Where the thread left its own system stack, if it did so by this function.
    fn behind_crash_stack(&self, site: &Site) -> Option<Gobuf> {
        self.stacks.behind_crash_stack(self.at.sp).filter(|_| site.role == FuncRole::ToCrashStack)
    }

    /// Counts a change of the stack.
    fn crosses(&mut self) -> bool {
        self.crossings = self.crossings.saturating_add(1);
        self.crossings <= MAX_CROSSINGS
    }

    /// Goes on with nothing but pc and sp.
    fn go_on(&mut self, pc: Pc, sp: Addr, found: Found) -> Step {
        self.registers = RegisterSet::at(pc.address(), sp, found);
        Step::To(Cursor { pc, sp, found })
    }

    /// To the caller of a Go function whose frame ends there.
    fn return_from(&mut self, site: &Site, end: Addr) -> Step {
        let Some(slot) = end.checked_sub(WORD) else { return broken("a frame at address 0") };
        let back = match self.near.ptr(self.walker.mem, slot) {
            Ok(back) if back.is_null() => return broken("a return address is 0"),
            Ok(back) => back,
            Err(fault) => return broken(fault.to_string()),
        };
        if is_uretprobe(back) {
            return self.behind_uretprobe(site, back, end);
        }
        let found = self.at.beyond();
        match site.role {
            FuncRole::Injected => {
                // It saved the frame pointer of what was interrupted, which may be C (a fault in C, up to Go 1.20).
                let fp = self.walker.saved_frame_pointer(site, end);
                let step = self.go_on(Pc::Interrupted(back), end, found);
                self.registers.set(RBP, fp.map(|fp| crate::Register { value: fp.0, found }));
                step
            }
            FuncRole::EnteredFromC | FuncRole::Handler => {
                let saved = handover::saved_registers(self.walker, site, end);
                let step = self.go_on(Pc::Return(back), end, found);
                for (number, value) in saved {
                    self.registers.set(number, Some(value));
                }
                step
            }
            role => self.go_on(self.walker.back_from(role, back), end, found),
        }
    }

    /// The return address was replaced. Where no call tells the real one, the caller's pc is lost; the frame pointer that the
    /// function saved tells where the caller saved its own, and above that stands the return address of the caller (Go keeps
    /// frame pointers on amd64 since 1.7; they stand below the return address).
    fn behind_uretprobe(&mut self, site: &Site, back: Addr, end: Addr) -> Step {
        let stack = self.stacks.holding(self.at.sp).map(|(_, range)| range);
        if let Some(real) = stack.and_then(|stack| self.walker.real_return(site, end, self.stacks, stack)) {
            return self.go_on(Pc::Return(real), end, self.at.found.max(Found::OnlyCall));
        }
        let caller = self.walker.saved_frame_pointer(site, end).filter(|fp| *fp >= end);
        match caller.and_then(|fp| self.chain(fp)) {
            Some((pc, sp, _)) => {
                // The frame itself is kept by the time that this is known.
                self.lost.push(Lost { after: self.steps, why: no_go_function(back) });
                self.go_on(Pc::Return(pc), sp, Found::FramePointer)
            }
            None => broken(no_go_function(back)),
        }
    }

    /// What a frame pointer leads to: the return address above it, the stack pointer behind that, the next frame pointer.
    /// `None` unless it lies on the stack further out and the return address stands behind a call.
    fn chain(&self, fp: Addr) -> Option<(Addr, Addr, u64)> {
        let (here, there) = (self.stack(self.at.sp), self.stack(fp));
        let near = fp.offset_from(self.at.sp).is_some_and(|size| size < MAX_FRAME);
        if here.0 != there.0 || !near || fp.0.checked_rem(WORD) != Some(0) {
            return None;
        }
        let next = self.walker.mem.u64(fp).ok()?;
        let slot = fp.checked_add(WORD)?;
        let back = self.walker.mem.ptr(slot).ok()?;
        self.is_return_address(back)?;
        Some((back, slot.checked_add(WORD)?, next))
    }

    /// The call before a return address, if there is code and a call before it.
    fn is_return_address(&self, back: Addr) -> Option<CallBefore> {
        let lookup = Pc::Return(back).lookup();
        self.foreign.find(lookup).map(drop).or_else(|| self.walker.code.find(lookup).map(drop))?;
        call_before(self.walker.mem, back)
    }

    /// The call before a return address of C. In Go only a few functions call C; what they call, others decide
    /// (`asmcgocall` calls a landing pad, which jumps on).
    fn returns_from_c(&self, back: Addr) -> Option<CallBefore> {
        let call = self.is_return_address(back)?;
        match self.walker.sites.at(Pc::Return(back), self.walker.code).filter(|site| !site.foreign) {
            Some(site) => site.role.calls_c().then_some(CallBefore::Indirect),
            None => Some(call),
        }
    }

    /// From `cgocallback` on the goroutine's stack to its other half on the system stack, above which C stands. `unwindm`
    /// gives that half up when a panic passes: what `m.g0.sched.sp` leads to then is another's, or what a callback has left that was
    /// over long before. Unless memory still holds it, the walk goes on as the runtime's does.
    fn callers_of_callback(&mut self, site: &Site, delta: u64, end: Addr) -> Step {
        let led_to = self.callback_sp.filter(|_| !self.panicked);
        let half = led_to.and_then(|sp| handover::system_half(self.walker, sp, delta)).map(|half| (half, Found::Table));
        let searched =
            || handover::searched_half(self.walker, self.at.sp, delta).map(|half| (half, Found::FramePointer));
        match half.or_else(searched) {
            Some((half, found)) if self.crosses() => {
                self.callback_sp = half.outer_sp;
                self.go_on(Pc::Return(half.back), half.end, self.at.found.max(found))
            }
            _ => {
                let why = "the C frames of a callback were given up when a panic passed it".to_owned();
                self.lost.push(Lost { after: self.steps, why });
                self.return_from(site, end)
            }
        }
    }

    /// The goroutine's stack pointer, or that of who called C on the system stack already.
    fn old_stack_of_asmcgocall(&self, site: &Site, delta: u64) -> Option<(Addr, Found)> {
        let found = if self.stacks.g.is_some() { Found::Table } else { Found::FramePointer };
        handover::asmcgocall(self.walker, self.stacks, site, self.at.sp, delta).map(|sp| (sp, found))
    }

    /// For a function that sets the stack pointer: the one it will set when it is done with the other stack. `Some(None)`
    /// when that is not known; `None` when its table is right as it is.
    fn switched(&self, site: &Site, delta: u64) -> Option<Option<(Addr, Found)>> {
        let sched = self.stacks.sched.filter(|s| !s.sp.is_null());
        match site.role {
            // On the system stack these have not switched yet, or have switched back.
            FuncRole::Cgocallback | FuncRole::Handler => return None,
            FuncRole::Morestack if sched.is_some() => return None,
            FuncRole::Systemstack => {
                let left = sched.filter(|s| self.stacks.holding(s.sp).is_some_and(|(on, _)| on == On::Goroutine));
                let by_frame_pointer = || handover::left_for_system_stack(self.walker, site, self.at.sp, delta);
                return Some(
                    left.map(|s| (s.sp, Found::Table))
                        .or_else(|| by_frame_pointer().map(|sp| (sp, Found::FramePointer))),
                );
            }
            _ if site.top_frame => return None,
            _ => {}
        }
        let returns = |sp: Addr| {
            let back = sp.checked_add(delta).and_then(|slot| self.walker.mem.ptr(slot).ok());
            self.stacks.holding(sp).is_some() && back.and_then(|b| self.is_return_address(b)).is_some()
        };
        let kept = handover::restored_sp(self.walker, self.at.pc, self.at.sp, &self.registers);
        let kept = kept.map(|r| (Addr(r.value), r.found.max(Found::Table))).filter(|(sp, _)| returns(*sp));
        let found = match (site.role, kept) {
            // Of registers that no table vouches for nothing is known but that the race hooks were called where they say; so
            // the stack that it stands on is asked first.
            (FuncRole::Racecall, None | Some((_, Found::Scan))) => {
                let here = handover::unswitched_race_sp(self.walker, self.at.sp);
                let kept = || kept.map(|(sp, _)| sp).filter(|sp| handover::is_race_call(self.walker, *sp));
                here.or_else(kept).map(|sp| (sp, Found::FramePointer))
            }
            (_, kept) => kept,
        };
        let searched = || {
            let from = self.entered.filter(|_| site.role == FuncRole::Racecall)?;
            let sp = handover::searched_race_sp(self.walker, self.stacks, from, self.at.sp)?;
            Some((sp, Found::FramePointer))
        };
        // Interrupted, it may stand where its table is right: on the stack on which it was called.
        let unswitched = || {
            let here = matches!(self.at.pc, Pc::Interrupted(_)) && returns(self.at.sp);
            here.then_some((self.at.sp, Found::Table))
        };
        Some(found.or_else(searched).or_else(unswitched))
    }

    /// A signal handler of Go: the kernel called it, or a handler in C did.
    fn out_of_handler(&mut self, site: &Site, end: Addr) -> Step {
        let back = end.checked_sub(WORD).and_then(|slot| self.walker.mem.ptr(slot).ok());
        let by_c = back.is_some_and(|back| {
            self.is_return_address(back).is_some() && !self.foreign.is_restorer(self.walker.mem, back)
        });
        if by_c {
            self.handed_on = true;
            self.return_from(site, end)
        } else {
            self.interrupted(end, true)
        }
    }

    /// What a signal interrupted: the registers are all in the signal frame. Only a handler with `SA_SIGINFO` was told the signal there.
    fn interrupted(&mut self, ucontext: Addr, told: bool) -> Step {
        let frame = match SignalFrame::read(self.walker.mem, ucontext) {
            Ok(Some(frame)) if told => frame,
            Ok(Some(frame)) => frame.as_the_processor_says(self.walker.mem),
            Ok(None) => return broken("no signal frame stands above the signal handler"),
            Err(fault) => return broken(fault.to_string()),
        };
        if self.signals.len() >= MAX_SIGNALS || self.signals.iter().any(|s| s.ucontext == frame.ucontext) {
            return broken("the signal frames run in a circle");
        }
        self.signals.push(frame);
        match frame.registers(self.walker.mem) {
            Ok(named) => self.registers = RegisterSet::of_context(named),
            Err(fault) => return broken(fault.to_string()),
        }
        Step::To(Cursor { pc: Pc::Interrupted(frame.pc), sp: frame.sp, found: Found::Context })
    }

    /// A frame of C, or of nothing known.
    fn leave_foreign(&mut self, site: Option<Site>, visit: &mut dyn FnMut(&RawFrame)) -> Step {
        self.foreign_steps = self.foreign_steps.saturating_add(1);
        if self.foreign_steps > MAX_FOREIGN {
            return Step::End(End::Limit);
        }
        let (on, _) = self.stack(self.at.sp);
        let at = self.at.pc.lookup();
        // Of a file that is not here it is known that there is code.
        let known = site.is_some() || self.foreign.find(at).is_some() || self.foreign.missing_at(at).is_some();
        if let Pc::Return(back) = self.at.pc
            && self.foreign.is_restorer(self.walker.mem, back)
        {
            // The kernel wrote this address, no call: it stands at the very instruction.
            let frame = self.frame(site.as_ref(), on, Some((self.at.sp, Found::Table)));
            let foreign = self.foreign.find(back).or(frame.foreign);
            visit(&RawFrame { pc: Pc::Interrupted(back), foreign, ..frame });
            let told = std::mem::take(&mut self.handed_on);
            return self.interrupted(self.at.sp, told);
        }
        let caller = match (known, self.at.pc) {
            (true, _) => self.caller_in_foreign(),
            // A call of nothing: what it pushed is still there.
            (false, Pc::Interrupted(_)) => self.popped().ok_or_else(|| self.not_found()),
            (false, Pc::Return(back)) => return broken(no_go_function(back)),
        };
        match caller {
            Ok(Next { registers, pc, sp, found }) => {
                visit(&self.frame(site.as_ref(), on, Some((sp, found))));
                self.registers = registers;
                Step::To(Cursor { pc: Pc::Return(pc), sp, found })
            }
            Err(end) => {
                visit(&self.frame(site.as_ref(), on, None));
                Step::End(end)
            }
        }
    }

    fn not_found(&self) -> End {
        End::Broken(format!("the caller of {} was not found", self.at.pc.address()))
    }

    /// The caller of C code: by its table, by the chain of frame pointers, by a search. Or why there is none.
    fn caller_in_foreign(&self) -> Result<Next, End> {
        if let Some((rules, bias)) = self.foreign.rules(self.at.pc.lookup())
            && let Some(caller) = rules.caller(&self.registers, bias, self.walker.mem)
        {
            if caller.outermost {
                return Err(End::Outermost);
            }
            // A frame that ends where it began would be walked for ever.
            if let (Some(pc), Some(sp)) = (caller.registers.number(RIP), caller.registers.number(RSP))
                && sp.value > self.at.sp.0
                && pc.value != 0
            {
                let found = self.at.found.max(Found::Cfi).max(pc.found).max(sp.found);
                return Ok(Next { registers: caller.registers, pc: Addr(pc.value), sp: Addr(sp.value), found });
            }
        }
        // Code that has not set its frame pointer yet, or sets none, has its caller's: then the chain misses one. A call of
        // this very function further in tells.
        let (linked, searched) = (self.by_frame_pointer(), self.by_search());
        match (linked, searched) {
            (Some(linked), Some((searched, true))) if searched.sp < linked.sp => Ok(searched),
            (Some(linked), _) => Ok(linked),
            (None, searched) => searched.map(|(next, _)| next).ok_or_else(|| self.not_found()),
        }
    }

    fn by_frame_pointer(&self) -> Option<Next> {
        let fp = self.registers.number(RBP).map(|r| Addr(r.value))?;
        let (pc, sp, next) = self.chain(fp)?;
        self.returns_from_c(pc)?;
        let found = self.at.found.max(Found::FramePointer);
        // The chain's next link stands further out, or on the stack of the Go code that called, or there is none.
        if next != 0 && next <= fp.0 && self.stack(Addr(next)).0 == self.stack(fp).0 {
            return None;
        }
        let mut registers = RegisterSet::at(pc, sp, found);
        registers.set(RBP, Some(crate::Register { value: next, found }));
        Some(Next { registers, pc, sp, found })
    }

    /// The innermost word on the stack that is a return address: rather one behind a call of this very function, where that
    /// can be told; then one behind a call of something unknown; one behind a call of another function last, which a tail
    /// call would explain. With whether it is one of the first kind.
    fn by_search(&self) -> Option<(Next, bool)> {
        let own = self.foreign.function_start(self.at.pc.lookup());
        let (_, limit) = self.stack(self.at.sp);
        let mut slot = Addr(self.at.sp.0.checked_next_multiple_of(WORD)?);
        let (mut unknown, mut other) = (None, None);
        let mut exact = None;
        for _ in 0..MAX_SCAN {
            let (Ok(back), true) = (self.walker.mem.ptr(slot), slot < limit) else { break };
            slot = slot.checked_add(WORD)?;
            let place = match (self.returns_from_c(back), own) {
                (None, _) => continue,
                (Some(CallBefore::Direct(target)), Some(own)) if target == own => &mut exact,
                (Some(CallBefore::Direct(_)), Some(_)) => &mut other,
                _ => &mut unknown,
            };
            place.get_or_insert((back, slot));
            if exact.is_some() || (own.is_none() && unknown.is_some()) {
                break;
            }
        }
        let (pc, sp) = exact.or(unknown).or(other)?;
        let mut registers = RegisterSet::at(pc, sp, Found::Scan);
        // Perhaps nobody has changed these; whoever uses one has to prove it.
        for number in CALLEE_SAVED {
            let value = self.registers.number(number).map(|r| crate::Register { value: r.value, found: Found::Scan });
            registers.set(number, value);
        }
        Some((Next { registers, pc, sp, found: Found::Scan }, exact.is_some()))
    }

    /// The return address that a call of an address without code pushed.
    fn popped(&self) -> Option<Next> {
        let pc = self.walker.mem.ptr(self.at.sp).ok()?;
        self.is_return_address(pc)?;
        let sp = self.at.sp.checked_add(WORD)?;
        let found = self.at.found.max(Found::FramePointer);
        let mut registers = RegisterSet::at(pc, sp, found);
        // Nothing has run since the call.
        for number in CALLEE_SAVED {
            registers.set(number, self.registers.number(number));
        }
        registers.set(RSP, Some(crate::Register { value: sp.0, found }));
        Some(Next { registers, pc, sp, found })
    }
}

/// A caller that was found.
struct Next {
    registers: RegisterSet,
    pc: Addr,
    sp: Addr,
    found: Found,
}
