//! What sidecars tell of themselves. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::told;
use otlp::receive::report::{Measure, Metric, Point};

use super::names::Names;

/// Reasons of one kind that are told apart; there are fewer.
const REASONS: usize = 16;
/// Bounds of times that are told apart; there are fewer.
const BOUNDS: usize = 64;

/// What a sidecar has counted since it began, or in some time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Spans that the collector has taken.
    pub exported: u64,
    /// Spans that were made and not kept, by reason.
    pub lost: BTreeMap<Arc<str>, u64>,
    /// Requests that were seen and have no span, by reason.
    pub unrecorded: BTreeMap<Arc<str>, u64>,
    /// How long request heads were in the sidecar.
    pub latency: Latency,
    /// Milliseconds on a processor.
    pub cpu: u64,
}

/// How long something took, as far as buckets tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latency {
    /// How often it took at most so many nanoseconds, and more than those before; `u64::MAX` for all that is beyond.
    buckets: BTreeMap<u64, u64>,
    /// Nanoseconds, all together.
    sum: u64,
}

/// A report, as it is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Read {
    /// When the sidecar began, in nanoseconds since the Unix epoch.
    pub(super) since: u64,
    /// What it has counted since.
    pub(super) told: Told,
    /// Bytes of memory that it has now.
    pub(super) memory: u64,
}

impl Told {
    /// What was counted since `before` was told by the same sidecar.
    pub(super) fn since(&self, before: &Self) -> Self {
        let less = |now: &BTreeMap<_, u64>, before: &BTreeMap<_, u64>| {
            let difference = |(key, count): (&Arc<str>, &u64)| {
                (
                    Arc::clone(key),
                    count.saturating_sub(before.get(key).copied().unwrap_or(0)),
                )
            };
            now.iter().map(difference).collect()
        };
        Self {
            exported: self.exported.saturating_sub(before.exported),
            lost: less(&self.lost, &before.lost),
            unrecorded: less(&self.unrecorded, &before.unrecorded),
            latency: self.latency.since(&before.latency),
            cpu: self.cpu.saturating_sub(before.cpu),
        }
    }

    /// Everything that another has counted.
    pub(super) fn merge(&mut self, other: &Self) {
        self.exported = self.exported.saturating_add(other.exported);
        for (mine, theirs) in [
            (&mut self.lost, &other.lost),
            (&mut self.unrecorded, &other.unrecorded),
        ] {
            for (reason, count) in theirs {
                if mine.len() < REASONS || mine.contains_key(reason) {
                    let mine = mine.entry(Arc::clone(reason)).or_default();
                    *mine = mine.saturating_add(*count);
                }
            }
        }
        self.latency.merge(&other.latency);
        self.cpu = self.cpu.saturating_add(other.cpu);
    }
}

impl Latency {
    /// How often.
    pub fn count(&self) -> u64 {
        self.buckets
            .values()
            .fold(0, |sum: u64, count| sum.saturating_add(*count))
    }

    /// Nanoseconds on average; none if it never happened.
    pub fn mean(&self) -> Option<u64> {
        self.sum.checked_div(self.count())
    }

    /// The bound that so large a part stayed within, in nanoseconds; none if it never happened, or lies beyond the last bound.
    pub fn within(&self, part: f64) -> Option<u64> {
        let rank = (self.count() as f64 * part).ceil().max(1.0) as u64;
        let mut below = 0_u64;
        let bound = self.buckets.iter().find_map(|(bound, count)| {
            below = below.saturating_add(*count);
            (below >= rank).then_some(*bound)
        });
        bound.filter(|bound| *bound < u64::MAX)
    }

    fn since(&self, before: &Self) -> Self {
        let difference = |(bound, count): (&u64, &u64)| {
            let before = before.buckets.get(bound).copied().unwrap_or(0);
            (*bound, count.saturating_sub(before))
        };
        Self {
            buckets: self.buckets.iter().map(difference).collect(),
            sum: self.sum.saturating_sub(before.sum),
        }
    }

    fn merge(&mut self, other: &Self) {
        for (bound, count) in &other.buckets {
            if self.buckets.len() < BOUNDS || self.buckets.contains_key(bound) {
                let mine = self.buckets.entry(*bound).or_default();
                *mine = mine.saturating_add(*count);
            }
        }
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// Reads what a sidecar tells; what it does not tell is zero, and what is not known is left out.
pub(super) fn read(metrics: &[Metric], names: &mut Names) -> Read {
    let mut read = Read {
        since: u64::MAX,
        told: Told::default(),
        memory: 0,
    };
    for metric in metrics {
        for point in &metric.points {
            read.since = read.since.min(point.since);
            let told = &mut read.told;
            match (&*metric.name, &point.value) {
                (told::EXPORTED, Measure::Number(number)) => told.exported = count(*number),
                (told::LOST, Measure::Number(number)) => by_reason(&mut told.lost, point, *number, names),
                (told::UNRECORDED, Measure::Number(number)) => {
                    by_reason(&mut told.unrecorded, point, *number, names);
                }
                (told::CPU, Measure::Number(number)) => told.cpu = count(*number),
                (told::MEMORY, Measure::Number(number)) => read.memory = count(*number),
                (told::ADDED_LATENCY, Measure::Spread { bounds, counts, sum }) => {
                    let bounds = bounds.iter().take(BOUNDS - 1).map(|seconds| count(seconds * 1e9));
                    told.latency = Latency {
                        buckets: bounds.chain([u64::MAX]).zip(counts.iter().copied()).collect(),
                        sum: count(sum * 1e9),
                    };
                }
                _ => {}
            }
        }
    }
    read
}

fn by_reason(counts: &mut BTreeMap<Arc<str>, u64>, point: &Point, number: f64, names: &mut Names) {
    let reason = point.labels.iter().find(|(key, _)| key == "reason");
    if let Some((_, reason)) = reason
        && counts.len() < REASONS
    {
        counts.insert(names.get(reason), count(number));
    }
}

/// A number that counts: what is less than nothing, or no number, is nothing.
fn count(number: f64) -> u64 {
    // whole microseconds that were written as seconds
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(name: &str, reason: &str, value: f64) -> Metric {
        Metric {
            name: name.to_owned(),
            points: vec![Point {
                since: 7,
                labels: vec![("reason".to_owned(), reason.to_owned())],
                value: Measure::Number(value),
            }],
        }
    }

    fn latency(counts: &[u64]) -> Metric {
        Metric {
            name: told::ADDED_LATENCY.to_owned(),
            points: vec![Point {
                since: 7,
                labels: Vec::new(),
                value: Measure::Spread {
                    bounds: vec![0.000_01, 0.001],
                    counts: counts.to_vec(),
                    sum: 0.005,
                },
            }],
        }
    }

    #[test]
    fn a_report_is_read_and_the_one_before_taken_off() {
        let names = &mut Names::default();
        let before = read(&[number(told::LOST, "refused", 3.0), latency(&[90, 5, 0])], names);
        let after = read(
            &[
                number(told::LOST, "refused", 5.0),
                number(told::EXPORTED, "", 100.0),
                number(told::MEMORY, "", 4096.0),
                number("other", "", 9.0),
                latency(&[180, 15, 5]),
            ],
            names,
        );
        assert_eq!((after.since, after.memory), (7, 4096));
        let told = after.told.since(&before.told);
        assert_eq!((told.exported, told.lost[&Arc::from("refused")]), (100, 2));
        assert_eq!(told.latency.count(), 105);
        assert_eq!(told.latency.within(0.5), Some(10_000));
        assert_eq!(told.latency.within(0.95), Some(1_000_000));
        assert_eq!(told.latency.within(0.99), None);
        assert_eq!(after.told.latency.mean(), Some(25_000));
    }

    #[test]
    fn nonsense_is_nothing_and_takes_no_room() {
        let names = &mut Names::default();
        let many: Vec<_> = (0..100)
            .map(|reason| number(told::LOST, &reason.to_string(), 1.0))
            .chain([
                number(told::EXPORTED, "", -5.0),
                number(told::CPU, "", f64::NAN),
                latency(&[u64::MAX, u64::MAX]),
                latency(&[]),
            ])
            .collect();
        let read = read(&many, names);
        let mut twice = read.told.clone();
        twice.merge(&read.told);
        assert_eq!(read.told.lost.len(), REASONS);
        assert_eq!((read.told.exported, read.told.cpu), (0, 0));
        assert_eq!((read.told.latency.count(), read.told.latency.mean()), (0, None));
    }
}
