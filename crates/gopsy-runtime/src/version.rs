//! Which Go version a program states.

use crate::variables::Variables;
use gopsy_image::{Image, Stated};
use gopsy_mem::LinkAddr;

/// Versions are short: `go1.27.3`, `devel go1.28-ab12cd Tue Nov …`.
const MAX_LENGTH: u64 = 128;

/// The Go version that a program states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedVersion {
    /// As it is written: `go1.27.3`.
    pub text: String,
    /// Where it stands.
    pub by: StatedBy,
}

/// What states a Go version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatedBy {
    /// The build information.
    BuildInformation,
    /// `runtime.buildVersion`, which the linker fills in and `runtime.Version` returns.
    Variable,
}

impl StatedVersion {
    /// By the build information; where that is not there, by the variable. `None` where neither says one.
    #[must_use]
    pub fn of(image: &Image) -> Option<StatedVersion> {
        let built = image.build_info().ok().map(|build| build.version).filter(|version| !version.is_empty());
        match built {
            Some(text) => Some(StatedVersion { text, by: StatedBy::BuildInformation }),
            None => Some(StatedVersion { text: variable(image)?, by: StatedBy::Variable }),
        }
    }
}

/// What `runtime.buildVersion` holds in the file.
fn variable(image: &Image) -> Option<String> {
    const NAME: &str = "runtime.buildVersion";
    image.pclntab().ok()?;
    let header = Variables::of(image, &[NAME]).found.get(NAME)?.address;
    let (text, len) = (LinkAddr(image.word(header)?), image.word(header.checked_add(8)?)?);
    let mut bytes = vec![0; usize::try_from(len).ok().filter(|_| (1..=MAX_LENGTH).contains(&len))?];
    let printable = image.fill(text, &mut bytes) && bytes.iter().all(|b| (b' '..=b'~').contains(b));
    let text = String::from_utf8(bytes).ok().filter(|_| printable)?;
    text.contains("go1.").then_some(text)
}
