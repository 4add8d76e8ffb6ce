//! Zipkin's spans as tracers and attackers write them, through the receiving half.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use bytes::Bytes;
use otlp::model::{Attributes, Dropped, Kind, Scalar, Span, Status};
use otlp::receive::{Batch, Reason, from_zipkin_json, from_zipkin_protobuf, limits};
use proptest::prelude::*;
use serde_json::{Value, json};

const START: u64 = 1_500_000_000_000_000;

fn good() -> Value {
    json!({"traceId": "1", "id": "2", "timestamp": START, "duration": 5, "localEndpoint": {"serviceName": "shop"}})
}

fn with(key: &str, value: Value) -> Value {
    let mut span = good();
    span[key] = value;
    span
}

fn receive(spans: &[Value]) -> Batch {
    from_zipkin_json(&serde_json::to_vec(spans).unwrap(), |_, _| {}).unwrap()
}

fn one(span: Value) -> Span {
    let batch = receive(&[span]);
    assert_eq!(batch.refused.total(), 0, "{}", batch.refused);
    batch.spans[0].unpack()
}

/// A field of protobuf that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap();
    assert!(length < 128);
    [&[number << 3 | 2, length], bytes].concat()
}

#[test]
fn everything_that_a_span_says_has_its_place() {
    let span = one(json!({
        "traceId": "5af7183fb1d4cf5f", "id": "6b221d5bc9e6496c", "parentId": "352bff9a74ca9ad2", "kind": "PRODUCER",
        "name": "send", "timestamp": START, "duration": 207_000, "debug": true, "shared": false, "newer": {},
        "localEndpoint": {"serviceName": "shop", "ipv4": "192.168.0.1", "port": 8080},
        "remoteEndpoint": {"serviceName": "kafka", "ipv6": "fd00::1", "port": 9092},
        "annotations": [{"timestamp": START + 1, "value": "ws"}],
        "tags": {
            "topic": "orders", "batch": 3, "last": true, "otel.scope.name": "brave", "otel.library.version": "6",
            "otel.status_code": "OK", "otel.dropped_events_count": "7",
        },
    }));
    assert_eq!(span.trace_id.to_string(), "00000000000000005af7183fb1d4cf5f");
    assert_eq!(span.parent_id.unwrap().to_string(), "352bff9a74ca9ad2");
    assert_eq!(
        (span.service(), &*span.name, span.kind),
        ("shop", "send", Kind::Producer)
    );
    assert_eq!((span.start, span.duration()), (START * 1000, 207_000_000));
    assert_eq!((&*span.scope.name, &*span.scope.version), ("brave", "6"));
    assert_eq!(span.status, Status::Ok);
    assert_eq!(
        span.dropped,
        Dropped {
            events: 7,
            ..Dropped::default()
        }
    );
    assert_eq!(
        (span.events[0].time, &*span.events[0].name),
        ((START + 1) * 1000, "ws")
    );
    let attributes: Vec<_> = span.attributes.iter().map(|attribute| &*attribute.key).collect();
    let added = [
        "peer.service",
        "network.local.address",
        "network.local.port",
        "network.peer.address",
        "network.peer.port",
    ];
    assert_eq!(attributes, [&["batch", "last", "topic"][..], &added].concat());
    assert_eq!(span.text("batch"), Some("3"));
    assert_eq!(span.text("network.peer.address"), Some("fd00::1"));
    assert_eq!(span.scalar("network.peer.port"), Some(Scalar::Int(9092)));
}

#[test]
fn protobuf_says_the_same_as_json() {
    let endpoint = [field(1, b"shop"), field(2, &[10, 0, 0, 1])].concat();
    let tag = [field(1, b"error"), field(2, b"no funds")].concat();
    let annotation = [&[9][..], &(START + 2).to_le_bytes(), &field(2, b"asked")].concat();
    let span = [
        field(1, &[0, 0, 0, 0, 0, 0, 0, 1]),
        field(3, &[0, 0, 0, 0, 0, 0, 0, 2]),
        vec![4 << 3, 1],
        field(5, b"charge"),
        [&[6 << 3 | 1][..], &START.to_le_bytes()].concat(),
        vec![7 << 3, 5],
        field(8, &endpoint),
        field(10, &annotation),
        field(11, &tag),
        vec![13 << 3, 1],
    ];
    let span = span.concat();
    let cut = field(1, &span[..span.len() - 1]);
    let request = Bytes::from([cut, field(1, &span)].concat());
    let batch = from_zipkin_protobuf(request, |_, _| {}).unwrap();
    assert_eq!(batch.refused.iter().collect::<Vec<_>>(), [(Reason::Malformed, 1)]);
    let mut told = with("kind", json!("CLIENT"));
    told["name"] = json!("charge");
    told["localEndpoint"]["ipv4"] = json!("10.0.0.1");
    told["annotations"] = json!([{"timestamp": START + 2, "value": "asked"}]);
    told["tags"] = json!({"error": "no funds"});
    assert_eq!(batch.unpack(), [one(told)]);
}

#[test]
fn what_tracers_leave_out_is_not_made_up() {
    let bare = one(
        json!({"traceId": "1", "id": "2", "timestamp": START, "name": null, "tags": null, "annotations": null}),
    );
    assert_eq!(bare.kind, Kind::Internal);
    assert_eq!((bare.service(), &*bare.name), ("unknown_service", ""));
    assert_eq!(
        (bare.end, bare.status, bare.attributes),
        (0, Status::Unset, vec![])
    );
    // a root that names itself
    assert_eq!(one(with("parentId", json!("2"))).parent_id, None);
    assert_eq!(one(with("parentId", json!("0000000000000000"))).parent_id, None);
    // a start that was lost
    let annotations = json!([{"timestamp": START + 9, "value": "b"}, {"timestamp": START + 3, "value": "a"}]);
    let mut late = with("annotations", annotations);
    late["timestamp"] = Value::Null;
    assert_eq!(one(late).start, (START + 3) * 1000);
    // what is no address and no port
    let odd = one(with("remoteEndpoint", json!({"ipv4": "many", "port": 99_999})));
    assert_eq!(odd.attributes, []);
}

#[test]
fn an_error_is_what_its_tag_says() {
    let status = |tags| one(with("tags", tags)).status;
    let error = |message: &str| Status::Error(message.to_owned());
    assert_eq!(status(json!({"error": "timeout"})), error("timeout"));
    assert_eq!(status(json!({"error": ""})), error(""));
    assert_eq!(status(json!({"error": "true"})), error(""));
    assert_eq!(status(json!({"error": true})), error(""));
    assert_eq!(status(json!({"error": false})), Status::Unset);
    assert_eq!(status(json!({"otel.status_code": "ERROR"})), error(""));
}

#[test]
fn a_tag_wins_over_an_endpoint() {
    let mut span = with("tags", json!({"peer.service": "told"}));
    span["remoteEndpoint"] = json!({"serviceName": "seen"});
    assert_eq!(one(span).text("peer.service"), Some("told"));
}

#[test]
fn a_bad_span_is_refused_with_its_reason_and_the_rest_is_kept() {
    let many = |count: usize| {
        (0..count)
            .map(|number| (number.to_string(), json!("x")))
            .collect::<Value>()
    };
    let events = |count: usize| vec![json!({"timestamp": START, "value": "e"}); count];
    let cases = [
        (with("traceId", json!("0")), Reason::TraceId),
        (with("traceId", json!("g".repeat(16))), Reason::TraceId),
        (with("traceId", json!("1".repeat(33))), Reason::TraceId),
        (with("id", Value::Null), Reason::SpanId),
        (with("id", json!("1".repeat(17))), Reason::SpanId),
        (with("parentId", json!("x")), Reason::ParentId),
        (with("timestamp", json!(0)), Reason::Time),
        (with("timestamp", json!(1)), Reason::Time),
        (with("timestamp", json!(u64::MAX)), Reason::Time),
        (with("duration", json!(u64::MAX)), Reason::Time),
        (with("timestamp", json!("soon")), Reason::Malformed),
        (with("tags", json!({"a": {"b": 1}})), Reason::Malformed),
        (with("tags", json!([1])), Reason::Malformed),
        (json!(7), Reason::Malformed),
        (
            with("name", json!("n".repeat(limits::NAME_BYTES + 1))),
            Reason::NameTooLong,
        ),
        (
            with("tags", many(limits::ATTRIBUTES + 1)),
            Reason::TooManyAttributes,
        ),
        (
            with("annotations", json!(events(limits::EVENTS + 1))),
            Reason::TooManyEvents,
        ),
        (
            with("tags", json!({"a": "x".repeat(limits::SPAN_BYTES)})),
            Reason::TooLarge,
        ),
        (
            with(
                "localEndpoint",
                json!({"serviceName": "s".repeat(limits::RESOURCE_BYTES + 1)}),
            ),
            Reason::Resource,
        ),
    ];
    for (bad, reason) in cases {
        let batch = receive(&[good(), bad, with("id", json!("3"))]);
        assert_eq!(batch.refused.iter().collect::<Vec<_>>(), [(reason, 1)]);
        assert_eq!(batch.spans.len(), 2, "{reason:?}");
    }
}

#[test]
fn nesting_without_end_is_refused_and_costs_no_stack() {
    let depth = 100_000;
    let open = format!("[{{\"tags\":{}", "{\"a\":".repeat(depth));
    let refused = from_zipkin_json(open.as_bytes(), |_, _| {}).unwrap_err();
    assert!(refused.to_string().starts_with("not a list of Zipkin's spans"));
    let closed = format!("{open}1{}}}]", "}".repeat(depth));
    let batch = from_zipkin_json(closed.as_bytes(), |_, _| {}).unwrap();
    assert_eq!(batch.refused.iter().collect::<Vec<_>>(), [(Reason::Malformed, 1)]);
}

proptest! {
    #[test]
    fn any_bytes_are_a_batch_or_a_bad_request(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let count = |batch: Batch| batch.spans.len() as u64 + batch.refused.total();
        let length = bytes.len() as u64;
        let json = from_zipkin_json(&bytes, |_, _| {}).map_or(0, count);
        let protobuf = from_zipkin_protobuf(Bytes::from(bytes), |_, _| {}).map_or(0, count);
        prop_assert!(json.max(protobuf) <= length);
    }
}
