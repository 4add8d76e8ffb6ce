//! Columns whose values are being collected, until a row group is full.

use std::ops::Range;

use twox_hash::XxHash3_64;

/// Which rows of a column have a value, in one where not every row has.
#[derive(Default)]
pub(super) struct Levels(Vec<u8>);

impl Levels {
    /// Rows come in ascending order.
    fn put(&mut self, row: usize) {
        self.0.resize(row, 0);
        self.0.push(1);
    }

    /// Whether that row has been given a value.
    fn has(&self, row: usize) -> bool {
        self.0.len() > row
    }

    /// A level for each of so many rows.
    pub(super) fn of(&mut self, rows: usize) -> &[u8] {
        self.0.resize(rows, 0);
        &self.0
    }
}

/// Bytes of values that stand behind each other.
#[derive(Default)]
pub(super) struct Blobs {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    pub(super) levels: Levels,
}

impl Blobs {
    /// The next row's value, in a column where every row has one.
    pub(super) fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
    }

    /// The value of that row, in a column where not every row has one. Rows come in ascending order.
    pub(super) fn put(&mut self, row: usize, value: &[u8]) {
        self.levels.put(row);
        self.push(value);
    }

    /// Whether that row has been given a value.
    pub(super) fn has(&self, row: usize) -> bool {
        self.levels.has(row)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before));
        let range = start.copied().unwrap_or(0)..self.ends.get(place).copied().unwrap_or(0);
        self.bytes.get(range).unwrap_or_default()
    }

    pub(super) fn iter(&self, range: Range<usize>) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        range.map(|place| self.get(place))
    }

    /// All bytes of some values.
    pub(super) fn together(&self, range: Range<usize>) -> &[u8] {
        let start = |place: usize| place.checked_sub(1).map_or(0, |before| self.end(before));
        let bytes = start(range.start)..start(range.end);
        self.bytes.get(bytes).unwrap_or_default()
    }

    fn end(&self, place: usize) -> usize {
        self.ends.get(place).copied().unwrap_or(0)
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.levels.0.clear();
    }
}

/// Values of which few are different: each is kept once.
#[derive(Default)]
pub(super) struct Words {
    words: Blobs,
    hashes: Vec<u64>,
    /// Where to look for a hash: one more than the word's place, 0 where there is none.
    slots: Vec<u32>,
    /// The word of each value.
    places: Vec<u32>,
    pub(super) levels: Levels,
}

/// A word that a row group did not have yet, known by its hash.
pub(super) struct New(pub(super) u64);

impl Words {
    /// See [`Blobs::push`].
    pub(super) fn push(&mut self, word: &[u8]) -> Option<New> {
        if let Some(last) = self.places.last().copied()
            && self.words.get(last as usize) == word
        {
            self.places.push(last);
            return None;
        }
        let hash = XxHash3_64::oneshot(word);
        let (place, known) = self.find(word, hash);
        self.places.push(place);
        (!known).then_some(New(hash))
    }

    /// See [`Blobs::put`].
    pub(super) fn put(&mut self, row: usize, word: &[u8]) -> Option<New> {
        self.levels.put(row);
        self.push(word)
    }

    /// The next row's value is the word at that place.
    pub(super) fn again(&mut self, place: u32) {
        self.places.push(place);
    }

    /// Where the word stands that was pushed last.
    pub(super) fn last(&self) -> u32 {
        self.places.last().copied().unwrap_or(0)
    }

    /// Takes the last value back, and says at which place its word stands, which stays known.
    pub(super) fn take_back(&mut self) -> u32 {
        self.places.pop().unwrap_or(0)
    }

    /// Whether that row has been given a value.
    pub(super) fn has(&self, row: usize) -> bool {
        self.levels.has(row)
    }

    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    pub(super) fn words(&self) -> &Blobs {
        &self.words
    }

    /// The place of a word, which is new or was known.
    fn find(&mut self, word: &[u8], hash: u64) -> (u32, bool) {
        if self.hashes.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len().wrapping_sub(1);
        let mut slot = hash as usize & mask;
        while let Some(place) = self.slots.get(slot).and_then(|place| place.checked_sub(1)) {
            let known = self.hashes.get(place as usize) == Some(&hash);
            if known && self.words.get(place as usize) == word {
                return (place, true);
            }
            slot = (slot + 1) & mask;
        }
        // a row group has less rows than that
        let place = self.hashes.len() as u32;
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = place + 1;
        }
        self.hashes.push(hash);
        self.words.push(word);
        (place, false)
    }

    fn grow(&mut self) {
        let length = (self.slots.len() * 2).max(16);
        self.slots.clear();
        self.slots.resize(length, 0);
        for (place, hash) in (1..).zip(&self.hashes) {
            let mut slot = *hash as usize & (length - 1);
            while self.slots.get(slot).is_some_and(|place| *place > 0) {
                slot = (slot + 1) & (length - 1);
            }
            if let Some(slot) = self.slots.get_mut(slot) {
                *slot = place;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.words.clear();
        self.hashes.clear();
        self.slots.clear();
        self.places.clear();
        self.levels.0.clear();
    }
}

/// How the items of lists stand in their rows.
#[derive(Default)]
pub(super) struct Nesting {
    /// For each item, and for each row without one, how much of it is there.
    pub(super) definitions: Vec<u8>,
    /// Whether it goes on with the row of the one before.
    pub(super) repeats: Vec<u8>,
    /// Where each row begins among them.
    pub(super) starts: Vec<usize>,
}

impl Nesting {
    /// The next row has no item.
    pub(super) fn empty(&mut self) {
        self.item(true, 0);
    }

    /// One more item, the first of its row or not; `definition` says how much of it is there.
    pub(super) fn item(&mut self, first: bool, definition: u8) {
        if first {
            self.starts.push(self.definitions.len());
        }
        self.definitions.push(definition);
        self.repeats.push(u8::from(!first));
    }

    pub(super) fn clear(&mut self) {
        self.definitions.clear();
        self.repeats.clear();
        self.starts.clear();
    }
}
