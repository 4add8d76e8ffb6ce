//! The spans of a trace in the order of their tree.
//!
//! Whatever the collector sends, every span comes exactly once: one whose parent is missing is a root, and so is one
//! whose ancestors go in a circle.

use std::collections::HashMap;

use super::model::{Span, Trace};

/// A span and its place in the tree.
#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) span: &'t Span,
    /// The node of the parent, by its place in the list.
    pub(super) parent: Option<usize>,
    /// For this span and each of its ancestors but the root, outermost first: whether it is the last child.
    pub(super) last: Vec<bool>,
    /// It names a parent that is not in the trace.
    pub(super) orphan: bool,
}

/// All spans, parents before children, siblings by their start.
pub(super) fn tree(trace: &Trace) -> Vec<Node<'_>> {
    let mut spans: Vec<&Span> = trace.spans.iter().collect();
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.duration)));
    let by_id: HashMap<&str, usize> = spans
        .iter()
        .enumerate()
        .rev()
        .map(|(index, span)| (span.id.as_str(), index))
        .collect();
    let parent_of = |index: usize, span: &Span| {
        let parent = by_id.get(span.parent.as_deref()?).copied()?;
        (parent != index).then_some(parent)
    };
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (index, span) in spans.iter().enumerate() {
        children.entry(parent_of(index, span)).or_default().push(index);
    }

    let mut nodes = Vec::with_capacity(spans.len());
    let mut waiting = vec![true; spans.len()];
    let roots = children.get(&None).cloned().unwrap_or_default();
    // after the roots, every span that none of them led to
    for start in roots.into_iter().chain(0..spans.len()) {
        let mut stack = vec![(start, None, Vec::new())];
        while let Some((index, parent, last)) = stack.pop() {
            let (Some(span), Some(waits)) = (spans.get(index).copied(), waiting.get_mut(index)) else {
                continue;
            };
            if !std::mem::take(waits) {
                continue;
            }
            let own = nodes.len();
            let orphan = parent.is_none() && span.parent.is_some();
            let below = children.get(&Some(index)).map_or(&[][..], Vec::as_slice);
            for (place, child) in below.iter().enumerate().rev() {
                let mut path = last.clone();
                path.push(place + 1 == below.len());
                stack.push((*child, Some(own), path));
            }
            nodes.push(Node {
                span,
                parent,
                last,
                orphan,
            });
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(spans: &[(&str, Option<&str>, u64)]) -> Trace {
        let spans: Vec<_> = spans
            .iter()
            .map(|(id, parent, start)| {
                let references: Vec<_> = parent
                    .iter()
                    .map(|id| serde_json::json!({"refType": "CHILD_OF", "traceID": "1", "spanID": id}))
                    .collect();
                serde_json::json!({"spanID": id, "startTime": start, "duration": 1, "references": references})
            })
            .collect();
        serde_json::from_value(serde_json::json!({"traceID": "1", "spans": spans})).unwrap()
    }

    fn order(trace: &Trace) -> Vec<(&str, usize)> {
        tree(trace)
            .iter()
            .map(|node| (node.span.id.as_str(), node.last.len()))
            .collect()
    }

    #[test]
    fn children_follow_their_parent_by_their_start() {
        let trace = trace(&[
            ("c", Some("a"), 3),
            ("b", Some("a"), 2),
            ("a", None, 1),
            ("d", Some("b"), 4),
        ]);
        assert_eq!(order(&trace), [("a", 0), ("b", 1), ("d", 2), ("c", 1)]);
    }

    #[test]
    fn a_span_whose_parent_is_missing_is_a_root() {
        let trace = trace(&[("a", None, 1), ("b", Some("lost"), 2)]);
        assert_eq!(order(&trace), [("a", 0), ("b", 0)]);
        assert!(tree(&trace).last().unwrap().orphan);
    }

    #[test]
    fn circles_and_double_ids_lose_nobody_and_end() {
        let circle = trace(&[
            ("a", Some("b"), 1),
            ("b", Some("a"), 2),
            ("c", Some("c"), 3),
            ("c", Some("c"), 4),
        ]);
        assert_eq!(tree(&circle).len(), 4);
    }
}
