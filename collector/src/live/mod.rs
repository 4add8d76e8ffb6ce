//! What happens now, counted in bounded memory as spans arrive: rates, errors and latency by service, by operation and by
//! edge; how calls got their parents; who sends spans; what sidecars tell of themselves.
//!
//! By the time at which spans arrive, about a second after they end. What is not sampled is not seen, and a span that a
//! sender repeats after a lost answer is counted twice. Nothing here is kept across a restart.

pub mod changes;
mod edges;
mod histogram;
mod links;
mod names;
mod prometheus;
mod seen;
mod series;
mod table;
mod told;
mod waiting;
mod workloads;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use otlp::model::Kind;
use otlp::receive::report::Report;
use otlp::receive::{Packed, Scanned};

use self::edges::Edges;
use self::links::LinkTable;
use self::names::Names;
use self::seen::Group;
use self::table::Table;
use self::workloads::{Reporting, Workloads};
use crate::analysis::senders::instance;
use crate::analysis::tree::is_inbound;

pub use edges::Node;
pub use links::Links;
pub use series::{Points, SPAN, Totals};
pub use told::{Latency, Told};
pub use workloads::{Instance, Sidecar, Workload};

/// Services that are counted at once.
const SERVICES: usize = 256;
/// Operations.
const OPERATIONS: usize = 1024;
/// Edges.
const EDGES: usize = 1024;
/// Groups and names of a request that are looked through for the next span.
const REMEMBERED: usize = 16;
/// All series together.
pub const SERIES: usize = SERVICES + OPERATIONS + EDGES;

/// The live aggregates.
#[derive(Debug)]
pub struct Live {
    /// Locked by itself: spans are seen while others are counted.
    names: Mutex<Names>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The requests that each service answered.
    services: Table<Arc<str>>,
    operations: Table<(Arc<str>, Arc<str>, Kind)>,
    edges: Table<(Node, Node)>,
    halves: Edges,
    links: LinkTable,
    workloads: Workloads,
}

/// What is to be counted of some spans, once they are kept.
#[derive(Debug, Default)]
pub struct Observed {
    groups: Vec<Group>,
    /// The names of peers and links that were met last.
    names: Vec<Arc<str>>,
}

/// A service in a window.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: Arc<str>,
    /// The requests that it answered.
    pub totals: Totals,
    /// In a window as long just before, if that was counted.
    pub previous: Option<Totals>,
    /// In steps.
    pub points: Points,
}

/// An operation in a window.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its service.
    pub service: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The kind of its spans.
    pub kind: Kind,
    /// Its spans.
    pub totals: Totals,
}

/// An edge in a window.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Who called.
    pub from: Node,
    /// Who was called.
    pub to: Node,
    /// The calls, as the caller saw them where it is seen.
    pub totals: Totals,
}

/// How full the tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Series that are counted.
    pub series: usize,
    /// Calls and spans that there was no series for.
    pub other: u64,
}

impl Default for Live {
    fn default() -> Self {
        let state = State {
            services: Table::new(SERVICES),
            operations: Table::new(OPERATIONS),
            edges: Table::new(EDGES),
            halves: Edges::default(),
            links: LinkTable::default(),
            workloads: Workloads::default(),
        };
        Self {
            names: Mutex::default(),
            state: Mutex::new(state),
        }
    }
}

impl Live {
    // A thread that panicked here would have done so between two counts.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what there is to count of a span. Nothing is counted yet, because it may not be kept.
    pub fn observe(&self, span: &Packed, scanned: &Scanned<'_>, observed: &mut Observed) {
        let lock = || self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let Observed { groups, names } = observed;
        let lately = groups.len().saturating_sub(REMEMBERED);
        let known = groups
            .iter()
            .skip(lately)
            .rposition(|group| group.has(span, scanned));
        let place = known.map_or(groups.len(), |place| lately + place);
        if known.is_none() {
            groups.push(Group::new(span, scanned, &mut lock()));
        }
        let Some(group) = groups.get_mut(place) else {
            return;
        };
        group.add(span, scanned, |name| {
            if let Some(known) = names.iter().find(|known| ***known == *name) {
                return Arc::clone(known);
            }
            names.truncate(REMEMBERED - 1);
            names.insert(0, lock().get(name));
            names.first().map_or_else(|| Arc::from(name), Arc::clone)
        });
    }

    /// They have been kept, at `now` (nanoseconds since the Unix epoch).
    pub fn count(&self, observed: &Observed, now: u64) {
        let mut state = self.state();
        for group in &observed.groups {
            state.count(group, now);
        }
    }

    /// Sidecars have told of themselves, at `now` (nanoseconds since the Unix epoch). Returns how many values there were that
    /// no sidecar has told.
    pub fn report(&self, reports: &[Report], now: u64) -> u64 {
        let (ours, others): (Vec<_>, Vec<_>) = reports
            .iter()
            .partition(|report| report.scope.name == contract::told::SCOPE);
        for report in ours {
            let (from, read) = {
                let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
                let service = report.resource.service();
                let from = Reporting {
                    service: names.get(service),
                    instance: names.get(instance(&report.resource).unwrap_or(service)),
                    version: names.get(&report.scope.version),
                };
                (from, told::read(&report.metrics, &mut names))
            };
            self.state().workloads.report(&from, &read, now);
        }
        let points = others.iter().flat_map(|report| &report.metrics);
        points.map(|metric| metric.points.len() as u64).sum()
    }

    /// The services that answered requests in a window, or just before it, by name.
    pub fn services(&self, window: &Range<u64>, now: u64) -> Vec<Service> {
        let state = self.state();
        let length = window.end.saturating_sub(window.start);
        let before = window.start.saturating_sub(length)..window.start;
        let counted = before.start >= now.saturating_sub(SPAN);
        let mut services: Vec<_> = state
            .services
            .iter()
            .map(|(name, series)| Service {
                name: Arc::clone(name),
                totals: series.totals(window, now),
                previous: counted.then(|| series.totals(&before, now)),
                points: series.points(window, now),
            })
            .filter(|service| {
                let before = service.previous.as_ref();
                service.totals.calls + before.map_or(0, |before| before.calls) > 0
            })
            .collect();
        services.sort_by(|one, other| one.name.cmp(&other.name));
        services
    }

    /// A window in which nothing was counted, in the steps that it has.
    pub fn no_points(&self, window: &Range<u64>, now: u64) -> Points {
        series::Series::default().points(window, now)
    }

    /// The operations of one service, or of all, in a window, by service, name and kind.
    pub fn operations(&self, service: Option<&str>, window: &Range<u64>, now: u64) -> Vec<Operation> {
        let state = self.state();
        let mut operations: Vec<_> = state
            .operations
            .iter()
            .filter(|((of, ..), _)| service.is_none_or(|service| **of == *service))
            .map(|((service, name, kind), series)| Operation {
                service: Arc::clone(service),
                name: Arc::clone(name),
                kind: *kind,
                totals: series.totals(window, now),
            })
            .filter(|operation| operation.totals.calls > 0)
            .collect();
        operations.sort_by(|one, other| {
            let key = |operation: &Operation| {
                (
                    Arc::clone(&operation.service),
                    Arc::clone(&operation.name),
                    operation.kind,
                )
            };
            key(one).cmp(&key(other))
        });
        operations
    }

    /// The edges in a window, by their ends; and how many calls there was no room for.
    pub fn edges(&self, window: &Range<u64>, now: u64) -> (Vec<Edge>, u64) {
        let mut state = self.state();
        state.give_up(now);
        let mut edges: BTreeMap<(Node, Node), Totals> = BTreeMap::new();
        for ((from, to), series) in state.edges.iter() {
            let totals = series.totals(window, now);
            if totals.calls > 0 {
                let ends = (state.known(from), state.known(to));
                edges.entry(ends).or_default().merge(&totals);
            }
        }
        let edges = edges
            .into_iter()
            .map(|((from, to), totals)| Edge { from, to, totals });
        (edges.collect(), state.edges.other().totals(window, now).calls)
    }

    /// How outbound calls in a window got their parents, by caller and callee.
    pub fn links(&self, window: &Range<u64>) -> BTreeMap<Arc<str>, BTreeMap<Arc<str>, Links>> {
        self.state().links.within(window)
    }

    /// Who sent spans, or told of itself, by name.
    pub fn workloads(&self, window: &Range<u64>) -> Vec<Workload> {
        self.state().workloads.within(window)
    }

    /// How full the tables are.
    pub fn fill(&self) -> Fill {
        let state = self.state();
        let tables = [
            (state.services.len(), state.services.other()),
            (state.operations.len(), state.operations.other()),
            (state.edges.len(), state.edges.other()),
        ];
        Fill {
            series: tables.iter().map(|(len, _)| len).sum(),
            other: tables.iter().map(|(_, other)| other.ever.calls).sum(),
        }
    }

    /// All of it since the start, in Prometheus' text format.
    pub fn render(&self, out: &mut String, now: u64) {
        let mut state = self.state();
        state.give_up(now);
        prometheus::render(&state, out);
    }
}

impl State {
    fn count(&mut self, group: &Group, now: u64) {
        let service = &group.service;
        let calls = || group.spans.iter().map(|seen| &seen.call);
        if is_inbound(group.kind) {
            self.services.add(Arc::clone(service), calls(), now);
        }
        let operation = (Arc::clone(service), Arc::clone(&group.operation), group.kind);
        self.operations.add(operation, calls(), now);
        self.links.add(group, now);
        self.workloads.add(group, now);
        let mut found = Vec::new();
        self.halves.add(group, now, &mut found);
        self.found(found, now);
    }

    fn give_up(&mut self, now: u64) {
        let mut found = Vec::new();
        self.halves.give_up(now, &mut found);
        self.found(found, now);
    }

    fn found(&mut self, found: Vec<edges::Edge>, now: u64) {
        for edge in found {
            self.edges.add((edge.from, edge.to), [&edge.call], now);
        }
    }

    /// A peer of which no span was seen at one call may be a service of which spans are seen at others.
    fn known(&self, node: &Node) -> Node {
        match node {
            Node::Peer(_, name) if self.services.get(name).is_some() => Node::Service(Arc::clone(name)),
            node => node.clone(),
        }
    }
}
