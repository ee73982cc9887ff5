//! The Go modules of a process beside its executable: plugins, and code that the program generated (`runtime.moduledata.next`).

use super::foreign::base_name;
use gopsy_image::{GoModule, Image, ImageError, ModuleData};
use gopsy_mem::{Addr, Bias, LinkAddr, MemoryExt};
use gopsy_runtime::{Release, StatedVersion};
use gopsy_target::Core;
use gopsy_unwind::Code;
use std::collections::HashSet;

/// Modules of one process at most: a list that goes on is damaged. A loader of generated code makes one for each function.
const MAX_MODULES: usize = 1 << 16;
/// Bytes of their tables at most, of all together. Those of a plugin have some MB, those of a generated function some hundred bytes.
const MAX_TABLES: u64 = 512 << 20;

/// The modules that the runtime's list names behind the executable's, read from memory: what they state is where it was loaded.
#[derive(Debug, Default)]
pub struct Modules {
    /// By the address of their code.
    pub list: Vec<GoModule>,
    /// Why the list is not whole.
    pub broken: Option<String>,
}

impl Modules {
    /// Follows the list from the executable's own moduledata, which was loaded with that bias. The files of the plugins should
    /// be attached to the core: their tables are seldom in it.
    #[must_use]
    pub fn of(core: &Core, image: &Image, bias: Bias, version: Option<&StatedVersion>) -> Modules {
        let mut modules = Modules::listed(core, image, bias, version);
        modules.list.sort_by_key(|module| module.data().text);
        modules
    }

    /// In the order of the list.
    fn listed(core: &Core, image: &Image, bias: Bias, version: Option<&StatedVersion>) -> Modules {
        let mut modules = Modules::default();
        let Ok(first) = image.module_data() else { return modules };
        let minor = version.and_then(|stated| Release::parse(&stated.text)).map(|release| release.minor);
        let loaded = LinkAddr(bias.load(first.address).0);
        let first = match ModuleData::read_of(core, loaded, minor) {
            Ok(first) => first,
            Err(_) if first.is_last_in(core, loaded) => return modules,
            Err(error) => {
                modules.broken = Some(format!("the executable's moduledata: {}", unread(core, loaded, &error)));
                return modules;
            }
        };
        let (mut at, mut seen, mut tables) = (first.next, HashSet::new(), 0u64);
        while at.0 != 0 {
            let again = !seen.insert(at) || seen.len() > MAX_MODULES;
            let data = match ModuleData::read_behind(core, at, &first, minor) {
                Ok(_) if again => {
                    modules.broken = Some("it runs in a circle, or has no end".to_owned());
                    return modules;
                }
                Ok(data) => data,
                Err(error) => {
                    modules.broken = Some(format!("{}: {}", called(core, at), unread(core, at, &error)));
                    return modules;
                }
            };
            let (next, header) = (data.next, data.pc_header);
            tables = tables.saturating_add(data.table_size());
            if tables > MAX_TABLES {
                modules.broken = Some(format!("the tables of its modules up to {at} have {tables} bytes"));
                return modules;
            }
            match GoModule::of(core, data) {
                Ok(module) => modules.list.push(module),
                // The next may be there.
                Err(error) => {
                    let why = match core.u64(Addr(header.0)) {
                        Ok(_) => error.to_string(),
                        Err(fault) => format!("its tables: {fault}"),
                    };
                    modules.broken = Some(format!("{}: {why}", called(core, at)));
                }
            }
            at = next;
        }
        modules
    }
}

/// `the module at 0x7f51c4533020, of p.so`
fn called(core: &Core, at: LinkAddr) -> String {
    let file = core.mapping_at(Addr(at.0)).map(|mapping| base_name(&mapping.path));
    format!("the module at {at}{}", file.map_or_else(String::new, |file| format!(", of {file}")))
}

/// Bytes of a moduledata; the largest has some 600 (Go 1.27).
const MODULEDATA: u64 = 640;

/// Why a moduledata in memory cannot be read: the core lacks it, or it is nonsense. No file is damaged.
fn unread(core: &Core, at: LinkAddr, error: &ImageError) -> String {
    let words = (0..MODULEDATA).step_by(8).map_while(|offset| at.checked_add(offset));
    let lacking = words.map(|word| core.u64(Addr(word.0))).find_map(Result::err);
    match (lacking, error) {
        (Some(fault), _) => fault.to_string(),
        (None, ImageError::Damaged(what)) => what.clone(),
        (None, error) => error.to_string(),
    }
}

/// The Go code of a process.
pub(super) fn code<'a>(core: &'a Core, image: &'a Image, bias: Bias, modules: &'a [GoModule]) -> Code<'a> {
    image.pclntab().map_or_else(|_| Code::default(), |table| Code::of(table, bias)).with(modules, core)
}
