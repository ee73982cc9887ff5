//! Cores read by the layouts of another release, which their memory refutes: the runtime's structures are then not read.

use gopsy_program::{AnyCore, CoreError, CoreEvidence, CoreOptions, UnreadCore};
use gopsy_runtime::Release;
use gopsy_target::finder::Finder;
use std::path::Path;

/// What is read of a core without the runtime's structures.
pub(crate) fn read(core: &Path, binary: &Path) -> UnreadCore {
    let finder = Finder { bins: vec![binary.to_owned()], ..Finder::default() };
    for other in ["go1.16", "go1.27"] {
        let options = CoreOptions { finder: finder.clone(), layouts_of: Release::parse(other) };
        if let AnyCore::Unread(unread) = AnyCore::find(gopsy_target::Core::open(core).unwrap(), &options).unwrap() {
            assert!(matches!(CoreEvidence::open_with(core, &options), Err(CoreError::Runtime(_))));
            return *unread;
        }
    }
    panic!("two layouts fit {}", core.display())
}
