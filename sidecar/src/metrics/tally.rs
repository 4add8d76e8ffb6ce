//! What a worker counts of every request, for itself: all workers' tallies are added up when somebody asks.
//!
//! A counter that many threads may write costs more than the rest of what is done to count. A tally is written by the
//! thread of one worker only, which needs no more than to store; everyone else only reads.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Counter, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::labels::{Direction, OUTCOMES, Outcome};
use crate::tap::End;

/// Bounds of the durations of requests, in microseconds.
const DURATIONS: [u64; 14] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 60_000_000,
];

/// Bounds of the time that heads spend in the sidecar, in microseconds.
const LATENCIES: [u64; 10] = [5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 50_000];

/// The names of what is counted here, behind the registry's prefix, and what it is.
const REQUESTS: (&str, &str) = ("requests_total", "Requests by how they ended");
const DURATION: (&str, &str) = (
    "request_duration_seconds",
    "Head of a request to end of its response",
);
const ADDED_LATENCY: (&str, &str) = (
    "added_latency_seconds",
    "Time that request heads spent in the sidecar, from being read to being written",
);

/// One worker's counts. Written by its thread only: what two write at once is counted once.
#[derive(Debug, Default)]
pub struct Tally {
    requests: [[Count; OUTCOMES.len()]; 2],
    durations: [Spread<{ DURATIONS.len() }>; 2],
    added_latency: Spread<{ LATENCIES.len() }>,
}

impl Tally {
    /// A request has ended, after so many nanoseconds.
    pub fn request(&self, direction: Direction, end: Option<End>, status: Option<u16>, nanos: u64) {
        if let Some(count) = direction
            .of(&self.requests)
            .get(Outcome::of(end, status) as usize)
        {
            count.add(1);
        }
        direction.of(&self.durations).add(&DURATIONS, nanos);
    }

    /// A request head was in the sidecar for so many nanoseconds.
    pub fn added_latency(&self, nanos: u64) {
        self.added_latency.add(&LATENCIES, nanos);
    }
}

/// A number that one thread writes.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    #[inline]
    fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How times are spread over buckets.
#[derive(Debug)]
struct Spread<const BUCKETS: usize> {
    within: [Count; BUCKETS],
    beyond: Count,
    nanos: Count,
}

impl<const BUCKETS: usize> Default for Spread<BUCKETS> {
    fn default() -> Self {
        Self {
            within: [const { Count(AtomicU64::new(0)) }; BUCKETS],
            beyond: Count::default(),
            nanos: Count::default(),
        }
    }
}

impl<const BUCKETS: usize> Spread<BUCKETS> {
    #[inline]
    fn add(&self, bounds: &[u64; BUCKETS], nanos: u64) {
        let within = bounds
            .iter()
            .zip(&self.within)
            .find(|(bound, _)| nanos <= **bound * 1_000);
        within.map_or(&self.beyond, |(_, count)| count).add(1);
        self.nanos.add(nanos);
    }
}

/// All workers' tallies, as Prometheus asks for them.
#[derive(Clone)]
pub(super) struct Tallies {
    all: Arc<Mutex<Vec<Arc<Tally>>>>,
    described: [Desc; 3],
}

impl fmt::Debug for Tallies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().fmt(f)
    }
}

impl Tallies {
    /// None yet.
    pub(super) fn new() -> prometheus::Result<Self> {
        let describe = |(name, help): (&str, &str), labels: &[&str]| {
            let labels = labels.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(name.to_owned(), help.to_owned(), labels, Default::default())
        };
        Ok(Self {
            all: Arc::default(),
            described: [
                describe(REQUESTS, &["direction", "outcome"])?,
                describe(DURATION, &["direction"])?,
                describe(ADDED_LATENCY, &[])?,
            ],
        })
    }

    /// One more, for one more worker.
    pub(super) fn begin(&self) -> Arc<Tally> {
        let tally = Arc::<Tally>::default();
        self.lock().push(Arc::clone(&tally));
        tally
    }

    /// Requests that have ended.
    pub(super) fn requests(&self) -> u64 {
        let all = self.lock();
        let counts = all.iter().flat_map(|tally| tally.requests.iter().flatten());
        counts.map(Count::get).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Tally>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Tallies {
    fn desc(&self) -> Vec<&Desc> {
        self.described.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let all = self.lock();
        let requests = Direction::BOTH.into_iter().flat_map(|way| {
            let counts = (0..).zip(OUTCOMES).map(move |(at, outcome)| (way, at, outcome));
            counts.map(|(way, at, outcome): (Direction, usize, _)| {
                let of = |tally: &Arc<Tally>| way.of(&tally.requests).get(at).map_or(0, Count::get);
                let mut counter = Counter::default();
                counter.set_value(all.iter().map(of).sum::<u64>() as f64);
                let mut metric = labelled(&[("direction", way.name()), ("outcome", outcome)]);
                metric.set_counter(counter);
                metric
            })
        });
        let durations = Direction::BOTH.into_iter().map(|way| {
            let mut metric = labelled(&[("direction", way.name())]);
            let spreads = all.iter().map(|tally| way.of(&tally.durations));
            metric.set_histogram(together(&DURATIONS, spreads));
            metric
        });
        let mut added = labelled(&[]);
        added.set_histogram(together(&LATENCIES, all.iter().map(|tally| &tally.added_latency)));
        vec![
            family(REQUESTS, MetricType::COUNTER, requests.collect()),
            family(DURATION, MetricType::HISTOGRAM, durations.collect()),
            family(ADDED_LATENCY, MetricType::HISTOGRAM, vec![added]),
        ]
    }
}

/// Times of several workers in one.
fn together<'t, const BUCKETS: usize>(
    bounds: &[u64; BUCKETS],
    spreads: impl Iterator<Item = &'t Spread<BUCKETS>> + Clone,
) -> Histogram {
    let mut counted = 0;
    let buckets = bounds.iter().enumerate().map(|(at, bound)| {
        let of = |spread: &Spread<BUCKETS>| spread.within.get(at).map_or(0, Count::get);
        counted += spreads.clone().map(of).sum::<u64>();
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(Duration::from_micros(*bound).as_secs_f64());
        bucket.set_cumulative_count(counted);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    counted += spreads.clone().map(|spread| spread.beyond.get()).sum::<u64>();
    histogram.set_sample_count(counted);
    let nanos = spreads.map(|spread| spread.nanos.get()).sum();
    histogram.set_sample_sum(Duration::from_nanos(nanos).as_secs_f64());
    histogram
}

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}

fn family((name, help): (&str, &str), kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}
