//! What the operator counts of itself, for Prometheus. Labels come from closed sets.

use inject::reason::Reason;
use inject::report::{Outcome, Report};
use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// All counters, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: IntCounterVec,
    reasons: IntCounterVec,
    problems: IntCounter,
    unreadable: IntCounter,
    certificate_until: IntGauge,
}

impl Metrics {
    /// Every counter at zero, and every label value there from the start.
    ///
    /// # Errors
    /// Two metrics have the same name: a mistake in this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("meshtrace_operator".to_owned()), None)?;
        let family = |name: &str, help: &str, label: &str| {
            let family = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(family.clone()))?;
            Ok::<_, prometheus::Error>(family)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let reviews = family(
            "reviews_total",
            "Objects reviewed, by what became of them",
            "outcome",
        )?;
        for outcome in Outcome::ALL {
            reviews.with_label_values(&[outcome.name()]);
        }
        let reasons = family("reasons_total", "Why objects were left as they are", "reason")?;
        for reason in Reason::ALL {
            reasons.with_label_values(&[reason.name()]);
        }
        let problems = counter("problems_total", "Annotations that could not be used")?;
        let unreadable = counter("unreadable_total", "Requests that were no reviews")?;
        let certificate_until = IntGauge::new(
            "certificate_until_seconds",
            "When the webhook's certificate ends, in seconds since 1970",
        )?;
        registry.register(Box::new(certificate_until.clone()))?;
        Ok(Self {
            registry,
            reviews,
            reasons,
            problems,
            unreadable,
            certificate_until,
        })
    }

    pub(crate) fn reviewed(&self, report: &Report) {
        self.reviews.with_label_values(&[report.outcome.name()]).inc();
        for reason in &report.reasons {
            self.reasons.with_label_values(&[reason.name()]).inc();
        }
        self.problems.inc_by(report.problems.len() as u64);
    }

    pub(crate) fn unreadable(&self) {
        self.unreadable.inc();
    }

    /// The webhook shows a certificate that ends then.
    pub fn certificate_until(&self, seconds: u64) {
        self.certificate_until.set(seconds.try_into().unwrap_or(i64::MAX));
    }

    /// All of it, as Prometheus reads it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}
