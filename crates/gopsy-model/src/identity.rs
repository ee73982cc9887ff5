//! Which program it was.

use crate::{Known, Str};

/// What is known about the program as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The Go release (`go1.27.3`).
    pub go_version: Known<Str>,
    /// GOOS.
    pub os: Known<Str>,
    /// GOARCH.
    pub arch: Known<Str>,
    /// Path of the main module or, where only that shows, of the main package.
    pub module: Known<Str>,
    /// Build id.
    pub build_id: Known<Str>,
    /// Process id.
    pub pid: Known<u64>,
}

impl Default for Identity {
    fn default() -> Self {
        Identity {
            go_version: Known::not_printed(),
            os: Known::not_printed(),
            arch: Known::not_printed(),
            module: Known::not_printed(),
            build_id: Known::not_printed(),
            pid: Known::not_printed(),
        }
    }
}
