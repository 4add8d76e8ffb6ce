//! Zipkin's spans: what is taken, what is refused, and what the sender is told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::sync::Arc;

use axum::http::StatusCode;
use collector::ingest::REQUEST_BYTES;
use common::{Answer, Away, get, gzip, peers, start, start_with};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

/// A client that called another service and failed, as Zipkin's tracers tell of it.
fn call() -> Value {
    json!({
        "traceId": "463ac35c9f6413ad", "id": "a2fb4a1d1a96d312", "kind": "CLIENT", "name": "charge",
        "timestamp": 1_500_000_000_000_000u64, "duration": 1500,
        "localEndpoint": {"serviceName": "shop", "ipv4": "10.0.0.1"},
        "remoteEndpoint": {"serviceName": "till", "ipv4": "10.0.0.2", "port": 8080},
        "annotations": [{"timestamp": 1_500_000_000_000_100u64, "value": "asked"}],
        "tags": {"http.path": "/charge", "error": "no funds"},
    })
}

/// What the server of [`call`] tells, under the same id.
fn answer() -> Value {
    json!({
        "traceId": "463ac35c9f6413ad", "id": "a2fb4a1d1a96d312", "kind": "SERVER", "name": "take", "shared": true,
        "timestamp": 1_500_000_000_000_200u64, "duration": 900, "localEndpoint": {"serviceName": "till"},
    })
}

fn said(answer: &Answer) -> &str {
    assert_eq!(answer.content_type(), "text/plain; charset=utf-8");
    std::str::from_utf8(&answer.body).unwrap()
}

#[tokio::test]
async fn a_call_with_one_id_on_both_sides_is_one_trace_of_two_services() {
    let collector = start().await;
    let spans = [call(), answer()];
    let sent = serde_json::to_vec(&spans[..1]).unwrap();
    let first = collector.post_zipkin(&[JSON], sent).await;
    assert_eq!((first.status, said(&first)), (StatusCode::ACCEPTED, ""));
    // no content type is JSON
    let sent = gzip(&serde_json::to_vec(&spans[1..]).unwrap());
    assert_eq!(
        collector.post_zipkin(&[GZIP], sent).await.status,
        StatusCode::ACCEPTED
    );

    let trace = collector
        .get("/api/meshtrace/v1/traces/0000000000000000463ac35c9f6413ad")
        .await
        .json();
    let spans = trace["spans"].as_array().unwrap();
    let names: Vec<_> = spans
        .iter()
        .map(|span| (&span["service"], &span["depth"]))
        .collect();
    assert_eq!(names, [(&json!("shop"), &json!(0)), (&json!("till"), &json!(1))]);
    assert_eq!(
        collector
            .metric("spans_received_total{protocol=\"zipkin/json\"}")
            .await,
        2
    );
    let found = collector
        .data("/api/traces?service=shop&tag=peer.service:till")
        .await;
    let tags = found[0]["spans"][0]["tags"].as_array().unwrap();
    for tag in [
        json!({"key": "network.peer.address", "type": "string", "value": "10.0.0.2"}),
        json!({"key": "network.peer.port", "type": "int64", "value": 8080}),
        json!({"key": "otel.status_description", "type": "string", "value": "no funds"}),
        json!({"key": "http.path", "type": "string", "value": "/charge"}),
    ] {
        assert!(tags.contains(&tag), "{tag} in {tags:?}");
    }
    collector.stop().await;
}

#[tokio::test]
async fn a_bad_span_is_reported_and_counted_and_the_rest_is_kept() {
    let collector = start().await;
    let mut bad = call();
    bad["traceId"] = json!("0");
    let sent = serde_json::to_vec(&[bad, call()]).unwrap();
    let answer = collector.post_zipkin(&[JSON], sent).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(
        said(&answer).starts_with("spans refused: 1 trace_id ("),
        "{:?}",
        answer.body
    );
    assert_eq!(collector.metric("spans_stored_total").await, 1);
    assert_eq!(
        collector.metric("spans_refused_total{reason=\"trace_id\"}").await,
        1
    );
    collector.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_as_a_whole_and_says_why() {
    let collector = start().await;
    let large = " ".repeat(REQUEST_BYTES + 1);
    let refusals = [
        (&[JSON][..], b"{}".to_vec(), 400, "not a list of Zipkin's spans"),
        (
            &[JSON],
            b"[".repeat(1_000_000),
            400,
            "not a list of Zipkin's spans",
        ),
        (&[PROTOBUF], b"\x0a\x05a".to_vec(), 400, "ListOfSpans"),
        (&[JSON, GZIP], b"[]".to_vec(), 400, "not gzip"),
        (&[JSON, GZIP], gzip(large.as_bytes()), 413, "send smaller batches"),
        (
            &[("content-type", "application/x-thrift")],
            b"[]".to_vec(),
            415,
            "has to be",
        ),
    ];
    for (headers, body, status, words) in refusals {
        let answer = collector.post_zipkin(headers, body).await;
        assert_eq!(answer.status, status, "{words}");
        assert!(said(&answer).contains(words), "{:?}", answer.body);
    }
    assert_eq!(
        collector
            .metric("requests_failed_total{reason=\"malformed\"}")
            .await,
        4
    );
    let get = get(collector.at.zipkin, "/api/v2/spans").await;
    assert_eq!(get.status, StatusCode::METHOD_NOT_ALLOWED);
    collector.stop().await;
}

#[tokio::test]
async fn a_store_that_is_away_asks_the_sender_to_come_again() {
    let collector = start_with(Arc::new(Away)).await;
    let sent = serde_json::to_vec(&[call()]).unwrap();
    let answer = collector.post_zipkin(&[JSON], sent).await;
    assert_eq!(
        (answer.status, &answer.headers["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
    );
    collector.stop().await;
}

async fn a_call_by_py_zipkin_arrives_whole(encoding: &str, protocol: &str) {
    let collector = start().await;
    let packages: peers::Packages = (&["py_zipkin[protobuf]==1.2.8"], "py-zipkin");
    let arguments = vec![collector.at.zipkin.port().to_string(), encoding.to_owned()];
    peers::python(packages, "py_zipkin.py", arguments).await;
    let found = collector
        .get("/api/meshtrace/v1/traces?service=zipkin-shop&where=shop.items%3D3")
        .await
        .json();
    let id = found["traces"][0]["traceId"].as_str().unwrap();
    let trace = collector
        .get(&format!("/api/meshtrace/v1/traces/{id}"))
        .await
        .json();
    let spans = trace["spans"].as_array().unwrap();
    let facts: Vec<_> = spans
        .iter()
        .map(|span| {
            (
                &span["service"],
                &span["kind"],
                &span["status"]["code"],
                &span["depth"],
            )
        })
        .collect();
    assert_eq!(
        facts,
        [
            (
                &json!("zipkin-shop"),
                &json!("client"),
                &json!("error"),
                &json!(0)
            ),
            (
                &json!("zipkin-till"),
                &json!("server"),
                &json!("error"),
                &json!(1)
            ),
        ]
    );
    assert_eq!(spans[0]["spanId"], spans[1]["spanId"]);
    assert_eq!(spans[0]["events"][0]["name"], "asked");
    let received = format!("spans_received_total{{protocol=\"{protocol}\"}}");
    assert_eq!(collector.metric(&received).await, 2);
    collector.stop().await;
}

#[tokio::test]
async fn py_zipkin_in_json() {
    a_call_by_py_zipkin_arrives_whole("V2_JSON", "zipkin/json").await;
}

#[tokio::test]
async fn py_zipkin_in_protobuf() {
    a_call_by_py_zipkin_arrives_whole("V2_PROTO3", "zipkin/protobuf").await;
}
