//! Where the members of the runtime's structs stand in one build.

use crate::globals::Withheld;
use crate::labels::LabelForm;
use crate::slots::GSlots;
use crate::tables::{Table, Tables};
use crate::variables::Variables;
use crate::{Release, RuntimeError};
use gopsy_image::{DebugInfo, Field, Image, ImageError, ModuleData, StructLayout, TypeSection, Variable};
use gopsy_mem::{Addr, Bias};
use gopsy_model::{Missing, Trust};
use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

/// The structs of package runtime that are read. New ones are added here: all are looked up in one pass.
const STRUCTS: &[&str] = &[
    "runtime.g",
    "runtime.m",
    "runtime.gobuf",
    "runtime.stack",
    "runtime._panic",
    "runtime.sigTabT",
    "runtime.synctestBubble",
    "runtime.synctestGroup",
    "runtime.schedt",
    "runtime.gQueue",
    "runtime.p",
    "runtime.sysmontick",
    "runtime.ancestorInfo",
    "runtime.sudog",
    "runtime.maybeTraceablePtr",
    "runtime.hchan",
    "runtime._defer",
    "runtime.gcControllerState",
    "runtime.workType",
    // Up to Go 1.18 its type has no name.
    "var runtime.work",
    "runtime.mstats",
    "runtime.mheap",
    "runtime.mspan",
    "runtime.timer",
    "runtime.timers",
    "runtime.timerWhen",
    "runtime.waitq",
    "runtime.semaRoot",
];

/// What every Go program has, and without which nothing is known of it.
const NEEDED_STRUCTS: [&str; 4] = ["runtime.g", "runtime.m", "runtime.gobuf", "runtime.stack"];
const NEEDED_VARIABLES: [&str; 2] = ["runtime.allgs", "runtime.allm"];

/// The variables of package runtime that are read.
const VARIABLES: &[&str] = &[
    "runtime.allgs",
    "runtime.allm",
    "runtime.waitReasonStrings",
    "runtime.sigtable",
    "runtime.printBacklog",
    "runtime.printBacklogIndex",
    "runtime.m0",
    "runtime.sched",
    "runtime.allp",
    "runtime.semtable",
    "runtime.argslice",
    "runtime.envs",
    "runtime.gomaxprocs",
    "runtime.maxstacksize",
    "runtime.gcphase",
    "runtime.gcController",
    "runtime.work",
    "runtime.memstats",
    "runtime.gcpercent",
    "runtime.mheap_",
    "runtime.crashingG",
];

/// From where the layouts of a build are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// The build's own debug information.
    DebugInfo,
    /// The tables, for exactly the release that the binary names.
    Table(Release),
    /// The tables of another release. Only members that the memory itself proves are read.
    Nearest(Release),
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Basis::DebugInfo => f.write_str("the binary's debug information"),
            Basis::Table(release) => write!(f, "the layouts of {release}"),
            Basis::Nearest(release) => write!(f, "the layouts of {release}, another release"),
        }
    }
}

/// The layouts of one build.
#[derive(Debug, Clone)]
pub struct Layouts {
    structs: HashMap<String, StructLayout>,
    variables: HashMap<String, Variable>,
    /// Why it is not known where the others stand.
    withheld: HashMap<&'static str, Withheld>,
    types: Option<TypeSection>,
    /// The executable's module, which lists its types.
    module: Option<ModuleData>,
    /// The other modules, as loaded.
    more_modules: Vec<ModuleData>,
    basis: Basis,
    slots: OnceLock<GSlots>,
    /// What profiler labels are in this build.
    pub(crate) label_form: OnceLock<LabelForm>,
}

impl Layouts {
    /// The layouts that a binary may have, the best known first: from its debug information; from the tables for the
    /// release that it names; from the tables of the other releases, the nearest first. Those behind the first are to be
    /// believed only where the memory proves them ([`Layouts::restrict`]).
    ///
    /// # Errors
    /// When the binary is no Go program, or where its variables stand cannot be found.
    pub fn candidates(
        image: &Image,
        release: Option<&Release>,
    ) -> Result<Box<dyn Iterator<Item = Layouts>>, RuntimeError> {
        let module = image.module_data()?;
        match image.debug_info().and_then(|info| Layouts::described(info, module)) {
            Ok(Some(layouts)) => return Ok(Box::new(std::iter::once(layouts))),
            // Without debug information, or with somebody else's, the tables serve.
            Ok(None) | Err(ImageError::Absent(_) | ImageError::NotSupported(_) | ImageError::Cut(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let Some(goarch) = image.machine().goarch() else { return Ok(Box::new(std::iter::empty())) };
        let Variables { found, withheld } = needed_variables(image)?;
        let tables = Tables::of(goarch, STRUCTS);
        let mut starts = tables.starts();
        if let Some(release) = release {
            starts.sort_by_key(|start| distance(*start, release.number()));
        }
        let (own, module) = (release.map(|r| tables.table(r)), module.clone());
        let others =
            starts.into_iter().map(move |start| Table { exact: false, ..tables.table(&Release::published(start)) });
        Ok(Box::new(own.into_iter().chain(others).map(move |table| {
            let basis = if table.exact { Basis::Table(table.release) } else { Basis::Nearest(table.release) };
            let layouts = Layouts::made_of(table.structs, found.clone(), None, basis).of_module(&module);
            Layouts { withheld: withheld.clone(), ..layouts }
        })))
    }

    /// The layouts of a release that is not, or may not be, the binary's: only what the memory proves of them is read.
    ///
    /// # Errors
    /// As [`Layouts::candidates`].
    pub fn of_release(image: &Image, release: &Release) -> Result<Layouts, RuntimeError> {
        let module = image.module_data()?;
        let goarch = image.machine().goarch().ok_or(RuntimeError::NotFound("the machine's layouts"))?;
        let table = Tables::of(goarch, STRUCTS).table(release);
        let basis = Basis::Nearest(table.release);
        let Variables { found, withheld } = needed_variables(image)?;
        Ok(Layouts { withheld, ..Layouts::made_of(table.structs, found, None, basis).of_module(module) })
    }

    /// What debug information describes; `None` where it is not that of a Go program.
    fn described(debug: &DebugInfo, module: &ModuleData) -> Result<Option<Layouts>, ImageError> {
        let found = debug.of_runtime(STRUCTS, VARIABLES)?;
        let whole = NEEDED_STRUCTS.iter().all(|name| found.structs.contains_key(*name))
            && NEEDED_VARIABLES.iter().all(|name| found.variables.contains_key(*name));
        let layouts = || Layouts::made_of(found.structs, found.variables, None, Basis::DebugInfo).of_module(module);
        Ok(whole.then(layouts))
    }

    /// From where they are known.
    #[must_use]
    pub fn basis(&self) -> &Basis {
        &self.basis
    }

    /// How well a member is known that is read by them.
    #[must_use]
    pub fn trust(&self) -> Trust {
        match self.basis {
            Basis::DebugInfo => Trust::DebugInfo,
            Basis::Table(_) => Trust::Table,
            Basis::Nearest(_) => Trust::Inferred,
        }
    }

    /// Keeps only those members of structs for which `proved` holds (struct, member).
    pub(crate) fn restrict(&mut self, proved: &dyn Fn(&str, &str) -> bool) {
        for (of, layout) in &mut self.structs {
            layout.fields.retain(|name, _| proved(of, name));
        }
        self.slots = OnceLock::new();
    }

    /// The members of g.
    pub(crate) fn slots(&self) -> &GSlots {
        self.slots.get_or_init(|| GSlots::of(self))
    }

    pub(crate) fn field(&self, of: &str, name: &str) -> Option<Field> {
        self.structs.get(of)?.field(name)
    }

    /// Offset and size of a member: `path` leads to it through nested structs.
    pub(crate) fn locate(&self, path: &[(&str, &str)]) -> Result<(u64, Option<u64>), Missing> {
        let (mut offset, mut size) = (0u64, None);
        for (of, name) in path {
            let field = self.field(of, name).ok_or_else(|| self.no_member(of, name))?;
            offset = offset.saturating_add(field.offset);
            size = field.size;
        }
        Ok((offset, size))
    }

    /// Why it is not known where a member stands.
    pub(crate) fn no_member(&self, of: &str, name: &str) -> Missing {
        Missing::NotSupported(match self.basis {
            Basis::DebugInfo | Basis::Table(_) => format!("this Go release has no {of}.{name}").into(),
            Basis::Nearest(_) => format!("the memory does not prove where this program has {of}.{name}").into(),
        })
    }

    /// Why it is not known where a variable stands.
    pub(crate) fn no_variable(&self, name: &str) -> Missing {
        Missing::NotSupported(match (self.withheld.get(name), &self.basis) {
            (Some(why), _) => format!("where {name} stands is not known: {why}").into(),
            (None, Basis::DebugInfo) => format!("this Go release has no {name}").into(),
            (None, _) => format!("where {name} stands is not known").into(),
        })
    }

    pub(crate) fn size(&self, of: &str) -> Option<u64> {
        self.structs.get(of).map(|s| s.size).filter(|s| *s > 0)
    }

    pub(crate) fn variable(&self, name: &str) -> Option<Variable> {
        self.variables.get(name).copied()
    }

    fn of_module(self, module: &ModuleData) -> Self {
        Layouts { types: Some(TypeSection::of(module)), module: Some(module.clone()), ..self }
    }

    /// Adds the types of another module of the process (a plugin), where they were loaded.
    pub fn add_module(&mut self, loaded: &ModuleData) {
        self.more_modules.push(loaded.clone());
    }

    /// The modules that list types, each with what was added to its addresses when it was loaded.
    pub(crate) fn modules(&self, bias: Bias) -> impl Iterator<Item = (&ModuleData, Bias)> {
        let own = self.module.iter().map(move |module| (module, bias));
        own.chain(self.more_modules.iter().map(|module| (module, Bias::ZERO)))
    }

    /// The types, as loaded, among which a descriptor stands; the executable's for one that stands among none.
    pub(crate) fn types_at(&self, descriptor: Addr, bias: Bias) -> Option<TypeSection> {
        let holds = |section: &TypeSection| (section.types.0..section.etypes.0).contains(&descriptor.0);
        self.more_modules.iter().map(TypeSection::of).find(holds).or_else(|| Some(self.types?.loaded(bias)))
    }

    pub(crate) fn made_of(
        structs: HashMap<String, StructLayout>,
        variables: HashMap<String, Variable>,
        types: Option<TypeSection>,
        basis: Basis,
    ) -> Self {
        Layouts {
            structs,
            variables,
            withheld: HashMap::new(),
            types,
            module: None,
            more_modules: Vec::new(),
            basis,
            slots: OnceLock::new(),
            label_form: OnceLock::new(),
        }
    }
}

/// The variables of a binary without debug information.
fn needed_variables(image: &Image) -> Result<Variables, RuntimeError> {
    let variables = Variables::of(image, VARIABLES);
    match NEEDED_VARIABLES.iter().find(|name| !variables.found.contains_key(**name)) {
        Some(name) => Err(RuntimeError::NotFound(name)),
        None => Ok(variables),
    }
}

/// How far apart two releases are: by minor, then by patch.
fn distance(a: (u32, u32), b: (u32, u32)) -> (u32, u32) {
    (a.0.abs_diff(b.0), if a.0 == b.0 { a.1.abs_diff(b.1) } else { 0 })
}
