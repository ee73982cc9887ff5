//! ELF notes (`PT_NOTE`): build ids in executables, threads in cores.

use crate::bytes;

/// One note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note<'a> {
    /// Who defined its type (`GNU`, `Go`, `CORE`, `LINUX`), without the NULs behind it.
    pub owner: &'a [u8],
    /// Its type, a number of the owner's.
    pub kind: u32,
    /// Its contents.
    pub desc: &'a [u8],
    /// Where `desc` begins, in bytes from the start of the notes.
    pub desc_offset: u64,
}

/// The notes of one segment or section. Ends at the first one that is cut off.
#[derive(Debug, Clone)]
pub struct Notes<'a> {
    data: &'a [u8],
    at: u64,
    align: u64,
    /// Set when the notes ended in the middle of one.
    truncated: bool,
}

impl<'a> Notes<'a> {
    /// Notes in `data`. `align` is the segment's `p_align`: 8 is 8, everything else counts as 4, as the kernel,
    /// gdb and Go's linker have it.
    #[must_use]
    pub fn new(data: &'a [u8], align: u64) -> Self {
        Notes { data, at: 0, align: if align == 8 { 8 } else { 4 }, truncated: false }
    }

    /// Whether the notes ended in the middle of one. Meaningful after the last.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    fn parse(&mut self) -> Option<Note<'a>> {
        let namesz = u64::from(bytes::u32(self.data, self.at)?);
        let descsz = u64::from(bytes::u32(self.data, self.at.checked_add(4)?)?);
        let kind = bytes::u32(self.data, self.at.checked_add(8)?)?;
        let name_at = self.at.checked_add(12)?;
        let desc_at = name_at.checked_add(namesz)?.checked_next_multiple_of(self.align)?;
        let owner = bytes::slice(self.data, name_at, namesz)?;
        // Go writes its owner as "Go" with two NULs and counts both; others count one.
        let owner = owner.split(|b| *b == 0).next().unwrap_or(owner);
        let desc = bytes::slice(self.data, desc_at, descsz)?;
        self.at = desc_at.checked_add(descsz)?.checked_next_multiple_of(self.align)?;
        Some(Note { owner, kind, desc, desc_offset: desc_at })
    }
}

impl<'a> Iterator for Notes<'a> {
    type Item = Note<'a>;

    fn next(&mut self) -> Option<Note<'a>> {
        if bytes::tail(self.data, self.at).is_none_or(<[u8]>::is_empty) {
            return None;
        }
        let note = self.parse();
        if note.is_none() {
            self.truncated = true;
            self.at = u64::MAX;
        }
        note
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(owner: &[u8], kind: u32, desc: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend((owner.len() as u32 + 1).to_le_bytes());
        out.extend((desc.len() as u32).to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend(owner);
        out.push(0);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(desc);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    #[test]
    fn notes_in_order_with_padding() {
        // The linker of Go counts two NULs in the owner's name.
        let data = [note(b"CORE", 1, b"abcde"), note(b"GNU", 3, b"id"), note(b"Go\0", 4, b"")].concat();
        let got: Vec<_> = Notes::new(&data, 4).map(|n| (n.owner.to_vec(), n.kind, n.desc.to_vec())).collect();
        assert_eq!(
            got,
            [
                (b"CORE".to_vec(), 1, b"abcde".to_vec()),
                (b"GNU".to_vec(), 3, b"id".to_vec()),
                (b"Go".to_vec(), 4, Vec::new()),
            ]
        );
    }

    #[test]
    fn every_truncation_ends() {
        let data = [note(b"CORE", 1, &[7; 40]), note(b"GNU", 3, b"id")].concat();
        for len in 0..data.len() {
            let mut notes = Notes::new(&data[..len], 0);
            assert!(notes.by_ref().count() <= 2);
        }
        let mut lying = Notes::new(&[0xff; 64], 4);
        assert_eq!(lying.next(), None);
        assert!(lying.truncated());
    }
}
