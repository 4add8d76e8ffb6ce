//! OTLP over gRPC, from tonic's client.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::sync::Arc;

use collector::ingest::REQUEST_BYTES;
use common::{Away, Running, hex, request, span, start, start_with, text};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

async fn client(collector: &Running) -> TraceServiceClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", collector.at.grpc)).unwrap();
    TraceServiceClient::new(endpoint.connect().await.unwrap()).max_encoding_message_size(64 << 20)
}

#[tokio::test]
async fn spans_come_in_plain_and_compressed() {
    let collector = start().await;
    let mut plain = client(&collector).await;
    let mut compressed = plain.clone().send_compressed(CompressionEncoding::Gzip);
    let mut zstd = plain.clone().send_compressed(CompressionEncoding::Zstd);
    let reply = plain
        .export(request("a", vec![span(1, 1)]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(reply.partial_success, None);
    compressed.export(request("a", vec![span(1, 2)])).await.unwrap();
    zstd.export(request("a", vec![span(1, 3)])).await.unwrap();
    let traces = collector.data(&format!("/api/traces/{}", hex(1, 16))).await;
    assert_eq!(traces[0]["spans"].as_array().unwrap().len(), 3);
    assert_eq!(
        collector.metric("spans_received_total{protocol=\"grpc\"}").await,
        3
    );
    collector.stop().await;
}

#[tokio::test]
async fn a_bad_span_is_reported_and_the_rest_is_kept() {
    let collector = start().await;
    let mut bad = span(1, 2);
    bad.start_time_unix_nano = 0;
    let batch = request("a", vec![bad, span(1, 3)]);
    let reply = client(&collector).await.export(batch).await.unwrap().into_inner();
    let partial = reply.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert!(
        partial
            .error_message
            .contains("1 time (start has to be in the years 2000 to 2099")
    );
    assert_eq!(collector.metric("spans_stored_total").await, 1);
    collector.stop().await;
}

#[tokio::test]
async fn a_message_is_never_larger_than_allowed_compressed_or_not() {
    let collector = start().await;
    let mut plain = client(&collector).await;
    let mut compressed = plain.clone().send_compressed(CompressionEncoding::Gzip);
    let mut zstd = plain.clone().send_compressed(CompressionEncoding::Zstd);
    let mut large = request("a", vec![span(1, 1)]);
    large.resource_spans[0]
        .resource
        .as_mut()
        .unwrap()
        .attributes
        .push(text("x", &"x".repeat(REQUEST_BYTES)));
    for status in [
        plain.export(large.clone()).await.unwrap_err(),
        compressed.export(large.clone()).await.unwrap_err(),
        zstd.export(large).await.unwrap_err(),
    ] {
        assert!(
            matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted),
            "{status}"
        );
    }
    assert_eq!(
        collector
            .metric("requests_failed_total{reason=\"too_large\"}")
            .await,
        3
    );
    assert_eq!(collector.metric("spans_stored_total").await, 0);
    collector.stop().await;
}

#[tokio::test]
async fn a_store_that_is_away_asks_the_sender_to_come_again() {
    let collector = start_with(Arc::new(Away)).await;
    let status = client(&collector)
        .await
        .export(request("a", vec![span(1, 1)]))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("try again later"));
    collector.stop().await;
}

#[tokio::test]
async fn other_services_are_not_served() {
    let collector = start().await;
    let endpoint = Endpoint::from_shared(format!("http://{}", collector.at.grpc)).unwrap();
    let mut grpc = tonic::client::Grpc::new(endpoint.connect().await.unwrap());
    grpc.ready().await.unwrap();
    let path = axum::http::uri::PathAndQuery::from_static(
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    );
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let status = grpc.unary(Request::new(()), path, codec).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    collector.stop().await;
}
