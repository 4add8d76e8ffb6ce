//! What the collector counts of itself, for Prometheus. Labels come from closed sets.

use otlp::receive::{Reason, Refusals};
use process::metrics::Registry;
use prometheus::{IntCounter, IntCounterVec, IntGauge};

use crate::store::{Appended, Dropped, Size};

/// How spans came in. A closed set: it labels metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP, as protobuf.
    HttpProtobuf,
    /// OTLP over HTTP, as JSON.
    HttpJson,
    /// Zipkin's version 2, as JSON.
    ZipkinJson,
    /// Zipkin's version 2, as protobuf.
    ZipkinProtobuf,
    /// A file that was imported.
    File,
}

impl Transport {
    const ALL: [Self; 6] = [
        Self::Grpc,
        Self::HttpProtobuf,
        Self::HttpJson,
        Self::ZipkinJson,
        Self::ZipkinProtobuf,
        Self::File,
    ];

    /// Its name in metrics, as OpenTelemetry's `OTEL_EXPORTER_OTLP_PROTOCOL` has it; `file` for files, `zipkin/…` for Zipkin.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
            Self::HttpJson => "http/json",
            Self::ZipkinJson => "zipkin/json",
            Self::ZipkinProtobuf => "zipkin/protobuf",
            Self::File => "file",
        }
    }
}

/// Why traces were dropped. A closed set: it labels metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// Room was needed.
    Bytes,
    /// They were too old.
    Age,
}

impl DropCause {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Age => "age",
        }
    }
}

/// All counters, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    received: IntCounterVec,
    refused: IntCounterVec,
    failed: IntCounterVec,
    stored: IntCounter,
    repeated: IntCounter,
    dropped_traces: IntCounterVec,
    dropped_spans: IntCounterVec,
    store_bytes: IntGauge,
    store_spans: IntGauge,
    store_traces: IntGauge,
}

impl Metrics {
    /// Every counter at zero, and every label value there from the start.
    ///
    /// # Errors
    /// Two metrics have the same name: a mistake in this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new("meshtrace_collector")?;
        registry.cost("the collector")?;
        let metrics = Self {
            received: registry.counters(
                "spans_received_total",
                "Spans that arrived, by protocol.",
                &["protocol"],
            )?,
            refused: registry.counters(
                "spans_refused_total",
                "Spans that were refused, by reason.",
                &["reason"],
            )?,
            failed: registry.counters(
                "requests_failed_total",
                "Export requests that failed as a whole, by reason.",
                &["reason"],
            )?,
            stored: registry.counter("spans_stored_total", "Spans that were kept.")?,
            repeated: registry.counter(
                "spans_repeated_total",
                "Spans that were there already, sent again by a retry.",
            )?,
            dropped_traces: registry.counters(
                "store_traces_dropped_total",
                "Traces dropped by retention.",
                &["cause"],
            )?,
            dropped_spans: registry.counters(
                "store_spans_dropped_total",
                "Spans of traces dropped by retention.",
                &["cause"],
            )?,
            store_bytes: registry.gauge("store_bytes", "Bytes that the store takes.")?,
            store_spans: registry.gauge("store_spans", "Spans that the store keeps.")?,
            store_traces: registry.gauge("store_traces", "Traces that the store keeps.")?,
            registry,
        };
        for transport in Transport::ALL {
            metrics.received.with_label_values(&[transport.as_str()]);
        }
        for reason in Reason::ALL {
            metrics.refused.with_label_values(&[reason.as_str()]);
        }
        for failure in RequestFailure::ALL {
            metrics.failed.with_label_values(&[failure.as_str()]);
        }
        for cause in [DropCause::Bytes, DropCause::Age] {
            metrics.dropped_traces.with_label_values(&[cause.as_str()]);
            metrics.dropped_spans.with_label_values(&[cause.as_str()]);
        }
        Ok(metrics)
    }

    /// A request has been taken apart.
    pub fn received(&self, transport: Transport, spans: u64, refused: &Refusals) {
        let received = self.received.with_label_values(&[transport.as_str()]);
        received.inc_by(spans.saturating_add(refused.total()));
        for (reason, count) in refused.iter() {
            self.refused.with_label_values(&[reason.as_str()]).inc_by(count);
        }
    }

    /// Spans have been handed to the store.
    pub fn appended(&self, appended: &Appended) {
        self.stored.inc_by(appended.stored);
        self.repeated.inc_by(appended.repeated);
        self.dropped(DropCause::Bytes, &appended.dropped);
    }

    /// Retention has dropped traces.
    pub fn dropped(&self, cause: DropCause, dropped: &Dropped) {
        self.dropped_traces
            .with_label_values(&[cause.as_str()])
            .inc_by(dropped.traces);
        self.dropped_spans
            .with_label_values(&[cause.as_str()])
            .inc_by(dropped.spans);
    }

    /// A request failed as a whole.
    pub fn failed(&self, failure: RequestFailure) {
        self.failed.with_label_values(&[failure.as_str()]).inc();
    }

    /// What came in and what became of it, since the start: names with how often, those that occurred.
    pub fn report(&self) -> Report {
        let named = |family: &IntCounterVec, names: &mut dyn Iterator<Item = &'static str>| {
            let counts = names.map(|name| (name, family.with_label_values(&[name]).get()));
            counts.filter(|(_, count)| *count > 0).collect()
        };
        let causes = [DropCause::Bytes, DropCause::Age];
        Report {
            received: named(
                &self.received,
                &mut Transport::ALL.iter().map(|transport| transport.as_str()),
            ),
            refused: named(
                &self.refused,
                &mut Reason::ALL.iter().map(|reason| reason.as_str()),
            ),
            failed: named(
                &self.failed,
                &mut RequestFailure::ALL.iter().map(|failure| failure.as_str()),
            ),
            dropped: named(
                &self.dropped_spans,
                &mut causes.iter().map(|cause| cause.as_str()),
            ),
            stored: self.stored.get(),
            repeated: self.repeated.get(),
        }
    }

    /// All of it in Prometheus' text format, with the size of the store as it is now.
    ///
    /// # Errors
    /// The library could not write it.
    pub fn render(&self, size: &Size) -> Result<String, prometheus::Error> {
        for (gauge, value) in [
            (&self.store_bytes, size.bytes),
            (&self.store_spans, size.spans),
            (&self.store_traces, size.traces),
        ] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        self.registry.text()
    }
}

/// What came in and what became of it, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Spans by protocol.
    pub received: Vec<(&'static str, u64)>,
    /// Spans by reason.
    pub refused: Vec<(&'static str, u64)>,
    /// Requests by reason.
    pub failed: Vec<(&'static str, u64)>,
    /// Spans by cause.
    pub dropped: Vec<(&'static str, u64)>,
    /// Spans that were kept.
    pub stored: u64,
    /// Spans that were there already.
    pub repeated: u64,
}

/// Why a whole export request failed. A closed set: it labels a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFailure {
    /// Its envelope is broken, or its compression.
    Malformed,
    /// It is of a kind that we do not take.
    Unsupported,
    /// It is too large.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// Too many others were being worked on.
    Busy,
    /// The store could not keep it.
    Store,
}

impl RequestFailure {
    const ALL: [Self; 6] = [
        Self::Malformed,
        Self::Unsupported,
        Self::TooLarge,
        Self::TooSlow,
        Self::Busy,
        Self::Store,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Busy => "busy",
            Self::Store => "store",
        }
    }
}
