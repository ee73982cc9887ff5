//! Errors.

use crate::Cut;

/// Why a question to a file has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Another kind of file.
    #[error("it is not an ELF file")]
    NotElf,
    /// It contradicts itself or ends too early.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// What was asked for may have stood behind its end.
    #[error("{0}")]
    Cut(Cut),
    /// It is well formed, but gopsy cannot read this kind yet.
    #[error("not supported yet: {0}")]
    NotSupported(String),
    /// It lacks this part.
    #[error("the file has no {0}")]
    Absent(&'static str),
}

impl ImageError {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        ImageError::Damaged(what.into())
    }

    pub(crate) fn not_supported(what: impl Into<String>) -> Self {
        ImageError::NotSupported(what.into())
    }
}
