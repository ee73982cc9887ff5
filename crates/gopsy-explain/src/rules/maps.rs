//! `concurrent map …`: who else was there?

use super::{draft, place};
use crate::case::{Case, names};
use gopsy_model::{Cause, Confidence, Finding, Kind, Role};

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    if case.kind != Kind::ConcurrentMap {
        return Vec::new();
    }
    let said = case.said();
    let at = case.user_frame().map_or_else(String::new, |f| format!(" in {}", place(f)));
    if let Some(alone) = only_goroutine(case) {
        return vec![
            draft("map-flag-without-race", "only one goroutine exists: the flag that reports a concurrent use was set by damaged memory, not by a second goroutine")
                .claims(Cause::CorruptedMapHeader, Confidence::Possible)
                .because(said)
                .because(alone)
                .advise("run with -race and -d=checkptr; suspect unsafe code, cgo, or (in old releases) the compiler")
                .done(),
        ];
    }
    let others = others_in_maps(case);
    let same = others.iter().find(|o| o.map.is_some());
    let sentence = match same {
        Some(o) => format!("{} was caught{at} while {} is inside an operation of the same map", case.who(), o.who),
        None => format!("two goroutines used one map without a lock: {} was caught{at}", case.who()),
    };
    let mut d = draft("map-race", sentence)
        .claims(Cause::UnsynchronisedMap, if lonely(case) { Confidence::Possible } else { Confidence::Likely })
        .because(said)
        .because(Case::known("the check sees a second goroutine inside the map; which one, it does not record"));
    for other in &others {
        d = d.because(match other.map {
            Some(map) => {
                case.fact(format!("{} is inside the map {map:#x} too, by the arguments of both stacks", other.who))
            }
            None => case.fact(format!("{} is inside an operation of some map", other.who)),
        });
    }
    if others.is_empty() {
        let relatives = others_in_same_type(case);
        d = if relatives.is_empty() {
            d.because(case.fact("no other goroutine of the text is inside a map operation any more"))
        } else {
            d.because_all(relatives.iter().map(|r| case.fact(format!("{r} runs code of the same type"))))
        };
    }
    d = d.advise("hold one mutex around every access of that map, reads included, or use sync.Map");
    let alone = case.program.stacks().filter(|i| case.program.goroutine(*i).role == Role::Goroutine).count() < 2;
    vec![
        d.advise(if alone {
            "-race names both sides; to print all goroutines next time: GOTRACEBACK=all"
        } else {
            "-race names both sides"
        })
        .done(),
    ]
}

/// Goroutine 1 alone, with its whole stack: up to Go 1.25 that would mean that no other existed. Which release it was
/// is not known, or it is a newer one, which prints no others: the race is only one explanation.
fn lonely(case: &Case<'_>) -> bool {
    let Some((_, goroutine, stack)) = case.frames.crashed.as_ref() else { return false };
    let numbered = case.program.stacks().filter(|i| case.program.goroutine(*i).role == Role::Goroutine).count();
    numbered == 1
        && goroutine.id.value() == Some(&1)
        && names(&stack.frames).last().is_some_and(|n| matches!(n, "main.main" | "runtime.main" | "runtime.goexit"))
}

/// Evidence that no second goroutine existed. Up to Go 1.25 a throw prints every goroutine; since 1.26 only the one
/// that noticed (gotraceback, runtime1.go), and then nothing follows from a lonely one.
fn only_goroutine(case: &Case<'_>) -> Option<gopsy_model::Evidence> {
    let (_, goroutine, stack) = case.frames.crashed.as_ref()?;
    let numbered = case.program.stacks().filter(|i| case.program.goroutine(*i).role == Role::Goroutine).count();
    if numbered != 1 || goroutine.id.value() != Some(&1) {
        return None;
    }
    let top = names(&stack.frames).next()?;
    let identity = case.program.identity();
    let version = identity.go_version.value().and_then(|v| minor(v));
    // `runtime.throw` on top is Go 1.18 or older: from 1.19 on map races end in `fatal`.
    // Files of package runtime tell the release where no path does: maps moved to internal/runtime/maps in 1.24, and
    // the `_swiss` files of 1.24 and 1.25 are gone in 1.26. `runtime.throw` on top is Go 1.18 or older.
    let of_old_maps = |f: &gopsy_model::Frame| {
        f.file.value().is_some_and(|f| {
            f.ends_with("/runtime/map.go") || f.contains("/runtime/map_fast") || f.ends_with("_swiss.go")
        })
    };
    let prints_all = match version {
        Some(minor) => minor <= 25,
        None => top == "runtime.throw" || stack.frames.iter().any(of_old_maps),
    };
    let last = names(&stack.frames).last()?;
    let whole = matches!(last, "main.main" | "runtime.main" | "runtime.goexit");
    let cut = !stack.elided.is_empty();
    if !prints_all || !whole || cut {
        return None;
    }
    Some(case.fact("a fatal error of this release prints every goroutine; the text has one, goroutine 1, down to main"))
}

/// `go1.23.4` → 23.
pub(crate) fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("go1.")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn in_map(name: &str) -> bool {
    let runtime_map = name
        .strip_prefix("runtime.map")
        .is_some_and(|r| r.starts_with("a") || r.starts_with("d") || r.starts_with("i") || r.starts_with("c"));
    runtime_map && !name.contains("maphash") || name.starts_with("internal/runtime/maps.(*")
}

/// Another goroutine inside a map operation.
struct Other {
    /// `goroutine 1 in main.(*Store).Put (main.go:22)`.
    who: String,
    /// The map, if the arguments of both stacks name the same one.
    map: Option<u64>,
}

fn others_in_maps(case: &Case<'_>) -> Vec<Other> {
    let crashed = case.program.crashed();
    let caught = map_of(case.frames.stack());
    let mut out: Vec<Other> = case
        .goroutines()
        .filter(|(id, g, _)| Some(*id) != crashed && g.role == Role::Goroutine)
        .filter(|(_, _, stack)| names(&stack.frames).take(10).any(in_map))
        .filter_map(|(_, g, stack)| {
            let frame = stack.frames.iter().find(|f| case.owner(f).is_user())?;
            let map = caught.filter(|m| in_map_arguments(&stack.frames, *m));
            Some(Other { who: format!("goroutine {} in {}", g.id.value()?, place(frame)), map })
        })
        .take(50)
        .collect();
    out.sort_by_key(|o| o.map.is_none());
    out.truncate(5);
    out
}

/// The address of the map that a stack operates on: the receiver of a method of `*maps.Map`, the second argument of
/// the runtime's own functions (`mapassign(t *maptype, h *hmap, …)`). Only words that the runtime prints as exact.
fn map_of(frames: &[gopsy_model::Frame]) -> Option<u64> {
    frames.iter().take(12).find_map(|f| {
        let name = f.function.value()?.as_str();
        let exact = |n: usize| {
            f.args
                .value()?
                .words()
                .get(n)
                .copied()
                .flatten()
                .filter(|(v, stale)| !stale && *v > 1 << 16)
                .map(|(v, _)| v)
        };
        if name.starts_with("internal/runtime/maps.(*Map).") {
            exact(0)
        } else if name.starts_with("runtime.map") && in_map(name) && !name.contains("iter") {
            exact(1)
        } else {
            None
        }
    })
}

/// Whether a frame of a map operation was given this map.
fn in_map_arguments(frames: &[gopsy_model::Frame], map: u64) -> bool {
    frames
        .iter()
        .take(12)
        .filter(|f| f.function.value().is_some_and(|n| in_map(n.as_str())))
        .any(|f| f.args.value().is_some_and(|a| a.words().iter().flatten().any(|(v, stale)| !stale && *v == map)))
}

/// Other goroutines whose user code belongs to the type in which the race was caught.
fn others_in_same_type(case: &Case<'_>) -> Vec<String> {
    let Some(caught) = case.user_frame() else { return Vec::new() };
    let Some(owner) = caught.function.value().and_then(|n| receiver(n.as_str())) else { return Vec::new() };
    let crashed = case.program.crashed();
    case.goroutines()
        .filter(|(id, g, _)| Some(*id) != crashed && g.role == Role::Goroutine)
        .filter_map(|(_, g, stack)| {
            let frame =
                stack.frames.iter().find(|f| f.function.value().and_then(|n| receiver(n.as_str())) == Some(owner))?;
            Some(format!("goroutine {} in {}", g.id.value()?, place(frame)))
        })
        .take(5)
        .collect()
}

/// `pkg.(*T)` of `pkg.(*T).Method`.
fn receiver(name: &str) -> Option<&str> {
    let open = name.find(".(*")?;
    let close = name.get(open..)?.find(')')? + open;
    name.get(..=close)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_map_operations() {
        for yes in [
            "runtime.mapassign_faststr",
            "runtime.mapaccess1_fast64",
            "runtime.mapiternext",
            "runtime.mapdelete",
            "internal/runtime/maps.(*Iter).Next",
        ] {
            assert!(in_map(yes), "{yes}");
        }
        for no in ["runtime.main", "runtime.mallocgc", "hash/maphash.String", "internal/runtime/maps.fatal"] {
            assert!(!in_map(no), "{no}");
        }
        assert_eq!(receiver("a/b.(*T).M.func1"), Some("a/b.(*T)"));
        assert_eq!(minor("go1.23.4"), Some(23));
    }
}
