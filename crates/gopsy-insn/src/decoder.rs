//! From bytes to instructions.

use crate::{Address, Insn};
use iced_x86::DecoderOptions;
use std::marker::PhantomData;

/// The instructions of some bytes, one behind the other.
///
/// It ends when the bytes do. An instruction that the end cuts in two is given as invalid bytes.
pub struct Decoder<'a, A: Address> {
    raw: iced_x86::Decoder<'a>,
    kind: PhantomData<A>,
}

impl<'a, A: Address> Decoder<'a, A> {
    /// Decodes `bytes`, the first of which stands at `address`. Beyond the end of the address space, addresses begin
    /// again at 0, as the processor's do.
    #[must_use]
    pub fn new(bytes: &'a [u8], address: A) -> Self {
        let raw = iced_x86::Decoder::with_ip(64, bytes, address.number(), DecoderOptions::NONE);
        Decoder { raw, kind: PhantomData }
    }
}

impl<A: Address> Iterator for Decoder<'_, A> {
    type Item = Insn<A>;

    fn next(&mut self) -> Option<Insn<A>> {
        if !self.raw.can_decode() {
            return None;
        }
        let (position, address) = (self.raw.position(), self.raw.ip());
        let insn = Insn::of(self.raw.decode(), address);
        if insn.is_invalid() {
            // The disassembler has passed all bytes that it looked at.
            self.raw.set_ip(address.wrapping_add(1));
            self.raw.try_set_position(position.checked_add(1)?).ok()?;
        }
        Some(insn)
    }
}

impl<A: Address> std::iter::FusedIterator for Decoder<'_, A> {}

impl<A: Address> std::fmt::Debug for Decoder<'_, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decoder at {:#x}", self.raw.ip())
    }
}
