//! Patterns on events made by hand, and a program whose functions are assembled by hand from Intel's manual.

use super::events::Event;
use super::pattern::{self, Step, Var};
use super::*;

const AT: fn(u64) -> LinkAddr = LinkAddr;

fn found(steps: &[Step], events: &[Event]) -> Vec<[u64; 2]> {
    let fits = pattern::fits(steps, events).expect("few enough to try");
    fits.iter().map(|b| [Var::A, Var::B].map(|var| var.of(*b).map_or(0, |at| at.0))).collect()
}

#[test]
fn steps_follow_each_other_unless_there_is_a_gap() {
    let events = [Event::Load(8, AT(0x10)), Event::Call("x"), Event::Lea(AT(0x20)), Event::Store(4, AT(0x30))];
    assert_eq!(found(&[Step::Load(8, Var::A, 0), Step::Lea(Var::B, 0)], &events), [] as [[u64; 2]; 0]);
    assert_eq!(found(&[Step::Load(8, Var::A, 0), Step::Gap, Step::Lea(Var::B, 0)], &events), [[0x10, 0x20]]);
    assert_eq!(
        found(&[Step::Load(8, Var::A, 0), Step::Call(&["y", "x"]), Step::Lea(Var::B, 8)], &events),
        [[0x10, 0x18]]
    );
    // Sizes and kinds count.
    assert!(found(&[Step::Load(4, Var::A, 0)], &events).is_empty());
    assert!(found(&[Step::Store(8, Var::A, 0)], &events).is_empty());
    assert_eq!(found(&[Step::Touch(8, Var::A)], &events), [[0x10, 0], [0x20, 0]]);
    // Anchors.
    assert!(found(&[Step::Start, Step::Lea(Var::A, 0)], &events).is_empty());
    assert!(found(&[Step::Lea(Var::A, 0), Step::End], &events).is_empty());
    assert_eq!(found(&[Step::Store(4, Var::A, 0), Step::End], &events), [[0x30, 0]]);
    // An address below the offset is none.
    assert!(found(&[Step::Load(8, Var::A, 0x11)], &events).is_empty());
}

#[test]
fn one_variable_is_one_address_and_every_fit_is_told() {
    let events = [Event::Lea(AT(1)), Event::Lea(AT(2)), Event::Lea(AT(1)), Event::Lea(AT(2))];
    assert!(found(&[Step::Lea(Var::A, 0), Step::Lea(Var::A, 0)], &events).is_empty());
    assert_eq!(found(&[Step::Lea(Var::A, 0), Step::Gap, Step::Lea(Var::A, 0)], &events), [[1, 0], [2, 0]]);
}

#[test]
fn a_search_that_would_take_long_is_given_up() {
    let events = vec![Event::Lea(AT(1)); 2000];
    let steps = [Step::Lea(Var::A, 0), Step::Gap, Step::Lea(Var::A, 0), Step::Gap, Step::Load(8, Var::A, 0)];
    assert_eq!(pattern::fits(&steps, &events), None);
}

/// Code at 0x1000, one function every 0x100 bytes, variables from 0x8000 on.
#[derive(Default)]
struct Program {
    functions: Vec<(&'static str, Vec<u8>)>,
    machine: Option<Machine>,
}

const LEA_RAX: [u8; 3] = [0x48, 0x8d, 0x05]; // REX.W 8D /r, ModRM 05: lea rax, [rip+disp32]
const LOAD_RCX: [u8; 3] = [0x48, 0x8b, 0x0d]; // REX.W 8B /r: mov rcx, [rip+disp32]
const STORE_RCX: [u8; 3] = [0x48, 0x89, 0x0d]; // REX.W 89 /r: mov [rip+disp32], rcx
const CALL: [u8; 1] = [0xe8]; // E8 cd

impl Program {
    fn entry(index: usize) -> u64 {
        0x1000 + 0x100 * index as u64
    }

    /// Adds a function of relative instructions: opcode and target.
    fn with(mut self, name: &'static str, insns: &[(&[u8], u64)]) -> Self {
        let mut code = Vec::new();
        for (opcode, target) in insns {
            let next = Self::entry(self.functions.len()) + (code.len() + opcode.len() + 4) as u64;
            code.extend_from_slice(opcode);
            code.extend_from_slice(&(*target as u32).wrapping_sub(next as u32).to_le_bytes());
        }
        code.push(0xc3);
        self.functions.push((name, code));
        self
    }
}

impl Code for Program {
    fn machine(&self) -> Machine {
        self.machine.unwrap_or(Machine::X86_64)
    }

    fn functions(&self, name: &str) -> Vec<FunctionCode<'_>> {
        let all = self.functions.iter().enumerate().filter(|(_, (other, _))| *other == name);
        all.map(|(i, (_, code))| FunctionCode { entry: AT(Self::entry(i)), bytes: code }).collect()
    }

    fn is_variable(&self, at: LinkAddr) -> bool {
        (0x8000..0x9000).contains(&at.0)
    }
}

fn address(globals: &Globals, name: &str) -> Option<u64> {
    globals.address(name).into_value().map(|at| at.0)
}

const LOCK: u64 = 0x1000;
const UNLOCK: u64 = 0x1100;

fn locks() -> Program {
    Program::default().with("runtime.lock2", &[]).with("runtime.unlock2", &[])
}

/// `forEachG` as every release since 1.17 has it, and a wrapper of the same name.
fn with_for_each_g(program: Program, allgs: u64) -> Program {
    program.with("runtime.forEachG", &[(&CALL, 0x1300)]).with(
        "runtime.forEachG",
        &[
            (&LEA_RAX, 0x8100),
            (&CALL, LOCK),
            (&LOAD_RCX, allgs),
            (&LOAD_RCX, allgs + 8),
            // A constant and a function that nobody asked for lie between.
            (&LEA_RAX, 0x7000),
            (&CALL, 0x7777),
            (&LEA_RAX, 0x8100),
            (&CALL, UNLOCK),
        ],
    )
}

/// `allgadd` as it was up to Go 1.20.
fn with_allgadd(program: Program, allgs: u64) -> Program {
    let words = [(&LOAD_RCX[..], allgs + 8), (&LOAD_RCX, allgs), (&LOAD_RCX, allgs + 16)];
    let begin = [(&LEA_RAX[..], 0x8100), (&CALL, LOCK)];
    let end = [(&STORE_RCX[..], allgs + 8), (&LEA_RAX, 0x8300), (&LEA_RAX, 0x8100), (&CALL, UNLOCK)];
    program.with("runtime.allgadd", &[&begin[..], &words, &end].concat())
}

#[test]
fn two_recipes_that_agree_are_one_answer() {
    let globals = Globals::find(&with_allgadd(with_for_each_g(locks(), 0x8200), 0x8200));
    assert_eq!(address(&globals, "runtime.allgs"), Some(0x8200));
    assert_eq!(address(&globals, "runtime.allglock"), Some(0x8100));
    assert_eq!(address(&globals, "runtime.allglen"), Some(0x8300));
    let Some(Answer::Found { by, .. }) = globals.get("runtime.allgs") else { unreachable!("it was found") };
    let functions: Vec<_> = by.iter().map(|recipe| recipe.function).collect();
    assert_eq!(functions, ["runtime.forEachG", "runtime.allgadd"]);
    assert_eq!(globals.address("runtime.allgs").trust(), Some(Trust::Inferred));
}

#[test]
fn recipes_that_contradict_each_other_lose_all_they_say() {
    let globals = Globals::find(&with_allgadd(with_for_each_g(locks(), 0x8200), 0x8400));
    assert!(matches!(globals.get("runtime.allgs"), Some(Answer::Withheld(Withheld::Contradiction(_)))));
    // Both said the same of the lock; neither is believed. A third recipe for it, of allgadd's end, still is.
    let Some(Answer::Found { by, .. }) = globals.get("runtime.allglock") else { unreachable!("it was found") };
    assert!(by.iter().all(|recipe| recipe.finds.iter().all(|(_, name)| *name != "runtime.allgs")));
    assert!(globals.address("runtime.allgs").missing().is_some());
}

#[test]
fn what_is_not_known_is_withheld_with_its_reason() {
    let nothing = Globals::find(&Program::default());
    assert!(nothing.iter().all(|(_, answer)| *answer == Answer::Withheld(Withheld::NoFunction)));
    let other = Globals::find(&locks().with("runtime.forEachG", &[(&LEA_RAX, 0x8100), (&CALL, LOCK)]));
    assert_eq!(other.get("runtime.allgs"), Some(&Answer::Withheld(Withheld::NoFit)));
    // Constants are no variables, whatever the shape.
    let constants = Globals::find(&with_for_each_g(locks(), 0x7200));
    assert_eq!(constants.get("runtime.allgs"), Some(&Answer::Withheld(Withheld::NoFit)));
    assert_eq!(nothing.get("runtime.nosuch"), None);
}

#[test]
fn other_machines_have_no_recipes() {
    let program = Program { machine: Some(Machine::Aarch64), ..with_for_each_g(locks(), 0x8200) };
    let globals = Globals::find(&program);
    assert!(globals.iter().all(|(_, answer)| *answer == Answer::Withheld(Withheld::OtherMachine)));
    assert!(globals.get("runtime.allgs").is_some());
}

#[test]
fn two_variables_at_one_address_are_none() {
    // preemptall says that allp stands where forEachG has allgs.
    let program = with_for_each_g(locks(), 0x8200).with("runtime.preemptone", &[]);
    let preemptone = Program::entry(program.functions.len() - 1);
    let twice = [(&LOAD_RCX[..], 0x8200), (&LOAD_RCX, 0x8208), (&CALL, preemptone)];
    let globals = Globals::find(&program.with("runtime.preemptall", &twice));
    for name in ["runtime.allgs", "runtime.allp"] {
        assert!(matches!(globals.get(name), Some(Answer::Withheld(Withheld::Contradiction(_)))), "{name}");
    }
    assert_eq!(address(&globals, "runtime.allglock"), Some(0x8100));
}

#[test]
fn the_documentation_has_every_recipe() {
    let documentation = include_str!("../globals.rs");
    let short = |name: &'static str| name.strip_prefix("runtime.").unwrap_or(name);
    let rows = Globals::recipes().iter().map(|recipe| {
        let finds: Vec<String> = recipe.finds.iter().map(|(var, name)| format!("{} {var:?}", short(name))).collect();
        let (function, finds) = (short(recipe.function), finds.join(", "));
        format!("//! | {finds} | `{function}` | `{}` | {recipe} | {} |\n", recipe.source, recipe.note)
    });
    let rows: String = rows.collect();
    assert!(documentation.contains(&rows), "the table must be:\n{rows}");
}
