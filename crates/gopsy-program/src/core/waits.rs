//! What goroutines of a core wait at.

use super::CoreEvidence;
use gopsy_mem::Addr;
use gopsy_model::{Known, Str, WaitsAt};
use gopsy_runtime as runtime;

impl CoreEvidence {
    /// What a goroutine that waits for that reason waits at.
    pub(super) fn waits_at(&self, g: Addr, reason: &Known<Str>) -> Known<Vec<WaitsAt>> {
        let reader = self.runtime();
        match reader.waiting(g) {
            Known::Have { value, .. } if !is_told(&value, reason) => reason.clone().map(|_| Vec::new()),
            Known::Have { value, trust, source } if !value.is_empty() => Known::have(
                value.into_iter().map(|at| object(&reader, at, reason.value().map(AsRef::as_ref))).collect(),
                trust,
                source,
            ),
            // Up to Go 1.25 only the table of semaphores tells who waits at one.
            Known::Have { .. } => {
                let semaphores = self.semaphores.get_or_init(|| reader.semaphores());
                let of_g = |all: &std::collections::HashMap<Addr, Addr>| {
                    all.get(&g).map(|at| WaitsAt::Semaphore { address: at.0 }).into_iter().collect()
                };
                match semaphores {
                    Known::Have { value, trust, source } => Known::have(of_g(value), *trust, *source),
                    Known::Missing(why) => Known::Missing(why.clone()),
                }
            }
            Known::Missing(why) => Known::Missing(why),
        }
    }
}

/// Whether it shows what stands there: a semaphore or a `sync.Cond`, only the reason to wait tells.
fn is_told(found: &[runtime::WaitsAt], reason: &Known<Str>) -> bool {
    reason.value().is_some() || !found.iter().any(|at| matches!(at, runtime::WaitsAt::Semaphore(_)))
}

fn object(reader: &runtime::Runtime<'_>, at: runtime::WaitsAt, reason: Option<&str>) -> WaitsAt {
    match at {
        runtime::WaitsAt::Channel(address) => {
            let runtime::Channel { element, len, capacity, closed } = reader.channel(address);
            WaitsAt::Channel { address: address.0, element, len, capacity, closed }
        }
        runtime::WaitsAt::Semaphore(Addr(address)) if reason == Some("sync.Cond.Wait") => {
            WaitsAt::Condition { address }
        }
        runtime::WaitsAt::Semaphore(address) => WaitsAt::Semaphore { address: address.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gopsy_model::{Missing, Source, Trust};

    #[test]
    fn a_condition_is_told_from_a_semaphore_by_the_reason_only() {
        let known = Known::have("sync.Cond.Wait".into(), Trust::Table, Source::Core);
        let lost = Known::Missing(Missing::NotInCore);
        let semaphore = [runtime::WaitsAt::Semaphore(Addr(8))];
        assert_eq!((is_told(&semaphore, &known), is_told(&semaphore, &lost)), (true, false));
        assert!(is_told(&[runtime::WaitsAt::Channel(Addr(8))], &lost) && is_told(&[], &lost));
    }
}
