//! What happens now: overview, services, operations, and who calls whom.

use std::collections::BTreeMap;
use std::ops::Range;

use otlp::model::Kind;
use serde::Serialize;

use super::answer::Instant;
use super::mesh::{IngestJson, LinkCounts};
use super::search::kind_name;
use super::window::{self, WindowJson};
use crate::analysis::peer::PeerKind;
use crate::dependencies::Dependency;
use crate::live::changes::{Change, changes};
use crate::live::{Edge, Links, Node, Operation, Points, Service, Totals};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    calls: u64,
    rate: f64,
    errors: u64,
    error_ratio: f64,
    p50: Option<u64>,
    p95: Option<u64>,
    p99: Option<u64>,
    total_time: u64,
    exemplars: Exemplars,
}

#[derive(Serialize)]
struct Exemplars {
    slowest: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct PointsJson {
    start: Instant,
    step: u64,
    calls: Vec<u64>,
    errors: Vec<u64>,
    p95: Vec<Option<u64>>,
}

#[derive(Serialize)]
pub(super) struct ServiceJson<'a> {
    name: &'a str,
    stats: Stats,
    previous: Option<Stats>,
    points: PointsJson,
}

#[derive(Serialize)]
pub(super) struct OperationJson<'a> {
    service: &'a str,
    name: &'a str,
    kind: &'static str,
    stats: Stats,
}

#[derive(Serialize)]
pub(super) struct ServicesJson<'a> {
    window: WindowJson,
    services: Vec<ServiceJson<'a>>,
}

#[derive(Serialize)]
pub(super) struct OperationsJson<'a> {
    window: WindowJson,
    operations: Vec<OperationJson<'a>>,
}

#[derive(Serialize)]
pub(super) struct OverviewJson<'a> {
    window: WindowJson,
    services: Vec<ServiceJson<'a>>,
    changes: Vec<ChangeJson>,
    ingest: IngestJson,
}

#[derive(Serialize)]
struct ChangeJson {
    text: String,
    service: String,
    what: &'static str,
    before: f64,
    after: f64,
}

#[derive(Serialize)]
pub(super) struct GraphJson {
    window: WindowJson,
    source: &'static str,
    nodes: Vec<NodeJson>,
    edges: Vec<EdgeJson>,
    uncounted: u64,
}

#[derive(Serialize)]
struct NodeJson {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    stats: Option<Stats>,
}

#[derive(Serialize)]
struct EdgeJson {
    from: String,
    to: String,
    calls: u64,
    stats: Option<Stats>,
    links: Option<LinkCounts>,
}

/// What comes first in a list of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OperationOrder {
    Name,
    Calls,
    Errors,
    P95,
    P99,
    Time,
}

impl OperationOrder {
    pub(super) const ALL: [(&'static str, Self); 6] = [
        ("name", Self::Name),
        ("calls", Self::Calls),
        ("errors", Self::Errors),
        ("p95", Self::P95),
        ("p99", Self::P99),
        ("time", Self::Time),
    ];

    fn measure(self, totals: &Totals) -> u64 {
        match self {
            Self::Name => 0,
            Self::Calls => totals.calls,
            Self::Errors => totals.errors,
            Self::P95 => totals.quantile(0.95).unwrap_or(0),
            Self::P99 => totals.quantile(0.99).unwrap_or(0),
            Self::Time => totals.time,
        }
    }
}

pub(super) fn stats(totals: &Totals, seconds: f64) -> Stats {
    Stats {
        calls: totals.calls,
        rate: totals.calls as f64 / seconds,
        errors: totals.errors,
        error_ratio: totals.error_ratio(),
        p50: totals.quantile(0.5),
        p95: totals.quantile(0.95),
        p99: totals.quantile(0.99),
        total_time: totals.time,
        exemplars: Exemplars {
            slowest: totals.slowest.map(|(_, id)| id.to_string()),
            error: totals.failed.map(|id| id.to_string()),
        },
    }
}

fn points(points: &Points) -> PointsJson {
    let each = |count: fn(&Totals) -> u64| points.totals.iter().map(count).collect();
    PointsJson {
        start: Instant(points.start),
        step: points.step / 1_000_000_000,
        calls: each(|totals| totals.calls),
        errors: each(|totals| totals.errors),
        p95: points.totals.iter().map(|totals| totals.quantile(0.95)).collect(),
    }
}

fn service<'a>(service: &'a Service, seconds: f64) -> ServiceJson<'a> {
    ServiceJson {
        name: &service.name,
        stats: stats(&service.totals, seconds),
        previous: service.previous.as_ref().map(|previous| stats(previous, seconds)),
        points: points(&service.points),
    }
}

/// These services, which were counted, and those that are only kept.
pub(super) fn services<'a>(
    window: &Range<u64>,
    counted: &'a [Service],
    kept: &'a [Service],
) -> ServicesJson<'a> {
    let seconds = window::seconds(window);
    let mut services: Vec<_> = counted
        .iter()
        .chain(kept)
        .map(|known| service(known, seconds))
        .collect();
    services.sort_by_key(|service| service.name);
    ServicesJson {
        window: window::json(window),
        services,
    }
}

/// A service of which spans are kept and nothing was counted.
pub(super) fn uncounted(name: &str, points: Points) -> Service {
    Service {
        name: name.into(),
        totals: Totals::default(),
        previous: None,
        points,
    }
}

/// The overview of these services.
pub(super) fn overview<'a>(
    window: &Range<u64>,
    services: &'a [Service],
    ingest: IngestJson,
) -> OverviewJson<'a> {
    let seconds = window::seconds(window);
    let change = |change: Change| ChangeJson {
        text: change.text(),
        service: change.service,
        what: change.what.name(),
        before: change.before,
        after: change.after,
    };
    OverviewJson {
        window: window::json(window),
        services: services.iter().map(|known| service(known, seconds)).collect(),
        changes: changes(services, seconds).into_iter().map(change).collect(),
        ingest,
    }
}

/// Operations in order, so many of them.
pub(super) fn operations<'a>(
    window: &Range<u64>,
    operations: &'a [Operation],
    kind: Option<Kind>,
    order: OperationOrder,
    limit: usize,
) -> OperationsJson<'a> {
    let seconds = window::seconds(window);
    let mut wanted: Vec<_> = operations
        .iter()
        .filter(|operation| kind.is_none_or(|kind| operation.kind == kind))
        .collect();
    // equal ones stay in the order of their names
    wanted.sort_by_key(|operation| std::cmp::Reverse(order.measure(&operation.totals)));
    wanted.truncate(limit);
    OperationsJson {
        window: window::json(window),
        operations: wanted
            .into_iter()
            .map(|operation| OperationJson {
                service: &operation.service,
                name: &operation.name,
                kind: kind_name(operation.kind),
                stats: stats(&operation.totals, seconds),
            })
            .collect(),
    }
}

fn node_kind(node: &Node) -> &'static str {
    match node {
        Node::Service(_) => "service",
        Node::Outside => "client",
        Node::Peer(kind, _) => match kind {
            PeerKind::Silent => "silent",
            PeerKind::External => "external",
            PeerKind::Encrypted => "encrypted",
            PeerKind::Database => "database",
            PeerKind::Queue => "queue",
        },
    }
}

fn node_name(node: &Node) -> &str {
    match node {
        Node::Service(name) | Node::Peer(_, name) => name,
        Node::Outside => "outside",
    }
}

fn node_id(node: &Node) -> String {
    match node {
        Node::Service(name) => name.to_string(),
        Node::Outside | Node::Peer(..) => format!("{}:{}", node_kind(node), node_name(node)),
    }
}

/// The graph of what was counted: its nodes are the services and the ends of edges, and have the statistics of the calls
/// to them.
pub(super) fn graph(
    window: &Range<u64>,
    edges: &[Edge],
    services: &[Service],
    links: impl Fn(&str, &str) -> Option<Links>,
    uncounted: u64,
) -> GraphJson {
    let seconds = window::seconds(window);
    let mut nodes: BTreeMap<&Node, Totals> = BTreeMap::new();
    for edge in edges {
        nodes.entry(&edge.from).or_default();
        nodes.entry(&edge.to).or_default().merge(&edge.totals);
    }
    let own: Vec<_> = services
        .iter()
        .map(|service| (Node::Service(service.name.clone()), &service.totals))
        .collect();
    for (node, totals) in &own {
        // what a service saw itself says more than what was seen of it
        nodes.insert(node, (*totals).clone());
    }
    GraphJson {
        window: window::json(window),
        source: "live",
        nodes: nodes
            .into_iter()
            .map(|(node, totals)| NodeJson {
                id: node_id(node),
                name: node_name(node).to_owned(),
                kind: node_kind(node),
                stats: (totals.calls > 0).then(|| stats(&totals, seconds)),
            })
            .collect(),
        edges: edges
            .iter()
            .map(|edge| EdgeJson {
                from: node_id(&edge.from),
                to: node_id(&edge.to),
                calls: edge.totals.calls,
                stats: Some(stats(&edge.totals, seconds)),
                links: links(node_name(&edge.from), node_name(&edge.to))
                    .map(|links| LinkCounts::from(&links)),
            })
            .collect(),
        uncounted,
    }
}

/// The graph of what is kept: who called whom how often, and nothing else. `services` are those that sent spans.
pub(super) fn graph_of_store(window: &Range<u64>, calls: &[Dependency], services: &[String]) -> GraphJson {
    let node = |name: &String| {
        let is_service = services.contains(name);
        let kind = if is_service { "service" } else { "silent" };
        let id = if is_service {
            name.clone()
        } else {
            format!("{kind}:{name}")
        };
        NodeJson {
            id,
            name: name.clone(),
            kind,
            stats: None,
        }
    };
    let ends = calls.iter().flat_map(|call| [&call.parent, &call.child]);
    let nodes: BTreeMap<_, _> = ends.map(|name| (name, node(name))).collect();
    let id = |name: &String| nodes.get(name).map_or_else(String::new, |node| node.id.clone());
    let edges = calls.iter().map(|call| EdgeJson {
        from: id(&call.parent),
        to: id(&call.child),
        calls: call.calls,
        stats: None,
        links: None,
    });
    let edges = edges.collect();
    GraphJson {
        window: window::json(window),
        source: "store",
        nodes: nodes.into_values().collect(),
        edges,
        uncounted: 0,
    }
}
