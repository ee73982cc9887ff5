//! Where the members of the runtime's structs stand in one build.

use crate::slots::GSlots;
use crate::tables::{Table, Tables};
use crate::{Release, RuntimeError, variables};
use gopsy_image::{DebugInfo, Field, Image, ImageError, StructLayout, Variable};
use gopsy_mem::LinkAddr;
use gopsy_model::Trust;
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
    "internal/abi.Type",
    "runtime._type",
    "runtime.synctestBubble",
    "runtime.synctestGroup",
    "runtime.schedt",
    "runtime.p",
    "runtime.sysmontick",
];

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
    types: Option<LinkAddr>,
    basis: Basis,
    slots: OnceLock<GSlots>,
}

impl Layouts {
    /// The layouts that a binary may have, the best known first: from its debug information; from the tables for the
    /// release that it names; from the tables of the other releases, the nearest first. Those behind the first are to be
    /// believed only where the memory proves them ([`Layouts::restrict`]).
    ///
    /// # Errors
    /// When the binary is no Go program, or where its variables stand cannot be found.
    pub fn candidates(image: &Image, release: Option<&Release>) -> Result<Vec<Layouts>, RuntimeError> {
        let types = image.module_data()?.types;
        let mut found = Vec::new();
        match image.debug_info().map_err(RuntimeError::from).and_then(Layouts::from_debug_info) {
            Ok(layouts) => found.push(Layouts { types: Some(types), ..layouts }),
            // Without debug information, or with somebody else's, the tables serve.
            Err(RuntimeError::Image(ImageError::Absent(_) | ImageError::NotSupported(_))) => {}
            Err(RuntimeError::NotDescribed(_)) => {}
            Err(error) => return Err(error),
        }
        let (Some(goarch), true) = (image.machine().goarch(), found.is_empty()) else { return Ok(found) };
        let variables = variables::of(image, VARIABLES);
        for name in ["runtime.allgs", "runtime.allm"] {
            if !variables.contains_key(name) {
                return Err(RuntimeError::NotFound(name));
            }
        }
        let tables = Tables::of(goarch, STRUCTS);
        let with = |table: Table| Layouts {
            basis: if table.exact { Basis::Table(table.release) } else { Basis::Nearest(table.release) },
            structs: table.structs,
            variables: variables.clone(),
            types: Some(types),
            slots: OnceLock::new(),
        };
        found.extend(release.map(|r| with(tables.table(r))));
        let mut others: Vec<Table> = tables.all();
        if let Some(release) = release {
            others.sort_by_key(|t| distance(t.release.number(), release.number()));
        }
        found.extend(others.into_iter().map(with));
        Ok(found)
    }

    /// The layouts of a release that is not, or may not be, the binary's: only what the memory proves of them is read.
    ///
    /// # Errors
    /// As [`Layouts::candidates`].
    pub fn of_release(image: &Image, release: &Release) -> Result<Layouts, RuntimeError> {
        let types = image.module_data()?.types;
        let goarch = image.machine().goarch().ok_or(RuntimeError::NotFound("the machine's layouts"))?;
        let variables = variables::of(image, VARIABLES);
        let table = Tables::of(goarch, STRUCTS).table(release);
        let basis = Basis::Nearest(table.release);
        Ok(Layouts { basis, ..Layouts::made_of(table.structs, variables, Some(types)) })
    }

    fn from_debug_info(debug: &DebugInfo) -> Result<Layouts, RuntimeError> {
        let found = debug.of_runtime(STRUCTS, VARIABLES)?;
        for name in ["runtime.g", "runtime.m", "runtime.gobuf", "runtime.stack"] {
            if !found.structs.contains_key(name) {
                return Err(RuntimeError::NotDescribed(name));
            }
        }
        for name in ["runtime.allgs", "runtime.allm"] {
            if !found.variables.contains_key(name) {
                return Err(RuntimeError::NotDescribed(name));
            }
        }
        Ok(Layouts::made_of(found.structs, found.variables, None))
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

    pub(crate) fn size(&self, of: &str) -> Option<u64> {
        self.structs.get(of).map(|s| s.size).filter(|s| *s > 0)
    }

    pub(crate) fn variable(&self, name: &str) -> Option<Variable> {
        self.variables.get(name).copied()
    }

    pub(crate) fn types(&self) -> Option<LinkAddr> {
        self.types
    }

    pub(crate) fn made_of(
        structs: HashMap<String, StructLayout>,
        variables: HashMap<String, Variable>,
        types: Option<LinkAddr>,
    ) -> Self {
        Layouts { structs, variables, types, basis: Basis::DebugInfo, slots: OnceLock::new() }
    }
}

/// How far apart two releases are: by minor, then by patch.
fn distance(a: (u32, u32), b: (u32, u32)) -> (u32, u32) {
    (a.0.abs_diff(b.0), if a.0 == b.0 { a.1.abs_diff(b.1) } else { 0 })
}
