//! Goroutines that wait for locks while nobody runs: which lock each waits for, a core has.

#![allow(missing_docs, clippy::unwrap_used)]

mod asked;

use asked::json;
use gopsy_testing::{BuildMode, NEWEST, dies, each_built};

const SOURCE: &str = r#"package main

import (
	"os"
	"sync"
	"time"
)

type pair struct {
	left, right sync.Mutex
	table       sync.RWMutex
}

//go:noinline
func (p *pair) again() {
	p.left.Lock()
	go p.other()
	time.Sleep(20 * time.Millisecond)
	p.left.Lock()
}

//go:noinline
func (p *pair) other() { p.left.Lock() }

//go:noinline
func (p *pair) read() {
	p.table.RLock()
	go p.write()
	time.Sleep(20 * time.Millisecond)
	p.table.RLock()
}

//go:noinline
func (p *pair) write() { p.table.Lock() }

//go:noinline
func (p *pair) twoWriters() {
	p.table.Lock()
	go p.write()
	time.Sleep(20 * time.Millisecond)
	p.table.Lock()
}

//go:noinline
func (p *pair) circle() {
	p.left.Lock()
	go p.opposite()
	time.Sleep(20 * time.Millisecond)
	p.right.Lock()
}

//go:noinline
func (p *pair) opposite() {
	p.right.Lock()
	p.left.Lock()
}

func main() {
	p := &pair{}
	println("left", &p.left, "table", &p.table)
	switch os.Args[1] {
	case "again":
		p.again()
	case "read":
		p.read()
	case "writers":
		p.twoWriters()
	case "circle":
		p.circle()
	}
}
"#;

#[test]
fn one_lock_makes_no_circle() {
    let ways = [
        ("1.16", BuildMode::Plain),
        ("1.20", BuildMode::Stripped),
        ("1.24", BuildMode::Pie),
        (NEWEST, BuildMode::Stripped),
        (NEWEST, BuildMode::Noopt),
    ];
    each_built(SOURCE, false, &ways, |built| {
        let asked = |how: &str| {
            let died = dies(built.folder, &format!("./app {how}"), &[]).unwrap();
            let said = json("explain", &died.core, &[]);
            let text = String::from_utf8(died.stderr).unwrap();
            let printed: Vec<String> = text.lines().next().unwrap().split(' ').map(str::to_owned).collect();
            let [_, left, _, table] = printed.try_into().unwrap();
            let verdict = &said["verdict"];
            (verdict["cause"].clone(), verdict["summary"].as_str().unwrap().to_owned(), said, left, table)
        };
        let name = &built.name;
        let (cause, summary, _, left, _) = asked("again");
        assert_eq!(cause, "stuck", "{name}: {summary}");
        assert!(summary.contains(&format!("2 goroutines wait for one lock, {left},")), "{name}: {summary}");
        let (cause, summary, said, _, table) = asked("read");
        assert_eq!(
            (cause, &said["verdict"]["culprit"]["function"]),
            ("self-deadlock".into(), &"main.(*pair).read".into()),
            "{name}: {summary}"
        );
        assert!(summary.contains(&format!("one sync.RWMutex, {table},")), "{name}: {summary}");
        // One waits for the writers' turn, one for the mutex among them: both are of one lock.
        let (cause, summary, _, _, table) = asked("writers");
        assert_eq!(cause, "stuck", "{name}: {summary}");
        assert!(summary.contains(&format!("one lock, {table},")), "{name}: {summary}");
        let (cause, summary, said, left, _) = asked("circle");
        assert_eq!(cause, "lock-cycle", "{name}: {summary}");
        let facts = said["findings"].to_string();
        assert!(facts.contains(&format!("waits for the lock {left} in main.(*pair).opposite")), "{name}: {facts}");
    });
}
