//! A function as a list of stretches of code that share a line: what pclntab says of a whole function at once.

use super::{FUNCDATA_INL_TREE, Func, PCDATA_INL_TREE_INDEX, bytes, text};
use gopsy_mem::LinkAddr;

/// A stretch of code of one line. Where a function is inlined, the file and the line are those of the innermost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineRun {
    /// Where it begins.
    pub start: LinkAddr,
    /// The first address behind it.
    pub end: LinkAddr,
    /// The number of the file among those of the function's package; for [`Func::file_of`].
    pub file: Option<u32>,
    /// The line.
    pub line: Option<u32>,
    /// It belongs to a function that was inlined.
    pub inlined: bool,
}

impl Func<'_> {
    /// The whole function in stretches, by address. Shorter than the function where a table is damaged.
    #[must_use]
    pub fn line_runs(&self) -> Vec<LineRun> {
        let tree = self.funcdata(FUNCDATA_INL_TREE).and_then(|_| self.pcdata_table(PCDATA_INL_TREE_INDEX));
        let size = self.end.offset_from(self.entry).unwrap_or(0);
        let (mut file, mut inline) = (self.steps(self.pcfile).peekable(), self.steps(tree.unwrap_or(0)).peekable());
        let mut runs: Vec<LineRun> = Vec::new();
        let mut at = 0;
        for (line_end, line) in self.steps(self.pcln) {
            while at < line_end {
                while file.next_if(|(end, _)| *end <= at).is_some() {}
                while inline.next_if(|(end, _)| *end <= at).is_some() {}
                let ends = [file.peek(), inline.peek()].into_iter().flatten().map(|(end, _)| *end);
                let end = ends.chain([line_end, size]).min().unwrap_or(line_end);
                let stretch = self.entry.checked_add(at).zip(self.entry.checked_add(end));
                let Some((start, stop)) = stretch.filter(|_| end > at) else { return runs };
                runs.push(LineRun {
                    start,
                    end: stop,
                    file: file.peek().and_then(|(_, number)| u32::try_from(*number).ok()),
                    line: u32::try_from(line).ok(),
                    inlined: inline.peek().is_some_and(|(_, index)| *index >= 0),
                });
                at = end;
            }
        }
        runs
    }

    /// The name of a file of this function's package.
    #[must_use]
    pub fn file_of(&self, number: u32) -> Option<String> {
        bytes::c_string(self.table.files(), u64::from(self.file_offset(number)?)).map(text)
    }

    /// The file's own number in the whole table: two functions of different packages share it if they share the file.
    #[must_use]
    pub fn file_offset(&self, number: u32) -> Option<u32> {
        let index = u64::from(self.unit_offset).checked_add(u64::from(number))?.checked_mul(4)?;
        bytes::u32(self.table.units(), index).filter(|o| *o != u32::MAX)
    }

    pub(super) fn pcdata_table(&self, table: u32) -> Option<u32> {
        if table >= self.pcdata_count {
            return None;
        }
        bytes::u32(self.table.functions(), self.arrays.checked_add(u64::from(table).checked_mul(4)?)?)
    }
}
