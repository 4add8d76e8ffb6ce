//! Where the next page of a search begins, as text that a client gives back.
//!
//! It holds the place of the last trace, the window of the first page (which may have been relative to its time), and a
//! fingerprint of the search, so that it is refused with another one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;

use span::TraceId;

use crate::query::{Place, Query};

/// What a cursor says.
pub(super) struct Cursor {
    /// Where the page before ended.
    pub(super) after: Place,
    /// The window of the search, in nanoseconds since the Unix epoch.
    pub(super) start: RangeInclusive<u64>,
    fingerprint: u64,
}

/// The cursor to what stands behind `after`.
pub(super) fn write(query: &Query, after: Place) -> String {
    let (start, end) = (query.start.start(), query.start.end());
    let fingerprint = fingerprint(query);
    format!(
        "{:x}.{}.{start:x}.{end:x}.{fingerprint:x}",
        after.measure, after.trace_id
    )
}

/// Reads a cursor. `None` if it is none.
pub(super) fn read(text: &str) -> Option<Cursor> {
    let mut parts = text.split('.');
    let (measure, trace_id) = (parts.next()?, parts.next()?);
    let mut rest = parts.map(|part| u64::from_str_radix(part, 16).ok());
    let (start, end, fingerprint) = (rest.next()??, rest.next()??, rest.next()??);
    let measure = u64::from_str_radix(measure, 16).ok()?;
    let trace_id = TraceId::from_hex(trace_id.as_bytes())?;
    (rest.next().is_none() && start <= end).then_some(Cursor {
        after: Place { measure, trace_id },
        start: start..=end,
        fingerprint,
    })
}

impl Cursor {
    /// Whether it comes from this search.
    pub(super) fn belongs_to(&self, query: &Query) -> bool {
        self.fingerprint == fingerprint(query)
    }
}

/// Of everything but the page and the window.
fn fingerprint(query: &Query) -> u64 {
    let rest = Query {
        start: 0..=0,
        after: None,
        limit: 0,
        ..query.clone()
    };
    let mut hasher = DefaultHasher::new();
    format!("{rest:?}").hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::trace_id;
    use crate::query::Order;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_refused_with_another_search() {
        let query = Query {
            service: Some("edge".to_owned()),
            start: 5..=u64::MAX,
            ..Query::default()
        };
        let after = Place {
            measure: u64::MAX,
            trace_id: trace_id(7),
        };
        let cursor = read(&write(&query, after)).unwrap();
        assert_eq!((cursor.after, &cursor.start), (after, &query.start));
        let next_page = Query {
            after: Some(after),
            limit: 3,
            start: 6..=9,
            ..query.clone()
        };
        assert!(cursor.belongs_to(&next_page));
        let other = Query {
            order: Order::Spans,
            ..query
        };
        assert!(!cursor.belongs_to(&other));
    }

    #[test]
    fn other_texts_are_no_cursors() {
        let after = Place {
            measure: 1,
            trace_id: trace_id(1),
        };
        let whole = write(&Query::default(), after);
        let longer = format!("{whole}.1");
        for wrong in ["", "1", "1.2.3.4.5", "....", &longer, &whole[1..], &whole[..30]] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }
}
