//! Markdown and workflow commands.

mod mock;

use gopsy_model::{Crash, Known, Running, TestRun};
use gopsy_program::Program;
use gopsy_report::escape::github_guard;
use gopsy_report::terminal::{self, View};
use gopsy_report::{Case, github, markdown};
use mock::Mock;

fn case<'a>(program: &'a Program, verdict: &'a gopsy_model::Verdict) -> Case<'a> {
    Case { program, verdict, source: None, groups: &[], notes: &[] }
}

fn relative(file: &str) -> Option<String> {
    file.strip_prefix("/src/shop/").map(str::to_owned)
}

#[test]
fn the_culprit_is_annotated() {
    let (program, verdict) = mock::map_writes();
    assert_eq!(
        github::annotations(&case(&program, &verdict), &relative),
        [
            "::error file=store/store.go,line=41,title=fatal error%3A concurrent map writes::Goroutine 5210 found a map being \
          written by another goroutine while it stored into it itself. Goroutine 7 is inside (*Store).Evict, which deletes \
          from the same map.%0Acause: unsynchronised-map, certain%0Anext: hold one mutex in Put and Evict, and wherever \
          else Store.byID is used"
        ]
    );
}

#[test]
fn a_file_outside_the_repository_is_named_in_the_text() {
    let (program, verdict) = mock::recursion();
    let annotations = github::annotations(&case(&program, &verdict), &relative);
    assert!(annotations[0].starts_with("::error title=fatal error%3A stack overflow::"));
    assert!(annotations[0].ends_with("%0Aat tree.(*Node).Walk /home/me/src/tree/walk.go:31"));
}

#[test]
fn failed_tests_are_annotated_up_to_githubs_limit() {
    let (_, verdict) = mock::map_writes();
    let test = TestRun {
        running: vec![Running { name: "TestSlow/a,b".into(), elapsed: Known::printed("10m0s".into()) }],
        failed: (0..20).map(|i| format!("TestBad{i}").into()).collect(),
        package: Some("example.com/p".into()),
    };
    let some = TestRun { failed: test.failed[..2].to_vec(), ..test.clone() };
    let program = Program::new(Mock { crash: Crash { test: some, ..Crash::default() }, ..Mock::default() });
    let annotations = github::annotations(&case(&program, &verdict), &relative);
    assert_eq!(
        annotations[1..],
        [
            "::error title=TestBad0 failed::TestBad0 failed in example.com/p",
            "::error title=TestBad1 failed::TestBad1 failed in example.com/p",
            "::error title=TestSlow/a%2Cb was running::TestSlow/a,b was running for 10m0s when the test binary died in example.com/p",
        ]
    );
    let program = Program::new(Mock { crash: Crash { test, ..Crash::default() }, ..Mock::default() });
    let annotations = github::annotations(&case(&program, &verdict), &relative);
    assert_eq!(annotations.len(), 10);
    assert!(annotations[9].ends_with("::13 more annotations are in the log"));
}

#[test]
fn a_panic_value_gives_no_commands() {
    let (program, verdict) = mock::hostile();
    let case = case(&program, &verdict);
    let annotations = github::annotations(&case, &|file| Some(file.to_owned()));
    assert_eq!(annotations.len(), 1);
    assert!(!annotations[0].contains(['\n', '\r', '\x1b']));
    // The properties end at the first `::`: none of the value's may stand before it.
    let properties = annotations[0].strip_prefix("::error ").and_then(|a| a.split_once("::")).map_or("", |(p, _)| p);
    assert!(properties.contains("title=panic%3A"));
    for text in [terminal::explain(&case, &View { colour: true, ..View::default() }), markdown::explain(&case)] {
        for line in github_guard(&text).lines() {
            let bare = line.trim_start_matches(|c: char| c.is_whitespace() || "\x1b[0123456789;m".contains(c));
            assert!(!bare.starts_with("::"), "{line:?}");
            assert!(!line.contains("##["), "{line:?}");
        }
    }
}

#[test]
fn an_issue_reads_well() {
    let (program, verdict) = mock::heap();
    let expected = "\
### `fatal error: sweep increased allocation count`

The sweeper found more objects alive in a span than were allocated in it. Somebody wrote where they should not have, earlier and elsewhere: the stack shows who found it, not who did it.

| | |
|---|---|
| **kind** | `heap-corruption` |
| **cause** | unknown: the text does not show why |
| **program** | `go1.9.2 linux/amd64` |

```text
system stack:
runtime.throw(...)
\t/usr/lib/go-1.9/src/runtime/panic.go:605
runtime.(*mspan).sweep(...)
\t/usr/lib/go-1.9/src/runtime/mgcsweep.go:298
";
    let text = markdown::explain(&case(&program, &verdict));
    let expected = expected.replace('\t', "    ");
    assert!(text.starts_with(&expected), "{text}");
    assert!(
        text.ends_with(
            "\
**Next**
- run the tests with -race and with GOFLAGS=-gcflags=all=-d=checkptr
- look at every use of unsafe and cgo

<details><summary>How gopsy knows, and what it does not</summary>

**Known issues**
- `golang/go#20427` runtime: memory corruption with unsafe pointer arithmetic: same headline, same release

**Not seen**
- who wrote: nothing in a crash text shows it
- the goroutines: GOTRACEBACK was not set to all

**Also said**
- `runtime: nelems=512 nfree=510 nalloc=2 previous allocCount=1 nfreed=65535`

</details>
"
        ),
        "{text}"
    );
}

#[test]
fn markdown_of_malice_is_inert() {
    let (program, verdict) = mock::hostile();
    let text = markdown::explain(&case(&program, &verdict));
    assert!(!text.contains('\x1b') && !text.contains('\u{202e}'));
    // The headline stands in a fence, and nothing of it outside.
    let outside: String = text.split("```").step_by(2).collect();
    assert!(!outside.contains("@team") && !outside.contains("<b>"), "{outside}");
}
