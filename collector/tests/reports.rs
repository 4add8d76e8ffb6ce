//! What sidecars tell of themselves: over gRPC, as they send it, and what becomes of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use common::document::Document;
use common::{Running, request, span, start, text};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic::{Code, Request};

fn number(value: i64, reason: Option<&str>) -> NumberDataPoint {
    NumberDataPoint {
        start_time_unix_nano: common::START,
        attributes: reason.map(|reason| text("reason", reason)).into_iter().collect(),
        value: Some(number_data_point::Value::AsInt(value)),
        ..NumberDataPoint::default()
    }
}

fn metric(name: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn sum(name: &str, points: Vec<NumberDataPoint>) -> Metric {
    let sum = Sum {
        data_points: points,
        aggregation_temporality: 2,
        is_monotonic: true,
    };
    metric(name, Data::Sum(sum))
}

/// What the sidecar of `cashier-1` tells when it has lost so many spans.
fn report(scope: &str, lost: i64) -> ExportMetricsServiceRequest {
    let latency = HistogramDataPoint {
        start_time_unix_nano: common::START,
        explicit_bounds: vec![0.000_02, 0.001],
        bucket_counts: vec![950, 30, 20],
        sum: Some(0.1),
        ..HistogramDataPoint::default()
    };
    let histogram = Histogram {
        data_points: vec![latency],
        aggregation_temporality: 2,
    };
    let memory = Gauge {
        data_points: vec![number(12 << 20, None)],
    };
    let metrics = vec![
        sum(
            "meshtrace_spans_lost_total",
            vec![number(lost, Some("queue_full")), number(0, Some("refused"))],
        ),
        sum("meshtrace_spans_exported_total", vec![number(40, None)]),
        sum(
            "meshtrace_requests_unrecorded_total",
            vec![number(7, Some("probe"))],
        ),
        metric("meshtrace_process_resident_bytes", Data::Gauge(memory)),
        metric("meshtrace_added_latency_seconds", Data::Histogram(histogram)),
    ];
    let scoped = ScopeMetrics {
        scope: Some(InstrumentationScope {
            name: scope.to_owned(),
            version: "0.1.0".to_owned(),
            ..InstrumentationScope::default()
        }),
        metrics,
        ..ScopeMetrics::default()
    };
    let resource = Resource {
        attributes: vec![text("service.name", "cashier"), text("k8s.pod.name", "cashier-1")],
        ..Resource::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![scoped],
            ..ResourceMetrics::default()
        }],
    }
}

async fn client(collector: &Running) -> MetricsServiceClient<Channel> {
    MetricsServiceClient::connect(format!("http://{}", collector.at.grpc))
        .await
        .unwrap()
}

async fn cashier(collector: &Running) -> Value {
    let answer = collector.get("/api/meshtrace/v1/mesh").await;
    let mut mesh = answer.json();
    let problems = Document::read().problems(&axum::http::Method::GET, "/mesh", answer.status, &mesh);
    assert!(problems.is_empty(), "{problems:#?}\n{mesh:#}");
    mesh["workloads"][0].take()
}

#[tokio::test]
async fn what_a_sidecar_tells_is_shown_with_what_to_do_about_it() {
    let collector = start().await;
    // before it has told anything nothing is made up
    collector.post_json(&request("cashier", vec![span(1, 1)])).await;
    let silent = cashier(&collector).await;
    assert_eq!(
        (&silent["losses"], &silent["sidecars"]),
        (&Value::Null, &Value::Null)
    );

    let mut client = client(&collector).await;
    for lost in [3, 5] {
        let reply = client.export(report("meshtrace-sidecar", lost)).await.unwrap();
        assert_eq!(reply.into_inner().partial_success, None);
    }
    let told = cashier(&collector).await;
    assert_eq!(told["losses"], json!([{"name": "queue_full", "count": 5}]));
    assert_eq!(told["versions"], json!(["0.1.0"]));
    let sidecars = &told["sidecars"];
    assert_eq!(
        (&sidecars["reporting"], &sidecars["exported"], &sidecars["memory"]),
        (&json!(1), &json!(40), &json!(12 << 20))
    );
    assert_eq!(sidecars["unrecorded"], json!([{"name": "probe", "count": 7}]));
    assert_eq!(
        sidecars["addedLatency"],
        json!({"requests": 1000, "mean": 100_000, "p50": 20_000, "p99": null})
    );
    let instance = &told["instances"][0];
    assert_eq!(
        (&instance["name"], &instance["sidecar"]["losses"][0]["count"]),
        (&json!("cashier-1"), &json!(5))
    );
    let findings = told["findings"].as_array().unwrap();
    let said: Vec<_> = findings
        .iter()
        .map(|finding| finding["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        said,
        [
            "5 spans are lost: the collector was away or too slow, and the sidecar's queue was full",
            "one request head in a hundred is longer than a millisecond in the sidecar",
        ]
    );
    assert!(
        findings
            .iter()
            .all(|finding| finding["severity"] == "warning" && finding["fix"].is_string())
    );
    collector.stop().await;
}

#[tokio::test]
async fn what_others_tell_and_what_is_too_much_is_refused() {
    let collector = start().await;
    let mut client = client(&collector).await;
    let reply = client.export(report("somebody", 3)).await.unwrap().into_inner();
    let partial = reply.partial_success.unwrap();
    assert_eq!(partial.rejected_data_points, 6);
    assert!(partial.error_message.contains("only what meshtrace's sidecars"));

    let mut large = report("meshtrace-sidecar", 3);
    large.resource_metrics[0].schema_url = "x".repeat(collector::ingest::REPORT_BYTES);
    let refused = client.export(Request::new(large)).await.unwrap_err();
    assert!(
        matches!(refused.code(), Code::OutOfRange | Code::ResourceExhausted),
        "{refused}"
    );
    let answer = collector.get("/api/meshtrace/v1/mesh").await;
    assert_eq!(answer.json()["workloads"], json!([]));
    collector.stop().await;
}
