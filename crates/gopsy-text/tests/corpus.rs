//! The real crash texts beside the repository, if they are there: every goroutine of every text is found.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

use gopsy_text::{Options, read_bytes};
use std::path::Path;

#[test]
fn every_goroutine_of_the_corpus_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/crash-texts");
    let Ok(entries) = std::fs::read_dir(root.join("expect")) else {
        gopsy_testing::skip("corpus", &format!("there are no crash texts at {}", root.display()));
        return;
    };
    let mut wrong = Vec::new();
    let mut texts = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let expect: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read(root.join(&name).join("crash.txt")).unwrap();
        let dump = read_bytes(&text, &Options::default());
        let zero = text.windows(13).any(|w| w == b"goroutine 0 [");
        let count = (0..dump.stack_count())
            .filter(|&i| dump.goroutine(i).id.value().is_some_and(|&id| id > 0 || zero))
            .count() as u64;
        let mut accepted = vec![expect["goroutines"].as_u64().unwrap()];
        accepted.extend(
            expect["goroutines_also_ok"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_u64),
        );
        texts += 1;
        if !accepted.contains(&count) {
            wrong.push(format!("{name}: {count} goroutines, expected {accepted:?}"));
        }
        if std::env::var_os("GOPSY_SHOW").is_some() {
            println!("#### {name}: {dump:?}");
            for c in dump.crashes() {
                println!(
                    "  crash at line {} stacks {:?} crashed {:?} sys {:?} sig {:?}",
                    c.line,
                    c.stacks,
                    c.crashed,
                    c.system_stack,
                    c.signal.as_ref().map(|s| &s.name)
                );
                for h in &c.headlines {
                    println!("    {}", format!("{h:?}").chars().take(200).collect::<String>());
                }
                for d in c.diagnostics.iter().take(3) {
                    println!("    diag {}", d.chars().take(120).collect::<String>());
                }
                for id in c.stacks.clone().take(3) {
                    let s = dump.stack(id);
                    let first: Vec<_> =
                        s.frames.iter().take(4).filter_map(|f| f.function.value().map(|n| n.0.to_string())).collect();
                    println!("    stack {id} {:?} {} frames {first:?}", dump.goroutine(id).id.value(), s.frames.len());
                }
            }
        }
    }
    assert!(texts > 0);
    assert!(wrong.is_empty(), "{} of {texts} texts:\n{}", wrong.len(), wrong.join("\n"));
}
