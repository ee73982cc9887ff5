//! Threads as the machine sees them: C and Go in one stack.

use super::CoreEvidence;
use gopsy_image::Image;
use gopsy_mem::Bias;
use gopsy_model::{Source, Stack};
use gopsy_runtime::M;
use gopsy_target::finder::Finder;
use gopsy_target::{Core, Registers};
use gopsy_unwind::{Foreign, On, RawFrame, RegisterSet, Stacks, Walk, Walker};
use std::path::Path;
use std::sync::Arc;

/// More files than this are not looked for. Large C++ programs map a few hundred.
const MAX_FILES: usize = 2048;

/// The code of a process that is not Go's: the C part of the executable, the libraries that are proved to be those that ran,
/// the vDSO. What they hold of pages that the core lacks is attached to the core.
pub(super) fn load(
    core: &mut Core,
    (image, path): (&Arc<Image>, &Path),
    bias: Bias,
    finder: &Finder,
    notes: &mut Vec<String>,
) -> Foreign {
    let mut foreign = Foreign::new();
    foreign.add(Arc::clone(image), bias, base_name(&core.program().path));
    finder.supply_debug(image, path);
    let mut missing = Vec::new();
    for file in core.elves().into_iter().filter(|f| !f.program).take(MAX_FILES) {
        let name = base_name(&file.path);
        match finder.find(core, &file) {
            Ok(found) => {
                core.attach_file(&file, &found.image);
                if let Some(bias) = core.bias_of(&file, &found.image) {
                    finder.supply_debug(&found.image, &found.path);
                    foreign.add(found.image, bias, name);
                }
            }
            Err(_) => {
                let is_data = |at| core.segments().iter().any(|s| s.range.contains(at) && !s.executable);
                let code = file.mappings.iter().map(|mapping| mapping.range).filter(|range| !is_data(range.start));
                foreign.add_missing(code, &name);
                missing.push(name);
            }
        }
    }
    if !missing.is_empty() {
        notes.push(format!(
            "files of the process that are not here or not proved to be those that ran, so that frames of theirs may be missing: {}",
            missing.join(", ")
        ));
    }
    if let Some((vdso, bias)) = core.vdso_image() {
        foreign.add(vdso, bias, "[vdso]");
    }
    foreign
}

/// The walk of a thread from its registers outwards through C and Go.
pub(super) fn walk(
    walker: &Walker<'_>,
    core: &Core,
    foreign: &Foreign,
    registers: &Registers,
    stacks: &Stacks,
) -> Walk {
    let walk = walker.walk_thread(&RegisterSet::of_context(registers.iter()), foreign, stacks);
    up_to_its_beginning(core, walk, registers)
}

/// A walk that ends where its thread began, if that is where the thread stands.
pub(super) fn up_to_its_beginning(core: &Core, walk: Walk, registers: &Registers) -> Walk {
    if core.has_just_begun(registers) { walk.just_begun() } else { walk }
}

/// What a file is called where its path is too long. In a damaged core it may have no name.
pub(super) fn base_name(path: &[u8]) -> String {
    use std::os::unix::ffi::OsStrExt;
    let name = Path::new(std::ffi::OsStr::from_bytes(path)).file_name();
    name.map_or_else(|| "a file without a name".to_owned(), |name| name.to_string_lossy().into_owned())
}

impl CoreEvidence {
    /// The whole stack of a thread, by its number: from where it stands outwards through C and Go. Also of a thread that the
    /// runtime does not know. `None` when the core has no such thread.
    #[must_use]
    pub fn thread_stack(&self, tid: u32) -> Option<Stack> {
        let number = self.core.threads().iter().position(|t| t.tid == tid)?;
        let thread = self.core.threads().get(number)?;
        let m = self.kernel_threads.iter().position(|of| *of == Some(number)).and_then(|at| self.threads.get(at));
        let walk = self.foreign_walk(m, &thread.registers);
        Some(gopsy_unwind::frames_with(&walk, 0, &self.code(), &self.foreign, Source::Core))
    }

    /// The stack of the thread that ended the process and is none of the runtime's.
    pub(super) fn outsider_stack(&self, number: usize) -> Stack {
        let Some(thread) = self.core.threads().get(number) else { return Stack::default() };
        let begins = self.outsider.as_ref().filter(|ended| ended.thread == number).map_or(0, |ended| ended.begins);
        let walk = self.foreign_walk(None, &thread.registers);
        gopsy_unwind::frames_with(&walk, begins, &self.code(), &self.foreign, Source::Core)
    }

    /// What called into Go, of a thread that executes Go which C called: the frames of C beyond the goroutine's.
    pub(super) fn callers_in_c(&self, thread: usize) -> Option<Stack> {
        let code = self.code();
        let called = |f: &RawFrame| code.raw_name(f.func) == Some(b"runtime.cgocallback");
        // Most are not: that costs no walk. Go's own tables do not lead out of C that was called further in.
        let may_be = |walk: &&Walk| walk.frames.iter().any(called) || self.stands_outside(walk, &code);
        self.of_thread(thread).filter(may_be)?;
        let walk = self.foreign_walk(self.threads.get(thread), self.registers_of(thread)?);
        let go = walk.frames.iter().position(called)?;
        let first = walk.frames.iter().skip(go).position(|f| f.foreign.is_some())?.checked_add(go)?;
        let stack = gopsy_unwind::frames_with(&walk, first, &code, &self.foreign, Source::Core);
        let run = stack.frames.iter().take_while(|frame| frame.foreign).count();
        Some(stack.part(0..run))
    }

    /// The numbers of all threads, in the order of the core.
    pub fn thread_ids(&self) -> impl Iterator<Item = u32> {
        self.core.threads().iter().map(|t| t.tid)
    }

    pub(super) fn foreign_walk(&self, m: Option<&M>, registers: &Registers) -> Walk {
        let code = self.code();
        let walker = Walker::new(&self.core, &code, &self.sites);
        walk(&walker, &self.core, &self.foreign, registers, &self.stacks_of(m))
    }

    /// The stacks that a thread may stand on.
    pub(super) fn stacks_of(&self, m: Option<&M>) -> Stacks {
        let runtime = self.runtime();
        let g = m.and_then(|m| m.curg.value()).filter(|g| !g.is_null()).map(|g| runtime.g(*g));
        Stacks::of(&runtime, g.as_ref(), m)
    }

    /// The walk of a thread up to where it leaves its system stack, if C stands on that; kept.
    pub(super) fn with_foreign(&self, thread: usize) -> Option<&Walk> {
        self.walks.get(thread)?.foreign.get_or_init(|| self.walk_with_foreign(thread)).as_ref()
    }

    fn walk_with_foreign(&self, thread: usize) -> Option<Walk> {
        let m = self.threads.get(thread)?;
        let registers = self.registers_of(thread)?;
        let code = self.code();
        let walker = Walker::new(&self.core, &code, &self.sites);
        let stacks = self.stacks_of(Some(m));
        // Signals came later than what they interrupted.
        let left = |f: &RawFrame| f.on == On::Goroutine;
        let walk = walker.walk_thread_until(&RegisterSet::of_context(registers.iter()), &self.foreign, &stacks, &left);
        let walk = up_to_its_beginning(&self.core, walk, registers);
        let range = self.system_frames(thread, &walk, &code);
        // A call of nothing stands in no file.
        let in_c = |f: &RawFrame| f.foreign.is_some() || f.func.is_none();
        walk.frames.get(range)?.iter().any(in_c).then_some(walk)
    }
}

#[cfg(test)]
mod tests {
    use super::base_name;

    #[test]
    fn a_file_is_always_called_something() {
        let names = [&b"/usr/lib/libc.so.6"[..], b"app", b"/opt/a (deleted)", b"", b"/", b"/x/.."];
        let nameless = "a file without a name";
        assert_eq!(names.map(base_name), ["libc.so.6", "app", "a (deleted)", nameless, nameless, nameless]);
    }
}
