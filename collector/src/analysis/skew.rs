//! How far the clocks of a trace's senders are apart, from its pairs of client and server spans.
//!
//! A server runs within its client. So if its clock is ahead by d, then d is at least what the server ends after the
//! client, and at most what it starts after it. Each pair bounds d so, all pairs of two senders together bound it
//! closer, and where zero is within the bounds nothing says that the clocks differ: then it is zero. Stored times stay
//! as they are.

use std::collections::{BTreeMap, VecDeque};

use otlp::model::{Kind, Span};

use super::senders::Senders;
use super::tree::Tree;

/// How far a clock is ahead of that of the trace's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// By how much, in nanoseconds.
    pub offset: i64,
    /// How far from the truth that may be, either way.
    pub uncertainty: u64,
    /// How many pairs say so.
    pub pairs: usize,
    /// Whether one offset explains all of them.
    pub consistent: bool,
}

/// When the spans of a trace began and ended by one clock, in nanoseconds since the Unix epoch, in the tree's order.
#[derive(Debug)]
pub struct Times(Vec<(i64, i64)>);

impl Times {
    /// The times of a tree's spans, by the clock of its root.
    pub fn new(tree: &Tree<'_>, senders: &Senders<'_>, skews: &[Option<Skew>]) -> Self {
        let adjusted = tree.nodes().iter().enumerate().map(|(place, node)| {
            let skew = skews.get(senders.of(place)).copied().flatten();
            let offset = skew.map_or(0, |skew| skew.offset);
            let start = signed(node.span.start).saturating_sub(offset);
            (start, start.saturating_add(signed(node.span.duration())))
        });
        Self(adjusted.collect())
    }

    /// When the span at that place began and ended.
    pub fn of(&self, node: usize) -> (i64, i64) {
        self.0.get(node).copied().unwrap_or_default()
    }
}

/// The skew of each sender against the sender of the root. None for that one, and for those that no pair leads to.
pub fn skews(tree: &Tree<'_>, senders: &Senders<'_>) -> Vec<Option<Skew>> {
    let mut skews = vec![None; senders.list().len()];
    let Some(root) = tree.root_place() else {
        return skews;
    };
    let between = bounds(tree, senders);
    let root = senders.of(root);
    let mut reached = VecDeque::from([(root, 0_i64, 0_u64)]);
    while let Some((from, offset, uncertainty)) = reached.pop_front() {
        for ((one, other), bounds) in &between {
            let (to, sign) = match from {
                from if from == *one => (*other, 1),
                from if from == *other => (*one, -1),
                _ => continue,
            };
            let Some(skew @ None) = skews.get_mut(to).filter(|_| to != root) else {
                continue;
            };
            let step = bounds.skew();
            let found = Skew {
                offset: offset.saturating_add(sign * step.offset),
                uncertainty: uncertainty.saturating_add(step.uncertainty),
                ..step
            };
            *skew = Some(found);
            reached.push_back((to, found.offset, found.uncertainty));
        }
    }
    skews
}

/// What the pairs of two senders say of the second one's clock against the first one's.
#[derive(Debug, Default)]
struct Bounds(Vec<(i64, i64)>);

impl Bounds {
    fn skew(&self) -> Skew {
        let low = self.0.iter().map(|(low, _)| *low).max().unwrap_or(0);
        let high = self.0.iter().map(|(_, high)| *high).min().unwrap_or(0);
        let (offset, uncertainty) = if low <= 0 && 0 <= high {
            (0, low.unsigned_abs().max(high.unsigned_abs()))
        } else {
            // where they contradict each other, between the contradicting ones
            (low.midpoint(high), low.abs_diff(high).div_ceil(2))
        };
        Skew {
            offset,
            uncertainty,
            pairs: self.0.len(),
            consistent: low <= high,
        }
    }
}

fn bounds(tree: &Tree<'_>, senders: &Senders<'_>) -> BTreeMap<(usize, usize), Bounds> {
    let mut between: BTreeMap<_, Bounds> = BTreeMap::new();
    for (place, node) in tree.nodes().iter().enumerate() {
        let Some(parent) = node.parent else { continue };
        let (client, server) = (senders.of(parent), senders.of(place));
        let Some((low, high)) = tree
            .parent(node)
            .and_then(|parent| within(parent.span, node.span))
        else {
            continue;
        };
        match client.cmp(&server) {
            std::cmp::Ordering::Less => between.entry((client, server)).or_default().0.push((low, high)),
            std::cmp::Ordering::Greater => between.entry((server, client)).or_default().0.push((-high, -low)),
            std::cmp::Ordering::Equal => {}
        }
    }
    between
}

/// How far the server's clock is ahead at least and at most; none if they are no such pair, or if the server took
/// longer than the client waited.
fn within(client: &Span, server: &Span) -> Option<(i64, i64)> {
    let pair = client.kind == Kind::Client && server.kind == Kind::Server;
    let ended = client.end >= client.start && server.end >= server.start;
    if !pair || !ended || server.duration() > client.duration() {
        return None;
    }
    let low = signed(server.end).checked_sub(signed(client.end))?;
    let high = signed(server.start).checked_sub(signed(client.start))?;
    Some((low, high))
}

/// Ingest keeps times to this century; what is beyond what fits becomes the latest that does.
pub fn signed(nanos: u64) -> i64 {
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::*;

    const MS: u64 = 1_000_000;

    /// A client in `edge` and its server in `bank`, whose clock is ahead by `ahead` and whose network takes `there`
    /// and `back`.
    fn pair(number: u64, ahead: i64, there: u64, work: u64, back: u64) -> [Span; 2] {
        let start = START + number * 50 * MS;
        let client = span("edge", 1, number * 2)
            .with(child_of(1, Kind::Client))
            .with(|span| {
                span.start = start;
                span.end = start + there + work + back;
            });
        let server = span("bank", 1, number * 2 + 1)
            .with(child_of(number * 2, Kind::Server))
            .with(|span| {
                span.start = (start + there).checked_add_signed(ahead).unwrap();
                span.end = span.start + work;
            });
        [client, server]
    }

    fn skew_of_bank(pairs: Vec<[Span; 2]>) -> Skew {
        let root = span("edge", 1, 1).with(|span| {
            span.kind = Kind::Server;
            span.end = span.start + 10_000 * MS;
        });
        let spans: Vec<_> = std::iter::once(root)
            .chain(pairs.into_iter().flatten())
            .map(Arc::new)
            .collect();
        let tree = Tree::new(&spans);
        let senders = Senders::new(&tree);
        let bank = senders
            .list()
            .iter()
            .position(|sender| sender.service() == "bank");
        skews(&tree, &senders)[bank.unwrap()].unwrap()
    }

    #[test]
    fn clocks_that_agree_have_no_skew() {
        let skew = skew_of_bank(vec![pair(1, 0, MS, 5 * MS, 3 * MS)]);
        assert_eq!((skew.offset, skew.pairs, skew.consistent), (0, 1, true));
        assert_eq!(skew.uncertainty, 3 * MS);
    }

    #[test]
    fn clocks_that_jump_are_called_inconsistent() {
        let skew = skew_of_bank(vec![
            pair(1, 100 * MS.cast_signed(), MS, MS, MS),
            pair(2, -100 * MS.cast_signed(), MS, MS, MS),
        ]);
        assert!(!skew.consistent);
    }

    #[test]
    fn a_clock_is_compared_across_several_senders() {
        let ahead = |nanos| {
            move |span: &mut Span| {
                span.start += nanos;
                span.end += nanos;
            }
        };
        let sized = |nanos: u64| move |span: &mut Span| span.end = span.start + nanos;
        let spans: Vec<_> = [
            span("a", 1, 1)
                .with(child_of(0, Kind::Client))
                .with(sized(10 * MS)),
            span("b", 1, 2)
                .with(child_of(1, Kind::Server))
                .with(sized(9 * MS))
                .with(ahead(100 * MS)),
            span("b", 1, 3)
                .with(child_of(2, Kind::Client))
                .with(sized(8 * MS))
                .with(ahead(100 * MS)),
            span("c", 1, 4)
                .with(child_of(3, Kind::Server))
                .with(sized(8 * MS))
                .with(ahead(300 * MS)),
        ]
        .into_iter()
        .map(Arc::new)
        .collect();
        let tree = Tree::new(&spans);
        let senders = Senders::new(&tree);
        let skews = skews(&tree, &senders);
        let offset = |service: &str| {
            let place = senders
                .list()
                .iter()
                .position(|sender| sender.service() == service);
            skews[place.unwrap()].map(|skew| skew.offset / MS.cast_signed())
        };
        assert_eq!(
            (offset("a"), offset("b"), offset("c")),
            (None, Some(99), Some(299))
        );
        let times = Times::new(&tree, &senders, &skews);
        for node in 1..4 {
            let (outer, inner) = (times.of(node - 1), times.of(node));
            assert!(outer.0 <= inner.0 && inner.1 <= outer.1, "{outer:?} {inner:?}");
        }
    }

    proptest! {
        /// The truth is never further away than the estimate says.
        #[test]
        fn the_true_offset_is_within_the_uncertainty(
            ahead in -2_000_000_000i64..2_000_000_000,
            calls in proptest::collection::vec((0u64..20_000_000, 0u64..20_000_000, 0u64..20_000_000), 1..6),
        ) {
            let pairs = (1..).zip(calls).map(|(number, (there, work, back))| pair(number, ahead, there, work, back));
            let skew = skew_of_bank(pairs.collect());
            prop_assert!(skew.consistent);
            prop_assert!(skew.offset.abs_diff(ahead) <= skew.uncertainty, "{skew:?}");
        }
    }
}
