//! The dynamic table (RFC 7541, sections 2.3.2 and 4), as the side that encodes believes it to be.
//!
//! For the client's direction the server's copy may differ from ours in the *values* of entries that we rewrote on the
//! way, never in their sizes or places: such entries are marked, so that a reference to one is not passed on as it is.

use std::collections::VecDeque;

/// What every entry counts for beyond its name and value (RFC 7541, section 4.1).
pub(super) const ENTRY_OVERHEAD: usize = 32;

/// The size that both ends begin with (`SETTINGS_HEADER_TABLE_SIZE`, initial value).
pub(super) const INITIAL_SIZE: usize = 4096;

/// The largest table that we keep, whatever the two ends agree on.
pub(super) const LARGEST_SIZE: usize = 64 << 10;

/// Names an entry for as long as the connection lives: the how-manieth it was to be inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId(u64);

impl EntryId {
    /// Of no entry.
    pub(super) const NONE: Self = Self(0);
}

/// Name and value of an entry, one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) text: &'a [u8],
    /// Where in `text` the value begins.
    pub(super) name: usize,
    pub(super) id: EntryId,
    /// The other end has another value for it.
    pub(super) rewritten: bool,
}

/// The dynamic table. Entries lie in one buffer, each in one piece; what was evicted at its front is given back lazily.
#[derive(Debug)]
pub(super) struct Table {
    text: Vec<u8>,
    /// How many bytes at the front of `text` belong to entries that are gone.
    gone: usize,
    /// Oldest first, as they lie in `text`.
    entries: VecDeque<Slot>,
    inserted: u64,
    size: usize,
    max_size: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Where it begins in all the text that was ever inserted, modulo 2^32.
    start: u32,
    name: u32,
    value: u32,
    rewritten: bool,
}

impl Slot {
    fn length(self) -> usize {
        self.name as usize + self.value as usize
    }
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            text: Vec::new(),
            gone: 0,
            entries: VecDeque::new(),
            inserted: 0,
            size: 0,
            max_size: INITIAL_SIZE,
        }
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The table's size as RFC 7541, section 4.1 counts it.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The entry at `index`, 0 being the newest.
    pub(super) fn get(&self, index: usize) -> Option<Entry<'_>> {
        let place = self.entries.len().checked_sub(index)?.checked_sub(1)?;
        let slot = self.entries.get(place)?;
        let oldest = self.entries.front()?.start;
        let start = self.gone + slot.start.wrapping_sub(oldest) as usize;
        Some(Entry {
            text: self.text.get(start..start + slot.length())?,
            name: slot.name as usize,
            id: EntryId(self.inserted - index as u64),
            rewritten: slot.rewritten,
        })
    }

    /// Inserts the field whose name are the first `name` bytes of `text` and whose value is the rest, evicting the
    /// oldest as needed. A field that is larger than the table empties it (RFC 7541, section 4.4).
    pub(super) fn insert(&mut self, text: &[u8], name: usize) -> EntryId {
        let size = text.len() + ENTRY_OVERHEAD;
        self.shrink_to(self.max_size.saturating_sub(size));
        if size > self.max_size {
            return EntryId::NONE;
        }
        self.make_room(text.len());
        let start = self
            .entries
            .back()
            .map_or(0, |last| last.start.wrapping_add(last.length() as u32));
        self.text.extend_from_slice(text);
        self.entries.push_back(Slot {
            start,
            name: name as u32,
            value: (text.len() - name) as u32,
            rewritten: false,
        });
        self.size += size;
        self.inserted += 1;
        EntryId(self.inserted)
    }

    /// The encoder changes the size that it uses. The caller has checked that it may.
    pub(super) fn resize(&mut self, max_size: usize) {
        self.max_size = max_size;
        self.shrink_to(max_size);
    }

    /// From now on the other end has another value for this entry. Nothing happens if it is gone.
    pub(super) fn mark_rewritten(&mut self, id: EntryId) {
        let age = self.inserted.saturating_sub(id.0) as usize;
        let place = self
            .entries
            .len()
            .checked_sub(age)
            .and_then(|place| place.checked_sub(1));
        if let Some(slot) = place.and_then(|place| self.entries.get_mut(place)) {
            slot.rewritten = true;
        }
    }

    fn shrink_to(&mut self, size: usize) {
        while self.size > size {
            let Some(oldest) = self.entries.pop_front() else {
                return;
            };
            self.size -= oldest.length() + ENTRY_OVERHEAD;
            self.gone += oldest.length();
        }
        if self.entries.is_empty() {
            self.text.clear();
            self.gone = 0;
        }
    }

    /// Moves the entries to the front rather than let the buffer grow, where that frees at least a quarter of it: what
    /// moving costs is so paid by what was inserted before.
    fn make_room(&mut self, more: usize) {
        if self.text.len() + more > self.text.capacity() && self.gone > self.text.len() / 4 {
            self.text.drain(..self.gone);
            self.gone = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(table: &mut Table, name: &str, value: &str) -> EntryId {
        table.insert(format!("{name}{value}").as_bytes(), name.len())
    }

    #[test]
    fn the_newest_entry_comes_first_and_the_oldest_goes_first() {
        let mut table = Table::new();
        table.resize(2 * (ENTRY_OVERHEAD + 4));
        insert(&mut table, "ab", "cd");
        insert(&mut table, "ef", "gh");
        insert(&mut table, "ij", "kl");
        assert_eq!(table.get(0).unwrap().text, b"ijkl");
        assert_eq!(table.get(1).unwrap().text, b"efgh");
        assert_eq!(table.get(2), None);
    }

    #[test]
    fn a_field_larger_than_the_table_empties_it() {
        let mut table = Table::new();
        table.resize(ENTRY_OVERHEAD + 4);
        insert(&mut table, "ab", "cd");
        let too_large = insert(&mut table, "ab", "cde");
        assert_eq!((table.len(), table.size()), (0, 0));
        insert(&mut table, "ef", "gh");
        table.mark_rewritten(too_large);
        assert!(!table.get(0).unwrap().rewritten);
    }

    #[test]
    fn a_mark_stays_with_its_entry() {
        let mut table = Table::new();
        let marked = insert(&mut table, "a", "1");
        insert(&mut table, "b", "2");
        table.mark_rewritten(marked);
        insert(&mut table, "c", "3");
        let marks: Vec<_> = (0..3).map(|index| table.get(index).unwrap().rewritten).collect();
        assert_eq!(marks, [false, false, true]);
        assert_eq!(table.get(2).unwrap().id, marked);
    }

    #[test]
    fn the_buffer_stays_near_the_size_of_the_table() {
        let mut table = Table::new();
        for n in 0..100_000 {
            insert(&mut table, "traceparent", &format!("{n:055}"));
            assert_eq!(
                table.get(0).unwrap().text,
                format!("traceparent{n:055}").as_bytes()
            );
        }
        assert!(
            table.text.capacity() <= 2 * INITIAL_SIZE,
            "{}",
            table.text.capacity()
        );
        assert_eq!(table.len(), INITIAL_SIZE / (11 + 55 + ENTRY_OVERHEAD));
    }
}
