//! Debug information that lies in a file of its own.

use super::{Artifact, Finder, How, Miss, Request, Tried, below, open};
use gopsy_image::{BuildId, DebugFile, Image};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A debug file of an executable.
#[derive(Debug, Clone)]
pub struct FoundDebug {
    /// Where it is.
    pub path: PathBuf,
    /// How it was found.
    pub how: How,
    /// The file itself.
    pub image: Arc<Image>,
}

/// `.gnu_debuglink`: the name of the debug file and the CRC of its contents.
struct Link<'a> {
    name: &'a OsStr,
    crc: u32,
}

impl Finder {
    /// Looks for the debug file of an executable that lies at `path`: by build id in the folders of debug files, then by
    /// its debug link beside it, in `.debug` there, and in the folders of debug files.
    ///
    /// # Errors
    /// Everything that was tried, each with its reason.
    pub fn find_debug(&self, image: &Image, path: &Path) -> Result<FoundDebug, Tried> {
        let mut tried = Tried::default();
        let id = image.build_id().map(|id| id.bytes.as_slice());
        for path in id.map(|id| self.by_build_id(id, ".debug")).into_iter().flatten() {
            if let Some(found) = consider(path, How::BuildId, &mut tried, |_, found| same_id(found, id)) {
                return Ok(found);
            }
        }
        if let Some(link) = debug_link(image) {
            for path in self.by_link(&link, path) {
                let proof = |bytes: &[u8], found: &Image| {
                    not_of_another(found, image)?;
                    let found = crc32(bytes);
                    if found == link.crc {
                        Ok(())
                    } else {
                        Err(format!("its CRC is {found:08x}, not {:08x}", link.crc))
                    }
                };
                if let Some(found) = consider(path, How::DebugLink, &mut tried, proof) {
                    return Ok(found);
                }
            }
        }
        if let (Some(fetch), Some(bytes)) = (&self.fetch, id) {
            let request = Request { build_id: bytes.to_vec(), artifact: Artifact::DebugInfo };
            let path = fetch.fetch(&request).map_err(|why| Miss {
                path: PathBuf::from(request.path()),
                how: How::Fetched,
                why,
            });
            if let Some(found) = consider(path, How::Fetched, &mut tried, |_, found| same_id(found, id)) {
                return Ok(found);
            }
        }
        Err(tried)
    }

    /// Lets an executable that lies at `path` have its debug information and its symbols from a file of their own, which is looked for
    /// when they are first asked for.
    pub fn supply_debug(&self, image: &Image, path: &Path) {
        let (finder, path) = (self.clone(), path.to_owned());
        image.find_debug_by(move |image| {
            let FoundDebug { path, how, image } = finder.find_debug(image, &path).ok()?;
            Some(DebugFile { image, found: format!("{} ({how})", path.display()) })
        });
    }

    /// Where gdb looks for the file of a debug link (gdb manual, "Debugging Information in Separate Files").
    fn by_link(&self, link: &Link<'_>, path: &Path) -> Vec<Result<PathBuf, Miss>> {
        // A name, not a path: it comes from the file.
        if Path::new(link.name).file_name() != Some(link.name) {
            let why = "the debug link is not the name of a file".to_owned();
            return vec![Err(Miss { path: PathBuf::from(link.name), how: How::DebugLink, why })];
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        let beside = [folder.join(link.name), folder.join(".debug").join(link.name)];
        // Below a root its own links count, and the folder of debug files has the container's paths.
        let in_root =
            |path: &Path| self.root.as_ref().and_then(|root| Some((root, path.strip_prefix(root).ok()?.to_owned())));
        let inside = in_root(folder).map_or(folder.to_owned(), |(_, inside)| inside);
        let relative = inside.strip_prefix("/").unwrap_or(&inside).join(link.name);
        let beside = beside.map(|path| match in_root(&path) {
            Some((root, inside)) => below(root, &inside, How::DebugLink),
            None => Ok(path),
        });
        beside.into_iter().chain(self.in_debug_dirs(&relative, How::DebugLink)).collect()
    }
}

/// Opens a candidate and takes it if that proof holds.
fn consider(
    path: Result<PathBuf, Miss>,
    how: How,
    tried: &mut Tried,
    proof: impl Fn(&[u8], &Image) -> Result<(), String>,
) -> Option<FoundDebug> {
    let path = match path {
        Ok(path) => path,
        Err(miss) => {
            tried.misses.push(miss);
            return None;
        }
    };
    match open(&path).and_then(|image| proof(image.file(), &image).map(|()| image)) {
        Ok(image) => Some(FoundDebug { path, how, image: Arc::new(image) }),
        Err(why) => {
            tried.misses.push(Miss { path, how, why });
            None
        }
    }
}

fn same_id(found: &Image, id: Option<&[u8]>) -> Result<(), String> {
    match found.build_id() {
        Some(found) if Some(found.bytes.as_slice()) == id => Ok(()),
        Some(_) => Err("its build id is another".to_owned()),
        None => Err("it has no build id".to_owned()),
    }
}

/// Refuses a file that names another build.
fn not_of_another(found: &Image, image: &Image) -> Result<(), String> {
    let differ = |a: Option<&BuildId>, b: Option<&BuildId>| a.zip(b).is_some_and(|(a, b)| a.bytes != b.bytes);
    if differ(found.build_id(), image.build_id()) {
        return Err("its build id is another".to_owned());
    }
    if differ(found.go_build_id(), image.go_build_id()) {
        return Err("its Go build id is another".to_owned());
    }
    Ok(())
}

/// The section's contents: a name, NULs up to a multiple of four bytes, the CRC.
fn debug_link(image: &Image) -> Option<Link<'_>> {
    let bytes = image.section_bytes(image.section(".gnu_debuglink")?)?;
    let end = bytes.iter().position(|b| *b == 0)?;
    let at = end.checked_add(1)?.checked_next_multiple_of(4)?;
    let crc = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    Some(Link { name: OsStr::from_bytes(bytes.get(..end)?), crc })
}

/// The CRC of gzip (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
