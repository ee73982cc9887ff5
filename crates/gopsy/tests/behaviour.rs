//! How the command line behaves: exit statuses, pipes, folders, hostile names.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;

const CRASH: &str = "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 7 [running]:\nmain.f(0x1)\n\t/src/app/main.go:12 +0x1d\nmain.main()\n\t/src/app/main.go:3 +0x20\nexit status 2\n";

/// Starts gopsy with this standard input, which is written beside: gopsy may stop reading early.
fn start(args: &[&str], stdin: &[u8], folder: &Path) -> (Child, JoinHandle<()>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gopsy"))
        .args(args)
        .current_dir(folder)
        .env_remove("GITHUB_STEP_SUMMARY")
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = stdin.to_vec();
    (child, std::thread::spawn(move || drop(input.write_all(&bytes))))
}

fn gopsy(args: &[&str], stdin: &[u8], folder: &Path) -> Output {
    let (child, writer) = start(args, stdin, folder);
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap();
    out
}

fn out(o: &Output) -> String {
    String::from_utf8_lossy(&o.stdout).into_owned()
}

fn err(o: &Output) -> String {
    String::from_utf8_lossy(&o.stderr).into_owned()
}

#[test]
fn exit_statuses() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert_eq!(gopsy(&["explain", "-"], CRASH.as_bytes(), at).status.code(), Some(0));
    let empty = gopsy(&["explain", "-"], b"", at);
    assert_eq!((empty.status.code(), out(&empty).as_str()), (Some(1), ""));
    assert!(err(&empty).contains("standard input is empty"), "{}", err(&empty));
    let prose = gopsy(&["explain", "-"], b"all is well\nnothing to see\n", at);
    assert_eq!(prose.status.code(), Some(1));
    assert!(err(&prose).contains("no death of a Go program") && err(&prose).contains("would need"), "{}", err(&prose));
    assert_eq!(gopsy(&["explain", "no-such-file"], b"", at).status.code(), Some(1));
    assert_eq!(gopsy(&["explain", "--no-such-flag"], b"", at).status.code(), Some(2));
    assert_eq!(gopsy(&["about", "no-such-slug"], b"", at).status.code(), Some(1));
    assert_eq!(gopsy(&["about", "nil-dereference"], b"", at).status.code(), Some(0));
    assert_eq!(gopsy(&["stacks", "-"], b"nothing\n", at).status.code(), Some(1));
    assert_eq!(gopsy(&["completions", "bash"], b"", at).status.code(), Some(0));
}

#[test]
fn a_folder_a_pipe_and_several_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("case")).unwrap();
    fs::write(at.join("case/a.txt"), CRASH).unwrap();
    fs::write(at.join("case/b.log"), CRASH.replace("main.f", "main.g")).unwrap();
    fs::write(at.join("case/binary"), b"\x7fELF").unwrap();
    let both = out(&gopsy(&["explain", "case"], b"", at));
    assert!(both.contains("main.f") && both.contains("main.g"), "{both}");
    let one = out(&gopsy(&["explain", "case/a.txt", "case/b.log"], b"", at));
    assert!(one.contains("case/a.txt") && one.contains("case/b.log"), "{one}");
    fs::create_dir(at.join("nothing")).unwrap();
    let none = gopsy(&["explain", "nothing"], b"", at);
    assert!(none.status.code() == Some(1) && err(&none).contains("no crash text"), "{}", err(&none));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let many: String =
        (0..20_000).map(|i| format!("goroutine {i} [running]:\nmain.f{i}()\n\t/a/b.go:{i}\n\n")).collect();
    let (mut child, writer) = start(&["stacks", "--limit", "0", "-"], many.as_bytes(), Path::new("."));
    let mut first = [0u8; 64];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let done = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!((done.status.code(), err(&done).as_str()), (Some(0), ""));
}

#[test]
fn hostile_names_are_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("secret"), "root:x:0:0\n".repeat(40)).unwrap();
    std::os::unix::fs::symlink(at.join("secret"), at.join("main.go")).unwrap();
    for file in ["/etc/passwd", "/dev/zero", "main.go", "../../etc/passwd", "/proc/self/environ"] {
        let text = CRASH.replace("/src/app/main.go", file);
        let said = gopsy(&["explain", "-"], text.as_bytes(), at);
        assert_eq!(said.status.code(), Some(0));
        assert!(!out(&said).contains("root:"), "{file}: {}", out(&said));
    }
}

#[test]
fn nothing_hostile_is_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = "panic: \x1b]0;owned\x07\u{202e}x\n\t::error file=a::b\n\t::set-output name=x::y\n\ngoroutine 1 [running]:\nmain.\x1b[31mf(0x1)\n\t/src/\x1b[0m/a.go:1 +0x1\n";
    let plain = out(&gopsy(&["explain", "-"], text.as_bytes(), at));
    assert!(!plain.contains('\x1b') && !plain.contains('\x07') && !plain.contains('\u{202e}'), "{plain:?}");
    let github = out(&gopsy(&["explain", "--github", "-"], text.as_bytes(), at));
    let commands: Vec<&str> = github.lines().filter(|l| l.trim_start().starts_with("::")).collect();
    assert!(commands.iter().all(|l| l.starts_with("::error ") && !l.contains("set-output name")), "{commands:?}");
}

#[test]
fn several_deaths_in_one_text() {
    let folder = tempfile::tempdir().unwrap();
    let served = "2024/01/02 03:04:05 http: panic serving 127.0.0.1:9: runtime error: integer divide by zero\ngoroutine 5 [running]:\nmain.div(...)\n\t/src/app/div.go:4\nmain.main()\n\t/src/app/main.go:3 +0x20\n\n";
    let text = format!("{served}{CRASH}");
    let said = gopsy(&["explain", "--json", "-"], text.as_bytes(), folder.path());
    let json: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(json["verdict"]["kind"], "out-of-range");
    assert_eq!(json["verdict"]["also"][0]["kind"], "divide-by-zero");
    assert_eq!(json["goroutines"].as_array().unwrap().len(), 2);
    let all = out(&gopsy(&["explain", "--all", "-"], text.as_bytes(), folder.path()));
    assert!(all.contains("divided by zero") && all.contains("Index 5"), "{all}");
    let each = gopsy(&["explain", "--all", "--json", "-"], text.as_bytes(), folder.path());
    let each = serde_json::Deserializer::from_slice(&each.stdout).into_iter::<serde_json::Value>();
    let ids: Vec<_> = each.map(|json| json.unwrap()["goroutines"].as_array().unwrap().len()).collect();
    assert_eq!(ids, [1, 1], "each death has its own goroutines");
}

#[test]
fn every_help_has_an_example() {
    let folder = tempfile::tempdir().unwrap();
    for verb in ["explain", "stacks", "where", "info", "about", "doctor", "completions", "man"] {
        let help = out(&gopsy(&[verb, "--help"], b"", folder.path()));
        assert!(help.contains("Example") && help.contains(&format!("gopsy {verb}")), "{verb}: {help}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = |args: &[&str]| out(&gopsy(&[&["man"], args].concat(), b"", folder.path()));
    assert!(page(&[]).contains(".TH gopsy 1") && page(&[]).contains("explain"), "{}", page(&[]));
    for verb in ["explain", "stacks", "where", "info", "about", "doctor", "completions", "man"] {
        let page = page(&[verb]);
        assert!(page.contains(&format!(".TH gopsy-{verb} 1")) && page.contains("Example"), "{verb}: {page}");
    }
    assert_eq!(gopsy(&["man", "nothing"], b"", folder.path()).status.code(), Some(1));
}

#[test]
fn a_value_of_many_pages_is_told_in_a_few_lines() {
    let folder = tempfile::tempdir().unwrap();
    let text = CRASH.replace("runtime error: index out of range [5] with length 3", &"a long story ".repeat(5000));
    let page = out(&gopsy(&["explain", "-"], text.as_bytes(), folder.path()));
    assert!(page.lines().count() < 50 && page.contains("a long story"), "{} lines", page.lines().count());
}

/// Answers one request with this kind of content and body; gives the port.
fn serve(kind: &'static str, body: Vec<u8>) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0u8; 4096]).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
    });
    port
}

#[test]
fn the_profile_of_a_running_program() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |verb: &str, port: u16, query: &str| {
        let url = format!("http://127.0.0.1:{port}/debug/pprof/goroutine{query}");
        gopsy(&[verb, &url], b"", folder.path())
    };
    let text = |file: &str| {
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo/texts").join(file).join("go1.27.txt")).unwrap()
    };
    let plain = "text/plain; charset=utf-8";
    let counted = ask("stacks", serve(plain, text("profile-counted")), "?debug=1");
    assert!(out(&counted).starts_with("41 goroutines in 2 groups"), "{}{}", out(&counted), err(&counted));
    let listed = ask("stacks", serve(plain, text("profile-stacks")), "?debug=2");
    assert!(out(&listed).starts_with("41 goroutines in 2 groups"), "{}{}", out(&listed), err(&listed));
    let leaked = ask("explain", serve(plain, text("leak-profile-counted")), "?debug=1");
    assert!(out(&leaked).contains("3 goroutines can never wake up"), "{}{}", out(&leaked), err(&leaked));
    let binary = ask("stacks", serve("application/octet-stream", vec![0x1f, 0x8b, 8, 0]), "");
    assert!(binary.status.code() == Some(1) && err(&binary).contains("?debug=1"), "{}", err(&binary));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = ask("stacks", nobody, "?debug=1");
    assert!(refused.status.code() == Some(1) && err(&refused).contains("cannot fetch"), "{}", err(&refused));
}

/// A stack of 300 functions, each another.
fn deep() -> String {
    let frames: String = (0..300).map(|i| format!("main.f{i}()\n\t/a/b.go:{} +0x1d\n", i + 1)).collect();
    format!(
        "panic: deep\n\ngoroutine 7 [running]:\n{frames}\ngoroutine 8 [chan receive]:\nmain.other()\n\t/a/c.go:1 +0x1d\n"
    )
}

#[test]
fn one_goroutine_is_shown_whole() {
    let folder = tempfile::tempdir().unwrap();
    let shown = gopsy(&["stacks", "--goroutine", "7", "-"], deep().as_bytes(), folder.path());
    assert_eq!(shown.status.code(), Some(0), "{}", err(&shown));
    let page = out(&shown);
    assert!((0..300).all(|i| page.contains(&format!("main.f{i} "))) && !page.contains("main.other"), "{page}");
}

#[test]
fn no_option_of_any_value_is_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (name, text) in [("crash", CRASH.to_owned()), ("deep", deep()), ("no-text", String::new())] {
        fs::write(at.join(name), text).unwrap();
    }
    let numbers = ["0", "1", "7", "18446744073709551615"];
    let mut asked: Vec<Vec<&str>> = vec![
        vec!["stacks", "--threads"],
        vec!["stacks", "--json"],
        vec!["explain", "--all"],
        vec!["explain", "--markdown"],
        vec!["explain", "--github"],
        vec!["explain", "--redact"],
        vec!["info", "--deps"],
        vec!["info", "--json"],
        vec!["doctor", "--why"],
    ];
    for by in ["stack", "state", "wait", "object", "creator", "label=a", "label", "nothing"] {
        asked.push(vec!["stacks", "--by", by]);
    }
    for other in ["crash", "deep", "no-text", "nowhere"] {
        asked.push(vec!["stacks", "--diff", other]);
    }
    for number in numbers {
        asked.push(vec!["stacks", "--goroutine", number]);
        asked.push(vec!["stacks", "--limit", number]);
        for verb in ["stacks", "explain", "info", "where"] {
            asked.push(vec![verb, "--width", number]);
        }
        asked.push(vec!["where", "--context", number]);
    }
    for what in ["", "(", "*", "main", "map[string]int"] {
        asked.push(vec!["stacks", "--grep", what]);
        asked.push(vec!["explain", "--path-map", what]);
        asked.push(vec!["where", "--writes", what]);
    }
    for options in asked {
        for target in ["crash", "deep", "no-text"] {
            for more in [&[][..], &["main.main"], &["0x0"], &["b.go:0"]] {
                if options.first() != Some(&"where") && !more.is_empty() {
                    continue;
                }
                let (verb, rest) = options.split_at(1);
                let asked = gopsy(&[verb, rest, &[target], more].concat(), b"", at);
                let code = asked.status.code();
                assert!(matches!(code, Some(0..=2)), "{options:?} {target} {more:?}: {code:?}: {}", err(&asked));
            }
        }
    }
}
