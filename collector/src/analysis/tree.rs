//! The spans of a trace as a tree.
//!
//! Whatever was sent, every span stands in it exactly once: one whose parent is missing is a root, and so is the
//! earliest of those whose ancestors go in a circle.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use otlp::model::{Kind, Span};
use span::SpanId;

/// The spans of one trace, each after its parent, siblings by their start.
#[derive(Debug)]
pub struct Tree<'a> {
    nodes: Vec<Node<'a>>,
}

/// A span and its place.
#[derive(Debug)]
pub struct Node<'a> {
    /// The span.
    pub span: &'a Arc<Span>,
    /// The place of its parent.
    pub parent: Option<usize>,
    /// The places of its children, by their start.
    pub children: Vec<usize>,
    /// How many spans stand above it.
    pub depth: usize,
}

impl Node<'_> {
    /// Whether it names a parent and has none.
    pub fn is_orphan(&self) -> bool {
        self.parent.is_none() && self.span.parent_id.is_some()
    }
}

impl<'a> Tree<'a> {
    /// The tree of these spans, in whatever order they come.
    pub fn new(spans: &'a [Arc<Span>]) -> Self {
        let mut spans: Vec<_> = spans.iter().collect();
        spans.sort_by_key(|span| (span.start, Reverse(span.duration()), span.span_id, span.kind));
        let ids = Ids::new(&spans);
        let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
        for (index, span) in spans.iter().enumerate() {
            children.entry(ids.parent(index, span)).or_default().push(index);
        }

        let mut tree = Self {
            nodes: Vec::with_capacity(spans.len()),
        };
        let mut waiting = vec![true; spans.len()];
        let roots = children.get(&None).cloned().unwrap_or_default();
        // after the roots come those that no root leads to
        for start in roots.into_iter().chain(0..spans.len()) {
            let mut stack = vec![(start, None)];
            while let Some((index, parent)) = stack.pop() {
                let (Some(span), Some(waits)) = (spans.get(index), waiting.get_mut(index)) else {
                    continue;
                };
                if std::mem::take(waits) {
                    let place = tree.add(span, parent);
                    let below = children.get(&Some(index)).into_iter().flatten();
                    stack.extend(below.rev().map(|child| (*child, Some(place))));
                }
            }
        }
        tree
    }

    fn add(&mut self, span: &'a Arc<Span>, parent: Option<usize>) -> usize {
        let place = self.nodes.len();
        let above = parent.and_then(|parent| self.nodes.get_mut(parent));
        let depth = above.map_or(0, |above| {
            above.children.push(place);
            above.depth + 1
        });
        self.nodes.push(Node {
            span,
            parent,
            children: Vec::new(),
            depth,
        });
        place
    }

    /// All of them.
    pub fn nodes(&self) -> &[Node<'a>] {
        &self.nodes
    }

    /// The one at that place.
    pub fn get(&self, place: usize) -> Option<&Node<'a>> {
        self.nodes.get(place)
    }

    /// The one above.
    pub fn parent(&self, node: &Node<'a>) -> Option<&Node<'a>> {
        self.get(node.parent?)
    }

    /// Those directly below.
    pub fn children<'t>(&'t self, node: &'t Node<'a>) -> impl Iterator<Item = &'t Node<'a>> {
        node.children.iter().filter_map(|place| self.get(*place))
    }

    /// The place of the root that began it all, as far as it is here: the earliest that has no parent, rather than
    /// one whose parent is missing.
    pub fn root_place(&self) -> Option<usize> {
        let places = self.nodes.iter().enumerate();
        let roots = places.filter(|(_, node)| node.parent.is_none());
        let first = roots.min_by_key(|(_, node)| (node.is_orphan(), node.span.start))?;
        Some(first.0)
    }

    /// That root.
    pub fn root(&self) -> Option<&Node<'a>> {
        self.get(self.root_place()?)
    }

    /// The other side of a call, if it is here: the span below an outbound one that answers it.
    pub fn answer<'t>(&'t self, node: &'t Node<'a>) -> Option<&'t Node<'a>> {
        if !is_outbound(node.span.kind) {
            return None;
        }
        self.children(node).find(|child| is_inbound(child.span.kind))
    }
}

/// Whether such a span is a request as its sender sees it.
pub fn is_outbound(kind: Kind) -> bool {
    matches!(kind, Kind::Client | Kind::Producer)
}

/// Whether such a span is a request as its receiver sees it.
pub fn is_inbound(kind: Kind) -> bool {
    matches!(kind, Kind::Server | Kind::Consumer)
}

/// Where the spans stand by id. In Zipkin's traces a client span and its server span share one.
struct Ids {
    clients: HashMap<SpanId, usize>,
    others: HashMap<SpanId, usize>,
}

impl Ids {
    fn new(spans: &[&Arc<Span>]) -> Self {
        let mut ids = Self {
            clients: HashMap::new(),
            others: HashMap::new(),
        };
        for (index, span) in spans.iter().enumerate() {
            let map = match span.kind {
                Kind::Client => &mut ids.clients,
                _ => &mut ids.others,
            };
            map.entry(span.span_id).or_insert(index);
        }
        ids
    }

    /// The span that caused this one: the client with the same id, else the one that it names.
    fn parent(&self, index: usize, span: &Span) -> Option<usize> {
        if span.kind == Kind::Server
            && let Some(client) = self.clients.get(&span.span_id)
        {
            return Some(*client);
        }
        let id = span.parent_id?;
        let named = self.others.get(&id).or_else(|| self.clients.get(&id));
        named.copied().filter(|parent| *parent != index)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::*;

    fn arcs(spans: Vec<Span>) -> Vec<Arc<Span>> {
        spans.into_iter().map(Arc::new).collect()
    }

    fn order(spans: &[Arc<Span>]) -> Vec<(u64, usize)> {
        let tree = Tree::new(spans);
        tree.nodes()
            .iter()
            .map(|node| (node.span.span_id.as_u64(), node.depth))
            .collect()
    }

    #[test]
    fn children_follow_their_parent_by_their_start() {
        let spans = arcs(vec![
            span("a", 1, 4).with(child_of(2, Kind::Internal)),
            span("a", 1, 3).with(child_of(1, Kind::Internal)),
            span("a", 1, 2).with(child_of(1, Kind::Internal)),
            span("a", 1, 1),
        ]);
        assert_eq!(order(&spans), [(1, 0), (2, 1), (4, 2), (3, 1)]);
    }

    #[test]
    fn a_server_stands_below_the_client_that_shares_its_id() {
        let spans = arcs(vec![
            span("a", 1, 7).with(child_of(6, Kind::Client)),
            span("b", 1, 7).with(child_of(6, Kind::Server)),
            span("b", 1, 8).with(child_of(7, Kind::Client)),
        ]);
        let tree = Tree::new(&spans);
        let kinds: Vec<_> = tree
            .nodes()
            .iter()
            .map(|node| (node.span.kind, node.depth))
            .collect();
        assert_eq!(kinds, [(Kind::Client, 0), (Kind::Server, 1), (Kind::Client, 2)]);
        assert_eq!(tree.answer(&tree.nodes()[0]).unwrap().span.service(), "b");
        assert!(tree.answer(&tree.nodes()[2]).is_none());
    }

    #[test]
    fn the_root_is_the_earliest_without_a_parent_before_any_whose_parent_is_missing() {
        let spans = arcs(vec![
            span("a", 1, 1).with(child_of(99, Kind::Server)),
            span("a", 1, 2),
            span("a", 1, 3),
        ]);
        assert_eq!(Tree::new(&spans).root().unwrap().span.span_id, span_id(2));
        assert!(Tree::new(&spans).nodes()[0].is_orphan());
    }

    proptest! {
        /// Circles, repeated ids and missing parents: every span once, each behind its parent and one deeper.
        #[test]
        fn every_span_stands_in_the_tree_once(
            spans in proptest::collection::vec((1u64..12, 0u64..12, any::<bool>()), 0..24)
        ) {
            let spans = arcs(spans.into_iter().map(|(id, parent, client)| {
                let kind = if client { Kind::Client } else { Kind::Server };
                span("a", 1, id).with(child_of(parent, kind))
            }).collect());
            let tree = Tree::new(&spans);
            prop_assert_eq!(tree.nodes().len(), spans.len());
            for (place, node) in tree.nodes().iter().enumerate() {
                match node.parent {
                    Some(parent) => {
                        prop_assert!(parent < place);
                        prop_assert_eq!(tree.nodes()[parent].depth + 1, node.depth);
                        prop_assert!(tree.nodes()[parent].children.contains(&place));
                    }
                    None => prop_assert_eq!(node.depth, 0),
                }
            }
        }
    }
}
