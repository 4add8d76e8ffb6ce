//! Which traces read as part of which others.
//!
//! A sidecar that does not know the cause of an outbound call lets it begin a provisional trace. When it learns the
//! cause it sends that call's span as part of the true trace, with the attribute `meshtrace.provisional_trace_id`.
//! From then on the provisional trace reads as part of the true one, whichever arrived first; and so does whatever
//! had been joined to the provisional one before.

use std::collections::HashMap;

use otlp::model::{PROVISIONAL_TRACE_ID, Span};
use span::TraceId;

use crate::hash::Seeded;

/// How many traces may read as part of one. More than a request can cause in practice; what comes beyond stays a
/// trace of its own.
pub const MEMBERS: usize = 4096;

/// The provisional trace that a span brings into its own, if it names one.
pub fn provisional(span: &Span) -> Option<TraceId> {
    TraceId::from_hex(span.attribute(PROVISIONAL_TRACE_ID)?.as_str()?.as_bytes())
}

/// Every join that is known. Each trace is part of at most one other, directly: chains are cut short as they form.
#[derive(Debug, Default)]
pub struct Joins {
    part_of: HashMap<TraceId, TraceId, Seeded>,
    members: HashMap<TraceId, Vec<TraceId>, Seeded>,
}

impl Joins {
    /// The trace that `id` reads as part of: itself, if it was never joined.
    pub fn resolve(&self, id: TraceId) -> TraceId {
        self.part_of.get(&id).copied().unwrap_or(id)
    }

    /// The traces that read as part of `whole`, without itself.
    pub fn members(&self, whole: TraceId) -> &[TraceId] {
        self.members.get(&whole).map_or(&[], Vec::as_slice)
    }

    /// Whether other traces read as part of `id`, or it as part of another.
    pub fn is_joined(&self, id: TraceId) -> bool {
        self.part_of.contains_key(&id) || self.members.contains_key(&id)
    }

    /// From now on `provisional` reads as part of `whole`. Answers which trace has thereby become part of which.
    ///
    /// `None` if nothing changes: they are one already, `provisional` has been joined to another trace before (the
    /// first word stands), or the trace would have more than [`MEMBERS`].
    pub fn join(&mut self, provisional: TraceId, whole: TraceId) -> Option<(TraceId, TraceId)> {
        let whole = self.resolve(whole);
        if whole == provisional || self.part_of.contains_key(&provisional) {
            return None;
        }
        let moving = 1 + self.members.get(&provisional).map_or(0, Vec::len);
        if self.members.get(&whole).map_or(0, Vec::len) + moving > MEMBERS {
            return None;
        }
        let mut moved = self.members.remove(&provisional).unwrap_or_default();
        moved.push(provisional);
        for id in &moved {
            self.part_of.insert(*id, whole);
        }
        self.members.entry(whole).or_default().append(&mut moved);
        Some((provisional, whole))
    }

    /// Forgets all that was joined to `whole`, because it is no longer kept.
    pub fn forget(&mut self, whole: TraceId) {
        for id in self.members.remove(&whole).unwrap_or_default() {
            self.part_of.remove(&id);
        }
    }

    /// How many traces read as part of another.
    pub fn len(&self) -> usize {
        self.part_of.len()
    }

    /// Whether no trace reads as part of another.
    pub fn is_empty(&self) -> bool {
        self.part_of.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u64) -> TraceId {
        TraceId::from_u64(number).unwrap()
    }

    #[test]
    fn a_cycle_and_a_second_word_change_nothing() {
        let mut joins = Joins::default();
        assert_eq!(joins.join(id(2), id(1)), Some((id(2), id(1))));
        assert_eq!(joins.join(id(1), id(2)), None);
        assert_eq!(joins.join(id(2), id(3)), None);
        assert_eq!(joins.join(id(4), id(4)), None);
        assert_eq!(joins.resolve(id(2)), id(1));
    }

    #[test]
    fn forgetting_a_trace_frees_what_was_joined_to_it() {
        let mut joins = Joins::default();
        joins.join(id(2), id(1));
        joins.join(id(3), id(2));
        joins.forget(id(1));
        assert!(joins.is_empty());
        assert_eq!(joins.resolve(id(3)), id(3));
    }

    #[test]
    fn a_trace_has_only_so_many_members() {
        let mut joins = Joins::default();
        for number in 0..MEMBERS as u64 {
            assert!(joins.join(id(number + 2), id(1)).is_some());
        }
        assert_eq!(joins.join(id(1_000_000), id(1)), None);
        assert_eq!(joins.len(), MEMBERS);
    }

    proptest! {
        /// A forest of joins (every trace names an earlier one) reads the same in whatever order it is learned.
        #[test]
        fn the_order_of_arrival_does_not_matter(
            (parents, order) in (1usize..40).prop_flat_map(|n| {
                let parents: Vec<_> = (0..n).map(|child| 0..=child).collect();
                (parents, Just((0..n).collect::<Vec<_>>()).prop_shuffle())
            })
        ) {
            let mut joins = Joins::default();
            for child in order {
                joins.join(id(child as u64 + 2), id(parents[child] as u64 + 1));
            }
            for child in 0..parents.len() {
                prop_assert_eq!(joins.resolve(id(child as u64 + 2)), id(1));
            }
        }
    }
}
