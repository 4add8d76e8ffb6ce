//! What the sidecar tells the collector of itself: what it lost and why, what it costs, and that it is there.
//!
//! Beside the spans, on their connection, and never in their way: a report is made of the same counters that `/metrics` shows,
//! nothing is queued, and one that is not taken is counted and forgotten, because the next one says the same and more.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use otlp::client::{Client, ExportError};
use otlp::metrics::MetricsEncoder;
use prometheus::proto::{Bucket, Histogram, Metric, MetricFamily, MetricType};
use tokio::time::sleep;

use crate::metrics::Metrics;

/// How often the collector is told.
const EVERY: Duration = Duration::from_secs(15);

/// How often one is asked that takes no reports: it may be replaced by one that does.
const EVERY_REFUSED: Duration = Duration::from_secs(600);

/// Tells the collector of this sidecar.
pub struct Reporter {
    client: Client,
    metrics: Arc<Metrics>,
    began: SystemTime,
}

impl Reporter {
    /// Of a sidecar that begins now.
    pub fn new(client: Client, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            metrics,
            began: SystemTime::now(),
        }
    }

    /// Tells it again and again, for as long as this is polled.
    pub async fn run(&self) {
        loop {
            let pause = match self.tell().await {
                Err(ExportError::Final(_)) => EVERY_REFUSED,
                Ok(()) | Err(ExportError::Retryable(_)) => EVERY,
            };
            sleep(pause).await;
        }
    }

    /// Tells it once.
    ///
    /// # Errors
    /// It did not listen. That is counted, and nothing is to be done about it.
    pub async fn tell(&self) -> Result<(), ExportError> {
        let report = encode(&self.metrics.told(), nanos(self.began), nanos(SystemTime::now()));
        let told = self.client.report(Bytes::from(report)).await;
        if let Err(problem) = &told {
            self.metrics.reports_lost.inc();
            tracing::debug!(%problem, "a report about this sidecar is lost");
        }
        told
    }
}

/// Metrics of a program that began at `since`, at `now`, as OTLP has them.
fn encode(families: &[MetricFamily], since: u64, now: u64) -> Vec<u8> {
    let mut out = MetricsEncoder::new(since, now);
    for family in families {
        let metrics = family.get_metric();
        match (family.get_field_type(), metrics) {
            (MetricType::COUNTER, metrics) => out.counter(
                family.name(),
                metrics
                    .iter()
                    .map(|metric| (labels(metric), metric.get_counter().get_value() as u64)),
            ),
            (MetricType::GAUGE, [metric]) => out.gauge(family.name(), metric.get_gauge().get_value() as u64),
            (MetricType::HISTOGRAM, [metric]) => spread(&mut out, family.name(), metric.get_histogram()),
            // none of those that are told has labels
            _ => {}
        }
    }
    out.into_bytes()
}

fn labels(metric: &Metric) -> impl Iterator<Item = (&str, &str)> {
    let pairs = metric.get_label().iter();
    pairs.map(|pair| (pair.name(), pair.value()))
}

/// Prometheus counts in each bucket what is in those before it as well; OTLP does not.
fn spread(out: &mut MetricsEncoder, name: &str, histogram: &Histogram) {
    let buckets = histogram.get_bucket();
    let bounds: Vec<_> = buckets.iter().map(Bucket::upper_bound).collect();
    let mut below = 0;
    let within = buckets.iter().map(Bucket::cumulative_count);
    let counts: Vec<_> = within
        .chain([histogram.get_sample_count()])
        .map(|count| count.saturating_sub(std::mem::replace(&mut below, count)))
        .collect();
    out.histogram(name, &bounds, &counts, histogram.get_sample_sum());
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
