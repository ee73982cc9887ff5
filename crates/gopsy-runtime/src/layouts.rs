//! Where the members of the runtime's structs stand in one build.

use crate::RuntimeError;
use gopsy_image::{DebugInfo, Field, Image, StructLayout, Variable};
use gopsy_mem::LinkAddr;
use std::collections::HashMap;

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
];

/// The variables of package runtime that are read.
const VARIABLES: &[&str] = &[
    "runtime.allgs",
    "runtime.allm",
    "runtime.waitReasonStrings",
    "runtime.sigtable",
    "runtime.printBacklog",
    "runtime.printBacklogIndex",
];

/// The layouts of one build.
#[derive(Debug, Clone, Default)]
pub struct Layouts {
    structs: HashMap<String, StructLayout>,
    variables: HashMap<String, Variable>,
    types: Option<LinkAddr>,
}

impl Layouts {
    /// Reads the layouts from a binary's debug information.
    ///
    /// # Errors
    /// When there is none, it is damaged, or it does not describe `runtime.g` and `runtime.m`.
    pub fn of(image: &Image) -> Result<Layouts, RuntimeError> {
        let mut layouts = Layouts::from_debug_info(image.debug_info()?)?;
        layouts.types = image.module_data().ok().map(|m| m.types);
        Ok(layouts)
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
        Ok(Layouts { structs: found.structs, variables: found.variables, types: None })
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

    #[cfg(test)]
    pub(crate) fn made_of(
        structs: HashMap<String, StructLayout>,
        variables: HashMap<String, Variable>,
        types: Option<LinkAddr>,
    ) -> Self {
        Layouts { structs, variables, types }
    }
}
