//! Made-up machines, from files to the page.

use super::*;
use gopsy_report::terminal::View;
use std::ffi::OsString;

/// A machine made of files below a directory, and an environment.
struct Made {
    root: tempfile::TempDir,
    variables: Vec<(&'static str, &'static str)>,
}

impl Made {
    fn empty() -> Made {
        Made { root: tempfile::tempdir().expect("a directory"), variables: Vec::new() }
    }

    /// A machine on which all is well, but for what a test changes.
    fn good() -> Made {
        Made::empty()
            .file("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
            .file("/proc/sys/kernel/core_pattern", "/cores/core.%e.%p\n")
            .file("/proc/sys/kernel/core_uses_pid", "0\n")
            .file("/cores/.keep", "")
            .limits("unlimited", "unlimited")
            .file("/proc/self/coredump_filter", "00000033\n")
            .file("/proc/self/uid_map", "0 0 4294967295\n")
            .file("/proc/self/status", "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\nSeccomp:\t0\n")
            .file("/proc/self/cgroup", "0::/user.slice\n")
            .file("/sys/fs/cgroup/cgroup.controllers", "memory pids\n")
            .file("/proc/meminfo", "MemTotal:       1 kB\n")
            .file("/proc/sys/fs/suid_dumpable", "0\n")
            .variable("GOTRACEBACK", "crash")
    }

    fn file(self, path: &str, text: &str) -> Made {
        let full = self.root.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(full.parent().expect("not the root")).expect("a directory");
        std::fs::write(full, text).expect("a file");
        self
    }

    fn limits(self, soft: &str, hard: &str) -> Made {
        let text = format!(
            "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max file size             unlimited            unlimited            bytes     \n\
             Max core file size        {soft:20} {hard:20} bytes     \n"
        );
        self.file("/proc/self/limits", &text)
    }

    fn variable(mut self, name: &'static str, value: &'static str) -> Made {
        self.variables.retain(|(n, _)| *n != name);
        self.variables.push((name, value));
        self
    }

    fn checkup(&self) -> Checkup {
        checkup(&Machine::read(&Outside {
            root: self.root.path(),
            working_directory: self.root.path().to_owned(),
            variable: &|name| self.variables.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v)),
        }))
    }

    fn check(&self, id: &str) -> Check {
        let all = self.checkup().groups.into_iter().flat_map(|g| g.checks);
        all.into_iter().find(|c| c.id == id).unwrap_or_else(|| panic!("no check {id}"))
    }

    /// Judgements of the text and of the core.
    fn judged(&self) -> (Option<Judgement>, Option<Judgement>) {
        let checkup = self.checkup();
        let of = |id| checkup.groups.iter().find(|g| g.id == id).and_then(gopsy_report::doctor::Group::judgement);
        (of("text"), of("core"))
    }
}

use Judgement::{CannotTell, Limited, NotReady, Ready};

#[test]
fn a_machine_can_be_ready() {
    assert_eq!(Made::good().judged(), (Some(Ready), Some(Ready)));
}

#[test]
fn without_proc_nothing_is_ready_but_the_environment() {
    let made = Made::empty().variable("GOTRACEBACK", "crash");
    for group in made.checkup().groups {
        for check in group.checks {
            let by_environment = ["gotraceback", "godebug", "death"].contains(&check.id);
            assert_eq!(check.judgement, if by_environment { Ready } else { CannotTell }, "{check:?}");
        }
    }
    assert_eq!(made.check("rlimit-core").found, "/proc/self/limits is not there");
}

#[test]
fn levels_of_tracebacks() {
    for (value, text, core) in [
        ("none", NotReady, NotReady),
        ("0", NotReady, NotReady),
        ("everything", NotReady, NotReady),
        ("", Limited, NotReady),
        ("single", Limited, NotReady),
        ("1", Ready, NotReady),
        ("all", Ready, NotReady),
        ("2", Ready, NotReady),
        ("system", Ready, NotReady),
        ("crash", Ready, Ready),
    ] {
        let made = Made::good().variable("GOTRACEBACK", value);
        assert_eq!(made.judged(), (Some(text), Some(core)), "GOTRACEBACK={value}");
    }
    let mut made = Made::good();
    made.variables.clear();
    assert_eq!(made.judged(), (Some(Limited), Some(NotReady)));
    assert_eq!(made.check("death").fixes, [fix(Scope::Shell, "export GOTRACEBACK=crash")]);
}

#[test]
fn labels_can_be_switched_off() {
    assert_eq!(Made::good().check("godebug").judgement, Ready);
    let made = Made::good().variable("GODEBUG", "tracebacklabels=1,gctrace=1,tracebacklabels=0");
    assert_eq!(made.check("godebug").judgement, Limited);
}

#[test]
fn a_plain_core_pattern() {
    let made = Made::good().file("/proc/sys/kernel/core_pattern", "core\n");
    let check = made.check("core-pattern");
    assert_eq!(
        (check.judgement, check.found.as_str()),
        (Limited, "core: a file where the program runs; the next overwrites it")
    );
    let made = made.file("/proc/sys/kernel/core_uses_pid", "1\n");
    assert_eq!(made.check("core-pattern").found, "core: a file where the program runs");
    let made = Made::good().file("/proc/sys/kernel/core_pattern", "\n");
    assert_eq!(made.check("core-pattern").judgement, NotReady);
    let made = Made::good().file("/proc/sys/kernel/core_pattern", "|/bin/false\n");
    assert_eq!(made.check("core-pattern").judgement, NotReady);
    let made = Made::good().file("/proc/sys/kernel/core_pattern", "@/run/dump.sock\n");
    assert_eq!(made.check("core-pattern").judgement, CannotTell);
}

#[test]
fn no_cores_by_the_limit() {
    let made = Made::good().limits("0", "unlimited");
    let check = made.check("rlimit-core");
    assert_eq!(check.judgement, NotReady);
    assert_eq!(check.found, "0: no core is written (it may be raised to unlimited)");
    assert_eq!(check.fixes, [fix(Scope::Shell, "ulimit -c unlimited")]);
    // A shell cannot help where the hard limit is 0.
    let check = made.limits("0", "0").check("rlimit-core");
    assert_eq!(check.fixes.iter().map(|f| f.scope).collect::<Vec<_>>(), [Scope::Account]);
    let check = Made::good().limits("1048576", "unlimited").check("rlimit-core");
    assert_eq!(check.judgement, Limited);
    assert!(check.found.starts_with("1 MiB: a longer core is cut off"), "{}", check.found);
}

const SYSTEMD: &str = "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h\n";

#[test]
fn systemd_coredump() {
    let made = Made::good().file("/proc/sys/kernel/core_pattern", SYSTEMD);
    assert_eq!(made.check("core-pattern").judgement, NotReady, "the program is missing");
    let made = made.file("/usr/lib/systemd/systemd-coredump", "").file("/var/lib/systemd/coredump/.keep", "");
    assert_eq!(made.judged().1, Some(Ready));
    assert!(made.check("core-pattern").found.contains("coredumpctl dump"));
    let made = made.limits("0", "unlimited");
    assert_eq!(made.check("rlimit-core").judgement, NotReady);
    let made = made.limits("unlimited", "unlimited").file("/etc/systemd/coredump.conf", "[Coredump]\nStorage=none\n");
    assert_eq!(made.check("core-pattern").judgement, NotReady);
    // From inside a container the host's handler is not seen.
    let made = made.file("/.dockerenv", "");
    assert_eq!(made.check("core-pattern").judgement, CannotTell);
    assert_eq!(made.check("core-place").judgement, CannotTell);
}

#[test]
fn apport() {
    let made = Made::good()
        .file("/proc/sys/kernel/core_pattern", "|/usr/share/apport/apport -p%p -s%s -c%c -d%d -P%P -- %E\n")
        .file("/usr/share/apport/apport", "");
    assert_eq!(made.check("core-pattern").judgement, Limited);
    assert_eq!(made.check("rlimit-core").judgement, Ready);
    let check = made.limits("0", "unlimited").check("rlimit-core");
    assert_eq!(check.judgement, NotReady);
    assert!(check.found.contains("without a package"));
}

#[test]
fn a_handler_of_unknown_ways_is_not_trusted() {
    let made = Made::good()
        .file("/proc/sys/kernel/core_pattern", "|/opt/collect --pid %P\n")
        .file("/opt/collect", "")
        .limits("0", "unlimited");
    // The kernel starts it whatever the limit is.
    assert_eq!(made.check("rlimit-core").judgement, CannotTell);
    assert_eq!(made.check("core-pattern").judgement, CannotTell);
    assert_eq!(made.limits("1", "1").check("rlimit-core").judgement, NotReady);
}

#[test]
fn room_for_cores() {
    let made = Made::good().file("/proc/meminfo", "MemTotal:       9007199254740992 kB\n");
    assert_eq!(made.check("core-place").judgement, Limited);
    let made = Made::good().file("/proc/sys/kernel/core_pattern", "/nowhere/core.%p\n");
    let check = made.check("core-place");
    assert_eq!(check.judgement, NotReady);
    assert_eq!(check.fixes, [fix(Scope::Machine, "sudo install -d -m 1777 /nowhere")]);
    // What could mean something else to a shell is in no command.
    let made = Made::good().file("/proc/sys/kernel/core_pattern", "/no;reboot/core.%p\n");
    assert_eq!(made.check("core-place").fixes, []);
}

#[test]
fn filters() {
    for (filter, judgement) in [("33", Ready), ("37", Ready), ("23", Limited), ("32", NotReady), ("zz", CannotTell)] {
        let made = Made::good().file("/proc/self/coredump_filter", filter);
        assert_eq!(made.check("coredump-filter").judgement, judgement, "{filter}");
    }
}

#[test]
fn limits_of_cgroups() {
    let made = Made::good()
        .file("/sys/fs/cgroup/user.slice/memory.max", "1073741824\n")
        .file("/sys/fs/cgroup/user.slice/memory.events", "oom_kill 3\n")
        .file("/sys/fs/cgroup/user.slice/pids.max", "64\n");
    let check = made.check("memory-limit");
    assert_eq!(check.judgement, Limited);
    assert_eq!(
        check.found,
        "killed at 1 GiB (cgroup v2); GOMEMLIMIT is not set; killed for want of memory here so far: 3"
    );
    assert_eq!(check.fixes, [fix(Scope::Shell, "export GOMEMLIMIT=921MiB")]);
    assert_eq!(made.check("pids-limit").found, "at most 64 threads in this cgroup");
    let made = Made::good()
        .file("/proc/self/cgroup", "4:memory:/a\n")
        .file("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "536870912\n");
    assert!(made.check("memory-limit").found.starts_with("killed at 512 MiB (cgroup v1)"));
    assert_eq!(Made::good().check("memory-limit").judgement, Ready);
}

#[test]
fn rights() {
    let made = Made::good().file("/proc/sys/kernel/yama/ptrace_scope", "1\n");
    assert_eq!(made.check("ptrace").judgement, Limited);
    let root = made
        .file("/proc/self/status", "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\nSeccomp:\t2\n")
        .file("/proc/sys/kernel/unprivileged_bpf_disabled", "2\n")
        .file("/proc/sys/kernel/perf_event_paranoid", "4\n");
    assert_eq!(root.check("ptrace").judgement, Ready);
    assert_eq!(root.check("bpf").judgement, Ready);
    assert_eq!(root.check("perf-events").judgement, Ready);
    assert_eq!(root.check("seccomp").judgement, CannotTell);
    // The same rights in a user namespace of its own.
    let rootless = root.file("/proc/self/uid_map", "0 1000 1\n");
    assert_eq!(rootless.check("ptrace").judgement, Limited);
    assert_eq!(rootless.check("bpf").judgement, CannotTell);
    assert_eq!(rootless.check("perf-events").judgement, CannotTell);
    assert!(rootless.checkup().account.ends_with("CAP_BPF of a user namespace"));
}

#[test]
fn a_version_is_no_proof() {
    assert_eq!(Made::good().check("uprobe-multi").judgement, NotReady);
    let made = Made::good().file("/proc/sys/kernel/osrelease", "6.6.0\n");
    assert_eq!(made.check("uprobe-multi").judgement, CannotTell);
}

#[test]
fn hostile_contents_stay_text() {
    let evil = "/tmp/\x1b[2J\x1b]0;owned\x07\u{202e}core.%p\n";
    let made = Made::good()
        .file("/proc/sys/kernel/core_pattern", evil)
        .file("/proc/sys/kernel/osrelease", "6.6\x1b[31m\n")
        .file("/proc/1/comm", "\x1b[5mshop\n")
        .file("/run/systemd/container", "\x1b[1mnspawn")
        .variable("GOTRACEBACK", "\x1b[0mcrash\nexport PATH=/evil")
        .variable("GODEBUG", "tracebacklabels=0\x1b[2J");
    let harmful = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    for (width, whole) in [(40, true), (80, false), (80, true), (120, true), (200, true)] {
        let page = terminal::doctor(&made.checkup(), whole, &View { width, colour: false, unicode: true });
        assert!(!page.contains(harmful), "{page}");
        assert!(!page.contains("\nexport PATH"), "{page}");
    }
    let mut json = Vec::new();
    wire::doctor(&mut json, &made.checkup(), wire::Form::Pretty).expect("a Vec takes all");
    assert!(!String::from_utf8(json).expect("JSON is UTF-8").contains(harmful));
}

#[test]
fn ids_are_unique_and_whys_are_sentences() {
    let made = Made::good().file("/.dockerenv", "");
    let mut ids: Vec<&str> = Vec::new();
    for check in made.checkup().groups.iter().flat_map(|g| &g.checks) {
        assert!(!ids.contains(&check.id), "{}", check.id);
        ids.push(check.id);
        assert!(check.why.ends_with('.') && !check.found.is_empty(), "{check:?}");
        let documented = include_str!("../../../../../docs/wire/doctor.md");
        assert!(documented.contains(&format!("`{}`", check.id)), "{} is not in docs/wire/doctor.md", check.id);
    }
}
