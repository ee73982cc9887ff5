//! What goroutines of a core wait at.

use super::CoreEvidence;
use gopsy_mem::Addr;
use gopsy_model::{Known, WaitsAt};
use gopsy_runtime as runtime;

impl CoreEvidence {
    /// What a goroutine that waits for that reason waits at.
    pub(super) fn waits_at(&self, g: Addr, reason: Option<&str>) -> Known<Vec<WaitsAt>> {
        let reader = self.runtime();
        match reader.waiting(g) {
            Known::Have { value, trust, source } if !value.is_empty() => {
                Known::have(value.into_iter().map(|at| object(&reader, at, reason)).collect(), trust, source)
            }
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
