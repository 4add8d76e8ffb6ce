//! What is kept at one moment: a head, heads that are being sealed, and segments. Each span is in exactly one of them.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use otlp::model::Span;
use otlp::receive::Packed;
use span::TraceId;

use super::recent::Recent;
use super::segment::{Segment, Trouble};
use crate::hash::Seeded;
use crate::join::{self, Joins};
use crate::store::{Memory, Trace};

/// Bytes of indexes that stay in memory between two questions.
const LOADED_BYTES: usize = 64 << 20;

/// A head that takes no more spans, and the last file of the log that has them.
#[derive(Clone, Debug)]
pub(crate) struct Frozen {
    pub(crate) spans: Arc<Memory<Packed>>,
    pub(crate) log: u64,
}

/// What is kept.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Takes what comes in.
    pub(crate) head: Arc<Memory<Packed>>,
    /// The oldest first.
    pub(crate) frozen: Vec<Frozen>,
    /// The oldest first.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// Traces that may have spans in more than one segment.
    pub(crate) split: Arc<HashSet<TraceId, Seeded>>,
    /// What reads as part of what, everywhere.
    pub(crate) joins: Arc<RwLock<Joins>>,
    /// What was read last of segments.
    pub(crate) recent: Arc<Recent>,
}

/// A segment that could not be read.
#[derive(Debug)]
pub(crate) struct Bad {
    pub(crate) number: u64,
    pub(crate) trouble: Trouble,
}

impl Bad {
    /// Whether it will never be read, rather than not now.
    pub(crate) fn is_damaged(&self) -> bool {
        matches!(self.trouble, Trouble::Corrupt { .. })
    }
}

impl View {
    pub(crate) fn joins(&self) -> RwLockReadGuard<'_, Joins> {
        self.joins.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The heads, the oldest first.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &Arc<Memory<Packed>>> {
        self.frozen.iter().map(|frozen| &frozen.spans).chain([&self.head])
    }

    /// The traces of which traces are made that these ids read as, in the order asked for, each once.
    pub(crate) fn traces(&self, ids: &[TraceId]) -> Result<Vec<Trace>, Bad> {
        let mut traces: Vec<Trace> = Vec::new();
        for id in ids {
            let id = self.joins().resolve(*id);
            if traces.iter().any(|trace| trace.id == id) {
                continue;
            }
            let spans = self.spans(id)?;
            if !spans.is_empty() {
                traces.push(Trace { id, spans });
            }
        }
        self.trim();
        Ok(traces)
    }

    /// The ids under which spans of a trace may stand.
    pub(crate) fn ids(&self, whole: TraceId) -> Vec<TraceId> {
        let joins = self.joins();
        let members = joins.members(whole).iter().copied();
        std::iter::once(whole).chain(members).collect()
    }

    /// All spans of a trace, each once, by start.
    pub(crate) fn spans(&self, whole: TraceId) -> Result<Vec<Arc<Span>>, Bad> {
        let ids = self.ids(whole);
        let mut spans = Vec::new();
        for segment in &self.segments {
            let found = |trouble| Bad {
                number: segment.number,
                trouble,
            };
            for id in &ids {
                if let Some(entry) = segment.find(*id).map_err(found)? {
                    let read = self.recent.spans(segment, &entry).map_err(found)?;
                    spans.extend(read.iter().map(Arc::clone));
                }
            }
        }
        for head in self.heads() {
            for id in &ids {
                let kept = head.get(*id);
                spans.extend(
                    kept.iter()
                        .flat_map(|spans| spans.iter())
                        .map(|span| Arc::new(span.unpack())),
                );
            }
        }
        let mut spans = once(spans);
        spans.sort_unstable_by_key(|span| (span.start, span.span_id, span.kind));
        Ok(spans)
    }

    /// Forgets what was read of the oldest segments, so that what stays has a bound.
    pub(crate) fn trim(&self) {
        let mut left = LOADED_BYTES;
        for segment in self.segments.iter().rev() {
            let bytes = segment.loaded_bytes();
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => segment.unload(),
            }
        }
    }
}

/// Spans with the same id and kind are one: the first, unless a later one names a provisional trace and it does not.
pub(crate) fn once(spans: Vec<Arc<Span>>) -> Vec<Arc<Span>> {
    let mut places = std::collections::HashMap::with_capacity(spans.len());
    let mut kept: Vec<Arc<Span>> = Vec::with_capacity(spans.len());
    for span in spans {
        let place = *places.entry((span.span_id, span.kind)).or_insert(kept.len());
        match kept.get_mut(place) {
            None => kept.push(span),
            Some(first) => {
                if join::provisional(first).is_none() && join::provisional(&span).is_some() {
                    *first = span;
                }
            }
        }
    }
    kept
}
