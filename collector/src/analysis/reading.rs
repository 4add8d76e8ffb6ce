//! All that is said of one trace, worked out once.

use std::sync::Arc;

use otlp::model::Span;

use super::critical::{self, Segment};
use super::gaps::{Gap, gaps};
use super::link;
use super::senders::Senders;
use super::skew::{Skew, Times, skews};
use super::tree::Tree;

/// A trace, read.
#[derive(Debug)]
pub struct Reading<'a> {
    /// How its spans hang together. All lists below that are about spans have its order.
    pub tree: Tree<'a>,
    /// Who made them.
    pub senders: Senders<'a>,
    /// How far the senders' clocks are ahead of the root's.
    pub skews: Vec<Option<Skew>>,
    /// When the spans were by the clock of the root.
    pub times: Times,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// What it waited for.
    pub path: Vec<Segment>,
    /// How long each span did something itself, in nanoseconds.
    pub self_times: Vec<u64>,
    /// How long each span was what everything waited for, in nanoseconds.
    pub critical_times: Vec<u64>,
    /// The product of the confidences of its links.
    pub confidence: f64,
}

impl<'a> Reading<'a> {
    /// Reads these spans of one trace.
    pub fn new(spans: &'a [Arc<Span>]) -> Self {
        let tree = Tree::new(spans);
        let senders = Senders::new(&tree);
        let skews = skews(&tree, &senders);
        let times = Times::new(&tree, &senders, &skews);
        let path = critical::path(&tree, &times);
        let mut critical_times = vec![0; tree.nodes().len()];
        for segment in &path {
            if let Some(time) = critical_times.get_mut(segment.node) {
                *time += segment.start.abs_diff(segment.end);
            }
        }
        Self {
            gaps: gaps(&tree),
            self_times: critical::self_times(&tree, &times),
            confidence: link::product(spans.iter().map(|span| &**span)),
            tree,
            senders,
            skews,
            times,
            path,
            critical_times,
        }
    }

    /// When its first span began, in nanoseconds since the Unix epoch, as its sender wrote it.
    pub fn start(&self) -> u64 {
        let starts = self.tree.nodes().iter().map(|node| node.span.start);
        starts.min().unwrap_or(0)
    }

    /// Nanoseconds from there to the end of its last span.
    pub fn duration(&self) -> u64 {
        let ends = self.tree.nodes().iter().map(|node| node.span.end);
        ends.max().unwrap_or(0).saturating_sub(self.start())
    }
}
