//! Bytes that are changed for one case and put back for the next: a copy of a core for every case would take longer than
//! reading it.

use std::sync::Arc;

use gopsy_image::Bytes;

/// The bytes of a file, of which the first `len` are there.
#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    len: usize,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A core or a binary that is mutated.
#[derive(Debug)]
pub(super) struct Victim {
    file: Arc<Held>,
    /// What stood there before, in the order of the changes.
    undo: Vec<(usize, Vec<u8>)>,
}

impl Victim {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { file: Arc::new(Held { len: bytes.len(), bytes }), undo: Vec::new() }
    }

    /// The bytes as they are now. All that reads them must be gone before they are changed again.
    pub(super) fn share(&self) -> Bytes {
        Arc::clone(&self.file) as Bytes
    }

    pub(super) fn len(&self) -> usize {
        self.file.bytes.len()
    }

    pub(super) fn is_changed(&self) -> bool {
        !self.undo.is_empty() || self.file.len < self.file.bytes.len()
    }

    /// What stands there, as far as there is something.
    pub(super) fn bytes(&self, at: usize, len: usize) -> &[u8] {
        let bytes = &self.file.bytes;
        &bytes[at.min(bytes.len())..at.saturating_add(len).min(bytes.len())]
    }

    /// Writes over what stands there, as far as the file goes.
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let before = self.bytes(at, bytes.len()).to_vec();
        if let Some(file) = Arc::get_mut(&mut self.file) {
            let at = at.min(file.bytes.len());
            file.bytes[at..][..before.len()].copy_from_slice(&bytes[..before.len()]);
            self.undo.push((at, before));
        }
    }

    /// Lets the file end there.
    pub(super) fn cut(&mut self, len: usize) {
        if let Some(file) = Arc::get_mut(&mut self.file) {
            file.len = file.len.min(len);
        }
    }

    /// Puts everything back.
    ///
    /// # Panics
    /// When somebody still reads the bytes: all cases behind would be others than their numbers say.
    pub(super) fn restore(&mut self) {
        let file = Arc::get_mut(&mut self.file).expect("the answers of a case are dropped before the next one");
        for (at, before) in self.undo.drain(..).rev() {
            file.bytes[at..][..before.len()].copy_from_slice(&before);
        }
        file.len = file.bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_put_back() {
        let mut victim = Victim::new((0..100).collect());
        victim.write(10, &[0; 8]);
        victim.write(14, &[1; 8]);
        victim.write(98, &[7; 8]);
        victim.cut(50);
        victim.write(60, &[9; 8]);
        victim.write(200, &[9; 8]);
        {
            let shared = victim.share();
            assert_eq!((*shared).as_ref().len(), 50);
            assert_eq!(&(*shared).as_ref()[9..23], [9, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 22]);
        }
        assert!(victim.is_changed());
        victim.restore();
        assert!(!victim.is_changed());
        assert_eq!(victim.bytes(0, 200), (0..100).collect::<Vec<u8>>());
    }
}
