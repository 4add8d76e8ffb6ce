//! What the sidecar counts. Every label's values come from a closed set, so the number of series is fixed.

mod labels;
mod tally;

use std::sync::Arc;

use process::metrics::Registry;
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge};
use span::Dialect;

pub use self::labels::{Direction, Refusal, Unrecorded};
use self::labels::{LINKS, link_index, link_labels};
use self::tally::Tallies;
pub use self::tally::Tally;
use crate::export::Loss;
use crate::owners;
use crate::record::{Link, Reason};
use crate::tap::SpliceReason;

/// All that the sidecar counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    tallies: Tallies,
    bytes: [[IntCounter; 2]; 2],
    connections: IntCounterVec,
    refused: IntCounterVec,
    splices: IntCounterVec,
    links: [IntCounter; LINKS],
    unknown: IntCounterVec,
    resolved: IntCounterVec,
    owners: IntCounterVec,
    malformed: IntCounterVec,
    unrecorded: IntCounterVec,
    lost: IntCounterVec,
    /// Calls on whose cause the last word has not been said.
    pub links_open: IntGauge,
    /// Finished spans that wait for it.
    pub held: IntGauge,
    /// Their bytes.
    pub held_bytes: IntGauge,
    /// Connections that are open now.
    pub connections_open: IntGauge,
    /// Requests in flight, and spans begun: both follow from other counts, and are brought up to date when asked for.
    requests_open: IntGauge,
    spans_started: IntCounter,
    /// Spans that were begun for something else than a request that is followed.
    pub begun_otherwise: IntCounter,
    /// Heads whose dialects name different traces.
    pub conflicts: IntCounter,
    /// Trace headers that could not be brought up to date.
    pub stale: IntCounter,
    /// Spans that a collector has taken.
    pub exported: IntCounter,
    /// Bytes of spans that wait to be sent.
    pub queued: IntGauge,
    /// Times that the collector could not be told of the sidecar itself.
    pub reports_lost: IntCounter,
    /// 1 while the operator answers.
    pub operator_connected: IntGauge,
    /// The revision of the settings that were taken last, as a number.
    pub settings_revision: IntGauge,
    /// Settings of the operator that were taken.
    pub settings_applied: IntCounter,
    /// Settings of the operator that were refused as a whole.
    pub settings_refused: IntCounter,
}

impl Metrics {
    /// A set of counters at zero.
    ///
    /// # Errors
    /// Two of them have one name, or a name is malformed: a mistake in this file, which the first test finds.
    pub fn new() -> prometheus::Result<Self> {
        let make = Registry::new("meshtrace")?;
        make.cost("the sidecar")?;
        let tallies = make.with(Tallies::new()?)?;
        let bytes = make.counters("bytes_total", "Bytes passed on", &["direction", "from"])?;
        let links = make.counters(
            "links_total",
            "Requests by how their parent was found when they passed",
            &["kind", "method"],
        )?;
        let unknown = make.counters(
            "links_unknown_total",
            "Calls whose cause is not known, and will not be",
            &["reason"],
        )?;
        for reason in Reason::all() {
            unknown.with_label_values(&[reason.name()]);
        }
        let resolved = make.counters(
            "links_resolved_total",
            "Provisional links by what was found out later",
            &["kind"],
        )?;
        for kind in ["exact", "inferred", "unknown"] {
            resolved.with_label_values(&[kind]);
        }
        let lost = make.counters(
            "spans_lost_total",
            "Spans that were made and not kept",
            &["reason"],
        )?;
        for loss in Loss::ALL {
            lost.with_label_values(&[loss.name()]);
        }
        let unrecorded = make.counters(
            "requests_unrecorded_total",
            "Requests that were seen and have no span",
            &["reason"],
        )?;
        for reason in Unrecorded::ALL {
            unrecorded.with_label_values(&[reason.name()]);
        }
        let owners = make.counters(
            "connection_owners_total",
            "Connections by what came of looking up the process that holds them",
            &["outcome"],
        )?;
        for outcome in owners::Outcome::ALL {
            owners.with_label_values(&[outcome.name()]);
        }
        Ok(Self {
            tallies,
            bytes: Direction::BOTH
                .map(|way| ["client", "server"].map(|from| bytes.with_label_values(&[way.name(), from]))),
            connections: make.counters(
                "connections_total",
                "Connections by protocol",
                &["direction", "protocol"],
            )?,
            refused: make.counters(
                "connections_refused_total",
                "Connections not passed on",
                &["direction", "reason"],
            )?,
            splices: make.counters(
                "splices_total",
                "Connections that are no longer understood",
                &["protocol", "reason"],
            )?,
            links: link_labels().map(|labels| links.with_label_values(&labels)),
            unknown,
            resolved,
            owners,
            links_open: make.gauge("links_open", "Provisional links that are open now")?,
            held: make.gauge(
                "spans_held",
                "Finished spans that wait for the word on their cause",
            )?,
            held_bytes: make.gauge("spans_held_bytes", "Bytes of finished spans that wait")?,
            malformed: make.counters(
                "contexts_malformed_total",
                "Trace headers that could not be read",
                &["dialect"],
            )?,
            unrecorded,
            lost,
            connections_open: make.gauge("connections_open", "Connections open now")?,
            requests_open: make.gauge("requests_open", "Requests in flight now")?,
            spans_started: make.counter(
                "spans_started_total",
                "Spans begun, whether they are sampled or not",
            )?,
            begun_otherwise: IntCounter::new("otherwise", "not shown")?,
            conflicts: make.counter(
                "context_conflicts_total",
                "Heads whose dialects name different traces",
            )?,
            stale: make.counter(
                "contexts_stale_total",
                "Trace headers that could not be brought up to date",
            )?,
            exported: make.counter("spans_exported_total", "Spans that the collector has taken")?,
            queued: make.gauge("export_queue_bytes", "Bytes of spans that wait to be sent")?,
            reports_lost: make.counter(
                "reports_lost_total",
                "Times that the collector did not take what the sidecar tells of itself",
            )?,
            operator_connected: make.gauge("operator_connected", "1 while the operator answers")?,
            settings_revision: make.gauge(
                "settings_revision",
                "The revision of the settings that were taken last; 0 before",
            )?,
            settings_applied: make.counter(
                "settings_applied_total",
                "Settings of the operator that were taken",
            )?,
            settings_refused: make.counter(
                "settings_refused_total",
                "Settings of the operator that were refused as a whole",
            )?,
            registry: make,
        })
    }

    /// What one more worker counts for itself.
    pub fn tally(&self) -> Arc<Tally> {
        self.tallies.begin()
    }

    /// A connection has ended, having passed so many bytes.
    pub fn connection(
        &self,
        direction: Direction,
        protocol: &'static str,
        from_client: u64,
        from_server: u64,
    ) {
        self.connections
            .with_label_values(&[direction.name(), protocol])
            .inc();
        let [client, server] = direction.of(&self.bytes);
        client.inc_by(from_client);
        server.inc_by(from_server);
    }

    /// A connection could not be passed on.
    pub fn refused(&self, direction: Direction, why: Refusal) {
        self.refused
            .with_label_values(&[direction.name(), why.name()])
            .inc();
    }

    /// A connection is no longer understood.
    pub fn spliced(&self, protocol: &'static str, why: SpliceReason) {
        self.splices.with_label_values(&[protocol, why.name()]).inc();
    }

    /// A request has begun, and with it a span, whose parent was found, or not.
    pub fn begun(&self, link: Link) {
        if let Some(counter) = self.links.get(link_index(link)) {
            counter.inc();
        }
        if let Link::Unknown(Some(reason)) = link {
            self.unknown(reason);
        }
    }

    /// What caused a call is not known, and will not be.
    pub fn unknown(&self, why: Reason) {
        self.unknown.with_label_values(&[why.name()]).inc();
    }

    /// What caused a call has been found out, or will not be.
    pub fn resolved(&self, link: Link) {
        self.resolved.with_label_values(&[link.kind()]).inc();
        if let Link::Unknown(Some(reason)) = link {
            self.unknown(reason);
        }
    }

    /// It was looked up which process holds a connection.
    pub fn owner(&self, outcome: owners::Outcome) {
        self.owners.with_label_values(&[outcome.name()]).inc();
    }

    /// A trace header could not be read.
    pub fn malformed(&self, dialect: Dialect) {
        self.malformed.with_label_values(&[dialect.name()]).inc();
    }

    /// A request that was seen has no span.
    pub fn unrecorded(&self, why: Unrecorded) {
        self.unrecorded.with_label_values(&[why.name()]).inc();
    }

    /// So many spans were made and are lost.
    pub fn lost(&self, why: Loss, spans: u64) {
        self.lost.with_label_values(&[why.name()]).inc_by(spans);
    }

    /// What the collector is told.
    pub fn told(&self) -> Vec<MetricFamily> {
        let mut families = self.registry.gather();
        families.retain(|family| contract::told::ALL.contains(&family.name()));
        families
    }

    /// All of it, in the text format of Prometheus.
    pub fn text(&self) -> String {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        // ended before begun: what ends in between must not make more ended than begun
        let ended = self.tallies.requests();
        let begun: u64 = self.links.iter().map(IntCounter::get).sum();
        self.requests_open.set(signed(begun.saturating_sub(ended)));
        self.spans_started.reset();
        self.spans_started.inc_by(begun + self.begun_otherwise.get());
        self.registry
            .text()
            .unwrap_or_else(|error| format!("# metrics cannot be written: {error}\n"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::tap::End;

    #[test]
    fn the_collector_is_told_all_that_it_looks_for() {
        let told = Metrics::new().unwrap().told();
        let names: BTreeSet<_> = told.iter().map(MetricFamily::name).collect();
        assert_eq!(names, contract::told::ALL.into_iter().collect());
    }

    #[test]
    fn what_workers_count_for_themselves_is_added_up() {
        let metrics = Metrics::new().unwrap();
        let (one, other) = (metrics.tally(), metrics.tally());
        let complete = Some(End::Complete);
        one.request(Direction::Inbound, complete, Some(503), 1_000_000);
        other.request(Direction::Inbound, complete, Some(200), 61_000_000_000);
        other.request(Direction::Outbound, Some(End::ServerReset), None, 2_000_000);
        one.added_latency(7_000);
        other.added_latency(8_000);
        let text = metrics.text();
        for line in [
            "meshtrace_requests_total{direction=\"inbound\",outcome=\"5xx\"} 1",
            "meshtrace_requests_total{direction=\"inbound\",outcome=\"2xx\"} 1",
            "meshtrace_requests_total{direction=\"outbound\",outcome=\"server_reset\"} 1",
            "meshtrace_request_duration_seconds_bucket{direction=\"inbound\",le=\"0.001\"} 1",
            "meshtrace_request_duration_seconds_bucket{direction=\"inbound\",le=\"60\"} 1",
            "meshtrace_request_duration_seconds_bucket{direction=\"inbound\",le=\"+Inf\"} 2",
            "meshtrace_request_duration_seconds_sum{direction=\"inbound\"} 61.001",
            "meshtrace_request_duration_seconds_count{direction=\"inbound\"} 2",
            "meshtrace_added_latency_seconds_bucket{le=\"0.000005\"} 0",
            "meshtrace_added_latency_seconds_bucket{le=\"0.00001\"} 2",
            "meshtrace_spans_lost_total{reason=\"queue_full\"} 0",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
