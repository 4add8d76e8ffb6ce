//! What OpenTelemetry's own SDK for Node.js sends, over gRPC and over HTTP, as protobuf and as JSON.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use common::peers::{self, Packages};
use common::start;
use serde_json::json;

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
    let traces = collector
        .data("/api/traces?service=node-shop&tag=shop.items:3")
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
        json!({"key": "otel.status_description", "type": "string", "value": "no funds"}),
        json!({"key": "otel.scope.name", "type": "string", "value": "shop"}),
    ] {
        assert!(tags.contains(&tag), "{tag} in {tags:?}");
    }
    let exception = json!({"key": "event", "type": "string", "value": "exception"});
    assert_eq!(charge["logs"][0]["fields"][0], exception);
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
