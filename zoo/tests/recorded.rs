//! The recorded texts keep what the expectations promise. Needs no Go.

use std::collections::BTreeSet;

use gopsy_zoo::{BuildMode, Mode, Shape, Specimen, VERSIONS, Zoo, counted_headers, kind_phrases};

fn zoo() -> Zoo {
    Zoo::own().expect("every specimen can be loaded")
}

/// Calls `look` for every specimen and version and shows all complaints at once.
fn each_text(look: impl Fn(&Specimen, &str, &str) -> Vec<String>) {
    let mut complaints = Vec::new();
    for specimen in &zoo().specimens {
        for version in specimen.expect.versions() {
            let found = match specimen.text(version) {
                Ok(text) => look(specimen, version, &text),
                Err(error) => vec![format!("{error:#}")],
            };
            complaints.extend(found.into_iter().map(|c| format!("{} go{version}: {c}", specimen.name)));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_zoo_is_large_enough() {
    let zoo = zoo();
    let counters = zoo.specimens.iter().filter(|s| s.expect.counter_to.is_some()).count();
    assert!(zoo.specimens.len() >= 32, "{} specimens", zoo.specimens.len());
    assert!(counters >= 12, "{counters} counter-specimens");
}

#[test]
fn every_expectation_names_things_that_exist() {
    let zoo = zoo();
    for specimen in &zoo.specimens {
        let name = &specimen.name;
        let expect = &specimen.expect;
        assert!(!expect.why.trim().is_empty(), "{name}: why is it here?");
        assert!(!expect.versions().is_empty(), "{name}: no version");
        assert_eq!(expect.unknown_versions(), [""; 0], "{name}");
        if let Some(other) = &expect.counter_to {
            assert!(zoo.get(other).is_some_and(|o| o.name != *name), "{name}: counter to {other}");
        }
        assert_eq!(expect.run.signal.is_some(), expect.run.signal_when.is_some(), "{name}");
        assert!(expect.run.needs.iter().all(|n| n == "cgo"), "{name}: {:?}", expect.run.needs);
        for (mode, why) in &expect.run.not_in {
            assert!(BuildMode::parse(mode).is_some() && why.len() > 20, "{name}: {mode}");
        }
        let has_test = specimen.folder.join("main_test.go").exists();
        assert_eq!(expect.run.mode == Mode::Test, has_test, "{name}");
    }
}

#[test]
fn no_cause_is_both_right_and_forbidden() {
    for specimen in &zoo().specimens {
        for version in specimen.expect.versions() {
            let says = specimen.expect.says(version);
            for cause in says.cause.iter().flatten() {
                let never = &specimen.expect.never.causes;
                assert!(!never.contains(cause), "{} go{version}: {cause}", specimen.name);
            }
        }
    }
}

#[test]
fn a_counter_specimen_forbids_a_cause_or_asks_for_another() {
    let zoo = zoo();
    for specimen in &zoo.specimens {
        let Some(other) = specimen.expect.counter_to.as_deref().and_then(|name| zoo.get(name)) else {
            continue;
        };
        let newest = |s: &Specimen| {
            let version = s.expect.versions().last().copied().unwrap_or_default().to_owned();
            s.expect.says(&version)
        };
        let (own, theirs) = (newest(specimen), newest(other));
        let best = |says: &gopsy_zoo::Says| says.cause.as_ref().and_then(|c| c.first().cloned());
        assert!(
            best(&own) != best(&theirs) || own.kind != theirs.kind || !specimen.expect.never.causes.is_empty(),
            "{} asks for the same as {}",
            specimen.name,
            other.name
        );
    }
}

#[test]
fn every_text_is_there_and_no_other() {
    for specimen in &zoo().specimens {
        let listed: BTreeSet<&str> = specimen.expect.versions().into_iter().collect();
        for version in VERSIONS {
            let recorded = specimen.text(version).is_ok_and(|text| !text.trim().is_empty());
            assert_eq!(recorded, listed.contains(version), "{} go{version}", specimen.name);
        }
    }
}

#[test]
fn every_text_has_the_line_that_its_kind_promises() {
    each_text(|specimen, version, text| {
        let says = specimen.expect.says(version);
        let mut complaints = Vec::new();
        match says.kind.as_deref() {
            None if says.no_death == Some(true) => {}
            None => complaints.push("no kind is expected".to_owned()),
            Some("unknown") => {}
            Some(kind) if kind_phrases(kind).iter().any(|p| text.contains(p)) => {}
            Some(kind) => complaints.push(format!("no line of kind {kind}")),
        }
        for wanted in says.text_has.iter().flatten() {
            if !text.contains(wanted.as_str()) {
                complaints.push(format!("lacks {wanted:?}"));
            }
        }
        for unwanted in says.text_lacks.iter().flatten() {
            if text.contains(unwanted.as_str()) {
                complaints.push(format!("has {unwanted:?}"));
            }
        }
        complaints
    });
}

#[test]
fn every_culprit_is_marked_in_the_source_and_stands_in_the_text() {
    each_text(|specimen, version, text| {
        let says = specimen.expect.says(version);
        let named = says.culprit.as_ref().is_some_and(|c| !c.is_empty());
        let found = !Shape::of(text, &says, &specimen.marks).culprits.is_empty();
        match (named, specimen.marks.is_empty()) {
            (true, true) => vec!["a culprit is expected, but no line is marked".to_owned()],
            (true, false) if !found => vec![format!("{:?} at {:?} is not in it", says.culprit, specimen.marks)],
            _ => Vec::new(),
        }
    });
}

#[test]
fn every_text_holds_the_goroutines_that_are_expected() {
    each_text(|specimen, version, text| {
        let says = specimen.expect.says(version);
        let count = counted_headers(text);
        let least = says.goroutines_min.unwrap_or(0);
        match says.goroutines {
            Some(exact) if exact != count => vec![format!("{count} goroutines, expected {exact}")],
            _ if count < least => vec![format!("{count} goroutines, expected at least {least}")],
            _ => Vec::new(),
        }
    });
}

#[test]
fn no_text_tells_where_it_was_made() {
    // The last one is the invention of a specimen that imitates a stack.
    let neutral = ["/tmp/zoo/app/", "/usr/local/go/", "/src/child/"];
    each_text(|_, _, text| {
        let places = text.lines().map(str::trim_start).filter(|line| line.starts_with('/') && line.contains(':'));
        places.filter(|line| !neutral.iter().any(|n| line.starts_with(n))).map(|line| format!("has {line}")).collect()
    });
}

#[test]
fn no_text_tells_the_name_of_its_specimen() {
    each_text(|specimen, _, text| {
        let path = format!("/{}/", specimen.name);
        if text.contains(&path) { vec![format!("has {path}")] } else { Vec::new() }
    });
}
