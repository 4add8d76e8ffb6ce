//! What a collector of ours counts live, in its own JSON (`/api/meshtrace/v1`), as far as we show it.
//!
//! Written leniently: what is absent is empty, what is unknown is skipped.

use serde::Deserialize;

/// `/services`.
#[derive(Debug, Deserialize)]
pub(super) struct Services {
    pub(super) services: Vec<Service>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) stats: Stats,
}

/// `/operations`.
#[derive(Debug, Deserialize)]
pub(super) struct Operations {
    pub(super) operations: Vec<Operation>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Operation {
    pub(super) service: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) stats: Stats,
}

/// `/graph`.
#[derive(Debug, Deserialize)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) calls: u64,
    pub(super) stats: Option<Stats>,
}

/// Calls counted in a window; times in nanoseconds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    pub(super) rate: f64,
    pub(super) errors: u64,
    pub(super) error_ratio: f64,
    pub(super) p50: Option<u64>,
    pub(super) p95: Option<u64>,
    pub(super) p99: Option<u64>,
}

/// `/propagation`.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub(super) workloads: Vec<Workload>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Workload {
    pub(super) workload: String,
    pub(super) verdict: String,
    pub(super) text: String,
    pub(super) fix: Option<String>,
    pub(super) edges: Vec<Callee>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Callee {
    pub(super) to: String,
    pub(super) links: Links,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Links {
    pub(super) calls: u64,
    pub(super) counts: Counts,
    pub(super) dialects: Vec<Named>,
    pub(super) methods: Vec<Named>,
    pub(super) reasons: Vec<Named>,
    pub(super) mean_confidence: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Counts {
    pub(super) propagated: u64,
    pub(super) exact: u64,
    pub(super) inferred: u64,
    pub(super) unknown: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) count: u64,
}

/// `/mesh`.
#[derive(Debug, Deserialize)]
pub(super) struct Mesh {
    pub(super) workloads: Vec<Traced>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Traced {
    pub(super) name: String,
    pub(super) instances: Vec<serde::de::IgnoredAny>,
    pub(super) versions: Vec<String>,
    pub(super) spans_per_second: f64,
    /// None as long as its sidecars have not said.
    pub(super) losses: Option<Vec<Named>>,
    pub(super) sidecars: Option<Sidecars>,
    pub(super) links: Counts,
    pub(super) findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sidecars {
    pub(super) added_latency: AddedLatency,
    /// Processors.
    pub(super) cpu: f64,
    /// Bytes.
    pub(super) memory: u64,
}

/// In nanoseconds.
#[derive(Debug, Deserialize)]
pub(super) struct AddedLatency {
    pub(super) requests: u64,
    /// None if it is longer than the sidecars tell apart.
    pub(super) p99: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Finding {
    pub(super) severity: String,
    pub(super) text: String,
    pub(super) fix: Option<String>,
}

/// `/import`.
#[derive(Debug, Deserialize)]
pub(super) struct Imported {
    pub(super) stored: u64,
    pub(super) repeated: u64,
    pub(super) refused: Vec<Named>,
}

/// What `/tail` sends of a span.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TailSpan {
    pub(super) trace_id: String,
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) kind: String,
    /// Nanoseconds since the Unix epoch, in decimal.
    pub(super) start: String,
    pub(super) duration: u64,
    pub(super) status: String,
    pub(super) message: String,
}
