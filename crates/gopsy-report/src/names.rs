//! Short names for people: functions without import paths, files without roots; and whose code a frame is.

use gopsy_model::{Frame, FunctionName};
use gopsy_program::key::base_name;

/// `example.com/a/b.(*T).M` → `b.(*T).M`; escapes of the linker (`%2e`) undone. A major version (`v2`) says too little
/// alone and keeps the element before it.
#[must_use]
pub fn short_function(name: &FunctionName) -> String {
    let Some(package) = name.package() else { return name.as_str().to_owned() };
    let start = short_start(package);
    let short = name.as_str().get(start..).unwrap_or(name.as_str());
    if short.contains('%') { short.replace("%2e", ".").replace("%22", "\"") } else { short.to_owned() }
}

/// Where the last element of an import path begins.
fn short_start(package: &str) -> usize {
    let Some(slash) = package.rfind('/') else { return 0 };
    let last = package.get(slash + 1..).unwrap_or("");
    let version = last.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    if version { package.get(..slash).and_then(|p| p.rfind('/')).map_or(0, |i| i + 1) } else { slash + 1 }
}

/// The last two elements of a path: the folder is nearly always the package.
#[must_use]
pub fn short_file(path: &str) -> &str {
    let is_separator = |c| c == '/' || c == '\\';
    let Some(last) = path.rfind(is_separator) else { return path };
    match path.get(..last).and_then(|p| p.rfind(is_separator)) {
        Some(i) => path.get(i + 1..).unwrap_or(path),
        None => path.get(last + 1..).unwrap_or(path),
    }
}

/// `file:line`, without the line where none is known.
#[must_use]
pub fn place(file: &str, line: Option<i64>) -> String {
    match line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    }
}

/// First elements of the import paths of the standard library, of every release.
const STD: &[&str] = &[
    "archive",
    "arena",
    "bufio",
    "builtin",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "simd",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
    "unique",
    "unsafe",
    "weak",
];

/// Packages of the releases before Go 1 that are called otherwise today.
const OLD: &[&str] = &[
    "asn1",
    "big",
    "bignum",
    "exec",
    "gob",
    "http",
    "json",
    "netchan",
    "once",
    "rand",
    "rpc",
    "smtp",
    "syslog",
    "tabwriter",
    "template",
    "url",
    "utf8",
    "websocket",
    "xml",
];

fn in_std(package: &str) -> bool {
    let first = package.split('/').next().unwrap_or(package);
    STD.contains(&first) || first == "vendor"
}

/// The standard-library package of a frame (`net/http`), if it is one of its frames.
///
/// The file decides where there is one: a closure of the standard library can carry the caller's package in its name,
/// and a user's package can be called `sort`. In a build with `-trimpath` the file is `net/http/server.go`; otherwise it
/// stands under the `src` of a GOROOT. C frames belong to nobody.
#[must_use]
pub fn std_package(frame: &Frame) -> Option<String> {
    let package = frame.function.value().and_then(|f| f.package());
    let Some(file) = frame.file.value() else {
        return match package {
            Some(package) => in_std(package).then(|| package.to_owned()),
            None => frame.function.value().filter(|f| is_builtin(f.as_str())).map(|_| "runtime".to_owned()),
        };
    };
    let file = file.replace('\\', "/");
    let folder = file.rfind('/').and_then(|i| file.get(..i))?;
    let under = match folder.rfind("/src/") {
        // `src` of a GOPATH holds paths with a dot; `/src/app/net/x.go` is nobody's GOROOT.
        Some(i) => folder.get(i + 5..).unwrap_or(""),
        None => folder.strip_prefix("src/").unwrap_or(folder),
    };
    // Up to Go 1.3 the library stood in `src/pkg`, in the very first releases under names of its own.
    let under = match under.strip_prefix("pkg/") {
        Some(old) if in_std(old) || OLD.contains(&old) => return Some(old.to_owned()),
        _ => under,
    };
    let name = frame.function.value().map_or("", |f| f.as_str());
    let named_so = package.is_none_or(in_std) || name.contains("[...]");
    (in_std(under) && named_so).then(|| under.to_owned())
}

/// Functions of the runtime that print without a package.
fn is_builtin(name: &str) -> bool {
    matches!(name, "panic" | "goexit" | "gopanic" | "morestack" | "rt0_go" | "copystack" | "print" | "throw")
}

/// Nobody can open this: a wrapper that the compiler or cgo made.
#[must_use]
pub fn is_generated(frame: &Frame) -> bool {
    let name = frame.function.value().map_or("", |f| f.as_str());
    let file = frame.file.value().map_or("", |f| base_name(f));
    file == "<autogenerated>"
        || file == "_cgo_gotypes.go"
        || name.contains("._Cfunc_")
        || name.contains("._C2func_")
        || name.contains("._cgoCheck")
}

/// A number with its thousands apart: `99,998`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 goroutine`, `2,000 goroutines`.
#[must_use]
pub fn plural(number: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gopsy_model::Known;

    fn frame(function: &str, file: &str) -> Frame {
        Frame {
            function: Known::printed(FunctionName(function.into())),
            file: if file.is_empty() { Known::not_printed() } else { Known::printed(file.into()) },
            line: Known::not_printed(),
            offset: Known::not_printed(),
            pc: Known::not_printed(),
            sp: Known::not_printed(),
            fp: Known::not_printed(),
            args: Known::not_printed(),
            inlined: false,
            foreign: false,
        }
    }

    #[test]
    fn functions_and_files_get_short() {
        let short = |name: &str| short_function(&FunctionName(name.into()));
        assert_eq!(short("example.com/a/b.(*T).M"), "b.(*T).M");
        assert_eq!(short("example.com/a/v2.F"), "a/v2.F");
        assert_eq!(short("gopkg.in/check%2ev1.(*R).run"), "check.v1.(*R).run");
        assert_eq!(short("main.main"), "main.main");
        assert_eq!(short("panic"), "panic");
        assert_eq!(short_file("/usr/lib/go/src/net/http/server.go"), "http/server.go");
        assert_eq!(short_file(r"C:\go\src\x.go"), r"src\x.go");
        assert_eq!(short_file("x.go"), "x.go");
    }

    #[test]
    fn whose_code_a_frame_is() {
        let std = |function: &str, file: &str| std_package(&frame(function, file));
        assert_eq!(std("net/http.(*conn).serve", "/usr/local/go/src/net/http/server.go").as_deref(), Some("net/http"));
        assert_eq!(std("net/http.(*conn).serve", "net/http/server.go").as_deref(), Some("net/http"));
        assert_eq!(std("a.b/c.List.Keys[...].func1", "/usr/lib/go/src/maps/iter.go").as_deref(), Some("maps"));
        assert_eq!(std("panic", "/usr/lib/go/src/runtime/panic.go").as_deref(), Some("runtime"));
        assert_eq!(std("runtime.throw", "").as_deref(), Some("runtime"));
        assert_eq!(std("runtime.throw", r"c:\go\src\pkg\runtime\panic.c").as_deref(), Some("runtime"));
        assert_eq!(std("main.main", "/home/a/src/app/main.go"), None);
        assert_eq!(std("text/template.(*state).walk", "src/text/template/exec.go").as_deref(), Some("text/template"));
        assert_eq!(std("rand\u{b7}Intn", "/home/c/go/src/pkg/rand/rand.go").as_deref(), Some("rand"));
        assert_eq!(std("a/pkg/util.F", "/home/c/p/src/pkg/util/f.go"), None);
        assert_eq!(std("main.main", "main.go"), None);
        assert_eq!(std("main.main", "/home/a/src/log/main.go"), None);
        assert_eq!(
            std("internal/poll.runtime_pollWait", "/usr/lib/go/src/runtime/netpoll.go").as_deref(),
            Some("runtime")
        );
        assert_eq!(std("github.com/a/net.F", "/home/a/go/pkg/mod/github.com/a/net@v1/f.go"), None);
        assert_eq!(std("cmd/go/internal/x.F", "/usr/lib/go/src/cmd/go/internal/x/f.go"), None);
    }

    #[test]
    fn numbers() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(100_008), "100,008");
        assert_eq!(plural(1, "goroutine"), "1 goroutine");
    }
}
