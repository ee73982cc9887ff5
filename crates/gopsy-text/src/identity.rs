//! Which Go, which system: read off the paths and names that a text happens to print.

use crate::scan::{self, Cursor};
use gopsy_model::{Identity, Known, Source, Str, Trust};

/// Looks for traces of release, system and architecture in the file names of a text.
pub(crate) fn guess<'a>(files: impl Iterator<Item = &'a [u8]>) -> Identity {
    let mut identity = Identity::default();
    let (mut version, mut weak_version): (Option<String>, Option<String>) = (None, None);
    let (mut os, mut arch) = (None, None);
    for path in files {
        let standard =
            scan::has(path, b"/src/runtime/") || scan::has(path, b"/src/testing/") || scan::has(path, b"/src/net/");
        if let Some(v) = version_in(path) {
            // The toolchain's own files name it; other paths (a GOPATH of gvm) only hint at it.
            if standard || scan::has(path, b"toolchain@") {
                version.get_or_insert(v);
            } else if scan::has(path, b"gvm/") {
                weak_version.get_or_insert(v);
            }
        }
        if os.is_none() || arch.is_none() {
            let (o, a) = platform_in(path);
            os = os.or(o);
            arch = arch.or(a);
        }
    }
    let inferred = |s: String| Known::have(Str::from(s), Trust::Inferred, Source::Text);
    if let Some(v) = version.or(weak_version) {
        identity.go_version = inferred(v);
    }
    if let Some(o) = os {
        identity.os = inferred(o.to_owned());
    }
    if let Some(a) = arch {
        identity.arch = inferred(a.to_owned());
    }
    identity
}

/// `go1.23.11` from `/hostedtoolcache/go/1.23.11/`, `/toolchain@v0.0.1-go1.25.6.linux-amd64/`, `/usr/lib/go-1.10/`, `/sdk/go1.23.3/`.
fn version_in(path: &[u8]) -> Option<String> {
    let mut from = 0usize;
    while let Some(i) = scan::find(scan::from(path, from), b"go") {
        let at = from.saturating_add(i);
        from = at.saturating_add(2);
        if at > 0 && scan::at(path, at.saturating_sub(1)).is_ascii_alphanumeric() {
            continue;
        }
        let mut c = Cursor::new(scan::from(path, from));
        if matches!(c.peek(), b'-' | b'/' | b'@') {
            c.skip(1);
        }
        if !c.eat(b"1.") {
            continue;
        }
        let Some(minor) = c.dec() else { continue };
        let mut version = format!("go1.{minor}");
        let mut patch = c;
        if patch.eat(b".")
            && let Some(p) = patch.dec()
        {
            version.push_str(&format!(".{p}"));
            c = patch;
        }
        if minor < 100 && matches!(c.peek(), b'/' | b'.' | b'-' | b'\\' | b'_' | 0) {
            return Some(version);
        }
    }
    None
}

const SYSTEMS: [&str; 12] = [
    "linux",
    "darwin",
    "windows",
    "freebsd",
    "netbsd",
    "openbsd",
    "dragonfly",
    "solaris",
    "android",
    "plan9",
    "aix",
    "ios",
];
const MACHINES: [&str; 14] = [
    "amd64", "arm64", "386", "arm", "ppc64le", "ppc64", "s390x", "riscv64", "loong64", "mips64le", "mips64", "mipsle",
    "mips", "wasm",
];

/// GOOS and GOARCH from a file of the runtime (`asm_amd64.s`, `os_linux.c`) or a toolchain's folder.
fn platform_in(path: &[u8]) -> (Option<&'static str>, Option<&'static str>) {
    let toolchain = scan::find_end(path, b"/toolchain@").map(|i| {
        let rest = scan::from(path, i);
        rest.split(|&c| c == b'/').next().unwrap_or(rest)
    });
    if let Some(folder) = toolchain {
        let words: Vec<&[u8]> = folder.split(|&c| c == b'.' || c == b'-').collect();
        let pick = |list: &[&'static str]| list.iter().copied().find(|s| words.contains(&s.as_bytes()));
        return (pick(&SYSTEMS), pick(&MACHINES));
    }
    let of_runtime = ["/runtime/", "/syscall/", "/net/", "/os/"].iter().any(|p| scan::has(path, p.as_bytes()))
        || path.starts_with(b"runtime/");
    if !of_runtime {
        return (None, None);
    }
    let base = path.rsplit(|&c| c == b'/' || c == b'\\').next().unwrap_or(path);
    let stem = base.split(|&c| c == b'.').next().unwrap_or(base);
    let words: Vec<&[u8]> = stem.split(|&c| c == b'_').skip(1).collect();
    let pick = |list: &[&'static str]| list.iter().copied().find(|s| words.contains(&s.as_bytes()));
    (pick(&SYSTEMS), pick(&MACHINES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (path, version) in [
            ("/opt/hostedtoolcache/go/1.23.11/x64/src/runtime/sema.go", Some("go1.23.11")),
            (
                "/home/x/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.25.6.linux-amd64/src/runtime/panic.go",
                Some("go1.25.6"),
            ),
            ("/usr/lib/go-1.10/src/testing/testing.go", Some("go1.10")),
            ("/home/travis/sdk/go1.23.3/src/testing/testing.go", Some("go1.23.3")),
            ("/usr/local/go/src/runtime/panic.go", None),
            ("/home/x/cargo/1.2/foo.go", None),
        ] {
            assert_eq!(version_in(path.as_bytes()).as_deref(), version, "{path}");
        }
    }

    #[test]
    fn platforms() {
        assert_eq!(platform_in(b"/usr/local/go/src/runtime/asm_amd64.s"), (None, Some("amd64")));
        assert_eq!(platform_in(b"/usr/local/go/src/syscall/zsyscall_linux_arm.go"), (Some("linux"), Some("arm")));
        assert_eq!(platform_in(b"/src/my_windows.go"), (None, None));
    }
}
