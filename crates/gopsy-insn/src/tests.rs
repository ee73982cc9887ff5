//! Instructions assembled by hand from Intel's manual, volume 2: opcode, ModRM, SIB, displacement, immediate.

use super::*;
use proptest::prelude::*;

const AT: LinkAddr = LinkAddr(0x40_1000);

fn one(bytes: &[u8]) -> Insn<LinkAddr> {
    let mut decoder = Decoder::new(bytes, AT);
    let insn = decoder.next().expect("an instruction");
    assert_eq!(usize::from(insn.len()), bytes.len(), "{}", insn.text(Syntax::Intel));
    insn
}

fn whole(reg: Reg) -> RegPart {
    RegPart { reg, width: 8, high: false }
}

fn part(reg: Reg, width: u16) -> RegPart {
    RegPart { reg, width, high: false }
}

/// `[base + displacement]` of `size` bytes.
fn based(base: Reg, displacement: i64, size: u16) -> Mem<LinkAddr> {
    Mem { segment: None, base: Some(base), index: None, scale: 1, displacement, absolute: None, address_width: 8, size }
}

/// `[rip + …]`, which is `at`.
fn fixed(at: u64, size: u16) -> Mem<LinkAddr> {
    Mem {
        segment: None,
        base: None,
        index: None,
        scale: 1,
        displacement: 0,
        absolute: Some(LinkAddr(at)),
        address_width: 8,
        size,
    }
}

#[test]
fn relative_targets_count_from_the_next_instruction() {
    // E8 cd: call near. 0x401005 + 0x10.
    assert_eq!(one(&[0xe8, 0x10, 0, 0, 0]).flow(), Flow::Call(LinkAddr(0x40_1015)));
    // EB cb: jmp short. 0x401002 - 2.
    assert_eq!(one(&[0xeb, 0xfe]).flow(), Flow::Jump(AT));
    // E9 cd: jmp near. 0x401005 - 0x100.
    assert_eq!(one(&[0xe9, 0x00, 0xff, 0xff, 0xff]).flow(), Flow::Jump(LinkAddr(0x40_0f05)));
    // 76 cb: jbe short; 0F 86 cd: jbe near.
    assert_eq!(one(&[0x76, 0x7f]).flow(), Flow::Branch(LinkAddr(0x40_1081)));
    assert_eq!(one(&[0x0f, 0x86, 0, 1, 0, 0]).flow(), Flow::Branch(LinkAddr(0x40_1106)));
    // E2 cb: loop. E3 cb: jrcxz. C7 F8 cd: xbegin.
    assert_eq!(one(&[0xe2, 0]).flow(), Flow::Branch(LinkAddr(0x40_1002)));
    assert_eq!(one(&[0xe3, 0]).flow(), Flow::Branch(LinkAddr(0x40_1002)));
    assert_eq!(one(&[0xc7, 0xf8, 0, 0, 0, 0]).flow(), Flow::Branch(LinkAddr(0x40_1006)));
}

#[test]
fn where_a_memory_operand_is() {
    let registers = |known: &'static [(&str, u64)]| {
        move |reg: Reg| known.iter().find(|(name, _)| reg.to_string() == *name).map(|(_, value)| *value)
    };
    let place = |bytes: &[u8], known| one(bytes).mem().unwrap().0.place(&registers(known)).map(|at| at.0);
    // 8B /r: mov rax, [rcx+8]; mov eax, [rbx+rcx*4-1]; mov rax, [rip+0x10]; 64 …: mov rax, fs:[-8]; 67 …: mov eax, [ecx].
    assert_eq!(place(&[0x48, 0x8b, 0x41, 8], &[("rcx", 0)]), Some(8));
    assert_eq!(place(&[0x8b, 0x44, 0x8b, 0xff], &[("rbx", 0x1000), ("rcx", 3)]), Some(0x100b));
    assert_eq!(place(&[0x48, 0x8b, 0x05, 0x10, 0, 0, 0], &[]), Some(0x40_1017));
    let thread_local = [0x64, 0x48, 0x8b, 0x04, 0x25, 0xf8, 0xff, 0xff, 0xff];
    assert_eq!(place(&thread_local, &[("fs", 0x7000)]), Some(0x6ff8));
    assert_eq!(place(&[0x67, 0x8b, 0x01], &[("rcx", 0xffff_ffff_0000_0004)]), Some(4));
    // A register that nobody knows; the base of a thread's own memory is one.
    assert_eq!(place(&[0x8b, 0x44, 0x8b, 0xff], &[("rbx", 0x1000)]), None);
    assert_eq!(place(&thread_local, &[]), None);
    // C4 … 92: vgatherdps ymm, [rax+ymm*4]: many places.
    assert_eq!(place(&[0xc4, 0xe2, 0x6d, 0x92, 0x04, 0x88], &[("rax", 1), ("rcx", 1)]), None);
}

#[test]
fn flows_without_a_stated_target() {
    let flows: [(&[u8], Flow<LinkAddr>); 18] = [
        (&[0xff, 0xe0], Flow::IndirectJump),             // FF /4: jmp rax
        (&[0xff, 0x25, 0, 0, 0, 0], Flow::IndirectJump), // FF /4: jmp [rip+0]
        (&[0xff, 0xd1], Flow::IndirectCall),             // FF /2: call rcx
        (&[0xff, 0x15, 0, 0, 0, 0], Flow::IndirectCall), // FF /2: call [rip+0]
        (&[0xc3], Flow::Return),                         // C3: ret
        (&[0xc2, 8, 0], Flow::Return),                   // C2 iw: ret 8
        (&[0x48, 0xcf], Flow::Return),                   // REX.W CF: iretq
        (&[0xcc], Flow::Trap),                           // CC: int3
        (&[0xcd, 0x03], Flow::Trap),                     // CD ib: int 3
        (&[0x0f, 0x0b], Flow::Trap),                     // 0F 0B: ud2
        (&[0xf4], Flow::Trap),                           // F4: hlt
        (&[0x0f, 0x05], Flow::Syscall),                  // 0F 05: syscall
        (&[0xcd, 0x80], Flow::Syscall),                  // CD ib: int 0x80
        (&[0x90], Flow::Next),                           // 90: nop
        (&[0xf3, 0x90], Flow::Next),                     // F3 90: pause
        (&[0x0f, 0x01, 0xd5], Flow::Next),               // 0F 01 D5: xend
        (&[0xc6, 0xf8, 1], Flow::Next),                  // C6 F8 ib: xabort 1, nothing outside of a transaction
        (&[0xf3, 0x0f, 0x1e, 0xfa], Flow::Next),         // F3 0F 1E FA: endbr64
    ];
    for (bytes, flow) in flows {
        assert_eq!(one(bytes).flow(), flow, "{bytes:02x?}");
    }
}

#[test]
fn moves_between_registers_and_memory() {
    // 48 8B /r: mov r64, r/m64; ModRM 05: [rip+disp32]. 0x401007 + 0x100.
    let load = one(&[0x48, 0x8b, 0x05, 0, 1, 0, 0]);
    assert_eq!(
        load.operation(),
        Operation::Load { to: whole(Reg::Rax), from: fixed(0x40_1107, 8), extend: Extend::No }
    );
    assert_eq!(load.mem(), Some((fixed(0x40_1107, 8), Access::Read)));
    // 4C 89 /r: mov r/m64, r64; ModRM 54 SIB 24 disp8: [rsp+8], r10.
    assert_eq!(
        one(&[0x4c, 0x89, 0x54, 0x24, 8]).operation(),
        Operation::Store { to: based(Reg::Rsp, 8, 8), from: whole(Reg::R10) }
    );
    // 89 /r: mov r/m32, r32; ModRM D8: eax, ebx. The write clears the upper half.
    let moved = one(&[0x89, 0xd8]);
    assert_eq!(
        moved.operation(),
        Operation::Move { to: part(Reg::Rax, 4), from: part(Reg::Rbx, 4), extend: Extend::No }
    );
    assert_eq!(part(Reg::Rax, 4).written_width(), 8);
    assert_eq!(part(Reg::Rax, 2).written_width(), 2);
    assert_eq!(part(Reg::Vector(1), 4).written_width(), 4);
    // 88 /r: mov r/m8, r8; ModRM E0: al, ah.
    assert_eq!(
        one(&[0x88, 0xe0]).operation(),
        Operation::Move {
            to: part(Reg::Rax, 1),
            from: RegPart { reg: Reg::Rax, width: 1, high: true },
            extend: Extend::No
        }
    );
    // 0F B6 /r: movzx r32, r/m8; ModRM 08: ecx, [rax]. 48 0F BE /r: movsx; 48 63 /r: movsxd.
    assert_eq!(
        one(&[0x0f, 0xb6, 0x08]).operation(),
        Operation::Load { to: part(Reg::Rcx, 4), from: based(Reg::Rax, 0, 1), extend: Extend::Zero }
    );
    assert_eq!(
        one(&[0x48, 0x0f, 0xbe, 0xc1]).operation(),
        Operation::Move { to: whole(Reg::Rax), from: part(Reg::Rcx, 1), extend: Extend::Sign }
    );
    assert_eq!(
        one(&[0x48, 0x63, 0xc1]).operation(),
        Operation::Move { to: whole(Reg::Rax), from: part(Reg::Rcx, 4), extend: Extend::Sign }
    );
    // 0F 44 /r: cmove eax, ecx is none: it may not happen.
    let conditional = one(&[0x0f, 0x44, 0xc1]);
    assert_eq!(conditional.operation(), Operation::Other);
    assert!(conditional.effects().reads(Reg::Rax) && conditional.effects().writes(Reg::Rax));
    assert!(conditional.effects().reads(Reg::Flags) && !conditional.effects().writes(Reg::Flags));
    // 8E /r: mov fs, ax moves a selector, which is no value.
    assert_eq!(one(&[0x8e, 0xe0]).operation(), Operation::Other);
}

#[test]
fn moves_of_vectors() {
    // 0F 10 /r: movups xmm1, [rax]; 0F 11 /r: movups [rax], xmm15 (REX.R).
    assert_eq!(
        one(&[0x0f, 0x10, 0x08]).operation(),
        Operation::Load { to: part(Reg::Vector(1), 16), from: based(Reg::Rax, 0, 16), extend: Extend::No }
    );
    assert_eq!(
        one(&[0x44, 0x0f, 0x11, 0x38]).operation(),
        Operation::Store { to: based(Reg::Rax, 0, 16), from: part(Reg::Vector(15), 16) }
    );
    // F2 0F 10 /r: movsd xmm0, [rax] clears the upper half; between registers it keeps it and is no plain move.
    assert_eq!(
        one(&[0xf2, 0x0f, 0x10, 0x00]).operation(),
        Operation::Load { to: part(Reg::Vector(0), 16), from: based(Reg::Rax, 0, 8), extend: Extend::Zero }
    );
    assert_eq!(one(&[0xf2, 0x0f, 0x10, 0xc1]).operation(), Operation::Other);
    // 66 REX.W 0F 6E /r: movq xmm0, rax. F3 0F 7E /r: movq xmm0, xmm1, of which 8 bytes are taken.
    assert_eq!(
        one(&[0x66, 0x48, 0x0f, 0x6e, 0xc0]).operation(),
        Operation::Move { to: part(Reg::Vector(0), 16), from: whole(Reg::Rax), extend: Extend::Zero }
    );
    assert_eq!(one(&[0xf3, 0x0f, 0x7e, 0xc1]).operation(), Operation::Other);
    // C5 FE 6F /r: vmovdqu ymm0, [rsi].
    assert_eq!(
        one(&[0xc5, 0xfe, 0x6f, 0x06]).operation(),
        Operation::Load { to: part(Reg::Vector(0), 32), from: based(Reg::Rsi, 0, 32), extend: Extend::No }
    );
    // 45 0F 57 /r: xorps xmm15, xmm15; 0F EF of MMX registers is of no register that is told apart.
    assert_eq!(
        one(&[0x45, 0x0f, 0x57, 0xff]).operation(),
        Operation::Constant { to: part(Reg::Vector(15), 16), value: 0 }
    );
    assert_eq!(one(&[0x0f, 0xef, 0xc1]).operation(), Operation::Other);
}

#[test]
fn constants_and_zeroes() {
    // B8+r id: mov ecx, imm32; REX.W C7 /0 id: mov rax, sign-extended; REX.W B8 io: mov rax, imm64.
    assert_eq!(
        one(&[0xb9, 0xff, 0xff, 0xff, 0xff]).operation(),
        Operation::Constant { to: part(Reg::Rcx, 4), value: 0xffff_ffff }
    );
    assert_eq!(
        one(&[0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff]).operation(),
        Operation::Constant { to: whole(Reg::Rax), value: u64::MAX }
    );
    assert_eq!(
        one(&[0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8]).operation(),
        Operation::Constant { to: whole(Reg::Rax), value: 0x0807_0605_0403_0201 }
    );
    // C6 /0 ib: mov byte [rip+1], 0x80. 0x401007 + 1.
    assert_eq!(
        one(&[0xc6, 0x05, 1, 0, 0, 0, 0x80]).operation(),
        Operation::StoreConstant { to: fixed(0x40_1008, 1), value: 0x80 }
    );
    // 31 /r: xor eax, eax sets, and reads nothing; of two registers it is nothing plain.
    let zero = one(&[0x31, 0xc0]);
    assert_eq!(zero.operation(), Operation::Constant { to: part(Reg::Rax, 4), value: 0 });
    assert!(!zero.effects().reads(Reg::Rax) && zero.effects().writes(Reg::Rax) && zero.effects().writes(Reg::Flags));
    assert_eq!(one(&[0x31, 0xc8]).operation(), Operation::Other);
    assert_eq!(one(&[0x48, 0x29, 0xc0]).operation(), Operation::Constant { to: whole(Reg::Rax), value: 0 });
}

#[test]
fn addresses_and_comparisons() {
    // 48 8D /r: lea rdi, [rip-0x10]. 0x401007 - 0x10.
    let address = one(&[0x48, 0x8d, 0x3d, 0xf0, 0xff, 0xff, 0xff]);
    assert_eq!(address.operation(), Operation::Address { to: whole(Reg::Rdi), of: fixed(0x40_0ff7, 0) });
    assert_eq!(address.mem().map(|(_, access)| access), Some(Access::AddressOnly));
    assert!(address.effects().memory.iter().all(|used| used.access == Access::AddressOnly));
    // 48 8D /r: lea rax, [rbx+rcx*8-0x20].
    let of = Mem { index: Some(Reg::Rcx), scale: 8, ..based(Reg::Rbx, -0x20, 0) };
    assert_eq!(one(&[0x48, 0x8d, 0x44, 0xcb, 0xe0]).operation(), Operation::Address { to: whole(Reg::Rax), of });
    // 48 83 /7 ib: cmp qword [rip+0], -1 (sign-extended); 80 /7 ib: cmp byte [rax], 0xff; 3B /r: cmp ecx, [rax].
    assert_eq!(
        one(&[0x48, 0x83, 0x3d, 0, 0, 0, 0, 0xff]).operation(),
        Operation::Compare { left: Operand::Mem(fixed(0x40_1008, 8)), right: Operand::Constant(u64::MAX) }
    );
    let byte = one(&[0x80, 0x38, 0xff]);
    assert_eq!(byte.immediates().collect::<Vec<_>>(), [0xff]);
    assert_eq!(
        byte.operation(),
        Operation::Compare { left: Operand::Mem(based(Reg::Rax, 0, 1)), right: Operand::Constant(0xff) }
    );
    assert_eq!(
        one(&[0x3b, 0x08]).operation(),
        Operation::Compare { left: Operand::Reg(part(Reg::Rcx, 4)), right: Operand::Mem(based(Reg::Rax, 0, 4)) }
    );
}

#[test]
fn thread_local_and_plain_addresses() {
    // 64 48 8B 0C 25 disp32: mov rcx, fs:[-8], as Go finds g on linux/amd64.
    let g = one(&[0x64, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff]);
    let mem = Mem {
        segment: Some(Reg::Fs),
        base: None,
        index: None,
        scale: 1,
        displacement: -8,
        absolute: None,
        address_width: 8,
        size: 8,
    };
    assert_eq!(g.mem(), Some((mem, Access::Read)));
    assert!(g.effects().reads(Reg::Fs));
    // 8B 04 25 disp32: mov eax, [0x600000]; the data segment has no base to name.
    assert_eq!(one(&[0x8b, 0x04, 0x25, 0, 0, 0x60, 0]).mem(), Some((fixed(0x60_0000, 4), Access::Read)));
    // 67 8B 43 F8: mov eax, [ebx-8].
    let narrow = Mem { address_width: 4, ..based(Reg::Rbx, -8, 4) };
    assert_eq!(one(&[0x67, 0x8b, 0x43, 0xf8]).mem(), Some((narrow, Access::Read)));
    assert_eq!(one(&[0x67, 0x8b, 0x43, 0xf8]).effects().memory, [MemUse { mem: narrow, access: Access::Read }]);
}

#[test]
fn what_is_not_spelled_out() {
    // 50+r: push rax.
    let push = one(&[0x50]);
    assert_eq!(push.mem(), None);
    // Not of memory (push qword ptr [rbx]), and of no other instruction (pop rax).
    assert_eq!((push.pushed().map(|part| part.reg), one(&[0xff, 0x33]).pushed()), (Some(Reg::Rax), None));
    assert_eq!(one(&[0x58]).pushed(), None);
    let effects = push.effects();
    assert!(effects.reads(Reg::Rax) && effects.reads(Reg::Rsp) && effects.writes(Reg::Rsp));
    assert_eq!(effects.memory, [MemUse { mem: based(Reg::Rsp, -8, 8), access: Access::Write }]);
    // A call writes the return address and goes elsewhere; a plain move does not.
    let call = one(&[0xe8, 0, 0, 0, 0]).effects();
    assert_eq!(call.memory, [MemUse { mem: based(Reg::Rsp, -8, 8), access: Access::Write }]);
    assert!(call.writes(Reg::Rip) && !one(&[0x89, 0xd8]).effects().writes(Reg::Rip));
    // F3 48 AB: rep stosq.
    let stos = one(&[0xf3, 0x48, 0xab]).effects();
    assert!(stos.reads(Reg::Rax) && stos.writes(Reg::Rcx) && stos.writes(Reg::Rdi));
    assert!(stos.memory.iter().any(|used| used.mem.base == Some(Reg::Rdi) && used.access.writes()));
    // F0 48 0F C1 /r: lock xadd [rdx], rcx; 48 87 /r: xchg [rcx], rbx locks by itself; registers do not.
    let add = one(&[0xf0, 0x48, 0x0f, 0xc1, 0x0a]);
    assert_eq!(add.mem(), Some((based(Reg::Rdx, 0, 8), Access::ReadWrite)));
    assert!(add.is_locked() && one(&[0x48, 0x87, 0x19]).is_locked() && !one(&[0x48, 0x87, 0xd9]).is_locked());
    assert!(!one(&[0x48, 0x8b, 0x05, 0, 1, 0, 0]).is_locked());
}

#[test]
fn bytes_that_are_no_instruction_are_told_and_passed() {
    // 06 (push es) does not exist in 64-bit mode; 0F 05 follows; E8 is cut.
    let insns: Vec<_> = Decoder::new(&[0x06, 0x0f, 0x05, 0xe8, 0x00], AT).collect();
    let told: Vec<_> = insns.iter().map(|i| (i.address().0, i.len(), i.is_invalid())).collect();
    assert_eq!(told, [(0x40_1000, 1, true), (0x40_1001, 2, false), (0x40_1003, 1, true), (0x40_1004, 1, true)]);
    assert_eq!(insns[0].flow(), Flow::Invalid);
    assert_eq!(insns[0].operation(), Operation::Other);
    assert_eq!(insns[0].effects(), Effects::default());
    assert_eq!(insns[0].text(Syntax::Gnu), "(bad)");
    // Sixteen bytes of prefixes and an opcode are one more than the processor takes.
    let long = [0x66; 15].into_iter().chain([0x90]).collect::<Vec<u8>>();
    assert!(Decoder::new(&long, AT).next().unwrap().is_invalid());
    // The end of the address space is no end of anything.
    let last: Vec<_> = Decoder::new(&[0x90, 0x90], Addr(u64::MAX)).collect();
    assert_eq!(last[1].address(), Addr(0));
    assert_eq!(last[0].next_address(), Addr(0));
}

#[test]
fn text_for_people() {
    let load = one(&[0x48, 0x8b, 0x05, 0, 1, 0, 0]);
    assert_eq!(load.text(Syntax::Gnu), "mov 0x100(%rip),%rax # 0x401107");
    assert_eq!(load.text(Syntax::Intel), "mov rax, [rip+0x100] # 0x401107");
    assert_eq!(one(&[0x4c, 0x89, 0x54, 0x24, 8]).text(Syntax::Gnu), "mov %r10,0x8(%rsp)");
    assert_eq!(one(&[0xe8, 0x10, 0, 0, 0]).text(Syntax::Gnu), "call 0x401015");
    assert_eq!(one(&[0xe8, 0x10, 0, 0, 0]).text(Syntax::Intel), "call 0x401015");
}

proptest! {
    #[test]
    fn any_bytes_are_covered_without_a_gap(bytes in proptest::collection::vec(any::<u8>(), 0..64), at in any::<u64>()) {
        let mut next = at;
        let mut covered = 0;
        for insn in Decoder::new(&bytes, Addr(at)) {
            prop_assert_eq!(insn.address(), Addr(next));
            prop_assert!((1..=15).contains(&insn.len()));
            prop_assert_eq!(insn.is_invalid(), insn.flow() == Flow::Invalid);
            prop_assert!(!insn.is_invalid() || insn.len() == 1);
            let _ = (insn.operation(), insn.effects(), insn.mem(), insn.immediates().count(), insn.is_locked());
            prop_assert!(!insn.text(Syntax::Gnu).is_empty() && !insn.text(Syntax::Intel).is_empty());
            next = insn.next_address().0;
            covered += usize::from(insn.len());
        }
        prop_assert_eq!(covered, bytes.len());
    }
}
