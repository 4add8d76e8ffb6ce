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
    let trace = peers::order_and_charge(&collector, "python-shop", "ValueError: no funds").await;
    let failed = json!({"key": "error", "type": "bool", "value": true});
    peers::has_tags(&trace["spans"][1], &[failed]);
    assert_eq!(trace["processes"]["p1"]["serviceName"], "python-shop");
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
