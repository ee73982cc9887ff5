//! Profiler labels (`runtime/pprof/label.go`, `internal/runtime/pprof/label`) and synctest bubbles of a goroutine.
//!
//! What `g.labels` points to has changed: up to Go 1.23 a `map[string]string`, since 1.24 a list sorted by key. The two are
//! told apart by what stands there: each is read with checks that the other does not pass, but for a list without labels.

use crate::{Known, Runtime, missing};
use gopsy_mem::{Addr, Fault, MemoryExt};
use gopsy_model::{Bubble, BubbleKind, Missing, Str};

/// A key and its value.
pub type Label = (Str, Str);

/// More labels than this are not believed.
const MAX_LABELS: u64 = 1024;
/// Longer keys and values are not believed.
const MAX_TEXT: u64 = 64 * 1024;
/// Buckets of a `map[string]string`: 8 hash bytes, 8 keys, 8 values, a pointer (`runtime/map.go`, up to Go 1.23).
const BUCKET: u64 = 8 + 128 + 128 + 8;
/// The least hash byte of a slot in use (`minTopHash`).
const MIN_TOP_HASH: u8 = 5;

impl Runtime<'_> {
    /// The labels that `g.labels` points to, sorted by key.
    #[must_use]
    pub fn labels(&self, at: Addr) -> Known<Vec<Label>> {
        if at.is_null() {
            return self.have(Vec::new());
        }
        match (self.listed_labels(at), self.mapped_labels(at)) {
            (Ok(Some(labels)), Ok(None) | Err(_)) | (Ok(None) | Err(_), Ok(Some(labels))) => self.have(labels),
            (Ok(Some(listed)), Ok(Some(mapped))) if listed == mapped => self.have(listed),
            (Err(fault), _) | (_, Err(fault)) => Known::Missing(missing(fault)),
            (Ok(_), Ok(_)) => {
                Known::Missing(Missing::Unreadable("what stands there has not the form of labels".into()))
            }
        }
    }

    /// Since Go 1.24: a slice of pairs of strings, sorted.
    fn listed_labels(&self, at: Addr) -> Result<Option<Vec<Label>>, Fault> {
        let (list, len, cap) = (self.mem.ptr(at)?, self.mem.u64(plus(at, 8))?, self.mem.u64(plus(at, 16))?);
        if len > cap || cap > MAX_LABELS || (len > 0 && list.is_null()) {
            return Ok(None);
        }
        let mut labels: Vec<Label> = Vec::new();
        for index in 0..len {
            let pair = plus(list, index.saturating_mul(32));
            let (Some(key), Some(value)) = (self.label_text(pair)?, self.label_text(plus(pair, 16))?) else {
                return Ok(None);
            };
            labels.push((key, value));
        }
        Ok(labels.is_sorted_by(|a, b| a.0 < b.0).then_some(labels))
    }

    /// Up to Go 1.23: a map.
    fn mapped_labels(&self, at: Addr) -> Result<Option<Vec<Label>>, Fault> {
        let map = self.mem.ptr(at)?;
        if map.is_null() {
            return Ok(Some(Vec::new()));
        }
        let (count, bits) = (self.mem.u64(map)?, self.mem.u8(plus(map, 9))?);
        let (buckets, old) = (self.mem.ptr(plus(map, 16))?, self.mem.ptr(plus(map, 24))?);
        // A map that grows has some of its entries still in the old buckets: labels are written once, by one goroutine.
        if count > MAX_LABELS || bits > 10 || !old.is_null() || (count > 0 && buckets.is_null()) {
            return Ok(None);
        }
        let mut labels: Vec<Label> = Vec::new();
        let (mut seen, most) = (0u64, count.saturating_add(2).saturating_mul(8));
        for index in 0..1u64.wrapping_shl(u32::from(bits)) {
            let mut bucket = plus(buckets, index.saturating_mul(BUCKET));
            while !bucket.is_null() && count > 0 {
                seen = seen.saturating_add(1);
                if seen > most.saturating_add(1 << 10) {
                    return Ok(None);
                }
                for slot in 0..8u64 {
                    if self.mem.u8(plus(bucket, slot))? < MIN_TOP_HASH {
                        continue;
                    }
                    let key = self.label_text(plus(bucket, slot.saturating_mul(16).saturating_add(8)))?;
                    let value = self.label_text(plus(bucket, slot.saturating_mul(16).saturating_add(136)))?;
                    let (Some(key), Some(value)) = (key, value) else { return Ok(None) };
                    labels.push((key, value));
                }
                bucket = self.mem.ptr(plus(bucket, BUCKET.saturating_sub(8)))?;
            }
        }
        labels.sort();
        Ok((u64::try_from(labels.len()) == Ok(count)).then_some(labels))
    }

    /// The string whose header stands there; `None` if it can be no label's.
    fn label_text(&self, header: Addr) -> Result<Option<Str>, Fault> {
        let (at, len) = (self.mem.ptr(header)?, self.mem.u64(plus(header, 8))?);
        if len > MAX_TEXT || (len > 0 && at.is_null()) {
            return Ok(None);
        }
        let bytes = self.mem.bytes(at, len, usize::try_from(len).unwrap_or(0))?;
        Ok(String::from_utf8(bytes).ok().map(Into::into))
    }

    /// The synctest bubble of a goroutine (Go 1.25+) or its group (Go 1.24), if it is in one.
    #[must_use]
    pub fn bubble(&self, g: Addr) -> Option<Bubble> {
        let of = |name| self.pointer(g, &[("runtime.g", name)]).into_value().filter(|a| !a.is_null());
        if let Some(bubble) = of("bubble") {
            let id = self.word(bubble, &[("runtime.synctestBubble", "id")]).into_value()?;
            return Some(Bubble { kind: BubbleKind::Bubble, id });
        }
        // A group is called by its root goroutine.
        let root = self.pointer(of("syncGroup")?, &[("runtime.synctestGroup", "root")]).into_value()?;
        let id = self.word(root, &[("runtime.g", "goid")]).into_value()?;
        Some(Bubble { kind: BubbleKind::Group, id })
    }
}

fn plus(at: Addr, offset: u64) -> Addr {
    Addr(at.0.wrapping_add(offset))
}
