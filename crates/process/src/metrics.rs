//! A program's metrics: made and registered in one step, and written as Prometheus reads them.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, TextEncoder};

use crate::usage;

/// Metrics whose names all begin alike. Two of one name are an error wherever something is added.
#[derive(Clone, Debug)]
pub struct Registry(prometheus::Registry);

impl Registry {
    /// An empty one; `prefix` and an underscore stand before every name.
    ///
    /// # Errors
    /// There is no prefix.
    pub fn new(prefix: &str) -> prometheus::Result<Self> {
        prometheus::Registry::new_custom(Some(prefix.to_owned()), None).map(Self)
    }

    /// A counter for each combination of `labels`.
    ///
    /// # Errors
    /// There is one of this name, or the name is malformed.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        self.with(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    /// A counter.
    ///
    /// # Errors
    /// There is one of this name, or the name is malformed.
    pub fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.with(IntCounter::new(name, help)?)
    }

    /// A gauge.
    ///
    /// # Errors
    /// There is one of this name, or the name is malformed.
    pub fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.with(IntGauge::new(name, help)?)
    }

    /// A gauge for each combination of `labels`.
    ///
    /// # Errors
    /// There is one of this name, or the name is malformed.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.with(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// What the program costs, as [`usage`] reads it whenever the metrics are written; `program` is whom the help names.
    ///
    /// # Errors
    /// It is there already.
    pub fn cost(&self, program: &str) -> prometheus::Result<()> {
        let cost = Cost {
            cpu_millis: IntGauge::new(
                "process_cpu_milliseconds",
                format!("Processor time used by {program}"),
            )?,
            resident: IntGauge::new(
                "process_resident_bytes",
                format!("Memory of {program} that is resident"),
            )?,
            open_files: IntGauge::new(
                "process_open_files",
                format!("File descriptors that {program} has open"),
            )?,
        };
        self.0.register(Box::new(cost))
    }

    /// Registers what was made elsewhere, and gives it back.
    ///
    /// # Errors
    /// There is one of its name.
    pub fn with<C: Collector + Clone + 'static>(&self, made: C) -> prometheus::Result<C> {
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }

    /// All of it as it is now.
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.0.gather()
    }

    /// All of it in Prometheus' text format.
    ///
    /// # Errors
    /// The library could not write it.
    pub fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.gather())
    }
}

/// The program's own cost.
struct Cost {
    cpu_millis: IntGauge,
    resident: IntGauge,
    open_files: IntGauge,
}

impl Collector for Cost {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = [&self.cpu_millis, &self.resident, &self.open_files];
        gauges.into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let usage = usage::read();
        let told = [
            (
                &self.cpu_millis,
                usage.cpu.as_millis().try_into().unwrap_or(u64::MAX),
            ),
            (&self.resident, usage.resident),
            (&self.open_files, usage.open_files),
        ];
        let collect = |(gauge, value): (&IntGauge, u64)| {
            gauge.set(value.try_into().unwrap_or(i64::MAX));
            gauge.collect()
        };
        told.into_iter().flat_map(collect).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_begins_with_the_prefix_and_the_cost_is_read_when_asked() {
        let metrics = Registry::new("test").unwrap();
        metrics.counter("seen_total", "Seen").unwrap().inc();
        metrics.cost("a test").unwrap();
        let text = metrics.text().unwrap();
        assert!(text.contains("test_seen_total 1\n"), "{text}");
        assert!(text.contains("# HELP test_process_open_files File descriptors that a test has open\n"));
        assert!(!text.contains("test_process_resident_bytes 0\n"), "{text}");
    }

    #[test]
    fn a_name_is_taken_once() {
        let metrics = Registry::new("test").unwrap();
        metrics.counter("seen_total", "Seen").unwrap();
        assert!(metrics.gauge("seen_total", "Seen").is_err());
    }
}
