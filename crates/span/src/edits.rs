use std::ops::Range;

/// The changes that a request head needs so that it carries our context: nothing but trace headers, added or replaced.
///
/// Kept and reused by its owner, so that marking a request allocates nothing once it has grown to its usual size.
#[derive(Debug, Default)]
pub struct Edits {
    text: Vec<u8>,
    replaced: Vec<(usize, Range<usize>)>,
    added: Vec<(&'static str, Range<usize>)>,
}

impl Edits {
    /// Forgets the last request's edits and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.replaced.clear();
        self.added.clear();
    }

    /// The field at `index`, as the head was read, gets the value that `write` appends.
    pub fn replace(&mut self, index: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let value = self.append(write);
        self.put(index, value);
    }

    /// As [`replace`](Self::replace), but a value that turns out to be what it was `before` is no edit.
    pub(crate) fn change(&mut self, index: usize, before: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let value = self.append(write);
        if self.value(&value) == before {
            self.text.truncate(value.start);
        } else {
            self.put(index, value);
        }
    }

    /// A field is added behind the last one. `name` is in lower case.
    pub fn add(&mut self, name: &'static str, write: impl FnOnce(&mut Vec<u8>)) {
        let value = self.append(write);
        self.added.push((name, value));
    }

    /// The fields to be replaced, in the order of the head: where each stands in it, and its new value.
    pub fn replaced(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.replaced
            .iter()
            .map(|(index, value)| (*index, self.value(value)))
    }

    /// The fields to be added, in order.
    pub fn added(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.added.iter().map(|(name, value)| (*name, self.value(value)))
    }

    /// Whether the head passes as it is.
    pub fn is_empty(&self) -> bool {
        self.replaced.is_empty() && self.added.is_empty()
    }

    /// In its place: dialects are written in the order of precedence, and a head is rewritten from front to back.
    fn put(&mut self, index: usize, value: Range<usize>) {
        let place = self.replaced.partition_point(|(other, _)| *other <= index);
        self.replaced.insert(place, (index, value));
    }

    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.text.len();
        write(&mut self.text);
        start..self.text.len()
    }

    fn value(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_come_out_in_the_order_of_the_head_until_they_are_cleared() {
        let mut edits = Edits::default();
        edits.replace(3, |out| out.extend_from_slice(b"three"));
        edits.add("b3", |out| out.push(b'0'));
        edits.replace(1, |_| ());
        assert!(edits.replaced().eq([(1, b"".as_slice()), (3, b"three")]));
        assert!(edits.added().eq([("b3", b"0".as_slice())]));
        edits.clear();
        assert!(edits.is_empty());
    }

    #[test]
    fn a_value_that_stays_what_it_was_is_no_edit() {
        let mut edits = Edits::default();
        edits.change(0, b"same", |out| out.extend_from_slice(b"same"));
        assert!(edits.is_empty());
        edits.change(0, b"same", |out| out.extend_from_slice(b"other"));
        assert!(edits.replaced().eq([(0, b"other".as_slice())]));
    }
}
