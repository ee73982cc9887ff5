//! What a process had beside its executable: plugins, libraries, the vDSO, code that it generated.

use gopsy_image::{GoModule, Image};
use gopsy_locate::Locator;
use gopsy_mem::{Addr, Bias, MemoryExt, Range};
use gopsy_program::Modules;
use gopsy_runtime::StatedVersion;
use gopsy_target::finder::Finder;
use gopsy_target::{Core, MappedElf};
use std::cell::OnceCell;
use std::sync::Arc;

/// Generated code of one module beyond this is not asked. What a compiler makes for one function has some kilobytes.
const MAX_GENERATED: u64 = 64 << 20;

/// A file of a process, the code that the kernel maps, or code that the process generated. It is opened when it is first asked.
pub(crate) struct Beside<'a> {
    /// Its path on the machine of the process, `[vdso]`, or `generated code`.
    pub(crate) name: String,
    core: &'a Core,
    what: What<'a>,
    image: OnceCell<Result<(Arc<Image>, Bias), String>>,
}

enum What<'a> {
    File(Box<MappedElf>, &'a Finder),
    Vdso,
    Generated(Box<GoModule>),
}

impl<'a> Beside<'a> {
    /// All of them, the files by address; `executable` leads to the generated code.
    pub(crate) fn all(core: &'a Core, executable: &Image, finder: &'a Finder) -> Vec<Beside<'a>> {
        let of = |name, what| Beside { name, core, what, image: OnceCell::new() };
        let file =
            |elf: MappedElf| of(String::from_utf8_lossy(&elf.path).into_owned(), What::File(Box::new(elf), finder));
        let vdso = core.vdso_range().map(|_| of("[vdso]".to_owned(), What::Vdso));
        let modules = core
            .bias(executable)
            .map(|bias| Modules::of(core, executable, bias, StatedVersion::of(executable).as_ref()).list)
            .unwrap_or_default();
        let generated = modules.into_iter().filter(|module| !module.data().linked);
        let generated = generated.map(|module| of("generated code".to_owned(), What::Generated(Box::new(module))));
        core.elves().into_iter().filter(|elf| !elf.program).map(file).chain(vdso).chain(generated).collect()
    }

    /// Whether an address lies in it.
    pub(crate) fn holds(&self, at: Addr) -> bool {
        match &self.what {
            What::File(elf, _) => elf.mappings.iter().any(|m| m.range.contains(at)),
            What::Vdso => self.core.vdso_range().is_some_and(|vdso| vdso.contains(at)),
            What::Generated(module) => code_of(module).contains(at),
        }
    }

    /// What answers for it; or why nothing does. Only a file that is proved to be the one that was mapped.
    pub(crate) fn locator(&self) -> Result<Locator<'_>, String> {
        let (image, bias) = self.image.get_or_init(|| self.open()).as_ref().map_err(Clone::clone)?;
        Ok(match &self.what {
            What::Generated(module) => Locator::generated(image, module.pclntab(self.core), self.core),
            _ => Locator::loaded(image, *bias, self.core),
        })
    }

    fn open(&self) -> Result<(Arc<Image>, Bias), String> {
        let (elf, finder) = match &self.what {
            What::File(elf, finder) => (elf, finder),
            What::Vdso => return self.core.vdso_image().ok_or_else(|| "the core holds no whole vDSO".to_owned()),
            What::Generated(module) => return self.generated(code_of(module)),
        };
        let found = finder.find(self.core, elf).map_err(|tried| tried.to_string())?;
        let bias = self.core.bias_of(elf, &found.image).ok_or("where it was loaded is not known")?;
        Ok((found.image, bias))
    }

    fn generated(&self, code: Range) -> Result<(Arc<Image>, Bias), String> {
        let len = code.end.offset_from(code.start).filter(|len| *len <= MAX_GENERATED).ok_or("it is too long")?;
        let limit = usize::try_from(len).map_err(|_| "it is too long")?;
        let bytes = self.core.bytes(code.start, len, limit).map_err(|_| "the core does not hold it".to_owned())?;
        Ok((Arc::new(Image::of_code(self.core.machine(), Bias::ZERO.unload(code.start), bytes)), Bias::ZERO))
    }
}

/// Where generated code stands.
fn code_of(module: &GoModule) -> Range {
    let data = module.data();
    Range { start: Bias::ZERO.load(data.text), end: Bias::ZERO.load(data.etext) }
}
