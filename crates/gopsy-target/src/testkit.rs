//! A builder of core files for tests. It shares no code with the reader.

pub(crate) struct CoreFile {
    notes: Vec<u8>,
    loads: Vec<(u64, u64, u32, Vec<u8>)>,
    more_notes: Vec<Vec<u8>>,
    notes_last: bool,
    extended: bool,
    pub(crate) machine: u16,
}

impl CoreFile {
    pub(crate) fn new() -> Self {
        let (notes, loads, more_notes) = (Vec::new(), Vec::new(), Vec::new());
        CoreFile { notes, loads, more_notes, notes_last: false, extended: false, machine: 62 }
    }

    pub(crate) fn arm64() -> Self {
        CoreFile { machine: 183, ..CoreFile::new() }
    }

    pub(crate) fn note(mut self, owner: &str, kind: u32, desc: &[u8]) -> Self {
        // What has no owner has no NUL behind it either.
        let owner = if owner.is_empty() { Vec::new() } else { [owner.as_bytes(), &[0]].concat() };
        self.notes.extend((owner.len() as u32).to_le_bytes());
        self.notes.extend((desc.len() as u32).to_le_bytes());
        self.notes.extend(kind.to_le_bytes());
        self.notes.extend(owner);
        while !self.notes.len().is_multiple_of(4) {
            self.notes.push(0);
        }
        self.notes.extend(desc);
        while !self.notes.len().is_multiple_of(4) {
            self.notes.push(0);
        }
        self
    }

    /// A thread whose registers are its number times their index.
    pub(crate) fn thread(self, tid: u32, signal: u16) -> Self {
        self.thread_of("CORE", tid, signal)
    }

    pub(crate) fn thread_of(self, owner: &str, tid: u32, signal: u16) -> Self {
        let count = if self.machine == 183 { 34 } else { 27 };
        let mut desc = vec![0u8; 112 + 8 * count as usize + 8];
        desc[12..14].copy_from_slice(&signal.to_le_bytes());
        desc[32..36].copy_from_slice(&tid.to_le_bytes());
        for register in 0..count {
            let at = 112 + 8 * register as usize;
            desc[at..at + 8].copy_from_slice(&(u64::from(tid) * register).to_le_bytes());
        }
        self.note(owner, 1, &desc)
    }

    pub(crate) fn files(self, files: &[(u64, u64, u64, &str)]) -> Self {
        let mut desc = (files.len() as u64).to_le_bytes().to_vec();
        desc.extend(0x1000u64.to_le_bytes());
        for (start, end, page, _) in files {
            for word in [start, end, page] {
                desc.extend(word.to_le_bytes());
            }
        }
        for (_, _, _, path) in files {
            desc.extend(path.bytes());
            desc.push(0);
        }
        self.note("CORE", 0x4649_4c45, &desc)
    }

    pub(crate) fn auxv(self, pairs: &[(u64, u64)]) -> Self {
        let desc: Vec<u8> = pairs.iter().flat_map(|(k, v)| [k.to_le_bytes(), v.to_le_bytes()].concat()).collect();
        self.note("CORE", 6, &desc)
    }

    /// Memory of `size` bytes of which the core holds `data`.
    pub(crate) fn memory(mut self, address: u64, size: u64, flags: u32, data: &[u8]) -> Self {
        self.loads.push((address, size, flags, data.to_vec()));
        self
    }

    /// The notes so far become a segment of their own; later ones go to another.
    pub(crate) fn split_notes(mut self) -> Self {
        self.more_notes.push(std::mem::take(&mut self.notes));
        self
    }

    /// As gcore has it: the notes behind the memory.
    pub(crate) fn notes_last(mut self) -> Self {
        self.notes_last = true;
        self
    }

    /// As the kernel has it for more than 65,534 mappings: their number stands in a section header at the end.
    pub(crate) fn extended(mut self) -> Self {
        self.extended = true;
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let groups: Vec<&Vec<u8>> = self.more_notes.iter().chain([&self.notes]).collect();
        let count = self.loads.len() + groups.len();
        let mut pieces: Vec<(u32, u32, u64, u64, &[u8])> = Vec::new();
        pieces.extend(self.loads.iter().map(|(address, size, flags, data)| (1, *flags, *address, *size, &data[..])));
        let place = if self.notes_last { pieces.len() } else { 0 };
        for group in groups.iter().rev() {
            pieces.insert(place, (4, 0, 0, 0, &group[..]));
        }
        let mut offset = 64 + 56 * count;
        let end = offset + pieces.iter().map(|p| p.4.len()).sum::<usize>();

        let mut out = b"\x7fELF\x02\x01\x01".to_vec();
        out.resize(16, 0);
        out.extend(4u16.to_le_bytes());
        out.extend(self.machine.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        out.extend(0u64.to_le_bytes());
        out.extend(64u64.to_le_bytes());
        out.extend((if self.extended { end as u64 } else { 0 }).to_le_bytes());
        out.extend([0; 4]);
        let (programs, sections) = if self.extended { (0xffff, 1) } else { (count as u16, 0) };
        for half in [64, 56, programs, 64, sections, 0] {
            out.extend(half.to_le_bytes());
        }
        for (kind, flags, address, memory, data) in &pieces {
            out.extend(kind.to_le_bytes());
            out.extend(flags.to_le_bytes());
            for word in [offset as u64, *address, 0, data.len() as u64, *memory, 0] {
                out.extend(word.to_le_bytes());
            }
            offset += data.len();
        }
        for piece in &pieces {
            out.extend(piece.4);
        }
        if self.extended {
            let mut section = [0u8; 64];
            section[44..48].copy_from_slice(&(count as u32).to_le_bytes());
            out.extend(section);
        }
        out
    }
}
