//! Spans of calls whose cause is not known yet.
//!
//! A call is remembered from its head on. Its span's end and the last word on its cause come in any order; whichever
//! comes second sets the span free. Bounded by count and by bytes: what does not fit is told at once that its cause is
//! unknown, and goes.

use std::collections::HashMap;

use causality::Unknown;
use otlp::encode::SpanEncoder;
use span::{SpanContext, SpanId};

use super::lineage::Word;

/// The most calls that are remembered.
const CALLS_MAX: usize = 8192;

/// The most bytes of finished spans that are kept.
const BYTES_MAX: usize = 4 << 20;

/// Calls that wait for their span to end, or for the word on their cause.
#[derive(Debug, Default)]
pub(super) struct Held {
    calls: HashMap<SpanId, Waiting>,
    bytes: usize,
}

#[derive(Debug)]
enum Waiting {
    /// For both.
    Open,
    /// For the span's end.
    Known(Word),
    /// For the word: the span, and the provisional root that it is.
    Ended(SpanEncoder, SpanContext),
}

/// A span that waits no longer.
#[derive(Debug)]
pub(super) struct Free {
    pub(super) span: SpanEncoder,
    /// The root of a provisional trace that it was.
    pub(super) root: SpanContext,
    pub(super) word: Word,
}

impl Held {
    /// Remembers a call. `false` if there is no room for it.
    #[must_use]
    pub(super) fn open(&mut self, call: SpanId) -> bool {
        let room = self.calls.len() < CALLS_MAX;
        if room {
            self.calls.insert(call, Waiting::Open);
        }
        room
    }

    /// The call has ended, and this is its span. Given back if it need not wait, or may not.
    pub(super) fn ended(&mut self, root: SpanContext, span: SpanEncoder) -> Option<Free> {
        let bytes = span.as_bytes().len();
        let word = match self.calls.remove(&root.span_id) {
            Some(Waiting::Known(word)) => word,
            Some(Waiting::Open) if self.bytes + bytes <= BYTES_MAX => {
                self.bytes += bytes;
                self.calls.insert(root.span_id, Waiting::Ended(span, root));
                return None;
            }
            _ => Err(Unknown::TooMany),
        };
        Some(Free { span, root, word })
    }

    /// This is the word on a call's cause. Its span, if that has ended.
    pub(super) fn known(&mut self, call: SpanId, word: Word) -> Option<Free> {
        let waiting = self.calls.get_mut(&call)?;
        match std::mem::replace(waiting, Waiting::Known(word)) {
            Waiting::Ended(span, root) => {
                self.calls.remove(&call);
                self.bytes = self.bytes.saturating_sub(span.as_bytes().len());
                Some(Free { span, root, word })
            }
            Waiting::Open | Waiting::Known(_) => None,
        }
    }

    /// Everything that has ended, with the word that nothing will be known.
    pub(super) fn give_up(&mut self, why: Unknown) -> Vec<Free> {
        self.bytes = 0;
        let free = |waiting| match waiting {
            Waiting::Ended(span, root) => Some(Free {
                span,
                root,
                word: Err(why),
            }),
            Waiting::Open | Waiting::Known(_) => None,
        };
        self.calls
            .drain()
            .filter_map(|(_, waiting)| free(waiting))
            .collect()
    }

    /// Finished spans that wait, and their bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let ended = |waiting: &&Waiting| matches!(waiting, Waiting::Ended(..));
        (self.calls.values().filter(ended).count(), self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use causality::{Certainty, Link, Method};
    use span::{TraceFlags, TraceId};

    use super::*;

    fn root(number: u64) -> SpanContext {
        SpanContext {
            trace_id: TraceId::from_u64(number).unwrap(),
            span_id: SpanId::from_u64(number).unwrap(),
            flags: TraceFlags::SAMPLED,
        }
    }

    fn span(bytes: usize) -> SpanEncoder {
        let mut span = SpanEncoder::default();
        span.name(&"n".repeat(bytes));
        span
    }

    fn word() -> Word {
        Ok(Link {
            parent: root(99),
            certainty: Certainty::Exact,
            method: Method::Echo,
        })
    }

    #[test]
    fn a_span_goes_when_it_has_ended_and_its_cause_is_known_in_whatever_order() {
        let mut held = Held::default();
        assert!(held.open(root(1).span_id) && held.open(root(2).span_id));
        assert!(held.ended(root(1), span(8)).is_none());
        assert_eq!(held.waiting(), (1, 10));
        let first = held.known(root(1).span_id, word()).unwrap();
        assert!(held.known(root(2).span_id, word()).is_none());
        let second = held.ended(root(2), span(8)).unwrap();
        for (free, number) in [(first, 1), (second, 2)] {
            assert_eq!((free.root, free.word), (root(number), word()));
        }
        assert_eq!(held.waiting(), (0, 0));
        assert!(held.calls.is_empty());
    }

    #[test]
    fn beyond_the_bounds_spans_go_at_once_and_their_causes_are_unknown() {
        let mut held = Held::default();
        let opened = (1..=CALLS_MAX as u64 + 1).filter(|number| held.open(root(*number).span_id));
        assert_eq!(opened.count(), CALLS_MAX);
        let large = BYTES_MAX / 2;
        assert!(held.ended(root(1), span(large)).is_none());
        let refused = held.ended(root(2), span(large)).unwrap();
        assert_eq!(refused.word, Err(Unknown::TooMany));
        assert!(held.ended(root(3), span(8)).is_none());
        assert!(held.waiting().1 <= BYTES_MAX);
    }

    #[test]
    fn giving_up_frees_every_finished_span_and_forgets_the_rest() {
        let mut held = Held::default();
        for number in 1..=3 {
            assert!(held.open(root(number).span_id));
        }
        assert!(held.ended(root(1), span(8)).is_none());
        assert!(held.ended(root(2), span(8)).is_none());
        let free = held.give_up(Unknown::Budget);
        assert_eq!(free.len(), 2);
        assert!(free.iter().all(|free| free.word == Err(Unknown::Budget)));
        assert!(held.calls.is_empty());
        assert_eq!(held.waiting(), (0, 0));
    }
}
