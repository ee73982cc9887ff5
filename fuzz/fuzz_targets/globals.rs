//! Functions in which the runtime's variables are looked for, made from the recipes themselves and then damaged, and
//! functions of any bytes. What is found is a variable, by recipes that speak of it, and no two share an address; one
//! undamaged function gives away all that its recipe says.
#![no_main]

use arbitrary::Arbitrary;
use gopsy_image::Machine;
use gopsy_mem::LinkAddr;
use gopsy_runtime::globals::{Answer, Code, FunctionCode, Globals, Step};
use std::collections::HashSet;

const FUNCTION: u64 = 0x1000;
const VARIABLES: u64 = 0x100_0000;

#[derive(Arbitrary, Debug)]
struct Input {
    functions: Vec<Function>,
    /// A damage each: which function, where, how.
    damages: Vec<(u8, u8, u8)>,
}

#[derive(Arbitrary, Debug)]
enum Function {
    /// Made from a recipe, its variables at these places.
    Shaped(u8, [u8; 4]),
    /// Of the name of a recipe's function.
    Bytes(u8, Vec<u8>),
}

#[derive(Default)]
struct Program(Vec<(&'static str, Vec<u8>)>);

impl Program {
    /// Where the function stands, which is added where there is none.
    fn callee(&mut self, name: &'static str) -> u64 {
        let index = self.0.iter().position(|(other, _)| *other == name).unwrap_or_else(|| {
            self.0.push((name, vec![0xc3]));
            self.0.len() - 1
        });
        FUNCTION * index as u64
    }

    fn shaped(&mut self, recipe: usize, places: [u8; 4]) {
        let recipe = &Globals::recipes()[recipe % Globals::recipes().len()];
        let at = FUNCTION * self.0.len() as u64;
        self.0.push((recipe.function, Vec::new()));
        let mut code: Vec<u8> = Vec::new();
        for step in recipe.steps {
            let (opcode, target): (&[u8], u64) = match *step {
                Step::Start | Step::End | Step::Gap => continue,
                Step::Load(size, var, offset) => {
                    (load(size), VARIABLES + 256 * u64::from(places[var as usize]) + offset)
                }
                Step::Touch(size, var) => (load(size), VARIABLES + 256 * u64::from(places[var as usize])),
                Step::Store(size, var, offset) => {
                    (store(size), VARIABLES + 256 * u64::from(places[var as usize]) + offset)
                }
                Step::Lea(var, offset) => {
                    (&[0x48, 0x8d, 0x05], VARIABLES + 256 * u64::from(places[var as usize]) + offset)
                }
                Step::Call(names) => (&[0xe8], self.callee(names[0])),
            };
            code.extend_from_slice(opcode);
            let next = at + code.len() as u64 + 4;
            code.extend_from_slice(&(target as u32).wrapping_sub(next as u32).to_le_bytes());
        }
        code.push(0xc3);
        self.0[(at / FUNCTION) as usize].1 = code;
    }
}

/// `mov` between a register and `[rip + disp32]`.
fn load(size: u16) -> &'static [u8] {
    match size {
        1 => &[0x8a, 0x05],
        4 => &[0x8b, 0x05],
        _ => &[0x48, 0x8b, 0x05],
    }
}

fn store(size: u16) -> &'static [u8] {
    match size {
        1 => &[0x88, 0x05],
        4 => &[0x89, 0x05],
        _ => &[0x48, 0x89, 0x05],
    }
}

impl Code for Program {
    fn machine(&self) -> Machine {
        Machine::X86_64
    }

    fn functions(&self, name: &str) -> Vec<FunctionCode<'_>> {
        let all = self.0.iter().enumerate().filter(|(_, (other, _))| *other == name);
        all.map(|(i, (_, code))| FunctionCode { entry: LinkAddr(FUNCTION * i as u64), bytes: code }).collect()
    }

    fn is_variable(&self, at: LinkAddr) -> bool {
        (VARIABLES..2 * VARIABLES).contains(&at.0)
    }
}

libfuzzer_sys::fuzz_target!(|input: Input| {
    let mut program = Program::default();
    for function in input.functions.iter().take(64) {
        match function {
            Function::Shaped(recipe, places) => program.shaped(usize::from(*recipe), *places),
            Function::Bytes(recipe, bytes) => {
                let recipes = Globals::recipes();
                program.0.push((recipes[usize::from(*recipe) % recipes.len()].function, bytes.clone()));
            }
        }
    }
    for (function, at, change) in &input.damages {
        let count = program.0.len().max(1);
        if let Some((_, code)) = program.0.get_mut(usize::from(*function) % count)
            && let Some(byte) = code.get_mut(usize::from(*at))
        {
            *byte ^= change;
        }
    }
    let globals = Globals::find(&program);
    let mut seen = HashSet::new();
    for (name, answer) in globals.iter() {
        if let Answer::Found { address, by } = answer {
            assert!(program.is_variable(*address));
            assert!(seen.insert(*address), "{name} shares {address}");
            assert!(!by.is_empty() && by.iter().all(|recipe| recipe.finds.iter().any(|(_, found)| *found == name)));
        }
        assert_eq!(globals.address(name).value().is_some(), matches!(answer, Answer::Found { .. }));
    }
    if let ([Function::Shaped(recipe, places)], []) = (&input.functions[..], &input.damages[..])
        && HashSet::from(*places).len() == places.len()
    {
        let recipe = &Globals::recipes()[usize::from(*recipe) % Globals::recipes().len()];
        for (var, name) in recipe.finds {
            let at = LinkAddr(VARIABLES + 256 * u64::from(places[*var as usize]));
            assert_eq!(globals.address(name).value(), Some(&at), "{name} by {}: {recipe}", recipe.function);
        }
    }
});
