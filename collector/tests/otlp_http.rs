//! OTLP over HTTP: what is taken, what is refused, and what the sender is told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::sync::Arc;

use axum::http::{Method, Request, StatusCode};
use collector::ingest::REQUEST_BYTES;
use common::{Answer, Away, get, gzip, hex, request, send, span, start, start_with, text};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const ZSTD: (&str, &str) = ("content-encoding", "zstd");

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).unwrap()
}

/// The message of an error body in protobuf: field 2 of `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Fault {
    #[prost(string, tag = "2")]
    message: String,
}

fn fault(answer: &Answer) -> String {
    assert_eq!(answer.content_type(), "application/x-protobuf");
    Fault::decode(answer.body.clone()).unwrap().message
}

#[tokio::test]
async fn json_and_protobuf_come_in_plain_and_compressed() {
    let collector = start().await;
    let json = |id| serde_json::to_vec(&request("a", vec![span(1, id)])).unwrap();
    let protobuf = |id| request("a", vec![span(1, id)]).encode_to_vec();
    let answers = [
        collector.post(&[JSON], json(1)).await,
        collector
            .post(
                &[("content-type", "application/json; charset=utf-8"), GZIP],
                gzip(&json(2)),
            )
            .await,
    ];
    for answer in answers {
        assert_eq!(
            (answer.status, answer.content_type()),
            (StatusCode::OK, "application/json")
        );
        assert_eq!(answer.json(), json!({}));
    }
    let answers = [
        collector.post(&[PROTOBUF], protobuf(3)).await,
        collector.post(&[PROTOBUF, GZIP], gzip(&protobuf(4))).await,
        collector.post(&[PROTOBUF, ZSTD], zstd(&protobuf(5))).await,
    ];
    for answer in answers {
        assert_eq!(
            (answer.status, answer.content_type()),
            (StatusCode::OK, "application/x-protobuf")
        );
        let reply = ExportTraceServiceResponse::decode(answer.body).unwrap();
        assert_eq!(reply, ExportTraceServiceResponse::default());
    }
    let traces = collector.data(&format!("/api/traces/{}", hex(1, 16))).await;
    assert_eq!(traces[0]["spans"].as_array().unwrap().len(), 5);
    assert_eq!(
        collector
            .metric("spans_received_total{protocol=\"http/json\"}")
            .await,
        2
    );
    assert_eq!(
        collector
            .metric("spans_received_total{protocol=\"http/protobuf\"}")
            .await,
        3
    );
    assert_eq!(collector.metric("spans_stored_total").await, 5);
    collector.stop().await;
}

#[tokio::test]
async fn a_bad_span_is_reported_and_the_rest_is_kept() {
    let collector = start().await;
    let mut bad = span(1, 2);
    bad.trace_id = vec![0; 16];
    let batch = request("a", vec![span(1, 1), bad]);
    let answer = collector.post_json(&batch).await;
    assert_eq!(answer.status, StatusCode::OK);
    let partial = &answer.json()["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "1");
    assert!(
        partial["errorMessage"]
            .as_str()
            .unwrap()
            .contains("trace id has to be 16 bytes")
    );

    let answer = collector.post(&[PROTOBUF], batch.encode_to_vec()).await;
    let reply = ExportTraceServiceResponse::decode(answer.body).unwrap();
    assert_eq!(reply.partial_success.unwrap().rejected_spans, 1);

    assert_eq!(
        collector.metric("spans_refused_total{reason=\"trace_id\"}").await,
        2
    );
    assert_eq!(collector.metric("spans_stored_total").await, 1);
    assert_eq!(collector.metric("spans_repeated_total").await, 1);
    collector.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_in_the_senders_own_encoding() {
    let collector = start().await;
    let good = request("a", vec![span(1, 1)]).encode_to_vec();

    let cut = collector.post(&[PROTOBUF], good[..good.len() - 1].to_vec()).await;
    assert_eq!(cut.status, StatusCode::BAD_REQUEST);
    assert!(fault(&cut).contains("not an OTLP trace export request"));

    let no_json = collector.post(&[JSON], "{").await;
    assert_eq!(
        (no_json.status, no_json.content_type()),
        (StatusCode::BAD_REQUEST, "application/json")
    );
    assert!(no_json.json()["message"].as_str().unwrap().contains("EOF"));

    let no_gzip = collector.post(&[PROTOBUF, GZIP], good.clone()).await;
    assert_eq!(no_gzip.status, StatusCode::BAD_REQUEST);
    assert!(fault(&no_gzip).contains("not gzip"));

    let deep = collector.post(&[JSON], "[".repeat(1_000_000)).await;
    assert_eq!(deep.status, StatusCode::BAD_REQUEST);

    for headers in [
        &[("content-type", "text/plain")][..],
        &[],
        &[JSON, ("content-encoding", "br")],
    ] {
        let answer = collector.post(headers, good.clone()).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(answer.json()["message"].as_str().unwrap().contains("has to be"));
    }
    assert_eq!(
        collector
            .metric("requests_failed_total{reason=\"malformed\"}")
            .await,
        4
    );
    assert_eq!(
        collector
            .metric("requests_failed_total{reason=\"unsupported\"}")
            .await,
        3
    );
    assert_eq!(collector.metric("spans_stored_total").await, 0);
    collector.stop().await;
}

#[tokio::test]
async fn a_request_is_never_larger_than_allowed_compressed_or_not() {
    let collector = start().await;
    let mut tail = request("a", vec![span(1, 1)]);
    tail.resource_spans[0].schema_url = "x".repeat(REQUEST_BYTES);
    let large = tail.encode_to_vec();
    let bombs = [gzip(&large), zstd(&large)];
    let small = bombs.iter().all(|bomb| bomb.len() < 200_000);
    assert!(small, "small requests that become large ones");
    let [gzip_bomb, zstd_bomb] = bombs;
    for answer in [
        collector.post(&[PROTOBUF, GZIP], gzip_bomb).await,
        collector.post(&[PROTOBUF, ZSTD], zstd_bomb).await,
        collector.post(&[PROTOBUF], large).await,
    ] {
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(fault(&answer).contains("send smaller batches"));
    }
    assert_eq!(
        collector
            .metric("requests_failed_total{reason=\"too_large\"}")
            .await,
        3
    );
    collector.stop().await;
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let collector = start().await;
    let get_traces = get(collector.at.http, "/v1/traces").await;
    assert_eq!(get_traces.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(get_traces.headers["allow"], "POST");
    let metrics = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{}/v1/metrics", collector.at.http));
    assert_eq!(
        send(metrics.body("".into()).unwrap()).await.status,
        StatusCode::NOT_FOUND
    );
    collector.stop().await;
}

#[tokio::test]
async fn a_store_that_is_away_asks_the_sender_to_come_again() {
    let collector = start_with(Arc::new(Away)).await;
    let answer = collector
        .post(&[PROTOBUF], request("a", vec![span(1, 1)]).encode_to_vec())
        .await;
    assert_eq!(
        (answer.status, &answer.headers["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
    );
    assert!(fault(&answer).contains("try again later"));
    assert_eq!(
        get(collector.at.admin, "/ready").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(get(collector.at.admin, "/live").await.status, StatusCode::OK);
    let (status, errors) = collector.errors("/api/services").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(errors.len(), 1);
    collector.stop().await;
}

#[tokio::test]
async fn a_request_that_is_open_when_the_collector_stops_is_still_kept_and_answered() {
    let collector = start().await;
    let admin = collector.at.admin;
    assert_eq!(get(admin, "/ready").await.status, StatusCode::OK);
    let body = serde_json::to_vec(&request("a", vec![span(1, 1)])).unwrap();
    let mut sender = TcpStream::connect(collector.at.http).await.unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: c\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        body.len()
    );
    sender.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    sender.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");

    let stopping = tokio::spawn(collector.stop());
    while get(admin, "/ready").await.status == StatusCode::OK {
        tokio::task::yield_now().await;
    }
    sender.write_all(&body).await.unwrap();
    let mut answer = String::new();
    sender.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    stopping.await.unwrap();
    assert!(TcpStream::connect(admin).await.is_err());
}

#[tokio::test]
async fn a_large_request_arrives_whole() {
    let collector = start().await;
    let spans = (1..=5000u64).map(|id| Span {
        span_id: id.to_be_bytes().to_vec(),
        attributes: vec![text("payload", &"x".repeat(256))],
        ..span(1, 1)
    });
    let large = request("a", spans.collect()).encode_to_vec();
    assert!(large.len() > 1 << 20);
    assert_eq!(collector.post(&[PROTOBUF], large).await.status, StatusCode::OK);
    assert_eq!(collector.metric("spans_stored_total").await, 5000);
    let traces = collector.data(&format!("/api/traces/{}", hex(1, 16))).await;
    assert_eq!(traces[0]["spans"].as_array().unwrap().len(), 5000);
    collector.stop().await;
}
