//! What OpenTelemetry's own SDK for Node.js sends, over gRPC and over HTTP, as protobuf and as JSON.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use common::peers::{self, Packages};
use common::start;

const SDK: Packages = (
    &[
        "@opentelemetry/api@1.10.0",
        "@opentelemetry/resources@3.1.1",
        "@opentelemetry/sdk-trace@3.1.1",
        "@opentelemetry/exporter-trace-otlp-grpc@0.301.0",
        "@opentelemetry/exporter-trace-otlp-http@0.301.0",
        "@opentelemetry/exporter-trace-otlp-proto@0.301.1",
    ],
    "opentelemetry-node",
);

async fn a_trace_of_the_sdk_arrives_whole(protocol: &str, compression: &str) {
    let collector = start().await;
    let endpoint = match protocol {
        "grpc" => format!("http://{}", collector.at.grpc),
        _ => format!("http://{}/v1/traces", collector.at.http),
    };
    let arguments = vec![protocol.to_owned(), endpoint, compression.to_owned()];
    peers::node(SDK, "node_sdk.mjs", arguments).await;
    peers::order_and_charge(&collector, "node-shop", "no funds").await;
    let received = format!("spans_received_total{{protocol=\"{protocol}\"}}");
    assert_eq!(collector.metric(&received).await, 2);
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

#[tokio::test]
async fn in_json() {
    a_trace_of_the_sdk_arrives_whole("http/json", "none").await;
}

#[tokio::test]
async fn in_json_compressed() {
    a_trace_of_the_sdk_arrives_whole("http/json", "gzip").await;
}
