//! Go as a library (`-buildmode=c-shared`): the executable is another language's.

use super::{Finder, Found, Tried};
use crate::core::Core;
use crate::mapped::MappedElf;
use gopsy_image::Image;

/// Whether a file was made by Go's linker, or by another that was given what Go's had made.
pub(super) fn has_go(image: &Image) -> bool {
    image.go_build_id().is_some() || image.section(".go.buildinfo").is_some() || image.module().is_ok()
}

/// The same as the core itself tells.
pub(super) fn is_go(core: &Core, file: &MappedElf) -> bool {
    file.go_build_id.is_some() || core.build_info(file).is_some()
}

/// The library to take for the program of a process whose executable has no Go; the executable where there is none.
pub(super) fn instead(
    finder: &Finder,
    core: &mut Core,
    executable: &MappedElf,
    found: Result<Found, Tried>,
) -> Result<Found, Tried> {
    let mut missing = Vec::new();
    let mut libraries: Vec<(MappedElf, Found)> = Vec::new();
    for file in core.elves().into_iter().filter(|file| !file.program) {
        let build = core.build_info(&file);
        // Of the others the core has the page that would say so.
        let told = file.go_build_id.is_some() || build.is_some();
        if !told && file.build_id.is_some() {
            continue;
        }
        match finder.locate(core, &file) {
            Ok(library) if has_go(&library.image) && !library.image.is_plugin() => libraries.push((file, library)),
            Err(tried) if told => {
                let build = build.map(|build| format!(" ({})", build.version)).unwrap_or_default();
                missing.push(format!("a library with Go in it{build} is not at hand: {tried}"));
            }
            _ => {}
        }
    }
    // Of several the one in which the thread stands that died first; most processes have one.
    let stands = core.threads().first().map(|thread| thread.registers.pc());
    let in_it = |file: &MappedElf| file.mappings.iter().any(|m| stands.is_some_and(|pc| m.range.contains(pc)));
    let chosen = libraries.iter().position(|(file, _)| in_it(file)).or((!libraries.is_empty()).then_some(0));
    let Some((file, mut library)) = chosen.map(|chosen| libraries.swap_remove(chosen)) else {
        return found.map(|found| Found { remarks: found.remarks.into_iter().chain(missing).collect(), ..found });
    };
    core.take_for_program(&file);
    let host = String::from_utf8_lossy(&executable.path);
    library.remarks.push(format!("Go is here as a library: {}; the executable is {host}", library.path.display()));
    let others = libraries.iter().map(|(_, other)| format!("{} has Go, too: it is not read", other.path.display()));
    library.remarks.extend(others.chain(missing));
    Ok(library)
}
