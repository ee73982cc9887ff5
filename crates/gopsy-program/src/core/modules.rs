//! The Go modules of a process beside its executable: plugins (`runtime.modulesSlice`).

use gopsy_image::{GoModule, Image, ModuleData};
use gopsy_mem::{Bias, LinkAddr};
use gopsy_runtime::Release;
use gopsy_target::Core;
use gopsy_unwind::Code;

/// Modules of one process at most: a list that goes on is damaged.
const MAX_MODULES: usize = 256;

/// The modules that the runtime's list names behind the executable's, read from memory: what they state is where it was loaded.
#[derive(Debug, Default)]
pub struct Modules {
    /// In the order of the list.
    pub list: Vec<GoModule>,
    /// Why the list is not whole.
    pub broken: Option<String>,
}

impl Modules {
    /// Follows the list from the executable's own moduledata, which was loaded with that bias. The files of the plugins should
    /// be attached to the core: their tables are seldom in it.
    #[must_use]
    pub fn of(core: &Core, image: &Image, bias: Bias) -> Modules {
        let mut modules = Modules::default();
        let Ok(first) = image.module_data() else { return modules };
        let minor =
            image.build_info().ok().and_then(|build| Release::parse(&build.version)).map(|release| release.minor);
        let read = |at| ModuleData::read_of(core, at, minor);
        let mut at = match read(LinkAddr(bias.load(first.address).0)) {
            Ok(first) => first.next,
            Err(error) => {
                modules.broken = Some(format!("the executable's moduledata in memory: {error}"));
                return modules;
            }
        };
        let mut seen = Vec::new();
        while at.0 != 0 {
            let again = seen.contains(&at) || seen.len() >= MAX_MODULES;
            seen.push(at);
            match read(at) {
                Ok(_) if again => {
                    modules.broken = Some("it runs in a circle, or has no end".to_owned());
                    return modules;
                }
                Ok(data) => {
                    let next = data.next;
                    match GoModule::of(core, data) {
                        Ok(module) => modules.list.push(module),
                        // The next may be there.
                        Err(error) => modules.broken = Some(format!("the module at {at}: {error}")),
                    }
                    at = next;
                }
                Err(error) => {
                    modules.broken = Some(format!("the module at {at}: {error}"));
                    return modules;
                }
            }
        }
        modules
    }
}

/// The Go code of a process.
pub(super) fn code<'a>(core: &'a Core, image: &'a Image, bias: Bias, modules: &'a [GoModule]) -> Code<'a> {
    let mut code = image.pclntab().map_or_else(|_| Code::default(), |table| Code::of(table, bias));
    for module in modules {
        code.add(module.pclntab(core), Bias::ZERO);
    }
    code
}
