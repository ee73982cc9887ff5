//! What a process had loaded beside its executable: plugins, libraries, the vDSO.

use gopsy_image::Image;
use gopsy_mem::{Addr, Bias};
use gopsy_target::finder::Finder;
use gopsy_target::{Core, MappedElf};
use std::cell::OnceCell;
use std::sync::Arc;

/// A file of a process, or the code that the kernel maps. It is opened when it is first asked.
pub(crate) struct Beside<'a> {
    /// Its path on the machine of the process, or `[vdso]`.
    pub(crate) name: String,
    core: &'a Core,
    what: What,
    image: OnceCell<Result<(Arc<Image>, Bias), String>>,
}

enum What {
    File(Box<MappedElf>, Finder),
    Vdso(Addr, Vec<u8>),
}

impl<'a> Beside<'a> {
    /// All of them, the files by address.
    pub(crate) fn all(core: &'a Core, finder: &Finder) -> Vec<Beside<'a>> {
        let of = |name, what| Beside { name, core, what, image: OnceCell::new() };
        let file = |elf: MappedElf| {
            of(String::from_utf8_lossy(&elf.path).into_owned(), What::File(Box::new(elf), finder.clone()))
        };
        let vdso = core.vdso().map(|(start, bytes)| of("[vdso]".to_owned(), What::Vdso(start, bytes)));
        core.elves().into_iter().filter(|elf| !elf.executable).map(file).chain(vdso).collect()
    }

    /// Whether an address lies in it.
    pub(crate) fn holds(&self, at: Addr) -> bool {
        match &self.what {
            What::File(elf, _) => elf.mappings.iter().any(|m| m.range.contains(at)),
            What::Vdso(start, bytes) => {
                at.offset_from(*start).is_some_and(|o| usize::try_from(o).is_ok_and(|o| o < bytes.len()))
            }
        }
    }

    /// What it is, and what is added to an address that it states to have the one in the process; or why that is not known. Only
    /// a file that is proved to be the one that was mapped.
    pub(crate) fn image(&self) -> Result<&(Arc<Image>, Bias), &str> {
        self.image.get_or_init(|| self.open()).as_ref().map_err(String::as_str)
    }

    fn open(&self) -> Result<(Arc<Image>, Bias), String> {
        let (image, bias) = match &self.what {
            What::File(elf, finder) => {
                let found = finder.find(self.core, elf, None).map_err(|tried| tried.to_string())?;
                let bias = self.core.bias_of(elf, &found.image);
                (found.image, bias)
            }
            What::Vdso(start, bytes) => {
                let image = Image::parse(Arc::new(bytes.clone())).map_err(|error| error.to_string())?;
                let bias = image.bias_at(*start);
                (Arc::new(image), bias)
            }
        };
        Ok((image, bias.ok_or("where it was loaded is not known")?))
    }
}
