//! Files by their build id from debuginfod servers. Nobody is asked unless a [`Finder`](super::Finder) has a [`Fetch`].

use super::open;
use crate::http;
use gopsy_image::hex;
use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Which file of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Artifact {
    /// The executable or shared object.
    Executable,
    /// Its debug information.
    DebugInfo,
}

impl Artifact {
    fn as_str(self) -> &'static str {
        match self {
            Artifact::Executable => "executable",
            Artifact::DebugInfo => "debuginfo",
        }
    }
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
        format!("/buildid/{}/{}", hex(&self.build_id), self.artifact.as_str())
    }

    /// The URL on a server, as `DEBUGINFOD_URLS` names servers.
    #[must_use]
    pub fn url(&self, server: &str) -> String {
        format!("{}{}", server.trim_end_matches('/'), self.path())
    }
}

/// Gets files by build id from somewhere. What it brings is compared like any other file.
pub trait Fetch: fmt::Debug + Send + Sync {
    /// A local copy of the file.
    ///
    /// # Errors
    /// Why there is none, for a person.
    fn fetch(&self, request: &Request) -> Result<PathBuf, String>;
}

/// How long a server may think before it answers: as long as elfutils' own client waits (debuginfod_find_debuginfo(3)).
const ANSWER: Duration = Duration::from_secs(90);
/// How long a file may take to arrive, the answer included.
const ALL: Duration = Duration::from_secs(1800);
/// A larger file is not taken.
const MAX_FILE: u64 = 8 << 30;

/// Servers, and the folder in which what they sent is kept. It has the form of elfutils' cache, so that what gdb or another client
/// has fetched is not fetched again.
#[derive(Debug)]
pub struct Debuginfod {
    servers: Vec<String>,
    cache: PathBuf,
    agent: ureq::Agent,
    /// Those of which a call failed: they are not called again.
    silent: Mutex<HashSet<String>>,
}

impl Debuginfod {
    /// These servers, in order; words as in `DEBUGINFOD_URLS`, and a folder.
    ///
    /// # Errors
    /// When no server is among the words that can be spoken to.
    pub fn new(words: &str, cache: PathBuf) -> Result<Self, String> {
        let spoken = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
        let servers: Vec<String> = words.split_whitespace().filter(spoken).map(str::to_owned).collect();
        if servers.is_empty() {
            return Err(format!("{words:?} names no server (http:// or https://)"));
        }
        Ok(Debuginfod { servers, cache, agent: http::agent(ANSWER, ALL), silent: Mutex::default() })
    }

    /// The folder that elfutils' client keeps what it fetched in, by the values of `DEBUGINFOD_CACHE_PATH`, `XDG_CACHE_HOME` and
    /// `HOME` (debuginfod_find_debuginfo(3)).
    #[must_use]
    pub fn cache_folder(own: Option<PathBuf>, xdg: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
        let named = |path: &PathBuf| !path.as_os_str().is_empty();
        let of_xdg = || xdg.filter(named).or_else(|| Some(home.filter(named)?.join(".cache")));
        own.filter(named).or_else(|| Some(of_xdg()?.join("debuginfod_client")))
    }

    fn ask(&self, server: &str, request: &Request, to: &Path) -> Result<(), String> {
        let silent = || self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if silent().contains(server) {
            return Err("it is not called again".to_owned());
        }
        let response = self.agent.get(&request.url(server)).call().map_err(|error| match error {
            ureq::Error::StatusCode(404) => "it does not have it".to_owned(),
            ureq::Error::StatusCode(status) => format!("it answers with status {status}"),
            error => {
                silent().insert(server.to_owned());
                error.to_string()
            }
        })?;
        keep(response.into_body().into_reader(), &request.build_id, to).map_err(|error| error.to_string())
    }
}

impl Fetch for Debuginfod {
    fn fetch(&self, request: &Request) -> Result<PathBuf, String> {
        let to = self.cache.join(hex(&request.build_id)).join(request.artifact.as_str());
        // An empty file is how elfutils' client notes that a server did not have it.
        if fs::metadata(&to).is_ok_and(|meta| meta.is_file() && meta.len() > 0) {
            return Ok(to);
        }
        let mut failed = Vec::new();
        for server in &self.servers {
            match self.ask(server, request, &to) {
                Ok(()) => return Ok(to),
                Err(why) => failed.push(format!("{server}: {why}")),
            }
        }
        Err(failed.join("; "))
    }
}

/// Writes what a server sends beside its place, and puts it there if it is what was asked for.
fn keep(body: impl Read, build_id: &[u8], to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // It is removed when it is not kept.
    let mut part = tempfile::NamedTempFile::new_in(folder)?;
    let written = io::copy(&mut body.take(MAX_FILE), part.as_file_mut())?;
    if written == MAX_FILE {
        return Err(io::Error::other(format!("it sends more than {} GiB", MAX_FILE >> 30)));
    }
    let image = open(part.path()).map_err(io::Error::other)?;
    if image.build_id().is_none_or(|id| id.bytes != build_id) {
        return Err(io::Error::other("what it sends is another build"));
    }
    part.persist(to).map_err(|failed| failed.error)?;
    Ok(())
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

    #[test]
    fn servers_are_those_that_can_be_spoken_to() {
        let servers = |words: &str| Debuginfod::new(words, PathBuf::new()).map(|d| d.servers);
        let both = servers("http://a/  ima:enforcing https://b file:///c").unwrap();
        assert_eq!(both, ["http://a/", "https://b"]);
        assert!(servers("").is_err() && servers("file:///c").is_err());
    }

    #[test]
    fn what_is_fetched_is_kept_where_elfutils_looks() {
        let folder = |own: &str, xdg: &str, home: &str| {
            Debuginfod::cache_folder(Some(own.into()), Some(xdg.into()), Some(home.into()))
        };
        assert_eq!(folder("/own", "/xdg", "/home/me"), Some("/own".into()));
        assert_eq!(folder("", "/xdg", "/home/me"), Some("/xdg/debuginfod_client".into()));
        assert_eq!(folder("", "", "/home/me"), Some("/home/me/.cache/debuginfod_client".into()));
        assert_eq!(folder("", "", ""), None);
    }
}
