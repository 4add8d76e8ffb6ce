//! Where a trace's time went: the critical path, and what each span did itself.
//!
//! The path is read backwards from the end of the root. At each moment it is at the span that everything above waited
//! for: the child that ended last before that moment, and the span itself where none did. Messages are not waited for.

use std::cmp::Reverse;

use otlp::model::Kind;

use super::skew::Times;
use super::tree::{Node, Tree};

/// A part of the critical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The place of its span in the tree.
    pub node: usize,
    /// When it begins, in nanoseconds since the Unix epoch, by the clock of the root.
    pub start: i64,
    /// When it ends.
    pub end: i64,
}

/// A span that the path is in.
struct Frame {
    node: usize,
    /// The path leaves the span here.
    start: i64,
    /// The path has been read back to here.
    at: i64,
    /// Its children, the next one to look at last: those that ended first at the front.
    children: Vec<usize>,
    /// No child has been on the path yet.
    fresh: bool,
}

impl Frame {
    fn new(tree: &Tree<'_>, times: &Times, node: usize, start: i64, at: i64) -> Self {
        let below = tree.get(node).map_or(&[][..], |node| &node.children);
        let waited_for = below.iter().copied().filter(|child| {
            let kind = tree.get(*child).map(|child| child.span.kind);
            kind != Some(Kind::Consumer) && kind != Some(Kind::Producer)
        });
        let mut children: Vec<_> = waited_for.collect();
        children.sort_by_key(|child| (times.of(*child).1, Reverse(*child)));
        Self {
            node,
            start,
            at,
            children,
            fresh: true,
        }
    }

    /// The child that the span waited for last, and when that child began and ended, as far as it was waited for.
    fn last(&mut self, times: &Times) -> Option<(usize, i64, i64)> {
        while let Some(child) = self.children.pop() {
            let (start, end) = times.of(child);
            // one that outlasts its parent was waited for until then; one that overlaps with a later child was not
            // what that child waited for
            let end = if self.fresh { end.min(self.at) } else { end };
            let start = start.max(self.start);
            if start < end && end <= self.at {
                self.fresh = false;
                return Some((child, start, end));
            }
        }
        None
    }
}

/// The critical path below the root, in the order of time. Its segments do not overlap, and together they are as long
/// as the root.
pub fn path(tree: &Tree<'_>, times: &Times) -> Vec<Segment> {
    let Some(root) = tree.root_place() else {
        return Vec::new();
    };
    let (start, end) = times.of(root);
    let mut backwards: Vec<Segment> = Vec::new();
    let mut add = |node, start, end| match backwards.last_mut() {
        Some(last) if last.node == node && last.start == end => last.start = start,
        _ if start < end => backwards.push(Segment { node, start, end }),
        _ => {}
    };
    let mut stack = vec![Frame::new(tree, times, root, start, end)];
    while let Some(frame) = stack.last_mut() {
        match frame.last(times) {
            Some((child, start, end)) => {
                add(frame.node, end, frame.at);
                frame.at = start;
                stack.push(Frame::new(tree, times, child, start, end));
            }
            None => {
                add(frame.node, frame.start, frame.at);
                stack.pop();
            }
        }
    }
    backwards.reverse();
    backwards
}

/// How long each span did something itself: what its children do not cover, in nanoseconds, in the tree's order.
pub fn self_times(tree: &Tree<'_>, times: &Times) -> Vec<u64> {
    let own = |(place, node): (usize, &Node<'_>)| {
        let (start, end) = times.of(place);
        let mut covered = 0;
        let mut until = start;
        let mut children: Vec<_> = node.children.iter().map(|child| times.of(*child)).collect();
        children.sort_unstable();
        for (from, to) in children {
            let (from, to) = (from.clamp(until, end), to.clamp(until, end));
            covered += from.abs_diff(to);
            until = until.max(to);
        }
        start.abs_diff(end).saturating_sub(covered)
    };
    tree.nodes().iter().enumerate().map(own).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use otlp::model::Span;
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::senders::Senders;
    use crate::fixtures::*;

    /// A span of service `a` from `start` to `end`, in nanoseconds after [`START`].
    fn at(id: u64, parent: u64, start: u64, end: u64) -> Span {
        span("a", 1, id)
            .with(child_of(parent, Kind::Internal))
            .with(|span| {
                span.start = START + start;
                span.end = START + end;
            })
    }

    /// Id of the span, where the segment begins and where it ends.
    type Part = (u64, u64, u64);

    /// The path, and each span's id with how long it did something itself.
    fn read(spans: Vec<Span>) -> (Vec<Part>, Vec<(u64, u64)>) {
        let spans: Vec<_> = spans.into_iter().map(Arc::new).collect();
        let tree = Tree::new(&spans);
        let times = Times::new(&tree, &Senders::new(&tree), &[]);
        let id = |node: usize| tree.nodes()[node].span.span_id.as_u64();
        let offset = |time: i64| time.cast_unsigned() - START;
        let path = path(&tree, &times);
        let own = self_times(&tree, &times);
        (
            path.iter()
                .map(|segment| (id(segment.node), offset(segment.start), offset(segment.end)))
                .collect(),
            own.iter()
                .enumerate()
                .map(|(node, own)| (id(node), *own))
                .collect(),
        )
    }

    #[test]
    fn the_path_is_what_everything_waited_for() {
        // 2 and 3 run at once and 3 ends last; 4 follows
        let (path, own) = read(vec![
            at(1, 0, 0, 100),
            at(2, 1, 10, 40),
            at(3, 1, 20, 50),
            at(4, 1, 60, 90),
            at(5, 4, 65, 80),
        ]);
        let expected = [
            (1, 0, 20),
            (3, 20, 50),
            (1, 50, 60),
            (4, 60, 65),
            (5, 65, 80),
            (4, 80, 90),
            (1, 90, 100),
        ];
        assert_eq!(path, expected);
        assert_eq!(own, [(1, 30), (2, 30), (3, 30), (4, 15), (5, 15)]);
    }

    #[test]
    fn a_child_that_outlasts_its_parent_counts_until_then_and_a_message_not_at_all() {
        let (path, own) = read(vec![at(1, 0, 0, 100), at(2, 1, 80, 500)]);
        assert_eq!(path, [(1, 0, 80), (2, 80, 100)]);
        assert_eq!(own, [(1, 80), (2, 420)]);
        let message = at(2, 1, 10, 90).with(|span| span.kind = Kind::Producer);
        assert_eq!(read(vec![at(1, 0, 0, 100), message]).0, [(1, 0, 100)]);
    }

    proptest! {
        /// Whatever the spans are, the path covers the root exactly, without overlap, and self times stay within spans.
        #[test]
        fn the_path_is_as_long_as_the_root(
            spans in proptest::collection::vec((0u64..10, 0u64..1000, 0u64..1000), 1..30)
        ) {
            let spans: Vec<_> = (2..).zip(spans).map(|(id, (parent, start, length))| {
                at(id, parent.min(id - 1), start, start + length)
            }).chain([at(1, 0, 0, 800)]).map(Arc::new).collect();
            let tree = Tree::new(&spans);
            let times = Times::new(&tree, &Senders::new(&tree), &[]);
            let path = path(&tree, &times);
            let root = tree.root().unwrap().span;
            let total: u64 = path.iter().map(|segment| segment.start.abs_diff(segment.end)).sum();
            prop_assert_eq!(total, root.duration());
            for pair in path.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
            for (own, node) in self_times(&tree, &times).iter().zip(tree.nodes()) {
                prop_assert!(*own <= node.span.duration());
            }
        }
    }
}
