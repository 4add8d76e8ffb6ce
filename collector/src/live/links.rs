//! How outbound calls got their parents, by caller and callee.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::names::OTHER;
use super::seen::{Group, SeenLink, SeenPeer};
use super::series::{Ring, SPAN};
use crate::analysis::link::LinkKind;

/// Pairs of caller and callee that are counted at once. What comes beyond is counted under `other`, by caller as long
/// as there is room for that.
const PAIRS: usize = 1024;
/// Different dialects, methods and reasons of one pair in one step.
const DETAILS: usize = 24;

/// How calls got their parents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links {
    /// By kind, in the order of [`LinkKind::ALL`].
    pub counts: [u64; 4],
    /// The sum of the confidences of those inferred.
    pub confidence: f64,
    /// How often each dialect, method or reason was said, by the kind of the link.
    pub details: BTreeMap<(LinkKind, Arc<str>), u64>,
}

impl Links {
    fn add(&mut self, link: &SeenLink) {
        if let Some(count) = self.counts.get_mut(link.kind as usize) {
            *count += 1;
        }
        if link.kind == LinkKind::Inferred {
            self.confidence += link.confidence;
        }
        if let Some(detail) = &link.detail {
            let key = (link.kind, Arc::clone(detail));
            if self.details.len() < DETAILS || self.details.contains_key(&key) {
                *self.details.entry(key).or_default() += 1;
            }
        }
    }

    /// Everything that others have counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.confidence += other.confidence;
        for (key, more) in &other.details {
            *self.details.entry(key.clone()).or_default() += more;
        }
    }

    /// How many of that kind.
    pub fn of(&self, kind: LinkKind) -> u64 {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    /// How many there are.
    pub fn calls(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// The links of one pair.
#[derive(Debug)]
struct Pair {
    steps: Ring<Links>,
    ever: Links,
    last: u64,
}

impl Default for Pair {
    fn default() -> Self {
        Self {
            steps: Ring::coarse(),
            ever: Links::default(),
            last: 0,
        }
    }
}

/// The links of all pairs.
#[derive(Debug, Default)]
pub(super) struct LinkTable {
    pairs: HashMap<(Arc<str>, Arc<str>), Pair>,
}

impl LinkTable {
    pub(super) fn add(&mut self, group: &Group, now: u64) {
        for seen in &group.spans {
            if let Some(link) = &seen.link {
                self.link(&group.service, seen.peer.as_ref(), link, now);
            }
        }
    }

    fn link(&mut self, service: &Arc<str>, peer: Option<&SeenPeer>, link: &SeenLink, now: u64) {
        let peer = peer.map_or_else(|| Arc::from("unknown"), |(name, _)| Arc::clone(name));
        let mut key = (Arc::clone(service), peer);
        if self.pairs.len() >= PAIRS && !self.pairs.contains_key(&key) {
            let silent = now.saturating_sub(SPAN);
            self.pairs.retain(|_, pair| pair.last > silent);
            if self.pairs.len() >= PAIRS {
                key.1 = Arc::from(OTHER);
            }
            if self.pairs.len() >= 2 * PAIRS && !self.pairs.contains_key(&key) {
                return;
            }
        }
        let pair = self.pairs.entry(key).or_default();
        if let Some(step) = pair.steps.at(now) {
            step.add(link);
        }
        pair.ever.add(link);
        pair.last = now;
    }

    /// By caller, then by callee, in the order of their names.
    pub(super) fn within(&self, window: &Range<u64>) -> BTreeMap<Arc<str>, BTreeMap<Arc<str>, Links>> {
        let mut callers: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for ((caller, callee), pair) in &self.pairs {
            let mut links = Links::default();
            for (_, step) in pair.steps.within(window) {
                links.merge(step);
            }
            if links.calls() > 0 {
                let callees = callers.entry(Arc::clone(caller)).or_default();
                callees.insert(Arc::clone(callee), links);
            }
        }
        callers
    }

    /// By caller, since the start.
    pub(super) fn ever(&self) -> BTreeMap<Arc<str>, Links> {
        let mut callers: BTreeMap<_, Links> = BTreeMap::new();
        for ((caller, _), pair) in &self.pairs {
            callers.entry(Arc::clone(caller)).or_default().merge(&pair.ever);
        }
        callers
    }
}
