//! `kernel.core_pattern`: what becomes of a core.

use super::Outside;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the kernel does with a core (core(5), fs/coredump.c).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorePattern {
    /// Nothing. With `core_uses_pid` even an empty pattern gives files, named `.PID`.
    Empty,
    /// A file in the working directory of the process, which this text names.
    Relative(String),
    /// A file with an absolute path.
    Absolute(String),
    /// The standard input of a program, started as root in the first namespaces of the machine.
    Pipe {
        /// The program.
        program: PathBuf,
        /// The whole pattern.
        text: String,
    },
    /// A connection to a socket (Linux 6.16).
    Socket(String),
}

/// Programs that take cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handler {
    /// systemd-coredump(8).
    SystemdCoredump,
    /// Ubuntu's.
    Apport,
    /// Red Hat's.
    Abrt,
    /// What WSL brings along.
    Wsl,
    /// `/bin/false` and the like: a way to have no cores.
    Nothing,
    /// Anything else.
    Other,
}

impl CorePattern {
    /// Reads a pattern.
    #[must_use]
    pub fn parse(text: &str) -> CorePattern {
        if let Some(rest) = text.strip_prefix('|') {
            // The kernel splits at blanks; the first word is the program.
            let program = rest.split_whitespace().next().unwrap_or("");
            return CorePattern::Pipe { program: PathBuf::from(program), text: text.to_owned() };
        }
        match text.chars().next() {
            None => CorePattern::Empty,
            Some('@') => CorePattern::Socket(text.to_owned()),
            Some('/') => CorePattern::Absolute(text.to_owned()),
            Some(_) => CorePattern::Relative(text.to_owned()),
        }
    }

    /// The pattern as it was read.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            CorePattern::Empty => "",
            CorePattern::Relative(text)
            | CorePattern::Absolute(text)
            | CorePattern::Socket(text)
            | CorePattern::Pipe { text, .. } => text,
        }
    }

    /// The program behind a pipe.
    #[must_use]
    pub fn program(&self) -> Option<&Path> {
        match self {
            CorePattern::Pipe { program, .. } => Some(program),
            _ => None,
        }
    }

    /// Who takes the core.
    #[must_use]
    pub fn handler(&self) -> Option<Handler> {
        let program = self.program()?;
        let name = program.file_name().map(|n| n.to_string_lossy()).unwrap_or_default();
        Some(match name.as_ref() {
            "systemd-coredump" => Handler::SystemdCoredump,
            "apport" => Handler::Apport,
            "abrt-hook-ccpp" => Handler::Abrt,
            "wsl-capture-crash" => Handler::Wsl,
            "false" | "true" | "null" | "" => Handler::Nothing,
            _ => Handler::Other,
        })
    }

    /// A file beside the program that died.
    #[must_use]
    pub fn is_relative(&self) -> bool {
        matches!(self, CorePattern::Relative(_) | CorePattern::Empty)
    }

    /// A second core gets another name than the first.
    #[must_use]
    pub fn tells_processes_apart(&self) -> bool {
        // %% is no directive.
        let text = self.text().replace("%%", "");
        ["%p", "%P", "%i", "%I", "%t"].iter().any(|d| text.contains(d))
    }

    /// The directory that cores go to, if it follows from the pattern. `working` stands for that of the process.
    pub(super) fn directory(&self, working: &Path) -> Option<PathBuf> {
        match self {
            CorePattern::Empty => Some(working.to_owned()),
            CorePattern::Relative(text) => match text.rsplit_once('/') {
                None => Some(working.to_owned()),
                Some((directory, _)) if !directory.contains('%') => Some(working.join(directory)),
                Some(_) => None,
            },
            CorePattern::Absolute(text) => match text.rsplit_once('/') {
                Some(("", _)) => Some(PathBuf::from("/")),
                Some((directory, _)) if !directory.contains('%') => Some(PathBuf::from(directory)),
                _ => None,
            },
            CorePattern::Pipe { .. } => match self.handler()? {
                Handler::SystemdCoredump => Some(PathBuf::from("/var/lib/systemd/coredump")),
                Handler::Apport => Some(PathBuf::from("/var/lib/apport/coredump")),
                Handler::Abrt => Some(PathBuf::from("/var/spool/abrt")),
                Handler::Wsl | Handler::Nothing | Handler::Other => None,
            },
            CorePattern::Socket(_) => None,
        }
    }
}

/// coredump.conf(5): what systemd-coredump keeps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SystemdCoredump {
    /// `Storage=`, where it is set: `none`, `external`, `journal`.
    pub storage: Option<String>,
    /// `ExternalSizeMax=`, where it is set, as it is written.
    pub external_size_max: Option<String>,
    /// `ProcessSizeMax=`, where it is set, as it is written.
    pub process_size_max: Option<String>,
    /// A file that could not be read, and why: what is said above may be wrong then.
    pub unread: Option<String>,
}

impl SystemdCoredump {
    /// Reads the first main file and the drop-ins by name, those of `/etc` before those of the same name elsewhere.
    pub(super) fn read(outside: &Outside<'_>) -> SystemdCoredump {
        const PLACES: [&str; 4] = ["/etc", "/run", "/usr/local/lib", "/usr/lib"];
        let mut files: Vec<String> = Vec::new();
        let main = PLACES.iter().map(|p| format!("{p}/systemd/coredump.conf")).find(|p| outside.exists(p));
        files.extend(main);
        let mut drop_ins: BTreeMap<String, String> = BTreeMap::new();
        let mut out = SystemdCoredump::default();
        for place in PLACES {
            let directory = format!("{place}/systemd/coredump.conf.d");
            let entries = match std::fs::read_dir(outside.at(&directory)) {
                Ok(entries) => entries,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => {
                    out.unread = Some(format!("{directory} cannot be read: {}", super::words(&e)));
                    continue;
                }
            };
            for entry in entries.take(1000).flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.ends_with(".conf") {
                    drop_ins.entry(name.clone()).or_insert_with(|| format!("{directory}/{name}"));
                }
            }
        }
        files.extend(drop_ins.into_values());
        for file in files {
            let text = outside.text(&file);
            match text.value() {
                Some(text) => out.take(text),
                // A link to /dev/null switches a drop-in off.
                None if std::fs::canonicalize(outside.at(&file)).is_ok_and(|p| p.ends_with("dev/null")) => {}
                None => out.unread = text.why(),
            }
        }
        out
    }

    fn take(&mut self, text: &str) {
        let mut inside = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                inside = line == "[Coredump]";
            } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
                let value = Some(value.trim().to_owned()).filter(|v| !v.is_empty());
                match key.trim() {
                    "Storage" => self.storage = value,
                    "ExternalSizeMax" => self.external_size_max = value,
                    "ProcessSizeMax" => self.process_size_max = value,
                    _ => {}
                }
            }
        }
    }
}
