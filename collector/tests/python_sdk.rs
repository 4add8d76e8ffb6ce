//! What OpenTelemetry's own Python SDK sends, over gRPC and over HTTP.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use common::peers::{self, Packages};
use common::{Running, start};
use serde_json::json;

const SDK: Packages = (
    &[
        "opentelemetry-sdk==1.45.2",
        "opentelemetry-exporter-otlp-proto-grpc==1.45.2",
        "opentelemetry-exporter-otlp-proto-http==1.45.2",
    ],
    "opentelemetry-python",
);

async fn send(collector: &Running, protocol: &'static str, compression: &'static str) {
    let endpoint = match protocol {
        "grpc" => format!("http://{}", collector.at.grpc),
        _ => format!("http://{}/v1/traces", collector.at.http),
    };
    let arguments = vec![protocol.to_owned(), endpoint, compression.to_owned()];
    peers::python(SDK, "python_sdk.py", arguments).await;
}

async fn a_trace_of_the_sdk_arrives_whole(protocol: &'static str, compression: &'static str) {
    let collector = start().await;
    send(&collector, protocol, compression).await;
    let traces = collector
        .data("/api/traces?service=python-shop&tag=shop.items:3")
        .await;
    let spans = traces[0]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 2);
    let (order, charge) = (&spans[0], &spans[1]);
    assert_eq!(
        (&order["operationName"], &charge["operationName"]),
        (&json!("order"), &json!("charge"))
    );
    assert_eq!(charge["references"][0]["spanID"], order["spanID"]);
    let tags = charge["tags"].as_array().unwrap();
    for tag in [
        json!({"key": "span.kind", "type": "string", "value": "client"}),
        json!({"key": "error", "type": "bool", "value": true}),
        json!({"key": "otel.status_description", "type": "string", "value": "ValueError: no funds"}),
        json!({"key": "otel.scope.name", "type": "string", "value": "shop"}),
    ] {
        assert!(tags.contains(&tag), "{tag} in {tags:?}");
    }
    assert_eq!(
        charge["logs"][0]["fields"][0],
        json!({"key": "event", "type": "string", "value": "exception"})
    );
    assert_eq!(traces[0]["processes"]["p1"]["serviceName"], "python-shop");
    collector.stop().await;
}

#[tokio::test]
async fn over_grpc() {
    a_trace_of_the_sdk_arrives_whole("grpc", "none").await;
}

#[tokio::test]
async fn over_grpc_compressed() {
    a_trace_of_the_sdk_arrives_whole("grpc", "gzip").await;
}

#[tokio::test]
async fn over_http() {
    a_trace_of_the_sdk_arrives_whole("http/protobuf", "none").await;
}

#[tokio::test]
async fn over_http_compressed() {
    a_trace_of_the_sdk_arrives_whole("http/protobuf", "gzip").await;
}
