//! What a debuginfod server would be asked. Nothing is asked here: that is for who holds a [`Fetch`].

use gopsy_image::hex;
use std::path::PathBuf;

/// Which file of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Artifact {
    /// The executable or shared object.
    Executable,
    /// Its debug information.
    DebugInfo,
}

/// A file that a debuginfod server may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The GNU build id.
    pub build_id: Vec<u8>,
    /// Which file.
    pub artifact: Artifact,
}

impl Request {
    /// The path of the request: `/buildid/<hex>/executable` (debuginfod(8), webapi).
    #[must_use]
    pub fn path(&self) -> String {
        let artifact = match self.artifact {
            Artifact::Executable => "executable",
            Artifact::DebugInfo => "debuginfo",
        };
        format!("/buildid/{}/{artifact}", hex(&self.build_id))
    }

    /// The URL on a server, as `DEBUGINFOD_URLS` names servers.
    #[must_use]
    pub fn url(&self, server: &str) -> String {
        format!("{}{}", server.trim_end_matches('/'), self.path())
    }
}

/// Gets files by build id from somewhere. What it brings is compared like any other file.
pub trait Fetch {
    /// A local copy of the file.
    ///
    /// # Errors
    /// Why there is none, for a person.
    fn fetch(&self, request: &Request) -> Result<PathBuf, String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_of_debuginfod() {
        let mut request = Request { build_id: vec![0x0a, 0xbc], artifact: Artifact::Executable };
        assert_eq!(request.url("http://localhost:8002/"), "http://localhost:8002/buildid/0abc/executable");
        request.artifact = Artifact::DebugInfo;
        assert_eq!(request.url("https://debug.example"), "https://debug.example/buildid/0abc/debuginfo");
    }
}
