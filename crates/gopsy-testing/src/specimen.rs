//! Specimens of the zoo whose cores other tests read, too.

use std::path::Path;

/// Where specimens and what they share are kept.
const ZOO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../zoo");

/// The source of a specimen of one file. The packages that it shares with others are copied into the folder in which it is to be built.
///
/// # Errors
/// What could not be read or written.
pub fn specimen(name: &str, shares: &[&str], folder: &Path) -> Result<String, String> {
    let zoo = Path::new(ZOO);
    let refused = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    for package in shares {
        let (from, to) = (zoo.join("shared").join(package), folder.join(package));
        std::fs::create_dir(&to).map_err(|error| refused(&to, error))?;
        for source in std::fs::read_dir(&from).map_err(|error| refused(&from, error))?.flatten() {
            std::fs::copy(source.path(), to.join(source.file_name()))
                .map_err(|error| refused(&source.path(), error))?;
        }
    }
    let main = zoo.join("specimens").join(name).join("main.go");
    std::fs::read_to_string(&main).map_err(|error| refused(&main, error))
}
