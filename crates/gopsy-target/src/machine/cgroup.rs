//! Limits of the cgroup that a process is in.

use super::{Outside, Reading};
use std::path::PathBuf;

/// Which of the two kinds a limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupVersion {
    /// One tree for each controller.
    V1,
    /// One tree.
    V2,
}

/// What a cgroup and those above it allow. `None` stands for no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    /// Where the limit of memory comes from.
    pub version: CgroupVersion,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Threads.
    pub pids: Option<u64>,
    /// How many processes of this cgroup were killed for want of memory.
    pub oom_kills: Option<u64>,
}

/// A limit of version 1 that is none: `PAGE_COUNTER_MAX` pages (include/linux/page_counter.h), with pages of any size.
const NO_LIMIT: u64 = 1 << 62;

impl Cgroup {
    pub(super) fn read(outside: &Outside<'_>) -> Reading<Cgroup> {
        let path = "/proc/self/cgroup";
        let text = match outside.text(path) {
            Reading::Have(text) => text,
            Reading::Missing(path) => return Reading::Missing(path),
            Reading::Refused(path, why) => return Reading::Refused(path, why),
            Reading::Strange(path, text) => return Reading::Strange(path, text),
        };
        // `9:cpu,memory:/a/b` in version 1, `0::/a/b` in version 2.
        let of = |controller: &str| {
            text.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':');
                let controllers = parts.nth(1)?;
                let path = parts.next()?;
                (controllers.split(',').any(|c| c == controller)).then(|| path.to_owned())
            })
        };
        let two = of("");
        let v1_memory = of("memory");
        let v1_pids = of("pids");
        if let (Some(two), None) = (&two, &v1_memory) {
            let top = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
                .into_iter()
                .find(|top| outside.exists(format!("{top}/cgroup.controllers")));
            let Some(top) = top else { return Reading::Missing(PathBuf::from("/sys/fs/cgroup/cgroup.controllers")) };
            return Reading::Have(Cgroup {
                version: CgroupVersion::V2,
                memory: least(outside, top, two, "memory.max"),
                pids: least(outside, top, two, "pids.max"),
                oom_kills: kills(outside, top, two, "memory.events"),
            });
        }
        let Some(memory) = v1_memory else {
            return Reading::Strange(PathBuf::from(path), "no cgroup of memory".to_owned());
        };
        let top = "/sys/fs/cgroup/memory";
        if !outside.exists(top) {
            return Reading::Missing(PathBuf::from(top));
        }
        Reading::Have(Cgroup {
            version: CgroupVersion::V1,
            memory: least(outside, top, &memory, "memory.limit_in_bytes").filter(|l| *l < NO_LIMIT),
            pids: v1_pids.and_then(|pids| least(outside, "/sys/fs/cgroup/pids", &pids, "pids.max")),
            oom_kills: kills(outside, top, &memory, "memory.oom_control"),
        })
    }
}

/// The cgroup and those above it. In a container the path can be that of the host, of which only the top is seen.
fn levels<'a>(top: &'a str, path: &'a str) -> impl Iterator<Item = String> + 'a {
    let path = path.trim_end_matches('/');
    let ends = path.match_indices('/').map(|(i, _)| i).chain([path.len()]);
    let mut levels: Vec<String> =
        ends.filter_map(|end| path.get(..end)).map(|level| format!("{top}{level}")).take(64).collect();
    levels.dedup();
    levels.reverse();
    levels.into_iter()
}

/// The least number in the files of one name; other words (`max`) are no limit.
fn least(outside: &Outside<'_>, top: &str, path: &str, file: &str) -> Option<u64> {
    levels(top, path).filter_map(|level| outside.number::<u64>(&format!("{level}/{file}")).value().copied()).min()
}

/// `oom_kill N` of the innermost file that is there.
fn kills(outside: &Outside<'_>, top: &str, path: &str, file: &str) -> Option<u64> {
    levels(top, path)
        .find_map(|level| outside.line(&format!("{level}/{file}"), "oom_kill ", |n| n.parse().ok()).value().copied())
}
