//! Lists the entries of the knowledge base and the pages of `about`, so that a new file needs no line of Rust.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let mut entries = String::from("&[\n");
    for folder in sorted(&root.join("knowledge"))? {
        let file = folder.join("entry.toml");
        if file.is_file() {
            writeln!(entries, "    include_str!({:?}),", file).map_err(io::Error::other)?;
        }
    }
    entries.push_str("]\n");
    fs::write(out.join("knowledge.rs"), entries)?;

    let mut pages = String::from("&[\n");
    for kind in ["kind", "cause"] {
        for file in sorted(&root.join("../../docs/about").join(kind))? {
            if let (Some(slug), Some("md")) = (file.file_stem(), file.extension().and_then(|e| e.to_str())) {
                let slug = slug.to_string_lossy();
                writeln!(pages, "    (\"{kind}\", {slug:?}, include_str!({:?})),", file).map_err(io::Error::other)?;
            }
        }
    }
    pages.push_str("]\n");
    fs::write(out.join("about.rs"), pages)?;
    println!("cargo::rerun-if-changed=knowledge");
    println!("cargo::rerun-if-changed=../../docs/about");
    Ok(())
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?.into_iter().map(|e| e.path()).collect();
    entries.sort();
    Ok(entries)
}
