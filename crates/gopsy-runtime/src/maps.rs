//! The entries of Go maps, of both kinds that there were: hash tables of buckets (`runtime/map.go` up to Go 1.23, with
//! `GOEXPERIMENT=noswissmap` `runtime/map_noswiss.go` of 1.24 and 1.25) and Swiss tables (`internal/runtime/maps`, since 1.24).
//!
//! Which of them a map is, where its keys and elements stand and whether they stand there themselves, the type of its bucket
//! or group says, which the compiler writes for the collector: it has `topbits`, `keys`, `elems`, `overflow`; or `ctrl` and
//! `slots`, since Go 1.27 also `keys` and `elems` (`cmd/compile/internal/reflectdata`: `map.go`, `map_noswiss.go`,
//! `map_swiss.go`).
//!
//! A map is told whole or not at all: as many entries must be found as it says that it has, and every part must look as a map's
//! does. One that was being written when the process died may not.

use crate::Runtime;
use gopsy_image::{StructField, TypeBody, TypeKind, TypeName};
use gopsy_mem::{Addr, Fault, MemoryExt, Why};

/// Slots of a bucket (`bucketCnt`, `abi.MapBucketCount`) and of a group (`abi.MapGroupSlots`).
const SLOTS: u64 = 8;

/// `hmap`, at the same offsets in all releases that have it. It begins with the number of entries.
mod hmap {
    pub(super) const FLAGS: u64 = 8;
    pub(super) const LOG_BUCKETS: u64 = 9;
    pub(super) const BUCKETS: u64 = 16;
    pub(super) const OLD_BUCKETS: u64 = 24;
    /// `sameSizeGrow`: it grows into as many buckets as it had.
    pub(super) const SAME_SIZE: u8 = 8;
    /// `emptyRest`, `emptyOne`, `evacuatedX`, `evacuatedY`, `evacuatedEmpty`; from `minTopHash` on a slot is in use.
    pub(super) const EMPTY_REST: u8 = 0;
    pub(super) const EMPTY_ONE: u8 = 1;
    pub(super) const MIN_TOP_HASH: u8 = 5;
}

/// `maps.Map` and `maps.table`, at the same offsets in all releases from 1.24 to 1.27. A map begins with the number of entries.
mod swiss {
    pub(super) const DIRECTORY: u64 = 16;
    pub(super) const DIRECTORY_LEN: u64 = 24;
    pub(super) const GLOBAL_DEPTH: u64 = 32;
    pub(super) const TABLE_USED: u64 = 0;
    pub(super) const CAPACITY: u64 = 2;
    pub(super) const LOCAL_DEPTH: u64 = 6;
    pub(super) const INDEX: u64 = 8;
    pub(super) const GROUPS: u64 = 16;
    pub(super) const LENGTH_MASK: u64 = 24;
    /// `ctrlEmpty`, `ctrlDeleted`; without the highest bit a slot is in use.
    pub(super) const EMPTY: u8 = 0x80;
    pub(super) const DELETED: u8 = 0xfe;
}

/// How the entries of one type of map are stored.
#[derive(Debug, Clone)]
pub(crate) struct MapShape {
    /// The type of its keys, with its descriptor.
    pub(crate) key: (Addr, TypeName),
    /// The type of its elements.
    pub(crate) element: (Addr, TypeName),
    /// The size of a bucket or group.
    size: u64,
    keys: Column,
    elements: Column,
    /// Of a bucket: where the pointer to the next one stands. A group has none.
    overflow: Option<u64>,
}

/// Where the keys of a bucket or group stand, or its elements.
#[derive(Debug, Clone, Copy)]
struct Column {
    /// The first.
    offset: u64,
    /// From one to the next.
    stride: u64,
    /// It is a pointer to the value: larger values than 128 bytes are kept elsewhere.
    indirect: bool,
}

/// The entries of a map, by the addresses of key and element, in the order in which they stand.
pub(crate) type Entries = Vec<(Addr, Addr)>;

/// Why the entries of a map cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoMap {
    /// A part of it cannot be read.
    Fault(Fault),
    /// It does not look as a map does.
    Malformed,
    /// It has more buckets or groups than may be looked at.
    TooLarge,
}

impl From<Fault> for NoMap {
    fn from(fault: Fault) -> Self {
        NoMap::Fault(fault)
    }
}

impl Runtime<'_> {
    /// How maps of that type are stored. `None` where the type does not say so.
    pub(crate) fn map_shape(&self, descriptor: Addr, of: &TypeName) -> Option<MapShape> {
        let TypeBody::Map { key, element, store } = self.body(descriptor, of)? else { return None };
        let typed = |at: Addr| Some((at, self.type_at(at).ok()?));
        let (key, element, (store_at, store)) = (typed(Addr(key.0))?, typed(Addr(element.0))?, typed(Addr(store.0))?);
        let TypeBody::Struct(fields) = self.body(store_at, &store)? else { return None };
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let (keys, elements, overflow) = match (&*names, &*fields) {
            (["topbits", "keys", "elems", "overflow"], [marks, keys, elements, overflow]) => {
                (marks.offset == 0 && overflow.of.size == 8).then_some(())?;
                (self.array(keys, &key)?, self.array(elements, &element)?, Some(overflow.offset))
            }
            (["ctrl", "keys", "elems"], [ctrl, keys, elements]) => {
                (ctrl.offset == 0).then_some(())?;
                (self.array(keys, &key)?, self.array(elements, &element)?, None)
            }
            (["ctrl", "slots"], [ctrl, slots]) => {
                (ctrl.offset == 0).then_some(())?;
                let (keys, elements) = self.slots(slots, &key, &element)?;
                (keys, elements, None)
            }
            _ => return None,
        };
        Some(MapShape { key, element, size: store.size, keys, elements, overflow })
    }

    /// Eight keys or elements behind each other.
    fn array(&self, field: &StructField, held: &(Addr, TypeName)) -> Option<Column> {
        let TypeBody::Array { element, len: SLOTS } = self.body(Addr(field.descriptor.0), &field.of)? else {
            return None;
        };
        let stored = self.type_at(Addr(element.0)).ok()?;
        let indirect = self.is_indirect((Addr(element.0), &stored), held)?;
        Some(Column { offset: field.offset, stride: stored.size, indirect })
    }

    /// Eight pairs of key and element behind each other.
    fn slots(
        &self,
        field: &StructField,
        key: &(Addr, TypeName),
        element: &(Addr, TypeName),
    ) -> Option<(Column, Column)> {
        let TypeBody::Array { element: slot, len: SLOTS } = self.body(Addr(field.descriptor.0), &field.of)? else {
            return None;
        };
        let of = self.type_at(Addr(slot.0)).ok()?;
        let TypeBody::Struct(pair) = self.body(Addr(slot.0), &of)? else { return None };
        let [k, e] = &*pair else { return None };
        (k.name == "key" && e.name == "elem").then_some(())?;
        let column = |part: &StructField, held| {
            let indirect = self.is_indirect((Addr(part.descriptor.0), &part.of), held)?;
            Some(Column { offset: field.offset.checked_add(part.offset)?, stride: of.size, indirect })
        };
        Some((column(k, key)?, column(e, element)?))
    }

    /// Whether a pointer stands where the value would.
    fn is_indirect(&self, (at, stored): (Addr, &TypeName), held: &(Addr, TypeName)) -> Option<bool> {
        if at == held.0 {
            return Some(false);
        }
        match self.body(at, stored)? {
            TypeBody::Of(element) if stored.kind == TypeKind::Pointer && Addr(element.0) == held.0 => Some(true),
            _ => None,
        }
    }

    /// The entries of the map that stands there; none of a nil map.
    /// `budget` is how many buckets or groups may be looked at, and then how many are left.
    pub(crate) fn map_entries(&self, shape: &MapShape, map: Addr, budget: &mut u64) -> Result<Entries, NoMap> {
        if map.is_null() {
            return Ok(Vec::new());
        }
        let claimed = self.mem.u64(map)?;
        let mut walk = Walk { runtime: self, shape, claimed, entries: Vec::new(), budget };
        match shape.overflow {
            Some(overflow) => walk.buckets(map, overflow)?,
            None => walk.tables(map)?,
        }
        if walk.found() == claimed { Ok(walk.entries) } else { Err(NoMap::Malformed) }
    }
}

/// What was found so far of a map.
struct Walk<'a> {
    runtime: &'a Runtime<'a>,
    shape: &'a MapShape,
    /// How many entries it says that it has.
    claimed: u64,
    entries: Entries,
    budget: &'a mut u64,
}

impl Walk<'_> {
    fn found(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    /// A map of buckets. While it grows, those of the old ones that were not evacuated still have its entries.
    fn buckets(&mut self, map: Addr, overflow: u64) -> Result<(), NoMap> {
        let mem = self.runtime.mem;
        let (flags, bits) = (mem.u8(plus(map, hmap::FLAGS)?)?, mem.u8(plus(map, hmap::LOG_BUCKETS)?)?);
        let (buckets, old) = (mem.ptr(plus(map, hmap::BUCKETS)?)?, mem.ptr(plus(map, hmap::OLD_BUCKETS)?)?);
        let count = 1u64.checked_shl(u32::from(bits)).ok_or(NoMap::Malformed)?;
        if count > *self.budget {
            return Err(NoMap::TooLarge);
        }
        if buckets.is_null() {
            return if bits == 0 && old.is_null() { Ok(()) } else { Err(NoMap::Malformed) };
        }
        for index in 0..count {
            self.chain(element(buckets, index, self.shape.size)?, overflow, false)?;
        }
        if old.is_null() {
            return Ok(());
        }
        let olds = if flags & hmap::SAME_SIZE != 0 { count } else { count.wrapping_shr(1) };
        if olds == 0 {
            return Err(NoMap::Malformed);
        }
        for index in 0..olds {
            self.chain(element(old, index, self.shape.size)?, overflow, true)?;
        }
        Ok(())
    }

    /// A bucket and those that hang on it.
    fn chain(&mut self, first: Addr, overflow: u64, old: bool) -> Result<(), NoMap> {
        let mut bucket = first;
        while !bucket.is_null() {
            let marks = self.marks(bucket)?;
            // `evacuated`: the first mark tells of the whole chain.
            let evacuated = marks.first().is_some_and(|m| (hmap::EMPTY_ONE + 1..hmap::MIN_TOP_HASH).contains(m));
            if evacuated {
                return if old { Ok(()) } else { Err(NoMap::Malformed) };
            }
            let mut ended = false;
            for (slot, mark) in (0..SLOTS).zip(marks) {
                match mark {
                    hmap::EMPTY_REST => ended = true,
                    _ if ended => return Err(NoMap::Malformed),
                    hmap::EMPTY_ONE => {}
                    hmap::MIN_TOP_HASH.. => self.entry(bucket, slot)?,
                    _ => return Err(NoMap::Malformed),
                }
            }
            bucket = self.runtime.mem.ptr(plus(bucket, overflow)?)?;
        }
        Ok(())
    }

    /// A map of tables; a small one is a single group.
    fn tables(&mut self, map: Addr) -> Result<(), NoMap> {
        let mem = self.runtime.mem;
        let (directory, len) = (mem.ptr(plus(map, swiss::DIRECTORY)?)?, mem.u64(plus(map, swiss::DIRECTORY_LEN)?)?);
        if len == 0 {
            return if directory.is_null() { Ok(()) } else { self.group(directory) };
        }
        let depth = mem.u8(plus(map, swiss::GLOBAL_DEPTH)?)?;
        if 1u64.checked_shl(u32::from(depth)) != Some(len) {
            return Err(NoMap::Malformed);
        }
        if len > *self.budget {
            return Err(NoMap::TooLarge);
        }
        let mut index = 0;
        while index < len {
            let table = mem.ptr(element(directory, index, 8)?)?;
            let local = mem.u8(plus(table, swiss::LOCAL_DEPTH)?)?;
            let first = mem.u64(plus(table, swiss::INDEX)?)?;
            // A table stands in the directory once for each way to go on below its depth, the first time at its index.
            let run = depth.checked_sub(local).map(|under| 1u64.wrapping_shl(u32::from(under)));
            let run = run.filter(|_| first == index).ok_or(NoMap::Malformed)?;
            for at in index..index.saturating_add(run).min(len) {
                if mem.ptr(element(directory, at, 8)?)? != table {
                    return Err(NoMap::Malformed);
                }
            }
            self.table(table)?;
            index = index.saturating_add(run);
        }
        Ok(())
    }

    fn table(&mut self, table: Addr) -> Result<(), NoMap> {
        let mem = self.runtime.mem;
        let (used, capacity) = (mem.u16(plus(table, swiss::TABLE_USED)?)?, mem.u16(plus(table, swiss::CAPACITY)?)?);
        let (groups, mask) = (mem.ptr(plus(table, swiss::GROUPS)?)?, mem.u64(plus(table, swiss::LENGTH_MASK)?)?);
        let count = mask.checked_add(1).filter(|count| count.is_power_of_two()).ok_or(NoMap::Malformed)?;
        if count.checked_mul(SLOTS) != Some(u64::from(capacity)) {
            return Err(NoMap::Malformed);
        }
        let before = self.found();
        for index in 0..count {
            self.group(element(groups, index, self.shape.size)?)?;
        }
        if self.found().checked_sub(before) == Some(u64::from(used)) { Ok(()) } else { Err(NoMap::Malformed) }
    }

    fn group(&mut self, group: Addr) -> Result<(), NoMap> {
        for (slot, mark) in (0..SLOTS).zip(self.marks(group)?) {
            match mark {
                0..swiss::EMPTY => self.entry(group, slot)?,
                swiss::EMPTY | swiss::DELETED => {}
                _ => return Err(NoMap::Malformed),
            }
        }
        Ok(())
    }

    /// The marks of the slots, with which a bucket and a group begin.
    fn marks(&mut self, store: Addr) -> Result<[u8; 8], NoMap> {
        // Chains may go in circles.
        *self.budget = self.budget.checked_sub(1).ok_or(NoMap::TooLarge)?;
        Ok(self.runtime.mem.u64(store)?.to_le_bytes())
    }

    fn entry(&mut self, store: Addr, slot: u64) -> Result<(), NoMap> {
        if self.found() >= self.claimed {
            return Err(NoMap::Malformed);
        }
        let place = |column: Column| {
            let at = element(plus(store, column.offset)?, slot, column.stride)?;
            if column.indirect { self.runtime.mem.ptr(at).map_err(NoMap::from) } else { Ok(at) }
        };
        let entry = (place(self.shape.keys)?, place(self.shape.elements)?);
        self.entries.push(entry);
        Ok(())
    }
}

fn plus(at: Addr, offset: u64) -> Result<Addr, Fault> {
    at.checked_add(offset).ok_or(Fault { address: at, why: Why::Unmapped })
}

fn element(first: Addr, index: u64, size: u64) -> Result<Addr, Fault> {
    let offset = index.checked_mul(size).ok_or(Fault { address: first, why: Why::Unmapped })?;
    plus(first, offset)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testkit::{check, words};
    use gopsy_mem::SliceMemory;

    const MAP: u64 = 0xc000_0000;
    const STORES: u64 = 0xc000_1000;
    const OLD: u64 = 0xc000_4000;
    const DIRECTORY: u64 = 0xc000_7000;

    fn shape(key_size: u64, elements: u64, size: u64, overflow: Option<u64>) -> MapShape {
        let of = |size| TypeName { name: "string".into(), kind: TypeKind::String, size, field_align: 8, direct: false };
        MapShape {
            key: (Addr(1), of(key_size)),
            element: (Addr(1), of(key_size)),
            size,
            keys: Column { offset: 8, stride: key_size, indirect: false },
            elements: Column { offset: elements, stride: key_size, indirect: false },
            overflow,
        }
    }

    /// A map of strings to strings, in buckets.
    pub(crate) fn strings() -> MapShape {
        shape(16, 136, 272, Some(264))
    }

    /// The first slots of a bucket of strings, with their marks; no bucket hangs on it.
    pub(crate) fn bucket(slots: &[(u8, [u64; 2], [u64; 2])]) -> Vec<u8> {
        let mut bytes = vec![0; 272];
        for (index, (mark, key, value)) in slots.iter().enumerate() {
            bytes[index] = *mark;
            bytes[8 + 16 * index..24 + 16 * index].copy_from_slice(&words(key));
            bytes[136 + 16 * index..152 + 16 * index].copy_from_slice(&words(value));
        }
        bytes
    }

    /// Bytes, in buckets of one: marks, eight keys, eight elements, the next.
    fn small(marks: [u8; 8], next: u64) -> Vec<u8> {
        [marks.as_slice(), &[0; 16], &words(&[next])].concat()
    }

    fn found(shape: &MapShape, memory: &SliceMemory) -> Result<Vec<u64>, NoMap> {
        let keys = |entries: Entries| entries.into_iter().map(|(key, _)| key.0).collect();
        check(memory, |runtime| runtime.map_entries(shape, Addr(MAP), &mut 100)).map(keys)
    }

    fn bytes() -> MapShape {
        shape(1, 16, 32, Some(24))
    }

    /// A map of buckets: count, flags and B, the buckets, the old ones.
    fn buckets(count: u64, flags: u64, b: u64, stores: &[Vec<u8>], old: &[Vec<u8>]) -> SliceMemory {
        let olds = if old.is_empty() { 0 } else { OLD };
        SliceMemory::new()
            .with(Addr(MAP), words(&[count, flags | b << 8, STORES, olds]))
            .with(Addr(STORES), stores.concat())
            .with(Addr(OLD), old.concat())
    }

    const NONE: [u8; 8] = [0; 8];
    const THIRD: [u8; 8] = [1, 1, 9, 0, 0, 0, 0, 0];
    const MOVED: [u8; 8] = [2, 3, 4, 4, 4, 4, 4, 4];

    #[test]
    fn entries_of_buckets() {
        let one = |count, stores: &[Vec<u8>]| found(&bytes(), &buckets(count, 0, 0, stores, &[]));
        assert_eq!(one(1, &[small(THIRD, 0)]), Ok(vec![STORES + 10]));
        // A bucket that hangs on another.
        assert_eq!(one(2, &[small(THIRD, STORES + 32), small(THIRD, 0)]), Ok(vec![STORES + 10, STORES + 42]));
        // More or fewer than it has; an entry behind the end of them all; one that was moved out of what is not old.
        for (count, marks) in
            [(2, THIRD), (0, THIRD), (1, [0, 9, 0, 0, 0, 0, 0, 0]), (1, [9, 2, 0, 0, 0, 0, 0, 0]), (0, MOVED)]
        {
            assert_eq!(one(count, &[small(marks, 0)]), Err(NoMap::Malformed), "{count} {marks:?}");
        }
        // A circle.
        assert_eq!(one(3, &[small(NONE, STORES)]), Err(NoMap::TooLarge));
        assert_eq!(one(3, &[small(THIRD, STORES)]), Err(NoMap::Malformed));
        assert!(matches!(one(1, &[small(THIRD, 0xdead_0000)]), Err(NoMap::Fault(_))));
        for b in [8, 63, 64, 255] {
            let huge = found(&bytes(), &buckets(1, 0, b, &[small(THIRD, 0)], &[]));
            assert!(matches!(huge, Err(NoMap::TooLarge | NoMap::Malformed)), "{b}");
        }
    }

    #[test]
    fn entries_of_buckets_that_grow() {
        let none = || small(NONE, 0);
        // The first of two old buckets went into the first of four new ones.
        let new = [small(THIRD, 0), none(), none(), none()];
        let grown = buckets(2, 0, 2, &new, &[small(MOVED, 0), small(THIRD, 0)]);
        assert_eq!(found(&bytes(), &grown), Ok(vec![STORES + 10, OLD + 42]));
        // Into as many as it had.
        let same = buckets(2, 8, 1, &[small(THIRD, 0), none()], &[small(MOVED, 0), small(THIRD, 0)]);
        assert_eq!(found(&bytes(), &same), Ok(vec![STORES + 10, OLD + 42]));
        // Half of one bucket there is not.
        let one = buckets(1, 0, 0, &[small(THIRD, 0)], &[none()]);
        assert_eq!(found(&bytes(), &one), Err(NoMap::Malformed));
    }

    fn groups() -> MapShape {
        shape(1, 16, 24, None)
    }

    fn group(marks: [u8; 8]) -> Vec<u8> {
        [marks.as_slice(), &[0; 16]].concat()
    }

    const EMPTY: [u8; 8] = [0x80; 8];
    const TWO: [u8; 8] = [0x80, 0x7f, 0x80, 0, 0x80, 0x80, 0xfe, 0x80];

    #[test]
    fn entries_of_one_group() {
        let one = |used, marks, at| {
            let memory =
                SliceMemory::new().with(Addr(MAP), words(&[used, 0, at, 0, 0])).with(Addr(STORES), group(marks));
            found(&groups(), &memory)
        };
        assert_eq!(one(2, TWO, STORES), Ok(vec![STORES + 9, STORES + 11]));
        assert_eq!(one(0, EMPTY, STORES), Ok(vec![]));
        assert_eq!(one(0, EMPTY, 0), Ok(vec![]));
        for (used, marks) in [(1, TWO), (3, TWO), (0, [0x81; 8]), (1, EMPTY)] {
            assert_eq!(one(used, marks, STORES), Err(NoMap::Malformed), "{used}");
        }
        assert!(matches!(one(1, TWO, 0xdead_0000), Err(NoMap::Fault(_))));
    }

    /// A table: used, capacity, depth; its index; its groups and how many they are, less one.
    fn table(used: u64, capacity: u64, depth: u64, index: u64, groups: u64, mask: u64) -> Vec<u8> {
        words(&[used | capacity << 16 | depth << 48, index, groups, mask])
    }

    #[test]
    fn entries_of_tables() {
        const TABLE: u64 = 0xc000_8000;
        let of = |used, depth, directory: &[u64], tables: &[Vec<u8>]| {
            let len = u64::try_from(directory.len()).unwrap();
            let memory = SliceMemory::new()
                .with(Addr(MAP), words(&[used, 0, DIRECTORY, len, depth]))
                .with(Addr(DIRECTORY), words(directory))
                .with(Addr(TABLE), tables.concat())
                .with(Addr(STORES), [group(TWO), group(EMPTY), group(TWO)].concat());
            found(&groups(), &memory)
        };
        let (a, b) = (table(2, 16, 1, 0, STORES, 1), table(2, 8, 1, 1, STORES + 48, 0));
        let two = [a.clone(), b.clone()];
        let right = vec![STORES + 9, STORES + 11, STORES + 57, STORES + 59];
        assert_eq!(of(4, 1, &[TABLE, TABLE + 32], &two), Ok(right.clone()));
        // The first stands for two ways to go on.
        let later = [a, table(2, 8, 2, 2, STORES + 48, 0), table(0, 8, 2, 3, STORES + 24, 0)];
        assert_eq!(of(4, 2, &[TABLE, TABLE, TABLE + 32, TABLE + 64], &later), Ok(right));
        // A directory that is not as long as it is deep, a table at another index, a run that is broken, numbers that lie.
        assert_eq!(of(4, 2, &[TABLE, TABLE + 32], &two), Err(NoMap::Malformed));
        assert_eq!(of(2, 1, &[TABLE, TABLE], &two), Err(NoMap::Malformed));
        assert_eq!(of(4, 2, &[TABLE, TABLE + 32, TABLE + 32, TABLE + 64], &later), Err(NoMap::Malformed));
        for wrong in [
            table(1, 16, 1, 0, STORES, 1),
            table(2, 8, 1, 0, STORES, 1),
            table(2, 16, 1, 0, STORES, u64::MAX),
            table(2, 16, 2, 0, STORES, 1),
        ] {
            assert_eq!(of(4, 1, &[TABLE, TABLE + 32], &[wrong, b.clone()]), Err(NoMap::Malformed));
        }
        assert!(matches!(of(4, 1, &[TABLE, 0xdead_0000], &two), Err(NoMap::Fault(_))));
        assert!(of(1, 255, &[], &two).is_err());
    }
}
