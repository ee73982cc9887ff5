use super::*;
use std::fs;

/// A made-up machine.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Root {
        Root(tempfile::tempdir().unwrap())
    }

    fn file(self, path: &str, text: &str) -> Root {
        let full = self.0.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
        self
    }

    fn directory(self, path: &str) -> Root {
        fs::create_dir_all(self.0.path().join(path.trim_start_matches('/'))).unwrap();
        self
    }

    fn read(&self) -> Machine {
        self.read_with(&|_| None)
    }

    fn read_with(&self, variable: &dyn Fn(&str) -> Option<OsString>) -> Machine {
        Machine::read(&Outside { root: self.0.path(), working_directory: self.0.path().to_owned(), variable })
    }
}

const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max file size             unlimited            unlimited            bytes     \n\
                      Max core file size        0                    unlimited            bytes     \n";

#[test]
fn nothing_is_known_without_proc() {
    let machine = Root::new().read();
    assert_eq!(machine.core_pattern, Reading::Missing("/proc/sys/kernel/core_pattern".into()));
    assert_eq!(machine.core_limit.why().unwrap(), "/proc/self/limits is not there");
    assert_eq!(machine.cgroup.value(), None);
    assert_eq!(machine.can(Capability::Bpf), None);
    assert_eq!(machine.kernel_version(), None);
    assert_eq!(machine.go, None);
    assert_eq!(machine.surroundings, Surroundings::default());
    assert!(!machine.uprobes.perf);
}

#[test]
fn the_machine_of_the_test_can_be_read() {
    let machine = Machine::read(&Outside {
        root: Path::new("/"),
        working_directory: std::env::temp_dir(),
        variable: &|name| std::env::var_os(name),
    });
    if Path::new("/proc/self/limits").exists() {
        assert!(machine.core_limit.value().is_some());
        assert!(machine.kernel_version().unwrap() >= (3, 0));
        assert!(machine.capabilities.value().is_some());
    }
}

#[test]
fn limits_and_status() {
    let root = Root::new()
        .file("/proc/self/limits", LIMITS)
        .file("/proc/self/status", "Name:\tx\nUid:\t1000\t1001\t1000\t1000\nCapEff:\t0000008000080000\nSeccomp:\t2\n")
        .file("/proc/self/uid_map", "         0          0 4294967295\n")
        .file("/proc/self/coredump_filter", "00000033\n")
        .file("/proc/meminfo", "MemTotal:       16384 kB\n")
        .file("/proc/sys/kernel/osrelease", "5.15.0-91-generic\n");
    let machine = root.read();
    assert_eq!(machine.core_limit, Reading::Have(Limit { soft: Some(0), hard: None }));
    assert_eq!(machine.file_limit, Reading::Have(Limit { soft: None, hard: None }));
    assert_eq!(machine.uid, Reading::Have(1001));
    assert_eq!(machine.can(Capability::SysPtrace), Some(true));
    assert_eq!(machine.can(Capability::Bpf), Some(true));
    assert_eq!(machine.can(Capability::Perfmon), Some(false));
    let rootless = root.file("/proc/self/uid_map", "0 1000 1\n1 100000 65536\n");
    assert_eq!(rootless.read().can(Capability::SysPtrace), None);
    assert_eq!(rootless.read().can(Capability::Perfmon), Some(false));
    assert_eq!(machine.seccomp, Reading::Have(2));
    assert_eq!(machine.coredump_filter, Reading::Have(0x33));
    assert_eq!(machine.memory, Reading::Have(16 << 20));
    assert_eq!(machine.kernel_version(), Some((5, 15)));
}

#[test]
fn patterns() {
    let of = |text: &str| {
        let pattern = CorePattern::parse(text);
        (pattern.handler(), pattern.directory(Path::new("/w")), pattern.tells_processes_apart())
    };
    let path = |p: &str| Some(PathBuf::from(p));
    assert_eq!(of("core"), (None, path("/w"), false));
    assert_eq!(of("core.%e.%p"), (None, path("/w"), true));
    assert_eq!(of("core.%%p"), (None, path("/w"), false));
    assert_eq!(of("cores/core.%t"), (None, path("/w/cores"), true));
    assert_eq!(of("/core"), (None, path("/"), false));
    assert_eq!(of("/var/cores/core.%P"), (None, path("/var/cores"), true));
    assert_eq!(of("/var/cores/%e/core"), (None, None, false));
    let systemd = "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h";
    assert_eq!(of(systemd), (Some(Handler::SystemdCoredump), path("/var/lib/systemd/coredump"), true));
    let apport = "|/usr/share/apport/apport -p%p -s%s -c%c -d%d -P%P -u%u -g%g -F%F -- %E";
    assert_eq!(of(apport), (Some(Handler::Apport), path("/var/lib/apport/coredump"), true));
    let abrt = "|/usr/libexec/abrt-hook-ccpp %s %c %p %u %g %t %P %I %h";
    assert_eq!(of(abrt), (Some(Handler::Abrt), path("/var/spool/abrt"), true));
    assert_eq!(of("|/wsl-capture-crash %t %E %p %s").0, Some(Handler::Wsl));
    assert_eq!(of("|/bin/false").0, Some(Handler::Nothing));
    assert_eq!(of("|/opt/collector --pid=%P").0, Some(Handler::Other));
    assert_eq!(of("|").0, Some(Handler::Nothing));
    assert_eq!(CorePattern::parse("@/run/coredump.sock"), CorePattern::Socket("@/run/coredump.sock".to_owned()));
    assert_eq!(CorePattern::parse(""), CorePattern::Empty);
}

#[test]
fn the_handler_of_a_pipe_is_looked_for() {
    let pattern = "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h\n";
    let root = Root::new().file("/proc/sys/kernel/core_pattern", pattern);
    assert_eq!(root.read().core_handler_there, Some(false));
    assert_eq!(root.read().core_place, Reading::Missing("/var/lib/systemd/coredump".into()));
    let root = root.file("/usr/lib/systemd/systemd-coredump", "").directory("/var/lib/systemd/coredump");
    let machine = root.read();
    assert_eq!(machine.core_handler_there, Some(true));
    let place = machine.core_place.value().unwrap();
    assert_eq!(place.directory, Path::new("/var/lib/systemd/coredump"));
    assert!(place.writable && place.free.unwrap() > 0);
    assert_eq!(machine.systemd_coredump, Some(SystemdCoredump::default()));
}

#[test]
fn settings_of_systemd_coredump() {
    let root = Root::new()
        .file("/proc/sys/kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P\n")
        .file("/usr/lib/systemd/coredump.conf", "[Coredump]\nStorage=journal\n")
        .file("/etc/systemd/coredump.conf", "[Coredump]\n#Storage=none\nExternalSizeMax=8G\n")
        .file("/usr/lib/systemd/coredump.conf.d/50-a.conf", "[Coredump]\nStorage=journal\n")
        .file("/etc/systemd/coredump.conf.d/50-a.conf", "[Coredump]\nStorage = none\n[Other]\nStorage=external\n")
        .file("/run/systemd/coredump.conf.d/90-b.conf", "[Coredump]\nProcessSizeMax=1G\n")
        .file("/run/systemd/coredump.conf.d/ignored", "[Coredump]\nStorage=external\n");
    let settings = root.read().systemd_coredump.unwrap();
    assert_eq!(settings.storage.as_deref(), Some("none"));
    assert_eq!(settings.external_size_max.as_deref(), Some("8G"));
    assert_eq!(settings.process_size_max.as_deref(), Some("1G"));
    assert_eq!(settings.unread, None);
}

#[test]
fn what_is_not_to_be_read_says_so() {
    // A directory where a file should be is refused for root as well.
    let root = Root::new()
        .directory("/proc/self/limits")
        .file("/proc/sys/fs/suid_dumpable", "two\n")
        .file("/proc/sys/kernel/core_pattern/x", "");
    let machine = root.read();
    assert_eq!(machine.core_limit.why().unwrap(), "/proc/self/limits cannot be read: it is no file");
    assert_eq!(machine.suid_dumpable.why().unwrap(), "/proc/sys/fs/suid_dumpable holds \"two\"");
    assert!(matches!(machine.core_pattern, Reading::Refused(..)));
}

#[cfg(unix)]
#[test]
fn a_fifo_does_not_block() {
    let root = Root::new().directory("/proc/sys/kernel");
    let path = root.0.path().join("proc/sys/kernel/core_pattern");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    assert!(matches!(root.read().core_pattern, Reading::Refused(..)));
}

#[test]
fn cgroups_of_version_2() {
    let root = Root::new()
        .file("/proc/self/cgroup", "0::/system.slice/shop.service\n")
        .file("/sys/fs/cgroup/cgroup.controllers", "memory pids\n")
        .file("/sys/fs/cgroup/system.slice/memory.max", "1073741824\n")
        .file("/sys/fs/cgroup/system.slice/shop.service/memory.max", "max\n")
        .file("/sys/fs/cgroup/system.slice/shop.service/pids.max", "100\n")
        .file("/sys/fs/cgroup/system.slice/shop.service/memory.events", "oom 3\noom_kill 2\noom_group_kill 0\n");
    let expected = Cgroup { version: CgroupVersion::V2, memory: Some(1 << 30), pids: Some(100), oom_kills: Some(2) };
    assert_eq!(root.read().cgroup, Reading::Have(expected));
}

#[test]
fn cgroups_of_version_1() {
    let root = Root::new()
        .file("/proc/self/cgroup", "8:pids:/\n4:cpu,memory:/docker/0123\n1:name=systemd:/\n0::/\n")
        // A container sees its own cgroup at the top.
        .file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n")
        .file("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
        .file("/sys/fs/cgroup/pids/pids.max", "max\n");
    let expected = Cgroup { version: CgroupVersion::V1, memory: Some(1 << 29), pids: None, oom_kills: Some(1) };
    assert_eq!(root.read().cgroup, Reading::Have(expected));
    let root = root.file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_eq!(root.read().cgroup.value().unwrap().memory, None);
}

#[test]
fn containers_and_machines() {
    let root = Root::new().file("/proc/1/cgroup", "0::/kubepods/besteffort/pod1\n").file("/proc/1/comm", "shop\n");
    let seen = root.read().surroundings;
    assert_eq!(seen.container, Some(("Kubernetes".to_owned(), "/proc/1/cgroup".to_owned())));
    assert_eq!(seen.first_process.as_deref(), Some("shop"));
    let seen = Root::new().file("/.dockerenv", "").read().surroundings;
    assert_eq!(seen.container.unwrap().0, "Docker");
    let root = Root::new().file("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu hypervisor sse\n");
    assert_eq!(root.read().surroundings.machine.unwrap().0, "a hypervisor");
    let root = Root::new().file("/proc/sys/kernel/osrelease", "5.15.146.1-microsoft-standard-WSL2\n");
    assert_eq!(root.read().surroundings.machine.unwrap().0, "WSL");
}

#[test]
fn go_is_found_but_not_started() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = Root::new()
        .file("/usr/local/go/bin/go", "#!/bin/sh\ntouch started\n")
        .file("/usr/local/go/VERSION", "go1.27.3\ntime 2026-09-01T00:00:00Z\n");
    let path = |name: &str| (name == "PATH").then(|| OsString::from("relative:/nowhere:/usr/local/go/bin"));
    assert_eq!(root.read_with(&path).go, None, "it may not be executed");
    let go = root.0.path().join("usr/local/go/bin/go");
    fs::set_permissions(go, fs::Permissions::from_mode(0o755)).unwrap();
    let found = root.read_with(&path).go.unwrap();
    assert_eq!(found.path, Path::new("/usr/local/go/bin/go"));
    assert_eq!(found.version.as_deref(), Some("go1.27.3"));
    assert!(!root.0.path().join("started").exists());
}

#[test]
fn uprobes() {
    let root = Root::new().directory("/sys/kernel/tracing");
    assert!(matches!(root.read().uprobes.tracefs, Reading::Missing(_)));
    let root = root.file("/sys/kernel/debug/tracing/uprobe_events", "");
    assert_eq!(root.read().uprobes.tracefs.value().unwrap(), Path::new("/sys/kernel/debug/tracing/uprobe_events"));
    let root = root.file("/sys/bus/event_source/devices/uprobe/type", "9\n");
    assert!(root.read().uprobes.perf);
}
