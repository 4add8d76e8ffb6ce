//! How the calls to each callee were joined to their causes: whether the application forwards what it was given, and what
//! is found out where it does not.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use span::{Dialect, DialectSet};

use super::lineage::Link;

/// The most callees that are told apart. Calls to all further ones are counted together.
const CALLEES_MAX: usize = 128;

/// The longest name of a callee, in bytes. One that has a longer one is among the further ones.
const NAME_BYTES_MAX: usize = 255;

/// What those are called.
const OTHERS: &str = "others";

/// Counts by callee.
#[derive(Default)]
pub(super) struct Propagation(Mutex<Callees>);

#[derive(Default)]
struct Callees {
    numbers: HashMap<Box<str>, Callee>,
    counts: Vec<Counts>,
    others: Counts,
}

/// A callee that calls are counted for. `None` is one among many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Callee(Option<usize>);

impl Callee {
    /// Of a request that comes in.
    pub(super) const NOBODY: Self = Self(None);
}

#[derive(Default)]
struct Counts {
    calls: u64,
    dialects: DialectSet,
    /// By kind. The last word on a call may be counted a moment before the call is.
    kinds: BTreeMap<&'static str, i64>,
    /// By how the cause was found.
    methods: BTreeMap<&'static str, u64>,
    /// By why it was not.
    reasons: BTreeMap<&'static str, u64>,
}

/// What is known of the calls to one callee.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// Host and port, as the application writes them.
    callee: String,
    /// Calls that were made.
    calls: u64,
    /// Of these, by how their parent was found: `propagated`, `exact`, `inferred`, `unknown`, and `provisional` where the
    /// last word has not been said.
    kinds: BTreeMap<&'static str, i64>,
    /// Of the `exact` and `inferred` ones, by how the cause was found.
    methods: BTreeMap<&'static str, u64>,
    /// Of the `unknown` ones, by why.
    reasons: BTreeMap<&'static str, u64>,
    /// In which dialects the application forwards.
    dialects: Vec<&'static str>,
}

impl Propagation {
    /// The callee of this name.
    pub(super) fn callee(&self, name: &[u8]) -> Callee {
        let Some(name) = str::from_utf8(name)
            .ok()
            .filter(|name| name.len() <= NAME_BYTES_MAX)
        else {
            return Callee(None);
        };
        let mut callees = self.lock();
        if let Some(known) = callees.numbers.get(name) {
            return *known;
        }
        let number = callees.counts.len();
        if number >= CALLEES_MAX {
            return Callee(None);
        }
        callees.counts.push(Counts::default());
        callees.numbers.insert(name.into(), Callee(Some(number)));
        Callee(Some(number))
    }

    /// A call was made, which the application had put into a trace by this dialect, if it did.
    pub(super) fn called(&self, callee: Callee, link: Link, dialect: Option<Dialect>) {
        let mut callees = self.lock();
        let counts = callees.of(callee);
        counts.calls += 1;
        if let Some(dialect) = dialect {
            counts.dialects.insert(dialect);
        }
        counts.count(link);
    }

    /// The last word was said on a call that was provisional.
    pub(super) fn resolved(&self, callee: Callee, link: Link) {
        let mut callees = self.lock();
        let counts = callees.of(callee);
        *counts.kinds.entry(Link::Provisional.kind()).or_default() -= 1;
        counts.count(link);
    }

    /// What is known by now, by the callees' names.
    pub(super) fn edges(&self) -> Vec<Edge> {
        let callees = self.lock();
        let named = callees
            .numbers
            .iter()
            .map(|(name, callee)| (&**name, callees.get(*callee)));
        let others = (callees.others.calls > 0).then_some((OTHERS, &callees.others));
        let mut edges: Vec<_> = named
            .chain(others)
            .map(|(name, counts)| counts.edge(name))
            .collect();
        edges.sort_by(|one, other| one.callee.cmp(&other.callee));
        edges
    }

    fn lock(&self) -> MutexGuard<'_, Callees> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Callees {
    fn get(&self, callee: Callee) -> &Counts {
        let counts = callee.0.and_then(|number| self.counts.get(number));
        counts.unwrap_or(&self.others)
    }

    fn of(&mut self, callee: Callee) -> &mut Counts {
        let counts = callee.0.and_then(|number| self.counts.get_mut(number));
        counts.unwrap_or(&mut self.others)
    }
}

impl Counts {
    fn count(&mut self, link: Link) {
        *self.kinds.entry(link.kind()).or_default() += 1;
        match link {
            Link::Found(_, method) => *self.methods.entry(method.name()).or_default() += 1,
            Link::Unknown(Some(reason)) => *self.reasons.entry(reason.name()).or_default() += 1,
            Link::Propagated | Link::Provisional | Link::Unknown(None) => {}
        }
    }

    fn edge(&self, callee: &str) -> Edge {
        Edge {
            callee: callee.to_owned(),
            calls: self.calls,
            kinds: self.kinds.clone(),
            methods: self.methods.clone(),
            reasons: self.reasons.clone(),
            dialects: self.dialects.iter().map(Dialect::name).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use causality::{Certainty, Method, Unknown};

    use super::super::Reason;
    use super::*;

    #[test]
    fn a_call_that_was_provisional_is_counted_by_what_it_became() {
        let propagation = Propagation::default();
        let bank = propagation.callee(b"bank:80");
        propagation.called(bank, Link::Propagated, Some(Dialect::Jaeger));
        for _ in 0..3 {
            propagation.called(bank, Link::Provisional, None);
        }
        propagation.resolved(bank, Link::Found(Certainty::Inferred(0.99), Method::Joint));
        propagation.resolved(bank, Link::Unknown(Some(Reason::Cause(Unknown::Ambiguous))));
        let told = serde_json::to_value(propagation.edges()).unwrap();
        assert_eq!(
            told,
            serde_json::json!([{
                "callee": "bank:80",
                "calls": 4,
                "kinds": { "propagated": 1, "provisional": 1, "inferred": 1, "unknown": 1 },
                "methods": { "joint": 1 },
                "reasons": { "ambiguous": 1 },
                "dialects": ["jaeger"],
            }])
        );
    }

    #[test]
    fn only_so_many_callees_are_told_apart() {
        let propagation = Propagation::default();
        for number in 0..1000 {
            let callee = propagation.callee(format!("host-{number}").as_bytes());
            propagation.called(callee, Link::Propagated, None);
        }
        propagation.called(propagation.callee(b"\xff"), Link::Propagated, None);
        let edges = propagation.edges();
        assert_eq!(edges.len(), CALLEES_MAX + 1);
        let others = edges.iter().find(|edge| edge.callee == OTHERS).unwrap();
        assert_eq!(others.calls, 1001 - CALLEES_MAX as u64);
    }
}
