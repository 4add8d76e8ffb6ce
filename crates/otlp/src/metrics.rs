//! What a program counts of itself, as OTLP metrics straight into protobuf bytes.
//!
//! Field numbers are those of `opentelemetry/proto/metrics/v1/metrics.proto`. Everything is counted since the program began
//! (`AGGREGATION_TEMPORALITY_CUMULATIVE`), so that a report that is lost takes nothing with it.

use crate::encode::text_attribute;
use crate::wire::{self, Wire};

const CUMULATIVE: u64 = 2;

/// Metrics while they are written: the fields `metrics` of a `ScopeMetrics`.
#[derive(Debug)]
pub struct MetricsEncoder {
    since: u64,
    now: u64,
    out: Vec<u8>,
}

impl MetricsEncoder {
    /// Nothing yet, of a program that began at `since`, at `now`; both in nanoseconds since 1970.
    pub fn new(since: u64, now: u64) -> Self {
        Self {
            since,
            now,
            out: Vec::new(),
        }
    }

    /// A number that only grows, for each combination of labels.
    pub fn counter<'a, L>(&mut self, name: &str, points: impl IntoIterator<Item = (L, u64)>)
    where
        L: IntoIterator<Item = (&'a str, &'a str)>,
    {
        let mut sum = Vec::new();
        for (labels, value) in points {
            let point = self.number(labels, value);
            wire::bytes(&mut sum, 1, &point);
        }
        wire::number(&mut sum, 2, CUMULATIVE);
        wire::number(&mut sum, 3, 1);
        self.metric(name, 7, &sum);
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &str, value: u64) {
        let mut gauge = Vec::new();
        let point = self.number([], value);
        wire::bytes(&mut gauge, 1, &point);
        self.metric(name, 5, &gauge);
    }

    /// How values are spread over buckets: `counts` has one more than there are `bounds`, for what lies beyond the last.
    pub fn histogram(&mut self, name: &str, bounds: &[f64], counts: &[u64], sum: f64) {
        let mut point = self.point();
        wire::fixed64(&mut point, 4, counts.iter().sum());
        wire::fixed64(&mut point, 5, sum.to_bits());
        let counts: Vec<_> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
        wire::bytes(&mut point, 6, &counts);
        let bounds: Vec<_> = bounds.iter().flat_map(|bound| bound.to_le_bytes()).collect();
        wire::bytes(&mut point, 7, &bounds);
        let mut histogram = Vec::new();
        wire::bytes(&mut histogram, 1, &point);
        wire::number(&mut histogram, 2, CUMULATIVE);
        self.metric(name, 9, &histogram);
    }

    /// What has been written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn point(&self) -> Vec<u8> {
        let mut point = Vec::new();
        wire::fixed64(&mut point, 2, self.since);
        wire::fixed64(&mut point, 3, self.now);
        point
    }

    fn number<'a>(&self, labels: impl IntoIterator<Item = (&'a str, &'a str)>, value: u64) -> Vec<u8> {
        let mut point = self.point();
        wire::tag(&mut point, 6, Wire::Fixed64);
        point.extend_from_slice(&i64::try_from(value).unwrap_or(i64::MAX).to_le_bytes());
        for (key, value) in labels {
            text_attribute(&mut point, 7, key, value);
        }
        point
    }

    fn metric(&mut self, name: &str, kind: u8, data: &[u8]) {
        let mut metric = Vec::new();
        wire::bytes(&mut metric, 1, name.as_bytes());
        wire::bytes(&mut metric, kind, data);
        wire::bytes(&mut self.out, 2, &metric);
    }
}
