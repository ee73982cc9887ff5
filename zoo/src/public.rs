//! Large public programs, which die under load: `programs.toml`.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::Specimen;
use crate::watch::Watched;

/// A program of the Go module proxy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicProgram {
    pub name: String,
    /// What it adds to the specimens.
    pub why: String,
    /// The path of its package main.
    pub package: String,
    /// By Go version, the version of its module that this Go version builds.
    pub versions: BTreeMap<String, String>,
    /// Its arguments. `{port}` stands for a free port of the loopback, which is then asked for `/` by several clients.
    pub args: Vec<String>,
    /// How long it works before the signal.
    pub seconds: u64,
    pub signal: String,
}

/// Clients that ask at the same time.
const CLIENTS: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    program: Vec<PublicProgram>,
}

impl PublicProgram {
    /// The programs of the zoo that this crate was built from.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn all() -> Result<Vec<Self>> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs.toml");
        let written = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let File { program } = toml::from_str(&written).with_context(|| file.display().to_string())?;
        Ok(program)
    }

    /// One run of it, with a port of its own.
    pub(crate) fn errand(&self) -> Result<Errand<'_>> {
        let asked = self.args.iter().any(|a| a.contains("{port}"));
        // The port is free again when the listener is dropped; that another takes it at once is unlikely.
        let port = if asked { Some(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port()) } else { None };
        let number = port.map_or(String::new(), |p| p.to_string());
        Ok(Errand { program: self, port, args: self.args.iter().map(|a| a.replace("{port}", &number)).collect() })
    }
}

/// One run of a public program.
pub(crate) struct Errand<'a> {
    program: &'a PublicProgram,
    port: Option<u16>,
    pub(crate) args: Vec<String>,
}

impl Errand<'_> {
    /// Gives it work for a while, and then the signal.
    pub(crate) fn run(&self, watched: &mut Watched) -> Result<()> {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..self.port.map_or(0, |_| CLIENTS) {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        // It may not listen yet, and at the end not any more.
                        if self.port.and_then(|port| ask(port).ok()).is_none() {
                            thread::sleep(Duration::from_millis(20));
                        }
                    }
                });
            }
            thread::sleep(Duration::from_secs(self.program.seconds));
            let sent = watched.send(&self.program.signal);
            over.store(true, Ordering::Relaxed);
            sent
        })
    }
}

fn ask(port: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

/// What can be made to leave a core.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    Specimen(&'a Specimen),
    Program(&'a PublicProgram),
}

impl<'a> Subject<'a> {
    pub fn name(self) -> &'a str {
        match self {
            Self::Specimen(specimen) => &specimen.name,
            Self::Program(program) => &program.name,
        }
    }

    /// Whether it is built with cgo in every mode.
    pub fn needs_cgo(self) -> bool {
        match self {
            Self::Specimen(specimen) => specimen.needs_cgo(),
            Self::Program(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CORE_VERSIONS;

    #[test]
    fn every_program_is_for_versions_that_there_are() {
        let programs = PublicProgram::all().unwrap();
        assert!(programs.len() >= 2);
        for program in programs {
            assert!(!program.versions.is_empty() && program.why.len() > 20, "{}", program.name);
            for (go, version) in &program.versions {
                assert!(CORE_VERSIONS.contains(&go.as_str()) && version.starts_with('v'), "{}: {go}", program.name);
            }
        }
    }

    #[test]
    fn a_port_is_filled_in() {
        let programs = PublicProgram::all().unwrap();
        for program in programs {
            let errand = program.errand().unwrap();
            assert!(!errand.args.concat().contains("{port}"), "{}", program.name);
            assert_eq!(errand.port.is_some(), program.args.concat().contains("{port}"), "{}", program.name);
        }
    }
}
