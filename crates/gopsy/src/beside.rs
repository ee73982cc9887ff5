//! What a process had loaded beside its executable: plugins, libraries, the vDSO.

use gopsy_image::Image;
use gopsy_locate::Locator;
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
    what: What<'a>,
    image: OnceCell<Result<(Arc<Image>, Bias), String>>,
}

enum What<'a> {
    File(Box<MappedElf>, &'a Finder),
    Vdso,
}

impl<'a> Beside<'a> {
    /// All of them, the files by address.
    pub(crate) fn all(core: &'a Core, finder: &'a Finder) -> Vec<Beside<'a>> {
        let of = |name, what| Beside { name, core, what, image: OnceCell::new() };
        let file =
            |elf: MappedElf| of(String::from_utf8_lossy(&elf.path).into_owned(), What::File(Box::new(elf), finder));
        let vdso = core.vdso_range().map(|_| of("[vdso]".to_owned(), What::Vdso));
        core.elves().into_iter().filter(|elf| !elf.executable).map(file).chain(vdso).collect()
    }

    /// Whether an address lies in it.
    pub(crate) fn holds(&self, at: Addr) -> bool {
        match &self.what {
            What::File(elf, _) => elf.mappings.iter().any(|m| m.range.contains(at)),
            What::Vdso => self.core.vdso_range().is_some_and(|vdso| vdso.contains(at)),
        }
    }

    /// What answers for it; or why nothing does. Only a file that is proved to be the one that was mapped.
    pub(crate) fn locator(&self) -> Result<Locator<'_>, String> {
        let (image, bias) = self.image.get_or_init(|| self.open()).as_ref().map_err(Clone::clone)?;
        Ok(Locator::loaded(image, *bias, self.core))
    }

    fn open(&self) -> Result<(Arc<Image>, Bias), String> {
        let What::File(elf, finder) = &self.what else {
            return self.core.vdso_image().ok_or_else(|| "the core holds no whole vDSO".to_owned());
        };
        let found = finder.find(self.core, elf).map_err(|tried| tried.to_string())?;
        let bias = self.core.bias_of(elf, &found.image).ok_or("where it was loaded is not known")?;
        Ok((found.image, bias))
    }
}
