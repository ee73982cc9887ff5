//! Signs of a container or a virtual machine. Signs, no proofs: both can be hidden.

use super::Outside;

/// What gopsy seems to run in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Signs of a container: the kind, and what it was seen by.
    pub container: Option<(String, String)>,
    /// Signs of a virtual machine: the kind, and what it was seen by.
    pub machine: Option<(String, String)>,
    /// The name of process 1.
    pub first_process: Option<String>,
}

/// Words in the paths of cgroups that engines make.
const ENGINES: [(&str, &str); 7] = [
    ("kubepods", "Kubernetes"),
    ("docker", "Docker"),
    ("libpod", "Podman"),
    ("containerd", "containerd"),
    ("crio", "CRI-O"),
    ("lxc", "LXC"),
    ("garden", "Garden"),
];

impl Surroundings {
    pub(super) fn read(outside: &Outside<'_>) -> Surroundings {
        let sign = |kind: &str, by: &str| Some((kind.to_owned(), by.to_owned()));
        let container = || {
            if outside.variable("KUBERNETES_SERVICE_HOST").is_some() {
                return sign("Kubernetes", "KUBERNETES_SERVICE_HOST");
            }
            for (file, kind) in [("/.dockerenv", "Docker"), ("/run/.containerenv", "Podman")] {
                if outside.exists(file) {
                    return sign(kind, file);
                }
            }
            if let Some(kind) = outside.text("/run/systemd/container").value().filter(|k| !k.is_empty()) {
                return sign(kind, "/run/systemd/container");
            }
            let path = "/proc/1/cgroup";
            let cgroup = outside.text(path);
            let (_, kind) = ENGINES.iter().find(|(word, _)| cgroup.value().is_some_and(|c| c.contains(word)))?;
            sign(kind, path)
        };
        let machine = || {
            let release = outside.text("/proc/sys/kernel/osrelease");
            if release.value().is_some_and(|r| r.to_lowercase().contains("microsoft")) {
                return sign("WSL", "the kernel's name");
            }
            for path in ["/sys/hypervisor/type", "/sys/class/dmi/id/product_name"] {
                const KINDS: [&str; 8] =
                    ["xen", "KVM", "QEMU", "VirtualBox", "VMware", "Virtual Machine", "Google Compute Engine", "HVM"];
                let text = outside.text(path);
                let kind = KINDS.iter().find(|k| text.value().is_some_and(|t| t.contains(*k)));
                if let Some(kind) = kind {
                    return sign(kind, path);
                }
            }
            let flags = outside.line("/proc/cpuinfo", "flags", |flags| {
                Some(flags.split_whitespace().any(|flag| flag == "hypervisor"))
            });
            if flags.value() == Some(&true) { sign("a hypervisor", "/proc/cpuinfo") } else { None }
        };
        Surroundings {
            container: container(),
            machine: machine(),
            first_process: outside.text("/proc/1/comm").value().cloned(),
        }
    }
}
