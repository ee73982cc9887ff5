//! The core that the repository has, with its binary.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// `core` or `nilfield` (its binary) of the core tier: `crates/gopsy-program/tests/core`, unpacked.
///
/// # Panics
/// When there is no such file.
#[must_use]
pub fn recorded(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gopsy-program/tests/core");
    let mut unpacked = Vec::new();
    let read = || ruzstd::decoding::StreamingDecoder::new(File::open(folder.join(format!("{name}.zst"))).ok()?).ok();
    let whole = read().and_then(|mut decoder| decoder.read_to_end(&mut unpacked).ok());
    assert!(whole.is_some(), "{name}.zst in {} cannot be read", folder.display());
    unpacked
}
