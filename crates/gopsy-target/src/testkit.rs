//! A builder of core files for tests. It shares no code with the reader.

pub(crate) struct CoreFile {
    notes: Vec<u8>,
    loads: Vec<(u64, u64, u32, Vec<u8>)>,
    pub(crate) machine: u16,
}

impl CoreFile {
    pub(crate) fn new() -> Self {
        CoreFile { notes: Vec::new(), loads: Vec::new(), machine: 62 }
    }

    pub(crate) fn note(mut self, owner: &str, kind: u32, desc: &[u8]) -> Self {
        self.notes.extend((owner.len() as u32 + 1).to_le_bytes());
        self.notes.extend((desc.len() as u32).to_le_bytes());
        self.notes.extend(kind.to_le_bytes());
        self.notes.extend(owner.bytes());
        self.notes.push(0);
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
        let mut desc = vec![0u8; 336];
        desc[12..14].copy_from_slice(&signal.to_le_bytes());
        desc[32..36].copy_from_slice(&tid.to_le_bytes());
        for register in 0..27u64 {
            let at = 112 + 8 * register as usize;
            desc[at..at + 8].copy_from_slice(&(u64::from(tid) * register).to_le_bytes());
        }
        self.note("CORE", 1, &desc)
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

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = b"\x7fELF\x02\x01\x01".to_vec();
        out.resize(16, 0);
        out.extend(4u16.to_le_bytes());
        out.extend(self.machine.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        out.extend(0u64.to_le_bytes());
        out.extend(64u64.to_le_bytes());
        out.extend([0; 12]);
        for half in [64, 56, self.loads.len() as u16 + 1, 0, 0, 0] {
            out.extend(half.to_le_bytes());
        }
        let mut offset = 64 + 56 * (self.loads.len() + 1);
        let mut header = |kind: u32, flags: u32, address: u64, file: usize, memory: u64| {
            out.extend(kind.to_le_bytes());
            out.extend(flags.to_le_bytes());
            out.extend((offset as u64).to_le_bytes());
            out.extend(address.to_le_bytes());
            out.extend([0; 8]);
            out.extend((file as u64).to_le_bytes());
            out.extend(memory.to_le_bytes());
            out.extend(0u64.to_le_bytes());
            offset += file;
        };
        header(4, 0, 0, self.notes.len(), 0);
        for (address, size, flags, data) in &self.loads {
            header(1, *flags, *address, data.len(), *size);
        }
        out.extend(&self.notes);
        for (_, _, _, data) in &self.loads {
            out.extend(data);
        }
        out
    }
}
