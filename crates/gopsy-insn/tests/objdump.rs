//! Every instruction of a large Go program beside GNU's disassembler: where each begins, where each branch goes.
//!
//! The program is the go command itself. Where there is no Go or no `objdump` the test says so and is skipped; with `zoo`
//! in `GOPSY_REQUIRE` a skip is a failure.

use gopsy_insn::{Decoder, Flow};
use gopsy_mem::LinkAddr;
use gopsy_testing::{NEWEST, Toolchain, say, skip};
use object::{Object, ObjectSection};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// One line of `objdump -d`: address, mnemonic with its prefixes, the first operand.
fn parse(line: &str) -> Option<(u64, &str)> {
    let (address, rest) = line.split_once(":\t")?;
    Some((u64::from_str_radix(address.trim(), 16).ok()?, rest))
}

/// Where objdump says that a direct branch goes: the last word that is a bare number, on lines of branches.
fn target(text: &str) -> Option<u64> {
    let text = text.split(" <").next()?;
    let mut words =
        text.split_whitespace().skip_while(|w| matches!(*w, "bnd" | "notrack" | "data16" | "rex.W" | "addr32"));
    let mnemonic = words.next()?.trim_end_matches(",pt").trim_end_matches(",pn");
    let branches = ["call", "callq", "jmp", "jmpq", "loop", "loope", "loopne", "xbegin"];
    let conditional = mnemonic.starts_with('j') && !mnemonic.starts_with("jmp");
    if !(branches.contains(&mnemonic) || conditional) {
        return None;
    }
    u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok()
}

#[test]
fn same_boundaries_and_targets_as_objdump() {
    let go = match Toolchain::find(NEWEST) {
        Ok(go) => go.goroot.join("bin/go"),
        Err(why) => return skip("zoo", &why),
    };
    let objdump = Command::new("objdump")
        .args(["-d", "-w", "-z", "--no-show-raw-insn", "-j", ".text"])
        .arg(&go)
        .stdout(Stdio::piped())
        .spawn();
    let mut objdump = match objdump {
        Ok(child) => child,
        Err(error) => return skip("zoo", &format!("objdump does not run: {error}")),
    };
    let file = std::fs::read(&go).expect("the go command");
    let elf = object::File::parse(&*file).expect("an ELF file");
    let text = elf.section_by_name(".text").expect("a text section");
    let bytes = text.data().expect("its bytes");

    let lines = BufReader::new(objdump.stdout.take().expect("its output")).lines().map(|l| l.expect("text"));
    let mut theirs = lines.filter_map(|line| parse(&line).map(|(at, text)| (at, text.to_owned())));
    let mut ours = Decoder::new(bytes, LinkAddr(text.address()));
    let (mut insns, mut branches, mut apart) = (0u64, 0u64, 0u64);
    let (mut mine, mut other) = (ours.next(), theirs.next());
    // Data between functions (a signature of crypto/internal/boring) is no code: gopsy goes on behind one byte, objdump
    // behind as many as it looked at. From there until they meet again nothing is compared.
    let mut lost = false;
    while let (Some(insn), Some((at, words))) = (mine, &other) {
        if insn.address().0 != *at {
            assert!(lost, "{}: objdump has {words} at {at:#x}", insn.address());
            apart += 1;
            if insn.address().0 < *at {
                mine = ours.next()
            } else {
                other = theirs.next()
            }
            continue;
        }
        lost = words.contains("(bad)");
        assert_eq!(insn.is_invalid(), lost, "{at:#x}: {words}");
        let goes = match insn.flow() {
            Flow::Jump(to) | Flow::Branch(to) | Flow::Call(to) => Some(to.0),
            _ => None,
        };
        assert_eq!(goes, target(words), "{at:#x}: {words}");
        insns += 1;
        branches += u64::from(goes.is_some());
        (mine, other) = (ours.next(), theirs.next());
    }
    assert_eq!(mine.map(|i| i.address()), None, "objdump ends early");
    assert_eq!(other, None, "objdump has more");
    objdump.wait().expect("its end");
    say(&format!("{insns} instructions, {branches} branches; {apart} instructions apart behind bytes that are none\n"));
    assert!(apart < 100, "{apart} instructions were not compared");
    assert!(branches > 100_000, "the go command has more branches than {branches}");
}
