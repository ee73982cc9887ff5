//! Why something was not seen: "there is none" may only be said where somebody looked.

use crate::{Locator, Witness};
use gopsy_image::ImageError;

/// Why calls in the code could not be looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unseen {
    /// There is no list of functions.
    #[error("Go's functions cannot be listed: {0}")]
    NoTable(ImageError),
    /// The code is of a machine whose instructions are not decoded.
    #[error("only instructions of amd64 are decoded so far")]
    Machine,
    /// The place lies in no Go function.
    #[error("it lies in no function of pclntab, and only these are looked through")]
    NoFunction,
    /// The file does not hold the code of the function, or it is too long.
    #[error("the code of the function cannot be read")]
    NoCode,
}

impl Locator<'_> {
    /// Whether calls can be looked for at all.
    pub(crate) fn looks_for_calls(&self) -> Result<(), Unseen> {
        if let Err(error) = &self.table {
            return Err(Unseen::NoTable(error.clone()));
        }
        if self.decodes() { Ok(()) } else { Err(Unseen::Machine) }
    }

    /// The sources that could not be asked for the functions or, with `lines`, for the lines of this file, each with the
    /// reason: what nobody knew may stand there.
    #[must_use]
    pub fn unread(&self, lines: bool) -> Vec<(Witness, String)> {
        let mut unread = Vec::new();
        if let Err(error) = &self.table {
            unread.push((Witness::Pclntab, error.to_string()));
        }
        if lines {
            if let Err(error) = self.code_info() {
                unread.push((Witness::LineTable, error.to_string()));
            }
            return unread;
        }
        let symbols = self.image.symbol_table();
        if symbols.is_empty() || symbols.only_dynamic() {
            unread.push((Witness::Symbols, "the file has no symbol table".to_owned()));
        }
        unread
    }
}
