//! What is different from the time before. Pure.

use super::Service;

/// Calls in either window below which nothing is said: a few requests more or less are no news.
const CALLS: u64 = 20;
/// A rate is news if it changes by this factor,
const RATE: f64 = 2.0;
/// a 95th percentile if it does by this one and by so many nanoseconds,
const LATENCY: (f64, f64) = (1.5, 5e6);
/// and a share of errors if it changes by so much.
const ERRORS: f64 = 0.02;

/// Something that is different.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// At which service.
    pub service: String,
    /// What.
    pub what: What,
    /// What it was.
    pub before: f64,
    /// What it is.
    pub after: f64,
}

/// What can be different; the most notable first. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The share of requests that fail.
    Errors,
    /// It answers no requests any more; counts calls.
    Vanished,
    /// The 95th percentile, in nanoseconds.
    Latency,
    /// Calls per second.
    Rate,
    /// It answered none before; counts calls.
    Appeared,
}

impl What {
    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Vanished => "vanished",
            Self::Latency => "latency",
            Self::Rate => "rate",
            Self::Appeared => "appeared",
        }
    }
}

impl Change {
    /// The same in words.
    pub fn text(&self) -> String {
        let Self {
            service,
            before,
            after,
            ..
        } = self;
        let way = if after > before { "up" } else { "down" };
        match self.what {
            What::Errors => {
                let (before, after) = (before * 100.0, after * 100.0);
                format!("{service}: errors are {way} from {before:.1} % to {after:.1} %")
            }
            What::Vanished => format!("{service} answers no requests any more"),
            What::Appeared => format!("{service} answers requests for the first time"),
            What::Latency => {
                let (before, after) = (before / 1e6, after / 1e6);
                format!("{service}: the 95th percentile is {way} from {before:.1} ms to {after:.1} ms")
            }
            What::Rate => format!("{service}: calls are {way} from {before:.1} to {after:.1} a second"),
        }
    }
}

/// What is different at these services, in windows of that many seconds.
pub fn changes(services: &[Service], seconds: f64) -> Vec<Change> {
    let mut changes: Vec<_> = services.iter().flat_map(|service| of(service, seconds)).collect();
    changes.sort_by(|one, other| {
        let size = |change: &Change| (change.after / change.before.max(1e-9)).ln().abs();
        let order = one.what.cmp(&other.what);
        order.then_with(|| size(other).total_cmp(&size(one)))
    });
    changes
}

fn of(service: &Service, seconds: f64) -> Vec<Change> {
    let Some(before) = &service.previous else {
        return Vec::new();
    };
    let after = &service.totals;
    let change = |what, before: f64, after: f64| Change {
        service: service.name.to_string(),
        what,
        before,
        after,
    };
    let counts = |what| vec![change(what, before.calls as f64, after.calls as f64)];
    match (before.calls, after.calls) {
        (0, CALLS..) => return counts(What::Appeared),
        (CALLS.., 0) => return counts(What::Vanished),
        _ => {}
    }
    let beyond = |before: f64, after: f64, factor: f64| after >= before * factor || after * factor <= before;
    let mut changes = Vec::new();
    let rate = (before.calls as f64 / seconds, after.calls as f64 / seconds);
    if before.calls.max(after.calls) >= CALLS && beyond(rate.0, rate.1, RATE) {
        changes.push(change(What::Rate, rate.0, rate.1));
    }
    if before.calls.min(after.calls) < CALLS {
        return changes;
    }
    let errors = (before.error_ratio(), after.error_ratio());
    if (errors.0 - errors.1).abs() >= ERRORS && beyond(errors.0, errors.1, 1.5) {
        changes.push(change(What::Errors, errors.0, errors.1));
    }
    if let (Some(p95_before), Some(p95)) = (before.quantile(0.95), after.quantile(0.95)) {
        let (p95_before, p95) = (p95_before as f64, p95 as f64);
        if beyond(p95_before, p95, LATENCY.0) && (p95_before - p95).abs() >= LATENCY.1 {
            changes.push(change(What::Latency, p95_before, p95));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::series::{Call, Points, Totals};
    use super::*;
    use crate::fixtures::trace_id;

    fn totals(calls: u64, errors: u64, millis: u64) -> Totals {
        let mut totals = Totals::default();
        for number in 0..calls {
            totals.add(&Call {
                duration: millis * 1_000_000,
                error: number < errors,
                trace_id: trace_id(1),
            });
        }
        totals
    }

    fn news(before: Option<Totals>, after: Totals) -> Vec<What> {
        let service = Service {
            name: Arc::from("bank"),
            totals: after,
            previous: before,
            points: Points {
                start: 0,
                step: 1,
                totals: Vec::new(),
            },
        };
        changes(&[service], 60.0)
            .iter()
            .map(|change| change.what)
            .collect()
    }

    #[test]
    fn what_changed_is_told_the_most_notable_first() {
        let usual = || Some(totals(100, 1, 20));
        assert_eq!(news(usual(), totals(100, 1, 20)), []);
        assert_eq!(news(usual(), totals(110, 2, 22)), []);
        assert_eq!(
            news(usual(), totals(300, 60, 50)),
            [What::Errors, What::Latency, What::Rate]
        );
        assert_eq!(news(usual(), totals(0, 0, 0)), [What::Vanished]);
        assert_eq!(
            news(Some(Totals::default()), totals(100, 0, 20)),
            [What::Appeared]
        );
    }

    #[test]
    fn a_few_calls_and_an_unknown_past_are_no_news() {
        assert_eq!(news(Some(totals(3, 0, 5)), totals(9, 9, 500)), []);
        assert_eq!(news(None, totals(1000, 900, 500)), []);
    }
}
