//! What a program tells of itself, there and back, and what else may come instead.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use otlp::encode::Sender;
use otlp::metrics::MetricsEncoder;
use otlp::receive::from_metrics;
use otlp::receive::report::Measure;
use proptest::prelude::*;
use prost::Message;

fn report() -> Vec<u8> {
    let mut metrics = MetricsEncoder::new(1, 2);
    metrics.counter(
        "lost",
        [([("reason", "refused")], 3), ([("reason", "stopped")], u64::MAX)],
    );
    metrics.gauge("memory", 4096);
    metrics.histogram("latency", &[0.5, 1.0], &[3, 1, 2], 7.5);
    let tail = metrics.into_bytes();
    let resource = [("service.name".to_owned(), "bank".to_owned())];
    let head = Sender::new(&resource, ("meshtrace-sidecar", "0.1.0")).head(&tail);
    [head, tail].concat()
}

#[test]
fn what_is_told_is_what_everybody_reads() {
    let request = ExportMetricsServiceRequest::decode(&*report()).unwrap();
    let scoped = &request.resource_metrics[0].scope_metrics[0];
    assert_eq!(scoped.scope.as_ref().unwrap().version, "0.1.0");
    let Some(Data::Sum(sum)) = &scoped.metrics[0].data else {
        panic!("no sum in {scoped:?}")
    };
    assert!(sum.is_monotonic);
    assert_eq!(sum.aggregation_temporality, 2);
    assert_eq!(
        (
            sum.data_points[0].start_time_unix_nano,
            sum.data_points[0].time_unix_nano
        ),
        (1, 2)
    );
    let Some(Data::Histogram(histogram)) = &scoped.metrics[2].data else {
        panic!("no histogram in {scoped:?}")
    };
    assert_eq!(histogram.data_points[0].count, 6);
}

#[test]
fn what_is_told_is_what_is_read() {
    let reports = from_metrics(report().into()).unwrap();
    let [told] = &reports[..] else {
        panic!("one report in {reports:?}")
    };
    assert_eq!(
        (told.resource.service(), &*told.scope.name),
        ("bank", "meshtrace-sidecar")
    );
    let lost = &told.metrics[0];
    assert_eq!(
        lost.points[0].labels,
        [("reason".to_owned(), "refused".to_owned())]
    );
    assert_eq!(lost.points[0].value, Measure::Number(3.0));
    // OTLP's whole numbers end at half of ours
    assert_eq!(lost.points[1].value, Measure::Number(i64::MAX as f64));
    assert_eq!(told.metrics[1].points[0].value, Measure::Number(4096.0));
    let spread = Measure::Spread {
        bounds: vec![0.5, 1.0],
        counts: vec![3, 1, 2],
        sum: 7.5,
    };
    assert_eq!(told.metrics[2].points[0].value, spread);
}

proptest! {
    #[test]
    fn any_bytes_are_reports_or_a_bad_request(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let reports = from_metrics(bytes.into()).unwrap_or_default();
        prop_assert!(reports.len() <= 300);
    }
}
