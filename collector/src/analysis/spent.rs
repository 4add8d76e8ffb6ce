//! Where the time of many traces goes, by service and by operation.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::reading::Reading;

/// Operations that are listed.
const OPERATIONS: usize = 200;

/// Time and spans of a service or of an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Spans.
    pub spans: u64,
    /// How many of them failed.
    pub errors: u64,
    /// Nanoseconds that they did something themselves.
    pub self_time: u64,
    /// Nanoseconds that everything waited for them.
    pub critical_time: u64,
}

/// What was added up over some traces.
#[derive(Clone, Debug, Default)]
pub struct TimeSpent {
    /// How many.
    pub traces: u64,
    /// Nanoseconds that they took, together.
    pub duration: u64,
    by: BTreeMap<String, BTreeMap<String, Spent>>,
}

impl TimeSpent {
    /// One trace more.
    pub fn add(&mut self, reading: &Reading<'_>) {
        self.traces += 1;
        self.duration = self.duration.saturating_add(reading.duration());
        let times = reading.self_times.iter().zip(&reading.critical_times);
        for (node, (own, critical)) in reading.tree.nodes().iter().zip(times) {
            let service = self.by.entry(node.span.service().to_owned()).or_default();
            let spent = service.entry(node.span.name.clone()).or_default();
            spent.add(&Spent {
                spans: 1,
                errors: u64::from(node.span.is_error()),
                self_time: *own,
                critical_time: *critical,
            });
        }
    }

    /// By service, the most critical time first.
    pub fn services(&self) -> Vec<(&str, Spent)> {
        let services = self.by.iter().map(|(name, operations)| {
            let mut whole = Spent::default();
            operations.values().for_each(|spent| whole.add(spent));
            (name.as_str(), whole)
        });
        let mut services: Vec<_> = services.collect();
        services.sort_by_key(|(_, spent)| Reverse((spent.critical_time, spent.self_time)));
        services
    }

    /// By service and operation, the most critical time first, at most 200.
    pub fn operations(&self) -> Vec<(&str, &str, Spent)> {
        let operations = self.by.iter().flat_map(|(service, operations)| {
            let named = operations.iter();
            named.map(|(name, spent)| (service.as_str(), name.as_str(), *spent))
        });
        let mut operations: Vec<_> = operations.collect();
        operations.sort_by_key(|(_, _, spent)| Reverse((spent.critical_time, spent.self_time)));
        operations.truncate(OPERATIONS);
        operations
    }

    /// The share of all critical time.
    pub fn share(&self, spent: &Spent) -> f64 {
        let whole: u64 = self
            .by
            .values()
            .flat_map(BTreeMap::values)
            .map(|spent| spent.critical_time)
            .sum();
        if whole == 0 {
            return 0.0;
        }
        spent.critical_time as f64 / whole as f64
    }
}

impl Spent {
    fn add(&mut self, more: &Self) {
        self.spans += more.spans;
        self.errors += more.errors;
        self.self_time = self.self_time.saturating_add(more.self_time);
        self.critical_time = self.critical_time.saturating_add(more.critical_time);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fixtures::*;

    #[test]
    fn time_is_added_up_by_service_and_operation() {
        let lasts = |from: u64, to: u64| {
            move |span: &mut otlp::model::Span| {
                span.start = START + from;
                span.end = START + to;
            }
        };
        let mut spent = TimeSpent::default();
        for trace in 1..=2 {
            let spans: Vec<_> = [
                span("edge", trace, 1).with(lasts(0, 100)),
                span("bank", trace, 2)
                    .with(child_of(1, otlp::model::Kind::Server))
                    .with(lasts(10, 80)),
            ]
            .into_iter()
            .map(Arc::new)
            .collect();
            spent.add(&Reading::new(&spans));
        }
        assert_eq!((spent.traces, spent.duration), (2, 200));
        let services: Vec<_> = spent
            .services()
            .into_iter()
            .map(|(name, spent)| (name, spent.spans, spent.self_time, spent.critical_time))
            .collect();
        assert_eq!(services, [("bank", 2, 140, 140), ("edge", 2, 60, 60)]);
        let (service, operation, first) = spent.operations()[0];
        assert_eq!((service, operation), ("bank", "operation 2"));
        assert!((spent.share(&first) - 0.7).abs() < 1e-9);
    }
}
