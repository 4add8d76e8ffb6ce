//! Requests as other people's encoders write them, good, odd and hostile, through the receiving half.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use otlp::encode;
use otlp::model::{self, Kind, Value};
use otlp::receive::{BadRequest, Batch, Reason, limits};
use proptest::prelude::*;
use prost::Message;

fn from_protobuf(request: Bytes) -> Result<Batch, BadRequest> {
    otlp::receive::from_protobuf(request, |_, _| {})
}

fn from_json(request: &[u8]) -> Result<Batch, BadRequest> {
    otlp::receive::from_json(request, |_, _| {})
}

const START: u64 = 1_500_000_000_000_000_000;

fn attribute(key: &str, value: ProtoValue) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, ProtoValue::StringValue(value.to_owned()))
}

fn good() -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "GET /accounts/{id}".to_owned(),
        kind: span::SpanKind::Server as i32,
        start_time_unix_nano: START,
        end_time_unix_nano: START + 5_000_000,
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text("service.name", "account")],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "meshtrace".to_owned(),
                    version: "1".to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

fn receive(spans: Vec<Span>) -> Batch {
    from_protobuf(request(spans).encode_to_vec().into()).unwrap()
}

fn whole_span() -> Span {
    let list = |values| ProtoValue::ArrayValue(ArrayValue { values });
    let any = |value| AnyValue { value: Some(value) };
    Span {
        trace_state: "a=b".to_owned(),
        parent_span_id: vec![3; 8],
        flags: 0x301,
        attributes: vec![
            text("http.request.method", "GET"),
            attribute("ok", ProtoValue::BoolValue(true)),
            attribute("size", ProtoValue::IntValue(i64::MIN)),
            attribute("share", ProtoValue::DoubleValue(0.25)),
            attribute("raw", ProtoValue::BytesValue(vec![0, 255])),
            attribute(
                "list",
                list(vec![any(ProtoValue::IntValue(1)), AnyValue { value: None }]),
            ),
            attribute(
                "map",
                ProtoValue::KvlistValue(KeyValueList {
                    values: vec![text("k", "v")],
                }),
            ),
        ],
        dropped_attributes_count: 1,
        events: vec![span::Event {
            time_unix_nano: START + 1,
            name: "exception".to_owned(),
            attributes: vec![text("exception.type", "Oops")],
            ..span::Event::default()
        }],
        dropped_events_count: 2,
        links: vec![
            span::Link {
                trace_id: vec![9; 16],
                span_id: vec![8; 8],
                trace_state: "c=d".to_owned(),
                attributes: vec![text("why", "retry")],
                ..span::Link::default()
            },
            span::Link::default(),
        ],
        dropped_links_count: 3,
        status: Some(Status {
            message: "no".to_owned(),
            code: 2,
        }),
        ..good()
    }
}

fn assert_whole(batch: &Batch) {
    assert_eq!(batch.refused.total(), 0);
    let span = &batch.spans[0].unpack();
    assert_eq!(
        (span.service(), &*span.scope.name, &*span.scope.version),
        ("account", "meshtrace", "1")
    );
    assert_eq!(span.trace_id.as_bytes(), &[1; 16]);
    assert_eq!(span.parent_id.unwrap().as_bytes(), &[3; 8]);
    assert_eq!(
        (&*span.trace_state, span.flags, span.kind),
        ("a=b", 0x301, Kind::Server)
    );
    assert_eq!(
        (span.start, span.end, span.duration()),
        (START, START + 5_000_000, 5_000_000)
    );
    let values: Vec<_> = span.attributes.iter().map(|attribute| &attribute.value).collect();
    let string = |text: &str| Value::String(text.to_owned());
    let kv = |key: &str, value| model::Attribute {
        key: key.to_owned(),
        value,
    };
    let expected = [
        string("GET"),
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::Double(0.25),
        Value::Bytes(vec![0, 255]),
        Value::Array(vec![Value::Int(1), Value::Empty]),
        Value::Map(vec![kv("k", string("v"))]),
    ];
    assert_eq!(values, expected.iter().collect::<Vec<_>>());
    assert_eq!(span.events[0].name, "exception");
    assert_eq!(span.events[0].attributes, [kv("exception.type", string("Oops"))]);
    assert_eq!(span.links.len(), 1);
    assert_eq!(span.links[0].span_id.as_bytes(), &[8; 8]);
    assert_eq!(span.status, model::Status::Error("no".to_owned()));
    // of the links one names no span
    assert_eq!(
        (span.dropped.attributes, span.dropped.events, span.dropped.links),
        (1, 2, 4)
    );
}

#[test]
fn everything_that_a_span_can_say_arrives_from_protobuf() {
    assert_whole(&receive(vec![whole_span()]));
}

#[test]
fn everything_that_a_span_can_say_arrives_from_json() {
    assert_whole(&from_json(&serde_json::to_vec(&request(vec![whole_span()])).unwrap()).unwrap());
}

#[test]
fn a_bad_span_is_refused_with_its_reason_and_the_others_are_kept() {
    let many = |count| vec![text("k", "v"); count];
    let cases = [
        (
            Reason::TraceId,
            Span {
                trace_id: vec![0; 16],
                ..good()
            },
        ),
        (
            Reason::TraceId,
            Span {
                trace_id: vec![1; 8],
                ..good()
            },
        ),
        (
            Reason::SpanId,
            Span {
                span_id: vec![],
                ..good()
            },
        ),
        (
            Reason::ParentId,
            Span {
                parent_span_id: vec![7; 9],
                ..good()
            },
        ),
        (
            Reason::ParentId,
            Span {
                parent_span_id: vec![2; 8],
                ..good()
            },
        ),
        (
            Reason::Time,
            Span {
                start_time_unix_nano: 0,
                ..good()
            },
        ),
        (
            Reason::Time,
            Span {
                start_time_unix_nano: START / 1_000_000,
                ..good()
            },
        ),
        (
            Reason::Time,
            Span {
                end_time_unix_nano: 7_300_000_000_000_000_000,
                ..good()
            },
        ),
        (
            Reason::NameTooLong,
            Span {
                name: "n".repeat(limits::NAME_BYTES + 1),
                ..good()
            },
        ),
        (
            Reason::TooLarge,
            Span {
                attributes: vec![text("k", &"v".repeat(limits::SPAN_BYTES))],
                ..good()
            },
        ),
        (
            Reason::TooManyAttributes,
            Span {
                attributes: many(limits::ATTRIBUTES + 1),
                ..good()
            },
        ),
        (
            Reason::TooManyAttributes,
            Span {
                events: vec![span::Event {
                    attributes: many(limits::ATTRIBUTES + 1),
                    ..span::Event::default()
                }],
                ..good()
            },
        ),
        (
            Reason::TooManyEvents,
            Span {
                events: vec![span::Event::default(); limits::EVENTS + 1],
                ..good()
            },
        ),
        (
            Reason::TooManyLinks,
            Span {
                links: vec![span::Link::default(); limits::LINKS + 1],
                ..good()
            },
        ),
    ];
    for (reason, bad) in cases {
        let batch = receive(vec![good(), bad, good()]);
        assert_eq!(batch.spans.len(), 2, "{reason:?}");
        assert_eq!(batch.refused.iter().collect::<Vec<_>>(), [(reason, 1)]);
    }
}

#[test]
fn what_is_odd_but_honest_is_kept_as_it_came() {
    let batch = receive(vec![
        Span {
            end_time_unix_nano: START - 1,
            ..good()
        },
        Span {
            end_time_unix_nano: 0,
            ..good()
        },
        Span {
            parent_span_id: vec![0; 8],
            ..good()
        },
        Span {
            kind: 77,
            status: Some(Status {
                code: 9,
                message: String::new(),
            }),
            ..good()
        },
        Span {
            name: String::new(),
            ..good()
        },
    ]);
    assert_eq!(batch.refused.total(), 0);
    assert_eq!((batch.spans[0].end, batch.spans[0].duration()), (START - 1, 0));
    assert_eq!((batch.spans[1].end, batch.spans[1].duration()), (0, 0));
    assert_eq!(batch.spans[2].scan().parent_id(), None);
    assert_eq!(
        (batch.spans[3].kind, &batch.spans[3].unpack().status),
        (Kind::Unspecified, &model::Status::Unset)
    );
}

#[test]
fn a_name_that_is_not_utf8_costs_only_its_span() {
    let mut bytes = request(vec![
        good(),
        Span {
            name: "BAD".to_owned(),
            ..good()
        },
    ])
    .encode_to_vec();
    let at = bytes.windows(3).position(|window| window == b"BAD").unwrap();
    bytes[at] = 0xff;
    let batch = from_protobuf(bytes.into()).unwrap();
    assert_eq!(batch.spans.len(), 1);
    assert_eq!(batch.refused.iter().collect::<Vec<_>>(), [(Reason::Malformed, 1)]);
}

#[test]
fn a_resource_that_does_not_decode_costs_the_spans_under_it() {
    let mut broken = request(vec![good(), good()]);
    let resource = broken.resource_spans[0].resource.as_mut().unwrap();
    resource
        .attributes
        .push(text("big", &"x".repeat(limits::RESOURCE_BYTES)));
    broken
        .resource_spans
        .append(&mut request(vec![good()]).resource_spans);
    for batch in [
        from_protobuf(broken.encode_to_vec().into()).unwrap(),
        from_json(&serde_json::to_vec(&broken).unwrap()).unwrap(),
    ] {
        assert_eq!(batch.spans.len(), 1);
        assert_eq!(batch.refused.iter().collect::<Vec<_>>(), [(Reason::Resource, 2)]);
    }
}

#[test]
fn nesting_beyond_reason_costs_only_its_span() {
    let mut value = ProtoValue::BoolValue(true);
    for _ in 0..1000 {
        value = ProtoValue::ArrayValue(ArrayValue {
            values: vec![AnyValue { value: Some(value) }],
        });
    }
    let batch = receive(vec![
        Span {
            attributes: vec![attribute("deep", value)],
            ..good()
        },
        good(),
    ]);
    assert_eq!(batch.spans.len(), 1);
    assert_eq!(batch.refused.iter().collect::<Vec<_>>(), [(Reason::Malformed, 1)]);

    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":{deep}}}]}}]}}]}}"#);
    let batch = from_json(json.as_bytes()).unwrap();
    assert_eq!(batch.refused.iter().collect::<Vec<_>>(), [(Reason::Malformed, 1)]);
    assert!(from_json(deep.as_bytes()).is_err());
}

#[test]
fn a_request_of_too_many_spans_is_cut() {
    let batch = receive(vec![good(); limits::SPANS + 3]);
    assert_eq!(batch.spans.len(), limits::SPANS);
    assert_eq!(
        batch.refused.iter().collect::<Vec<_>>(),
        [(Reason::TooManySpans, 3)]
    );
}

#[test]
fn an_empty_request_is_a_good_one() {
    assert_eq!(from_protobuf(Bytes::new()).unwrap().unpack(), []);
    for json in [
        "{}",
        r#"{"resourceSpans":[]}"#,
        r#"{"resourceSpans":null,"later":1}"#,
    ] {
        assert_eq!(from_json(json.as_bytes()).unwrap().unpack(), [], "{json}");
    }
}

#[test]
fn a_request_cut_short_is_refused_as_a_whole() {
    let bytes = request(vec![good(), whole_span()]).encode_to_vec();
    for length in 1..bytes.len() {
        assert!(
            from_protobuf(Bytes::copy_from_slice(&bytes[..length])).is_err(),
            "{length} bytes"
        );
    }
}

#[test]
fn what_a_sidecar_encodes_is_read_as_it_was_meant() {
    let context = ::span::SpanContext {
        trace_id: ::span::TraceId::from_u64(7).unwrap(),
        span_id: ::span::SpanId::from_u64(8).unwrap(),
        flags: ::span::TraceFlags::SAMPLED,
    };
    let mut encoder = encode::SpanEncoder::default();
    encoder.context(&context, ::span::SpanId::from_u64(9), true);
    encoder.name("GET /accounts/{id}");
    encoder.kind(Kind::Client);
    encoder.times(START, START + 1);
    encoder.text("meshtrace.link.kind", b"exact");
    encoder.double("meshtrace.link.confidence", 1.0);
    encoder.int("http.response.status_code", 503);
    encoder.error("503");
    let mut request = Vec::new();
    encode::append(&mut request, &encoder);
    let sender = encode::Sender::new(
        &[("service.name".to_owned(), "cashier".to_owned())],
        ("meshtrace", "1"),
    );
    let request = [sender.head(&request), request].concat();

    let batch = from_protobuf(request.into()).unwrap();
    assert_eq!(batch.refused.total(), 0);
    let span = &batch.spans[0].unpack();
    assert_eq!((span.trace_id, span.span_id), (context.trace_id, context.span_id));
    assert_eq!(
        (span.service(), &*span.name, span.kind),
        ("cashier", "GET /accounts/{id}", Kind::Client)
    );
    assert_eq!(
        (span.parent_id.unwrap().as_u64(), span.duration(), span.is_error()),
        (9, 1, true)
    );
    assert_eq!(
        span.attribute("meshtrace.link.kind"),
        Some(&Value::String("exact".to_owned()))
    );
    assert_eq!(
        span.attribute("meshtrace.link.confidence"),
        Some(&Value::Double(1.0))
    );
    assert_eq!(
        span.attribute("http.response.status_code"),
        Some(&Value::Int(503))
    );
}

#[test]
fn an_envelope_of_another_shape_is_refused_with_its_place() {
    for (json, what) in [
        (r#"{"resourceSpans":{}}"#, "expected a list"),
        (r#"{"resourceSpans":[7]}"#, "expected struct ResourceSpans"),
        (
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":3}]}]}"#,
            "expected a list",
        ),
        (r#"{"resourceSpans":["#, "EOF"),
        ("7", "expected struct Request"),
    ] {
        let error = from_json(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(what), "{json}: {error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_batch_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(from_protobuf(bytes.clone().into()).is_ok_and(|batch| batch.spans.is_empty())
            || from_protobuf(bytes.into()).is_err());
    }

    /// One flipped byte never costs more than the request, never panics, and never invents a span. It may well make
    /// something else look like one, an attribute behind a flipped tag say; that is refused for want of ids.
    #[test]
    fn a_flipped_byte_never_invents_a_span(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut bytes = request(vec![good(), whole_span()]).encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(batch) = from_protobuf(bytes.into()) {
            prop_assert!(batch.spans.len() <= 2);
        }
    }
}

/// A request around the bytes of one span.
fn around(span: &[u8]) -> Bytes {
    let length = |bytes: &[u8]| -> Vec<u8> {
        let mut out = Vec::new();
        prost::encoding::encode_varint(bytes.len() as u64, &mut out);
        out
    };
    let scoped = [&[0x12], &*length(span), span].concat();
    let group = [&[0x12], &*length(&scoped), &scoped].concat();
    [&[0x0a], &*length(&group), &group].concat().into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// Spans are looked at in place. That must not be another way of reading protobuf: what another decoder refuses is
    /// refused, and what it reads is what is kept, in whatever order and however often fields stand.
    #[test]
    fn a_span_is_read_in_place_as_another_decoder_reads_it(
        pieces in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..3),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let whole = whole_span().encode_to_vec();
        let mut bytes = whole.clone();
        for (from, to) in pieces {
            let (from, to) = (from.index(whole.len()), to.index(whole.len()));
            bytes.extend_from_slice(&whole[from.min(to)..from.max(to)]);
        }
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let batch = from_protobuf(around(&bytes)).unwrap();
        match Span::decode(&*bytes) {
            Ok(span) => {
                let usual = from_protobuf(around(&span.encode_to_vec())).unwrap();
                prop_assert_eq!(batch.refused, usual.refused);
                // as text, because NaN is not equal to itself
                prop_assert_eq!(format!("{:?}", batch.unpack()), format!("{:?}", usual.unpack()));
            }
            Err(_) => prop_assert_eq!(batch.refused.iter().collect::<Vec<_>>(), [(Reason::Malformed, 1)]),
        }
    }
}

/// A field that stands once may stand twice: messages are merged, and of anything else the last one counts.
#[test]
fn what_is_written_in_odd_ways_is_read_as_it_is_meant() {
    let half = |span: Span| span.encode_to_vec();
    let status = |code, message: &str| Span {
        status: Some(Status {
            code,
            message: message.to_owned(),
        }),
        ..Span::default()
    };
    // a group, which nobody writes any more, of a field that is not known
    let group = [0xa3, 0x06, 0xa4, 0x06].to_vec();
    let bytes = [half(good()), half(status(2, "")), group, half(status(0, "no"))].concat();
    let batch = from_protobuf(around(&bytes)).unwrap();
    assert_eq!(
        batch.spans[0].unpack().status,
        model::Status::Error("no".to_owned())
    );
}

#[test]
fn what_is_kept_of_a_request_is_a_request_of_its_own() {
    let mut batch = receive(vec![whole_span(), Span::default(), good()]);
    let before = batch.unpack();
    let request = otlp::receive::request(&mut batch.spans);
    assert_eq!(batch.unpack(), before);
    let again = otlp::receive::from_request(request).unwrap();
    let again: Vec<_> = again.iter().map(otlp::receive::Packed::unpack).collect();
    assert_eq!(again, before);
}

#[test]
fn what_is_written_as_json_is_read_back_the_same() {
    let mut whole = good();
    whole.parent_span_id = vec![9; 8];
    whole.trace_state = "a=1".to_owned();
    whole.flags = 0x301;
    whole.end_time_unix_nano = START + 1;
    whole.dropped_links_count = 3;
    let list = ArrayValue {
        values: vec![AnyValue {
            value: Some(ProtoValue::BoolValue(true)),
        }],
    };
    let map = KeyValueList {
        values: vec![text("inner", "value")],
    };
    whole.attributes = vec![
        text("text", "a \"b\""),
        attribute("least", ProtoValue::IntValue(i64::MIN)),
        attribute("half", ProtoValue::DoubleValue(0.5)),
        attribute("bytes", ProtoValue::BytesValue(vec![0xff, 0, 1, 2])),
        attribute("list", ProtoValue::ArrayValue(list)),
        attribute("map", ProtoValue::KvlistValue(map)),
    ];
    whole.events = vec![span::Event {
        time_unix_nano: START,
        name: "event".to_owned(),
        attributes: vec![text("key", "value")],
        ..span::Event::default()
    }];
    whole.links = vec![span::Link {
        trace_id: vec![7; 16],
        span_id: vec![8; 8],
        ..span::Link::default()
    }];
    whole.status = Some(Status {
        code: 2,
        message: "failed".to_owned(),
    });
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text("service.name", "bank")],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "scope".to_owned(),
                    version: "1".to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans: vec![whole, good()],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    let read = from_protobuf(Bytes::from(request.encode_to_vec()))
        .unwrap()
        .unpack();
    let id = read[0].trace_id;
    let spans: Vec<_> = read.iter().cloned().map(std::sync::Arc::new).collect();
    let json = otlp::json::traces([(id, &spans[..])]);
    assert_eq!(json["resourceSpans"].as_array().unwrap().len(), 1);
    let again = from_json(json.to_string().as_bytes()).unwrap();
    assert_eq!(again.refused.total(), 0);
    assert_eq!(again.unpack(), read);
}
