//! Which goroutines wait at the same channel, alone or among others.
#![allow(clippy::unwrap_used)]

mod asked;

use asked::json;
use gopsy_testing::{BuildMode, NEWEST, dies, each_built};

/// 5 goroutines receive from one channel alone; 7 select between that and another; two between that and five others, of which the
/// last is another for each.
const SOURCE: &str = r#"
package main

import "time"

func main() {
	done, work := make(chan struct{}), make(chan int)
	println("done", done)
	var each [6]chan int
	for i := range each {
		each[i] = make(chan int)
	}
	for i := 0; i < 5; i++ {
		go func() { <-done }()
	}
	for i := 0; i < 7; i++ {
		go func() {
			select {
			case <-done:
			case work <- 1:
			}
		}()
	}
	for i := 4; i < 6; i++ {
		last := each[i]
		go func() {
			select {
			case <-done:
			case <-each[0]:
			case <-each[1]:
			case <-each[2]:
			case <-each[3]:
			case <-last:
			}
		}()
	}
	time.Sleep(200 * time.Millisecond)
	panic("enough")
}
"#;

#[test]
fn a_select_is_a_group_of_its_own_and_waits_at_each_of_its_channels() {
    let ways = [("1.16", BuildMode::Plain), ("1.22", BuildMode::Stripped), (NEWEST, BuildMode::Pie)];
    each_built(SOURCE, false, &ways, |built| {
        let died = dies(built.folder, "./app", &[]).unwrap();
        let text = String::from_utf8(died.stderr).unwrap();
        let done = text.lines().next().unwrap().strip_prefix("done ").unwrap();
        let said = json("stacks", &died.core, &["--by", "object"]);
        let groups = said["groups"].as_array().unwrap().iter();
        let at_done = groups.filter(|group| group["name"].as_str().unwrap().contains(done));
        let mut counts: Vec<u64> = at_done.map(|group| group["count"].as_u64().unwrap()).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 1, 5, 7], "{}: {said:#}", built.name);
        let all = format!("chan struct {{}} {done} (0 of 0): 14 goroutines in 4 groups wait at it");
        assert_eq!(said["notes"][0], all, "{}: {said:#}", built.name);
    });
}
