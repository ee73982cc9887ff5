//! Any bytes as the code of the functions in which the runtime's variables are looked for: what is found is a variable,
//! by recipes that speak of it, and no two share an address.
#![no_main]

use gopsy_mem::LinkAddr;
use gopsy_runtime::globals::{Answer, Code, FunctionCode, Globals};
use std::borrow::Cow;
use std::collections::HashSet;

/// Functions stand every 0x1000 bytes; what lies from `variables` on can be written.
struct Program {
    functions: Vec<(&'static str, Vec<u8>)>,
    variables: u64,
}

impl Code for Program {
    fn functions(&self, name: &str) -> Vec<FunctionCode<'_>> {
        let all = self.functions.iter().enumerate().filter(|(_, (other, _))| *other == name);
        all.map(|(i, (_, code))| FunctionCode { entry: LinkAddr(0x1000 * i as u64), bytes: Cow::Borrowed(code) })
            .collect()
    }

    fn is_variable(&self, at: LinkAddr) -> bool {
        at.0 >= self.variables
    }
}

libfuzzer_sys::fuzz_target!(|input: (u64, Vec<(u8, Vec<u8>)>)| {
    let (variables, functions) = input;
    let recipes = Globals::recipes();
    let functions = functions.into_iter().map(|(i, code)| (recipes[usize::from(i) % recipes.len()].function, code));
    let program = Program { functions: functions.collect(), variables };
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
});
