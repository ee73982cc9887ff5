//! Hostile texts of any size, made while they are read.

use std::io::{self, Read};

/// One kind of text.
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: &'static str,
    /// What stands before everything else.
    head: &'static str,
    /// Writes piece number `n`.
    piece: fn(u64, &mut Vec<u8>),
}

impl Case {
    /// A text of about this many bytes.
    pub(crate) fn text(&self, bytes: u64) -> Text {
        Text { piece: self.piece, n: 0, left: bytes, buffer: self.head.as_bytes().to_vec(), at: 0 }
    }
}

/// The text of a case, as a reader.
pub(crate) struct Text {
    piece: fn(u64, &mut Vec<u8>),
    n: u64,
    left: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl Read for Text {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.buffer.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.buffer.clear();
            self.at = 0;
            while self.buffer.len() < 1 << 16 {
                (self.piece)(self.n, &mut self.buffer);
                self.n += 1;
            }
            self.left = self.left.saturating_sub(self.buffer.len() as u64);
        }
        let n = out.len().min(self.buffer.len() - self.at);
        out[..n].copy_from_slice(&self.buffer[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// Bytes that look random and are the same in every run (splitmix64).
fn random(n: u64) -> [u8; 8] {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).to_le_bytes()
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// All cases.
pub(crate) const CASES: &[Case] = &[
    Case { name: "one line", head: "", piece: |_, o| put(o, "x") },
    Case { name: "zeros", head: "", piece: |_, o| o.resize(o.len() + 4096, 0) },
    Case { name: "random bytes", head: "", piece: |n, o| o.extend_from_slice(&random(n)) },
    Case { name: "empty lines", head: "", piece: |_, o| put(o, "\n") },
    Case { name: "short lines", head: "", piece: |_, o| put(o, "a\n") },
    Case { name: "braces", head: "", piece: |n, o| put(o, if n % 10_000_000 == 9_999_999 { "\n" } else { "{" }) },
    Case {
        name: "one frame repeated",
        head: "panic: x\n\ngoroutine 1 [running]:\n",
        piece: |_, o| put(o, "main.f(0x1)\n\t/a/b.go:3 +0x1\n"),
    },
    Case {
        name: "distinct frames of one goroutine",
        head: "panic: x\n\ngoroutine 1 [running]:\n",
        piece: |n, o| put(o, &format!("main.f{n}(0x1)\n\t/a/b{n}.go:{n} +0x1\n")),
    },
    Case {
        name: "distinct frames of many goroutines",
        head: "panic: x\n\n",
        piece: |n, o| {
            if n.is_multiple_of(1000) {
                put(o, &format!("goroutine {n} [running]:\n"));
            }
            put(o, &format!("main.f{n}(0x1)\n\t/a/b{n}.go:{n} +0x1\n"));
        },
    },
    Case {
        name: "distinct names without files",
        head: "panic: x\n\n",
        piece: |n, o| {
            if n.is_multiple_of(1000) {
                put(o, &format!("goroutine {n} [running]:\n"));
            }
            put(o, &format!("a{n}()\n"));
        },
    },
    Case {
        name: "smallest frames",
        head: "panic: x\n\n",
        piece: |n, o| put(o, if n % 1000 == 0 { "goroutine 1 [running]:\n" } else { "a()\n\tb.c:1\n" }),
    },
    Case {
        name: "frames with registers",
        head: "panic: x\n\n",
        piece: |n, o| put(o, if n % 1000 == 0 { "goroutine 1 [running]:\n" } else { "a()\n\tb.c:1 fp=0x1\n" }),
    },
    Case {
        name: "goroutines of two lines",
        head: "panic: x\n\n",
        piece: |n, o| put(o, &format!("goroutine {n} [running]:\nmain.f()\n\t/a.go:1\n\n")),
    },
    Case { name: "headers alone", head: "panic: x\n\n", piece: |n, o| put(o, &format!("goroutine {n} [r]:\n")) },
    Case {
        name: "headers of throws",
        head: "panic: x\n\n",
        piece: |n, o| put(o, &format!("goroutine {n} gp=0x1 m=1 mp=0x1 [r]:\n")),
    },
    Case {
        name: "labels",
        head: "panic: x\n\n",
        piece: |n, o| {
            put(o, &format!("goroutine {n} [r] {{"));
            for i in 0..64 {
                put(o, &format!("a{i}:{n},"));
            }
            put(o, "}:\n");
        },
    },
    Case { name: "distinct states", head: "panic: x\n\n", piece: |n, o| put(o, &format!("goroutine 1 [r{n}]:\n")) },
    Case {
        name: "distinct creators",
        head: "panic: x\n\n",
        piece: |n, o| put(o, &format!("goroutine 1 [r]:\ncreated by a{n}\n")),
    },
    Case {
        name: "distinct prefixes",
        head: "",
        piece: |n, o| {
            put(o, &format!("pod-{n}x | goroutine 1 [running]:\npod-{n}x | main.f()\npod-{n}x | \t/a.go:1\n"))
        },
    },
    Case {
        name: "distinct json streams",
        head: "",
        piece: |n, o| {
            for line in ["goroutine 1 [running]:", "main.f()", "\\t/a.go:1"] {
                put(o, &format!("{{\"log\":\"{line}\\n\",\"pod\":\"p{n}\"}}\n"));
            }
        },
    },
    Case {
        name: "nested args",
        head: "panic: x\n\n",
        piece: |n, o| {
            if n.is_multiple_of(1000) {
                put(o, &format!("goroutine {n} [running]:\n"));
            }
            put(o, &format!("main.f({})\n\t/a.go:1\n", "{".repeat(20_000)));
        },
    },
    Case { name: "panics", head: "", piece: |n, o| put(o, &format!("panic: {n}\n")) },
    Case { name: "long panic values", head: "panic: x\n", piece: |_, o| put(o, "\ty\n") },
    Case {
        name: "panics with stacks",
        head: "",
        piece: |n, o| put(o, &format!("panic: {n}\n\ngoroutine 1 [r]:\na()\n\tb.c:1\n\n")),
    },
    Case {
        name: "served panics",
        head: "",
        piece: |n, o| put(o, &format!("http: panic serving 1.2.3.4:{n}: x\ngoroutine {n} [r]:\na()\n\tb.c:1\n")),
    },
    Case {
        name: "fatal errors in one line",
        head: "",
        piece: |n, o| put(o, &format!("fatal error: {n} goroutine 1 [r]: a() /b.c:1 ")),
    },
    Case { name: "headers in one line", head: "", piece: |_, o| put(o, "goroutine 1 [r]: ") },
    Case {
        name: "race reports",
        head: "",
        piece: |n, o| {
            put(o, &format!("==================\nWARNING: DATA RACE\nRead at 0x{n:x} by goroutine 7:\n"));
            put(o, "  a()\n      b.c:1\n==================\n");
        },
    },
    Case {
        name: "frames of one race report",
        head: "WARNING: DATA RACE\n",
        piece: |n, o| {
            put(o, if n % 100 == 0 { "Read at 0x1 by goroutine 7:\n" } else { "  a()\n   b.c:1\n" });
        },
    },
    Case {
        name: "accesses of one race report",
        head: "WARNING: DATA RACE\n",
        piece: |_, o| put(o, "Read at 0x1 by goroutine 7:\n"),
    },
    Case { name: "gaps", head: "goroutine 1 [r]:\n", piece: |_, o| put(o, "...\n") },
    Case { name: "gaps between frames", head: "goroutine 1 [r]:\n", piece: |_, o| put(o, "a()\n\tb.c:1\n...\n") },
    Case { name: "diagnostics", head: "", piece: |n, o| put(o, &format!("runtime: {n}\nSIGABRT: abort\n")) },
    Case {
        name: "stack words",
        head: "stack: frame={sp:0x1, fp:0x2} stack=[0x1,0x2)\n",
        piece: |n, o| put(o, &format!("0x{n:x}: 0x1 0x2 <f+1>\n")),
    },
    Case {
        name: "running tests",
        head: "panic: test timed out\nrunning tests:\n",
        piece: |n, o| put(o, &format!("\tT{n} (1s)\n")),
    },
    Case {
        name: "profile",
        head: "goroutine profile: total 3\n",
        piece: |_, o| put(o, "1 @ 0x1\n#\t0x1\tf+0x1\tb.c:1\n\n"),
    },
    Case {
        name: "escaped stacks",
        head: "",
        piece: |n, o| put(o, &format!("m=\"goroutine {n} [r]:\\na()\\n\\tb.c:1\"\n")),
    },
    Case { name: "debugger frames", head: "", piece: |_, o| put(o, "#0  0x1 in f (x=1) at b.c:1\n") },
    Case { name: "escapes", head: "", piece: |_, o| put(o, "\x1b[\x1b]\x1b\n") },
    Case {
        name: "races in one line",
        head: "",
        piece: |_, o| put(o, "WARNING: DATA RACE Read at 0x1 by goroutine 7: a.F() /b/x.go:85 Previous write "),
    },
    Case {
        name: "accesses in one line",
        head: "",
        piece: |_, o| put(o, "Read at 0x1 by goroutine 1: a.F() /b.go:1 Previous write at 0x1 by goroutine 2: "),
    },
    Case {
        name: "throws in one line",
        head: "",
        piece: |_, o| put(o, "x fatal error: y runtime stack: Write at 0x1 by goroutine 1 "),
    },
    Case {
        name: "logged panics",
        head: "",
        piece: |n, o| {
            put(
                o,
                &format!(
                    "{{\"msg\":\"m{n}\",\"error\":\"e\",\"stack\":\"goroutine {n} [r]:\\npanic(0x1)\\n\\t/a.go:1\"}}\n"
                ),
            )
        },
    },
    Case {
        name: "keys in one line",
        head: "goroutine 1 [r]:\\npanic()\\n\\t/a.go:1 ",
        piece: |_, o| put(o, "\"error\":\"\",\"msg\":\"panic: \\n\\t "),
    },
    Case { name: "debugger stops", head: "", piece: |_, o| put(o, "Thread 1 received signal SIGSEGV, x.\n") },
    Case { name: "exceptions in one line", head: "", piece: |_, o| put(o, "Exception 0x1 PC=0x1 a.F( ") },
    Case {
        name: "logged traces",
        head: "",
        piece: |n, o| {
            put(
                o,
                &format!(
                    "{{\"panic\":\"x\",\"s\":\"a.F{n}\\n\\t/a.go:1\\nruntime.gopanic\\n\\t/p.go:1\\nb.G\\n\\t/b.go:2\"}}\n"
                ),
            )
        },
    },
    Case {
        name: "carriers in carriers",
        head: "",
        piece: |n, o| {
            for line in ["goroutine 1 [running]:", "main.f()", "\t/a.go:1"] {
                put(o, &format!("> a-{} | <b-{}> [c-{}] {line}\n", n % 11, n % 7, n % 5));
            }
        },
    },
    Case {
        name: "long lines of many streams",
        head: "",
        piece: |n, o| {
            let long = "x ".repeat(200_000);
            put(o, &format!("{{\"log\":\"{long}\",\"stream\":\"stderr\",\"pod\":\"p{n}\"}}\n"));
        },
    },
    Case {
        name: "logs in logs",
        head: "",
        piece: |n, o| {
            let log = format!("{{\\\"log\\\":\\\"main.f{n}(0x1)\\\\n\\\",\\\"stream\\\":\\\"stdout\\\"}}\\n");
            put(o, &format!("{{\"log\":\"{log}\",\"stream\":\"stderr\"}}\n"));
        },
    },
    Case { name: "cri partial lines", head: "", piece: |_, o| put(o, "2024-01-02T03:04:05.678901234Z stderr P x\n") },
];
