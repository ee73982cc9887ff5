//! Every recorded text of the zoo, through rules and wire forms: what comes out fits its schema.

mod schema;

use gopsy_program::{By, Filter, TextEvidence, group};
use gopsy_report::wire::{self, Form, Stacks};
use serde_json::Value;
use std::path::Path;

fn schema_of(name: &str) -> Value {
    let path = format!("{}/schema/gopsy.{name}.1.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the schema is there")).expect("it is JSON")
}

#[test]
fn the_zoo_in_json_fits_the_schemas() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo/texts");
    let (of_explain, of_stacks) = (schema_of("explain"), schema_of("stacks"));
    let mut texts = 0;
    for specimen in std::fs::read_dir(root).expect("the zoo is there") {
        for file in std::fs::read_dir(specimen.expect("it can be listed").path()).expect("a folder of texts") {
            let path = file.expect("it can be listed").path();
            let text = std::fs::read(&path).expect("it can be read");
            let programs = TextEvidence::programs(gopsy_text::read_bytes(&text, &gopsy_text::Options::default()));
            let Some(main) = gopsy_explain::main_crash(&programs) else { continue };
            let verdict = gopsy_explain::explain_among(&programs, main).expect("it is among them");
            let program = &programs[main];
            let mut out = Vec::new();
            wire::explain(&mut out, program, &verdict, 0..program.stack_count(), &program.notes(), Form::Compact)
                .expect("a Vec takes all");
            let value = serde_json::from_slice(&out).expect("it is JSON");
            assert_eq!(schema::violations(&of_explain, &value), Vec::<String>::new(), "{}", path.display());

            let groups = group(program, program.stacks(), &By::Stack, &Filter::default());
            let input = Stacks { target: "a text", by: &By::Stack, groups: &groups, limit: None, notes: &[] };
            out.clear();
            wire::stacks(&mut out, program, &input, Form::Compact).expect("a Vec takes all");
            let value = serde_json::from_slice(&out).expect("it is JSON");
            assert_eq!(schema::violations(&of_stacks, &value), Vec::<String>::new(), "{}", path.display());
            texts += 1;
        }
    }
    assert!(texts > 500, "{texts} texts");
}
