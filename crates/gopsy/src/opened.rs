//! From a TARGET to a program's file: an executable, or a core with the executable that belongs to it.

use crate::target::{Binary, called};
use anyhow::{Context, Result, anyhow};
use gopsy_image::{BuildInfo, Image, Machine};
use gopsy_mem::Bias;
use gopsy_target::Core;
use gopsy_target::finder::{self, Finder, Tried};
use gopsy_target::input::{self, Input};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An executable, perhaps with a process that ran it.
pub(crate) struct Opened {
    /// The executable and where it is; why there is none.
    pub(crate) program: Result<(PathBuf, Arc<Image>), Tried>,
    /// The process.
    pub(crate) core: Option<Core>,
    /// How the executable was found, for a core.
    pub(crate) how: Option<String>,
    /// It is proved to be the one that wrote the core.
    pub(crate) proved: bool,
    /// Where other files of the process are looked for.
    pub(crate) finder: Finder,
    /// What must be said before all else: that it is not the one that was named.
    pub(crate) alarm: Option<String>,
    /// What a person should know of the executable.
    pub(crate) notes: Vec<String>,
}

impl Opened {
    /// Opens an executable or a core. The executable of a core is looked for where the core says, beside it, and where the
    /// command line says.
    pub(crate) fn open(target: &str, binary: &Binary) -> Result<Opened> {
        Opened::open_by(target, binary, finder::open)
    }

    /// As [`Opened::open`], also an executable of 32 bits.
    pub(crate) fn open_any(target: &str, binary: &Binary) -> Result<Opened> {
        Opened::open_by(target, binary, finder::open_any)
    }

    fn open_by(target: &str, binary: &Binary, open: fn(&Path) -> Result<Image, String>) -> Result<Opened> {
        let finder = binary.finder()?;
        let neither = || anyhow!("{} is neither an ELF executable nor a core", called(target));
        if input::is_url(target) {
            return Err(neither());
        }
        let file = match input::open(target)? {
            Input::Executable(path) => {
                let image = open(&path).map_err(|why| anyhow!("cannot read {}: {why}", called(target)))?;
                let notes = image.cut().map(|cut| cut.to_string()).into_iter().collect();
                finder.supply_debug(&image, &path);
                let program = Ok((path, Arc::new(image)));
                return Ok(Opened { program, core: None, how: None, proved: true, finder, alarm: None, notes });
            }
            Input::Core(file) => file,
            Input::Text(_) | Input::Folder(_) => {
                return Err(neither());
            }
        };
        let mut core = file.open().with_context(|| format!("cannot read the core {}", called(target)))?;
        let finder = finder.near(&core);
        let (mut alarm, mut notes) = (None, Vec::new());
        let mut proved = false;
        let (program, how) = match finder.program(&mut core) {
            Ok(found) => {
                alarm = finder.alarm(&found);
                notes.extend(found.remarks.iter().cloned());
                proved = found.proved();
                if !proved {
                    notes.push(finder::unproved(&found.path, found.id));
                }
                core.attach(&found.image);
                let how = format!("{}; {}", found.how, found.id);
                (Ok((found.path, found.image)), Some(how))
            }
            Err(tried) => (Err(tried), None),
        };
        Ok(Opened { program, core: Some(core), how, proved, finder, alarm, notes })
    }

    /// What is added to a stated address to have the one in the process; zero for a file.
    pub(crate) fn bias(&self) -> Result<Bias> {
        match (&self.core, &self.program) {
            (Some(core), Ok((path, image))) => core.bias(image).ok_or_else(|| {
                anyhow!("the core does not say where {} was loaded: it has no auxiliary vector", path.display())
            }),
            _ => Ok(Bias::ZERO),
        }
    }
}

/// GOOS and GOARCH, as far as they are known: the file names the machine; the system only Go's build settings (Go 1.18+),
/// and a core, since only Linux writes such.
pub(crate) struct Platform {
    pub(crate) os: Option<String>,
    pub(crate) arch: Option<String>,
}

impl Platform {
    pub(crate) fn of(image: &Image, build: Option<&BuildInfo>, of_core: bool) -> Platform {
        let setting = |key| build.and_then(|b| b.setting(key)).map(str::to_owned);
        Platform {
            os: setting("GOOS").or_else(|| of_core.then(|| "linux".to_owned())),
            arch: image.machine().goarch().map(str::to_owned).or_else(|| setting("GOARCH")),
        }
    }

    /// Only Linux writes cores like these.
    pub(crate) fn of_core(core: &Core) -> Platform {
        Platform { os: Some("linux".to_owned()), arch: core.machine().goarch().map(str::to_owned) }
    }

    /// `linux/amd64`, `amd64`, `machine 243 of ELF`.
    pub(crate) fn in_words(&self, image: &Image) -> String {
        let machine = match (&self.arch, image.machine()) {
            (Some(arch), _) => arch.clone(),
            (None, Machine::Other(number)) => format!("machine {number} of ELF"),
            (None, machine) => format!("{machine:?}"),
        };
        match &self.os {
            Some(os) if self.arch.is_some() => format!("{os}/{machine}"),
            Some(os) => format!("{os}, {machine}"),
            None => machine,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_said_as_far_as_it_is_known() {
        let words = |machine: u8, settings: &[(&str, &str)], of_core| {
            let mut file = b"\x7fELF\x02\x01\x01".to_vec();
            file.resize(64, 0);
            (file[16], file[18], file[20], file[52], file[54]) = (2, machine, 1, 64, 56);
            let image = Image::parse(Arc::new(file)).unwrap();
            let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let build = BuildInfo { settings, ..BuildInfo::default() };
            Platform::of(&image, Some(&build), of_core).in_words(&image)
        };
        let both = [("GOOS", "linux"), ("GOARCH", "riscv64")];
        assert_eq!(words(243, &both, false), "linux/riscv64");
        assert_eq!(words(243, &both[..1], false), "linux, machine 243 of ELF");
        assert_eq!(words(243, &[], false), "machine 243 of ELF");
        // Up to Go 1.17 nothing is recorded. The machine is that of the file, whatever is.
        assert_eq!((words(62, &[], false), words(62, &[], true)), ("amd64".into(), "linux/amd64".into()));
        assert_eq!(words(62, &[("GOOS", "freebsd"), ("GOARCH", "arm64")], true), "freebsd/amd64");
    }
}
