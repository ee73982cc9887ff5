//! Panics that are recovered in one place and raised anew in another: who panicked last has not failed.

#![allow(missing_docs, clippy::unwrap_used)]

mod asked;

use asked::json;
use gopsy_testing::{BuildMode, Built, NEWEST, dies, each_built};
use serde_json::Value;

const SOURCE: &str = r#"package main

import (
	"fmt"
	"math/bits"
	"os"
	"runtime/debug"
	"strings"
)

var rows []string
var first, second uint64

//go:noinline
func get(i int) string { return rows[i] }

type group struct {
	done  chan bool
	value interface{}
}

//go:noinline
func (g *group) run(keep func(interface{}) interface{}) {
	defer close(g.done)
	defer func() {
		if v := recover(); v != nil {
			g.value = keep(v)
		}
	}()
	get(5)
}

//go:noinline
func (g *group) wait() {
	<-g.done
	panic(g.value)
}

type withStack struct {
	value interface{}
	stack string
}

func (w withStack) Error() string { return fmt.Sprintf("%v\n\n%s", w.value, w.stack) }

//go:noinline
func handled() {
	defer func() { panic(recover()) }()
	get(5)
}

//go:noinline
func inBits() uint64 {
	q, _ := bits.Div64(0, first, second)
	return q
}

func main() {
	g := &group{done: make(chan bool)}
	switch os.Args[1] {
	case "worker":
		go g.run(func(v interface{}) interface{} { return v })
		g.wait()
	case "words":
		go g.run(func(v interface{}) interface{} { return fmt.Sprint(v) })
		g.wait()
	case "stack":
		go g.run(func(v interface{}) interface{} {
			stack := string(debug.Stack())
			return withStack{v, stack[strings.Index(stack, "\n")+1:]}
		})
		g.wait()
	case "handled":
		handled()
	case "bits":
		println(inBits())
	case "plain":
		get(5)
	}
}
"#;

fn explain(built: &Built<'_>, how: &str, of_text: bool) -> Value {
    let died = dies(built.folder, &format!("./app {how}"), &[]).unwrap();
    let text = built.folder.join("text");
    std::fs::write(&text, &died.stderr).unwrap();
    let target = if of_text { text } else { died.core };
    json("explain", &target, &[])["verdict"].clone()
}

#[test]
fn who_panicked_last_has_not_failed() {
    let ways = [("1.16", BuildMode::Plain), ("1.21", BuildMode::Stripped), (NEWEST, BuildMode::Pie)];
    each_built(SOURCE, false, &ways, |built| {
        // `dies` asks for `GOTRACEBACK=crash`: the text has the runtime's own functions, too.
        for of_text in [false, true] {
            let asked = |how: &str| {
                let verdict = explain(built, how, of_text);
                let culprit = verdict["culprit"]["function"].as_str().unwrap().to_owned();
                let summary = verdict["summary"].as_str().unwrap().to_owned();
                (verdict["cause"].clone(), verdict["confidence"].clone(), culprit, summary)
            };
            let name = format!("{}, text: {of_text}", built.name);

            let (cause, sure, culprit, summary) = asked("worker");
            assert_eq!((cause, &*culprit), ("bad-index".into(), "main.(*group).wait"), "{name}: {summary}");
            if of_text {
                // It does not tell what the value is.
                assert!(summary.contains("the words are its own") && sure == "possible", "{name}: {summary}");
            } else {
                assert!(summary.contains("but not in main.(*group).wait") && sure == "likely", "{name}: {summary}");
            }

            let (cause, sure, _, summary) = asked("words");
            assert_eq!((cause, sure), ("bad-index".into(), "possible".into()), "{name}: {summary}");
            assert!(summary.contains("the words are its own"), "{name}: {summary}");

            let (cause, _, culprit, summary) = asked("stack");
            assert_eq!((cause, &*culprit), ("bad-index".into(), "main.get"), "{name}: {summary}");
            // In a text that stack stands behind the headline, without a word of whose it is.
            assert!(of_text || summary.contains("wait (main.go:36) only passed the panic on"), "{name}: {summary}");

            // Look-alikes: the stack has the first panic, too; the library raises the runtime's error by itself.
            for (how, cause, culprit) in [
                ("handled", "bad-index", "main.get"),
                ("bits", "zero-divisor", "main.inBits"),
                ("plain", "bad-index", "main.get"),
            ] {
                let said = asked(how);
                assert_eq!((&said.0, &*said.2), (&cause.into(), culprit), "{name}: {how}: {}", said.3);
                assert!(!said.3.contains("but not in") && !said.3.contains("passed"), "{name}: {how}: {}", said.3);
            }
        }
    });
}
