//! The process that a core is of.

use crate::opened::Opened;
use gopsy_locate::{Locator, Named};
use gopsy_mem::{Addr, Range};
use gopsy_report::info::{Amount, File, Process, Thread};
use gopsy_target::{Core, MappedElf, SigInfo, signal_name};
use std::collections::{BTreeMap, HashMap};

/// Reads what the core says; libraries that are at hand are attached, so that what they supply is counted.
pub(super) fn process(opened: &mut Opened) -> Option<Process> {
    let elves = elves(opened)?;
    let core = opened.core.as_ref()?;
    let completeness = core.completeness();
    let lost = core.damage().iter().map(ToString::to_string);
    let mut lost: Vec<String> = lost.chain(completeness.lost.iter().map(ToString::to_string)).collect();
    lost.dedup();
    let info = core.process();
    Some(Process {
        core_size: core.file_len(),
        unpacked: core.unpacked().map(|u| match (u.format, &u.stopped) {
            (Some(format), None) => format!("{format}, unpacked whole"),
            (Some(format), Some(why)) => format!("{format}, not unpacked to its end: {why}"),
            (None, None) => "a pipe, read to its end".to_owned(),
            (None, Some(why)) => format!("a pipe, not read to its end: {why}"),
        }),
        by_gdb: completeness.by_gdb,
        by_delve: completeness.by_delve,
        pid: info.map(|p| u64::from(p.pid)),
        parent: info.map(|p| u64::from(p.parent)),
        name: info.map(|p| p.name.clone()),
        arguments: info.map(|p| p.arguments.clone()).filter(|a| !a.is_empty()),
        owner: info.map(|p| (u64::from(p.uid), u64::from(p.gid))),
        signal: signal(core),
        bias: opened.bias().ok().filter(|_| opened.program.is_ok()).map(|b| b.load(gopsy_mem::LinkAddr(0)).0),
        threads: threads(opened, core),
        memory: completeness
            .amounts
            .iter()
            .map(|a| Amount {
                kind: a.kind.to_string(),
                named: a.named,
                held: a.held,
                backed: a.backed,
                unwritten: a.unwritten,
            })
            .collect(),
        reserved: completeness.reserved,
        lost,
        files: files(core, &elves),
    })
}

/// What ended the process: the signal of the first thread, and who sent it.
fn signal(core: &Core) -> Option<String> {
    let first = core.threads().first()?;
    // Whoever attaches to a process stops it: nothing ended it, and it goes on.
    if core.completeness().by_gdb && first.siginfo.is_some_and(|s| s.is_stop()) {
        return Some("stopped by gdb".to_owned());
    }
    let number = if first.signal != 0 { u64::from(first.signal) } else { u64::try_from(first.siginfo?.number).ok()? };
    let name = signal_name(number);
    Some(match first.siginfo {
        Some(sent) => format!("{name}, {}", sender(&sent)),
        None => name,
    })
}

/// Who raised a signal (`include/uapi/asm-generic/siginfo.h`).
fn sender(sent: &SigInfo) -> String {
    match (sent.sender(), sent.fault_address(), sent.code) {
        (Some((pid, uid)), _, code) => {
            let how = match code {
                0 => "kill",
                -1 => "sigqueue",
                _ => "tgkill",
            };
            format!("sent by process {pid} of uid {uid} ({how})")
        }
        (None, Some(address), code) => format!("raised by the kernel (code {code}) at address {address:#x}"),
        (None, None, code @ 1..) => format!("raised by the kernel (code {code})"),
        (None, None, code) => format!("code {code}"),
    }
}

fn threads(opened: &Opened, core: &Core) -> Vec<Thread> {
    let bias = opened.bias().ok();
    let locator = match (&opened.program, bias) {
        (Ok((_, image)), Some(bias)) => Some(Locator::loaded(image, bias, core)),
        _ => None,
    };
    let thread = |t: &gopsy_target::Thread| {
        let pc = t.registers.pc();
        let stated = bias.map(|bias| bias.unload(pc));
        let own = locator.as_ref().zip(stated).filter(|(l, at)| l.image().is_executable(*at));
        let named = own.and_then(|(l, at)| l.named(at));
        let func = own.and_then(|(l, at)| l.table().ok()?.find(at).map(|f| (f, at)));
        let line = func.and_then(|(f, at)| Some((f.file(at)?, u64::try_from(f.line(at)?).ok()?)));
        let at = named.map(|n: Named| n.to_string()).or_else(|| core.describe(pc));
        Thread {
            tid: u64::from(t.tid),
            signal: core.signal_of(t).map(|s| signal_name(u64::from(s))),
            pc: pc.0,
            sp: t.registers.sp().0,
            at,
            line,
        }
    };
    core.threads().iter().map(thread).collect()
}

/// Executables and libraries that were mapped, by their first address: with what is at hand, or why nothing is. The program
/// was looked for before.
fn elves(opened: &mut Opened) -> Option<Vec<(MappedElf, Result<String, String>)>> {
    let how = opened.how.as_deref().unwrap_or_default();
    let program = match &opened.program {
        Ok((path, _)) if opened.proved => Ok(format!("{} ({how})", path.display())),
        Ok((path, _)) => Err(format!("nothing proves that {} is it ({how})", path.display())),
        Err(tried) => Err(tried.to_string()),
    };
    let (core, finder) = (opened.core.as_mut()?, &opened.finder);
    let mut out = Vec::new();
    for elf in core.elves() {
        let told = if elf.program {
            program.clone()
        } else {
            match finder.find(core, &elf) {
                Ok(found) => {
                    core.attach_file(&elf, &found.image);
                    Ok(format!("{} ({}; {})", found.path.display(), found.how, found.id))
                }
                Err(tried) => Err(tried.to_string()),
            }
        };
        out.push((elf, told));
    }
    Some(out)
}

/// The files that were mapped, by path; each with how much of it the core holds.
fn files(core: &Core, elves: &[(MappedElf, Result<String, String>)]) -> Vec<File> {
    let held = |range: Range| {
        let common = |s: &gopsy_target::CoreSegment| {
            let end = s.range.start.0.saturating_add(s.held).min(range.end.0);
            end.saturating_sub(s.range.start.0.max(range.start.0))
        };
        let from = core.segments().partition_point(|s| s.range.end <= range.start);
        let overlapping = core.segments().iter().skip(from).take_while(|s| s.range.start < range.end);
        overlapping.map(common).fold(0, u64::saturating_add)
    };
    let of_mapping: HashMap<Addr, usize> = elves
        .iter()
        .enumerate()
        .flat_map(|(i, (elf, _))| elf.mappings.iter().map(move |m| (m.range.start, i)))
        .collect();
    let mut files: BTreeMap<&[u8], File> = BTreeMap::new();
    for mapping in core.mappings() {
        let elf = of_mapping.get(&mapping.range.start).and_then(|i| elves.get(*i));
        let file = files.entry(&mapping.path).or_insert_with(|| File {
            path: String::from_utf8_lossy(&mapping.path).into_owned(),
            start: mapping.range.start.0,
            size: 0,
            held: 0,
            build_id: None,
            at_hand: None,
            missing: None,
        });
        file.size = file.size.saturating_add(mapping.range.len());
        file.held = file.held.saturating_add(held(mapping.range));
        if let Some((elf, told)) = elf {
            file.build_id = elf.build_id.as_deref().map(super::hex);
            (file.at_hand, file.missing) = (told.clone().ok(), told.clone().err());
        }
    }
    let mut files: Vec<File> = files.into_values().collect();
    files.sort_by_key(|f| f.start);
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_raised_a_signal() {
        let said = |number, code, address| sender(&SigInfo { number, code, address });
        assert_eq!(said(6, -6, 7 | 1000 << 32), "sent by process 7 of uid 1000 (tgkill)");
        assert_eq!(said(11, 1, 0x18), "raised by the kernel (code 1) at address 0x18");
        // Not at address 0: the kernel does not know where.
        assert_eq!(said(11, 0x80, 0), "raised by the kernel (code 128)");
        assert_eq!(said(14, -2, 0), "code -2");
    }
}
