//! What the operator counts of itself, for Prometheus. Labels come from closed sets.

use inject::reason::Reason;
use inject::report::{Outcome, Report};
use process::metrics::Registry;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::coverage::summary::Summary;
use crate::coverage::verdict::State;

/// All counters, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: IntCounterVec,
    reasons: IntCounterVec,
    problems: IntCounter,
    unreadable: IntCounter,
    certificate_until: IntGauge,
    leader: IntGauge,
    covered: IntGaugeVec,
    refused: IntGaugeVec,
    /// Sidecars that listen for settings.
    pub settings_streams: IntGauge,
    /// Settings that a sidecar was told.
    pub settings_told: IntCounter,
}

impl Metrics {
    /// Every counter at zero, and every label value there from the start.
    ///
    /// # Errors
    /// Two metrics have the same name: a mistake in this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new("meshtrace_operator")?;
        let reviews = registry.counters(
            "reviews_total",
            "Objects reviewed, by what became of them",
            &["outcome"],
        )?;
        for outcome in Outcome::ALL {
            reviews.with_label_values(&[outcome.name()]);
        }
        let reasons = registry.counters("reasons_total", "Why objects were left as they are", &["reason"])?;
        for reason in Reason::ALL {
            reasons.with_label_values(&[reason.name()]);
        }
        let problems = registry.counter("problems_total", "Annotations that could not be used")?;
        let unreadable = registry.counter("unreadable_total", "Requests that were no reviews")?;
        let certificate_until = registry.gauge(
            "certificate_until_seconds",
            "When the webhook's certificate ends, in seconds since 1970",
        )?;
        let leader = registry.gauge("leader", "1 where this replica leads the others, 0 elsewhere")?;
        let covered = registry.gauges(
            "pods",
            "Pods that asked for a sidecar, and workloads whose annotations are not carried, by how they stand",
            &["state"],
        )?;
        let refused = registry.gauges(
            "refused_pods",
            "Pods and workloads that asked for a sidecar and cannot have one, by reason",
            &["reason"],
        )?;
        let settings_streams = registry.gauge("settings_streams", "Sidecars that listen for settings")?;
        let settings_told = registry.counter("settings_told_total", "Settings that a sidecar was told")?;
        Ok(Self {
            registry,
            reviews,
            reasons,
            problems,
            unreadable,
            certificate_until,
            leader,
            covered,
            refused,
            settings_streams,
            settings_told,
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
        self.certificate_until.set(signed(seconds));
    }

    /// Whether this replica leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// So stand all that asked for a sidecar.
    pub fn covered(&self, summary: &Summary) {
        for state in State::ALL {
            let count = summary.states.get(&state).copied().unwrap_or_default();
            self.covered.with_label_values(&[state.name()]).set(signed(count));
        }
        for reason in Reason::ALL.iter().filter(|reason| reason.is_worth_telling()) {
            let count = summary.reasons.get(reason.name()).copied().unwrap_or_default();
            self.refused
                .with_label_values(&[reason.name()])
                .set(signed(count));
        }
    }

    /// All of it, as Prometheus reads it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        self.registry.text()
    }
}

fn signed(count: u64) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
