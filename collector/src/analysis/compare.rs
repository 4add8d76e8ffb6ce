//! Two traces, or two groups of traces, side by side.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use otlp::model::Kind;

use super::reading::Reading;

/// Critical time per trace has to differ by this factor, and by so many nanoseconds, to be called slower or faster.
const FACTOR: f64 = 1.2;
const NANOS: f64 = 1e5;

/// Traces of one side.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// How many.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
    /// How many of them failed.
    pub errors: u64,
    durations: Vec<u64>,
    operations: BTreeMap<Operation, Part>,
}

/// A service, an operation of it, and the kind of its spans.
pub type Operation = (String, String, Kind);

/// An operation's part in a group.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Its spans.
    pub spans: u64,
    /// How many of them failed.
    pub errors: u64,
    self_time: u64,
    critical_time: u64,
    durations: Vec<u64>,
}

/// An operation in both groups.
#[derive(Clone, Debug)]
pub struct Row<'g> {
    /// The operation.
    pub operation: &'g Operation,
    /// Its part in the first; none if it is not there.
    pub a: Option<&'g Part>,
    /// Its part in the second.
    pub b: Option<&'g Part>,
    /// What became of it from the first to the second.
    pub verdict: Verdict,
}

/// What became of an operation. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the first only.
    OnlyA,
    /// It is in the second only.
    OnlyB,
    /// The second waits longer for it.
    Slower,
    /// The second waits less for it.
    Faster,
    /// Neither.
    Same,
}

impl Verdict {
    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnlyA => "only_a",
            Self::OnlyB => "only_b",
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::Same => "same",
        }
    }
}

impl Group {
    /// One trace more.
    pub fn add(&mut self, reading: &Reading<'_>) {
        self.traces += 1;
        self.durations.push(reading.duration());
        let times = reading.self_times.iter().zip(&reading.critical_times);
        for (node, (own, critical)) in reading.tree.nodes().iter().zip(times) {
            let span = node.span;
            let operation = (span.service().to_owned(), span.name.clone(), span.kind);
            let part = self.operations.entry(operation).or_default();
            let error = u64::from(span.is_error());
            part.spans += 1;
            part.errors += error;
            part.self_time = part.self_time.saturating_add(*own);
            part.critical_time = part.critical_time.saturating_add(*critical);
            part.durations.push(span.duration());
            self.spans += 1;
            self.errors += error;
        }
    }

    /// The median of the traces' durations, in nanoseconds.
    pub fn duration(&self) -> u64 {
        median(&self.durations)
    }

    /// Something of the whole group, for each of its traces.
    pub fn per_trace(&self, whole: u64) -> f64 {
        if self.traces == 0 {
            return 0.0;
        }
        whole as f64 / self.traces as f64
    }
}

impl Part {
    /// The median of the spans' durations, in nanoseconds.
    pub fn duration(&self) -> u64 {
        median(&self.durations)
    }

    /// Nanoseconds that all of them did something themselves.
    pub fn self_time(&self) -> u64 {
        self.self_time
    }

    /// Nanoseconds that everything waited for them.
    pub fn critical_time(&self) -> u64 {
        self.critical_time
    }
}

/// The operations of both, that with the largest difference in critical time per trace first.
pub fn compare<'g>(a: &'g Group, b: &'g Group) -> Vec<Row<'g>> {
    let operations: BTreeSet<_> = a.operations.keys().chain(b.operations.keys()).collect();
    let critical = |group: &Group, part: Option<&Part>| group.per_trace(part.map_or(0, Part::critical_time));
    let rows = operations.into_iter().map(|operation| {
        let (in_a, in_b) = (a.operations.get(operation), b.operations.get(operation));
        let (before, after) = (critical(a, in_a), critical(b, in_b));
        let verdict = match (in_a, in_b) {
            (Some(_), None) => Verdict::OnlyA,
            (None, _) => Verdict::OnlyB,
            _ if after > before * FACTOR && after - before > NANOS => Verdict::Slower,
            _ if before > after * FACTOR && before - after > NANOS => Verdict::Faster,
            _ => Verdict::Same,
        };
        let difference = (after - before).abs() as u64;
        let row = Row {
            operation,
            a: in_a,
            b: in_b,
            verdict,
        };
        (difference, row)
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(difference, _)| Reverse(*difference));
    rows.into_iter().map(|(_, row)| row).collect()
}

fn median(durations: &[u64]) -> u64 {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted
        .get(sorted.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fixtures::*;

    fn group(spans: impl IntoIterator<Item = (u64, &'static str, u64)>) -> Group {
        let mut group = Group::default();
        for (trace, service, millis) in spans {
            let span = span(service, trace, 1).with(|span| span.end = span.start + millis * 1_000_000);
            group.add(&Reading::new(&[Arc::new(span)]));
        }
        group
    }

    #[test]
    fn operations_stand_side_by_side_the_largest_difference_first() {
        let a = group([(1, "bank", 10), (2, "bank", 12), (3, "old", 5), (4, "edge", 3)]);
        let b = group([(5, "bank", 100), (6, "new", 2), (7, "edge", 3)]);
        let rows: Vec<_> = compare(&a, &b)
            .iter()
            .map(|row| (row.operation.0.clone(), row.verdict))
            .collect();
        let expected = [
            ("bank", Verdict::Slower),
            ("old", Verdict::OnlyA),
            ("new", Verdict::OnlyB),
            ("edge", Verdict::Slower),
        ];
        assert_eq!(rows, expected.map(|(name, verdict)| (name.to_owned(), verdict)));
        assert_eq!((a.duration(), a.per_trace(a.spans)), (5_000_000, 1.0));
        assert!(compare(&a, &a).iter().all(|row| row.verdict == Verdict::Same));
        assert!(compare(&Group::default(), &Group::default()).is_empty());
    }
}
