//! Signals that a process sent: its own, and another's.

#![allow(missing_docs, clippy::unwrap_used)]

mod asked;

use asked::json;
use gopsy_testing::{BuildMode, NEWEST, dies, each_built};

const SOURCE: &str = r#"package main

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

//go:noinline
func watchdog(signal syscall.Signal) {
	for {
		syscall.Kill(os.Getpid(), signal)
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	switch os.Args[1] {
	case "quit":
		watchdog(syscall.SIGQUIT)
	case "bus":
		watchdog(syscall.SIGBUS)
	}
	go func() { select {} }()
	time.Sleep(time.Minute)
}
"#;

#[test]
fn who_sent_the_signal_is_told() {
    let ways = [("1.16", BuildMode::Plain), ("1.22", BuildMode::Pie), (NEWEST, BuildMode::Stripped)];
    each_built(SOURCE, false, &ways, |built| {
        let verdict = |line: &str| {
            let died = dies(built.folder, line, &[]).unwrap();
            json("explain", &died.core, &[])["verdict"].clone()
        };
        let name = &built.name;
        for how in ["quit", "bus"] {
            let verdict = verdict(&format!("./app {how}"));
            let summary = verdict["summary"].as_str().unwrap();
            assert!(summary.contains("to itself, in main.watchdog"), "{name}: {how}: {summary}");
            assert_eq!(
                (&verdict["culprit"]["function"], &verdict["cause"]),
                (&"main.watchdog".into(), &"program-check".into()),
                "{name}: {how}"
            );
        }
        let sent = |signal: &str| verdict(&format!("./app wait & sleep 1; kill -{signal} $!; wait $!"));
        for signal in ["QUIT", "BUS"] {
            let verdict = sent(signal);
            let summary = verdict["summary"].as_str().unwrap();
            assert!(summary.starts_with("Process ") && summary.contains(&format!("SIG{signal}")), "{name}: {summary}");
            assert!(!summary.contains("itself, in"), "{name}: {summary}");
            assert_eq!(verdict["cause"], "unknown", "{name}: {summary}");
        }
    });
}
