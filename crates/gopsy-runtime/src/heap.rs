//! The heap's spans: runs of pages, each with objects of one size (`runtime/mheap.go`).

use crate::{Known, Runtime};
use gopsy_mem::{Addr, MemoryExt};
use gopsy_model::Missing;

const SPAN: &str = "runtime.mspan";
/// `_PageSize` (`runtime/malloc.go`), the same from Go 1.16 to 1.27.
pub(crate) const PAGE: u64 = 8192;
/// More spans than this are not read: a heap of 8 KB objects of 64 GB has as many.
const MAX_SPANS: u64 = 1 << 23;

/// What a span is used for (`mSpanState`, the same from Go 1.16 to 1.27).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanState {
    /// For nothing.
    Dead,
    /// For objects.
    InUse,
    /// By the runtime itself: stacks, its own tables.
    Manual,
}

/// A run of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub start: Addr,
    /// How many bytes it has.
    pub size: u64,
    /// What it is used for.
    pub state: SpanState,
    /// The size of its objects in bytes.
    pub object_size: u64,
    /// How many objects have room in it.
    pub room: u64,
    /// How many of them the last sweep has found, and were allocated since.
    pub allocated: u64,
}

impl Runtime<'_> {
    /// All spans (`mheap_.allspans`), those that are used for nothing included, in the order in which they were made.
    #[must_use]
    pub fn spans(&self) -> Known<Vec<Span>> {
        let Some(heap) = self.layouts.variable("runtime.mheap_") else {
            return Known::Missing(self.layouts.no_variable("runtime.mheap_"));
        };
        let Some(list) = self.place(self.bias.load(heap.address), "runtime.mheap", "allspans") else {
            return Known::Missing(self.layouts.no_member("runtime.mheap", "allspans"));
        };
        let (array, len) = match self.slice_at(list, MAX_SPANS, "mheap_.allspans") {
            Ok(slice) => slice,
            Err(why) => return Known::Missing(why),
        };
        let places = match Places::of(self) {
            Ok(places) => places,
            Err(why) => return Known::Missing(why),
        };
        let mut spans = Vec::new();
        for index in 0..len {
            let at = index.checked_mul(8).and_then(|offset| array.checked_add(offset));
            let span = at.ok_or(Missing::NotInCore).and_then(|at| self.mem.ptr(at).map_err(crate::missing));
            match span.and_then(|span| self.span(span, &places)) {
                Ok(span) => spans.push(span),
                Err(why) => return Known::Missing(why),
            }
        }
        self.have(spans)
    }

    fn span(&self, at: Addr, places: &Places) -> Result<Span, Missing> {
        let word = |(offset, size): Place| self.load(at, offset, size).into_result();
        Ok(Span {
            start: Addr(word(places.start)?),
            size: word(places.pages)?.saturating_mul(PAGE),
            state: match word(places.state)? {
                0 => SpanState::Dead,
                1 => SpanState::InUse,
                2 => SpanState::Manual,
                _ => return Err(Missing::Unreadable(format!("the span at {at} is in no state that exists").into())),
            },
            object_size: word(places.object_size)?,
            room: word(places.room)?,
            allocated: word(places.allocated)?,
        })
    }
}

/// Offset and size of a member.
type Place = (u64, Option<u64>);

/// Where the members of a span stand, looked up once: a large heap has millions of spans.
struct Places {
    start: Place,
    pages: Place,
    state: Place,
    object_size: Place,
    room: Place,
    allocated: Place,
}

impl Places {
    fn of(runtime: &Runtime<'_>) -> Result<Places, Missing> {
        let place = |name| runtime.layouts.locate(&[(SPAN, name)]);
        Ok(Places {
            start: place("startAddr")?,
            pages: place("npages")?,
            state: place("state")?,
            object_size: place("elemsize")?,
            room: place("nelems")?,
            allocated: place("allocCount")?,
        })
    }
}
