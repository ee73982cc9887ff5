//! Goroutines of a core that ends before their list.

#![allow(missing_docs, clippy::unwrap_used)]

mod asked;

use asked::json;
use gopsy_testing::{BuildMode, NEWEST, dies, each_built};
use std::collections::HashMap;

const SOURCE: &str = r#"package main

import "time"

//go:noinline
func park(c chan int) { <-c }

func main() {
	for i := 0; i < 20000; i++ {
		go park(make(chan int))
	}
	time.Sleep(200 * time.Millisecond)
	panic("enough")
}
"#;

#[test]
fn goroutines_are_known_by_their_own_marks() {
    let ways = [("1.16", BuildMode::Plain), ("1.21", BuildMode::Stripped), (NEWEST, BuildMode::Stripped)];
    each_built(SOURCE, false, &ways, |built| {
        let died = dies(built.folder, "./app", &[]).unwrap();
        let text = String::from_utf8_lossy(&died.stderr);
        // `goroutine 18 gp=0x… m=nil [chan receive]:`
        let header = |line: &str| {
            let rest = line.strip_prefix("goroutine ")?.strip_suffix("]:")?;
            let (number, rest) = rest.split_once(' ')?;
            Some((number.parse::<u64>().ok()?, rest.rsplit_once('[')?.1.to_owned()))
        };
        let printed: HashMap<u64, String> = text.lines().filter_map(header).collect();
        let core = std::fs::read(&died.core).unwrap();
        let mut most = 0;
        for share in [3, 5, 7, 9] {
            let cut = built.folder.join("cut");
            std::fs::write(&cut, &core[..core.len() * share / 10]).unwrap();
            let said = json("stacks", &cut, &[]);
            let name = format!("{}, {share}0 %", built.name);
            let mut found = 0;
            for group in said["groups"].as_array().unwrap() {
                for number in group["ids"].as_array().into_iter().flatten() {
                    let number = number.as_u64().unwrap();
                    assert!(printed.contains_key(&number), "{name}: there is no goroutine {number}");
                    found += 1;
                }
            }
            assert!(
                found > 0 || said["groups"].as_array().unwrap().len() < 3,
                "{name}: no numbers: {:#}",
                said["groups"][0]
            );
            if said["notes"].to_string().contains("by a search of the memory") {
                most = most.max(said["goroutines"].as_u64().unwrap_or(0));
            }
        }
        assert!(most > 1000, "{}: {most}", built.name);
    });
}
