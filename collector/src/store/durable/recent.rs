//! Traces of segments that were read last: what a search has found is asked for next, whole.
//!
//! Segments never change, so what was read of one stays true.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use otlp::model::Span;

use super::segment::{Entry, Segment, Trouble};

/// Spans that stay in memory, some kilobytes each.
const SPANS: usize = 2048;

/// Where a trace's rows stand: the segment's number, the row group and the first row.
type Place = (u64, u32, u32);

/// What was read last, the latest at the end.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<VecDeque<(Place, Spans)>>);

type Spans = Arc<Vec<Arc<Span>>>;

impl Recent {
    /// The spans of an entry, in the order of their rows.
    pub(crate) fn spans(&self, segment: &Segment, entry: &Entry) -> Result<Spans, Trouble> {
        let place = (segment.number, entry.group, entry.row);
        if let Some(known) = self.take(place) {
            self.keep(place, Arc::clone(&known));
            return Ok(known);
        }
        let read = segment.spans(entry.group as usize, &[*entry])?;
        let read: Spans = Arc::new(read.into_iter().map(Arc::new).collect());
        self.keep(place, Arc::clone(&read));
        Ok(read)
    }

    fn take(&self, place: Place) -> Option<Spans> {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = recent.iter().rposition(|(known, _)| *known == place)?;
        Some(recent.remove(known)?.1)
    }

    fn keep(&self, place: Place, spans: Spans) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back((place, spans));
        let mut kept: usize = recent.iter().map(|(_, spans)| spans.len()).sum();
        while kept > SPANS {
            kept -= recent.pop_front().map_or(kept, |(_, spans)| spans.len());
        }
    }
}
