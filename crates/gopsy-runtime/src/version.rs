//! Which Go version a program states.

use crate::variables::{Variables, printable};
use gopsy_image::Image;

/// Versions are short: `go1.27.3`, `devel go1.28-ab12cd Tue Nov …`.
const MAX_LENGTH: usize = 128;

/// The Go version that a program states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedVersion {
    /// As it is written: `go1.27.3`.
    pub text: String,
    /// Where it stands.
    pub by: StatedBy,
}

impl std::fmt::Display for StatedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            StatedBy::BuildInformation => "build information",
            StatedBy::Variable => "runtime.buildVersion, which the linker writes",
        })
    }
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
    // Only a Go program has it: another's symbols need not be read.
    image.pclntab().ok()?;
    let header = Variables::of(image, &[NAME]).found.get(NAME)?.address;
    let (_, text) = printable(image, header, MAX_LENGTH)?;
    text.contains("go1.").then_some(text)
}
