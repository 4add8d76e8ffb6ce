//! Where the context's headers stand in a head, and how their values are changed.

use super::header::Header;
use crate::{Edits, Field};

/// The context's headers of one head. Allocates only for a head that repeats one of them.
///
/// Made for every request and nearly always empty, so it is kept small: headers are known by their place in the head.
#[derive(Debug)]
pub(crate) struct Headers<'a> {
    fields: &'a [Field<'a>],
    first: [Option<u16>; Header::COUNT],
    again: Vec<(Header, u16)>,
}

#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    index: usize,
    value: &'a [u8],
}

/// Whether a header that has been seen before says something else now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// For the first time, or again in the same words.
    Consistent,
    /// Again, in other words.
    Contradictory,
}

impl<'a> Headers<'a> {
    /// Those of a head with these fields, of which none has been noted yet.
    pub(crate) fn of(fields: &'a [Field<'a>]) -> Self {
        Self {
            fields,
            first: [None; Header::COUNT],
            again: Vec::new(),
        }
    }

    /// Notes that the field at `index` is `header`.
    pub(crate) fn note(&mut self, header: Header, index: u16) -> Found {
        let first = self.place(header).map(|place| place.value);
        if first.is_some() {
            self.again.push((header, index));
        } else if let Some(first) = self.first.get_mut(header as usize) {
            *first = Some(index);
        }
        match first {
            Some(value) if self.at(index).is_some_and(|again| again.value != value) => Found::Contradictory,
            _ => Found::Consistent,
        }
    }

    /// The header's value, where it stands first.
    pub(crate) fn value(&self, header: Header) -> Option<&'a [u8]> {
        self.place(header).map(|place| place.value)
    }

    /// The header's values, wherever it stands, in order.
    pub(crate) fn values(&self, header: Header) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.places(header).map(|place| place.value)
    }

    /// Gives the header a new value, wherever it stands; if it is not there, it is added.
    ///
    /// A repeated header stays repeated, because an edit cannot take a field away; but every copy says the same.
    pub(crate) fn put(&self, header: Header, edits: &mut Edits, write: impl Fn(&mut Vec<u8>)) {
        if self.place(header).is_none() {
            edits.add(header.name(), write);
        } else {
            self.rewrite(header, edits, |_, out| write(out));
        }
    }

    /// As [`put`](Self::put), for a value that is at hand.
    pub(crate) fn put_text(&self, header: Header, edits: &mut Edits, text: &[u8]) {
        self.put(header, edits, |out| out.extend_from_slice(text));
    }

    /// Rewrites the header, wherever it stands, each time from the value that it has there. If it is not there, nothing
    /// is done.
    pub(crate) fn rewrite(&self, header: Header, edits: &mut Edits, write: impl Fn(&[u8], &mut Vec<u8>)) {
        for place in self.places(header) {
            edits.change(place.index, place.value, |out| write(place.value, out));
        }
    }

    fn place(&self, header: Header) -> Option<Place<'a>> {
        self.at(self.first.get(header as usize).copied().flatten()?)
    }

    fn places(&self, header: Header) -> impl Iterator<Item = Place<'a>> + Clone {
        let again = self.again.iter().filter(move |(again, _)| *again == header);
        self.place(header)
            .into_iter()
            .chain(again.filter_map(|(_, index)| self.at(*index)))
    }

    fn at(&self, index: u16) -> Option<Place<'a>> {
        let index = usize::from(index);
        let value = self.fields.get(index)?.value;
        Some(Place { index, value })
    }
}
