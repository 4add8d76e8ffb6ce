//! Jaeger's HTTP JSON, as its clients read it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use axum::http::StatusCode;
use common::{Running, START, hex, request, span, start, text};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span as proto};
use serde_json::{Value, json};

fn attribute(key: &str, value: ProtoValue) -> KeyValue {
    KeyValue {
        value: Some(AnyValue { value: Some(value) }),
        ..text(key, "")
    }
}

fn child(trace: u8, id: u8, parent: u8, kind: SpanKind) -> Span {
    Span {
        parent_span_id: vec![parent; 8],
        kind: kind as i32,
        ..span(trace, id)
    }
}

/// A deposit: the cashier is called and calls the account service, which fails; the call began a provisional trace.
fn deposit() -> [ExportTraceServiceRequest; 2] {
    let mut cashier = request(
        "cashier",
        vec![
            span(1, 1),
            Span {
                attributes: vec![
                    text("http.request.method", "POST"),
                    attribute("http.response.status_code", ProtoValue::IntValue(500)),
                    text("server.address", "account"),
                    text("meshtrace.link.kind", "inferred"),
                    attribute("meshtrace.link.confidence", ProtoValue::DoubleValue(0.995)),
                    text("meshtrace.provisional_trace_id", &hex(2, 16)),
                ],
                ..child(1, 2, 1, SpanKind::Client)
            },
        ],
    );
    cashier.resource_spans[0]
        .resource
        .as_mut()
        .unwrap()
        .attributes
        .push(text("k8s.pod.name", "cashier-1"));
    cashier.resource_spans[0].scope_spans[0].scope = Some(InstrumentationScope {
        name: "meshtrace-sidecar".to_owned(),
        version: "0.1.0".to_owned(),
        ..InstrumentationScope::default()
    });
    let values = vec![AnyValue {
        value: Some(ProtoValue::StringValue("v".to_owned())),
    }];
    let account = request(
        "account",
        vec![Span {
            trace_state: "vendor=1".to_owned(),
            flags: 0x301,
            end_time_unix_nano: START,
            attributes: vec![
                attribute("retried", ProtoValue::BoolValue(false)),
                attribute("raw", ProtoValue::BytesValue(vec![1, 2, 3])),
                attribute("list", ProtoValue::ArrayValue(ArrayValue { values })),
            ],
            events: vec![proto::Event {
                time_unix_nano: START + 500_000,
                name: "exception".to_owned(),
                attributes: vec![text("exception.type", "Overdrawn")],
                ..proto::Event::default()
            }],
            links: vec![proto::Link {
                trace_id: vec![7; 16],
                span_id: vec![7; 8],
                ..proto::Link::default()
            }],
            status: Some(Status {
                message: "overdrawn".to_owned(),
                code: 2,
            }),
            ..child(2, 3, 2, SpanKind::Server)
        }],
    );
    [account, cashier]
}

async fn bank() -> Running {
    let collector = start().await;
    for batch in deposit() {
        assert_eq!(collector.post_json(&batch).await.json(), json!({}));
    }
    collector
}

fn ids(traces: &Value) -> Vec<&str> {
    let traces = traces.as_array().unwrap().iter();
    traces
        .map(|trace| &trace["traceID"].as_str().unwrap()[..2])
        .collect()
}

#[tokio::test]
async fn one_trace_reads_as_jaeger_would_write_it() {
    let collector = bank().await;
    let answer = collector.get(&format!("/api/traces/{}", hex(1, 16))).await;
    let golden: Value = serde_json::from_str(include_str!("golden/deposit.json")).unwrap();
    assert_eq!(
        answer.json(),
        golden,
        "{}",
        serde_json::to_string_pretty(&answer.json()).unwrap()
    );
    collector.stop().await;
}

#[tokio::test]
async fn services_operations_and_dependencies_are_listed() {
    let collector = bank().await;
    assert_eq!(
        collector.data("/api/services").await,
        json!(["account", "cashier"])
    );
    assert_eq!(
        collector.data("/api/services/cashier/operations").await,
        json!(["GET /1", "GET /2"])
    );
    let operations =
        json!([{"name": "GET /1", "spanKind": "server"}, {"name": "GET /2", "spanKind": "client"}]);
    assert_eq!(
        collector.data("/api/operations?service=cashier").await,
        operations
    );
    let clients = collector
        .data("/api/operations?service=cashier&spanKind=client")
        .await;
    assert_eq!(clients, json!([operations[1]]));
    assert_eq!(collector.data("/api/services/nobody/operations").await, json!([]));
    let end = START / 1_000_000 + 1;
    let dependencies = collector
        .data(&format!("/api/dependencies?endTs={end}&lookback=1000"))
        .await;
    assert_eq!(
        dependencies,
        json!([{"parent": "cashier", "child": "account", "callCount": 1}])
    );
    assert_eq!(collector.data("/api/dependencies").await, json!([]));
    collector.stop().await;
}

#[tokio::test]
async fn a_peer_that_sends_no_spans_is_a_dependency_too() {
    let collector = start().await;
    let call = Span {
        attributes: vec![
            text("server.address", "ledger"),
            text("db.system.name", "postgresql"),
        ],
        ..child(1, 2, 1, SpanKind::Client)
    };
    collector
        .post_json(&request("account", vec![span(1, 1), call]))
        .await;
    let end = START / 1_000_000 + 1;
    let dependencies = collector
        .data(&format!("/api/dependencies?endTs={end}&lookback=1000"))
        .await;
    assert_eq!(
        dependencies,
        json!([{"parent": "account", "child": "postgresql", "callCount": 1}])
    );
    collector.stop().await;
}

#[tokio::test]
async fn traces_are_found_by_what_jaegers_clients_ask_for() {
    let collector = bank().await;
    collector
        .post_json(&request("teller", vec![span(5, 50), span(5, 51)]))
        .await;
    let long = Span {
        end_time_unix_nano: START + 2_000_000_000,
        ..span(6, 60)
    };
    collector.post_json(&request("teller", vec![long])).await;
    let micros = START / 1000;
    for (query, expected) in [
        ("service=account".to_owned(), vec!["01"]),
        (
            "service=account&operation=GET+%2F3&lookback=custom&maxDuration=&minDuration=".to_owned(),
            vec!["01"],
        ),
        ("service=account&operation=GET+%2F1".to_owned(), vec![]),
        ("service=teller".to_owned(), vec!["06", "05"]),
        (
            "service=teller&minDuration=1.5s&maxDuration=2s".to_owned(),
            vec!["06"],
        ),
        ("service=teller&maxDuration=1ms".to_owned(), vec!["05"]),
        ("tags=%7B%22error%22%3A%22true%22%7D".to_owned(), vec!["01"]),
        (
            "tags=%7B%22http.response.status_code%22%3A500%7D".to_owned(),
            vec!["01"],
        ),
        (
            "tag=k8s.pod.name:cashier-1&tag=span.kind:server".to_owned(),
            vec!["01"],
        ),
        (
            "tag=exception.type:Overdrawn&tag=event:exception".to_owned(),
            vec!["01"],
        ),
        (
            "tag=meshtrace.link.kind:inferred&tag=meshtrace.link.confidence:0.995".to_owned(),
            vec!["01"],
        ),
        (format!("start={}&end={}", micros + 50, micros + 59), vec!["05"]),
        (format!("end={}&lookback=10us", micros + 60), vec!["06", "05"]),
        ("lookback=2d".to_owned(), vec![]),
        ("order=duration".to_owned(), vec!["06", "01", "05"]),
        ("order=spans&limit=2".to_owned(), vec!["01", "05"]),
        ("order=errors&limit=1".to_owned(), vec!["01"]),
        (
            format!("traceID={}&traceID={}&traceID=9", hex(5, 16), hex(2, 16)),
            vec!["05", "01"],
        ),
    ] {
        let traces = collector.data(&format!("/api/traces?{query}")).await;
        assert_eq!(ids(&traces), expected, "{query}");
    }
    collector.stop().await;
}

#[tokio::test]
async fn everything_wrong_with_a_question_is_said_at_once() {
    let collector = start().await;
    let query =
        "/api/traces?limit=9999&order=best&minDuration=5&start=now&tags=%5B%5D&tag=x&lookback=soon&traceID=0";
    let (status, errors) = collector.errors(query).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let mut places: Vec<_> = errors
        .iter()
        .map(|error| error.split(": ").next().unwrap())
        .collect();
    places.sort_unstable();
    assert_eq!(
        places,
        [
            "limit",
            "lookback",
            "minDuration",
            "order",
            "start",
            "tag",
            "tags",
            "traceID"
        ]
    );
    assert!(
        errors.contains(&"order: `best` is not time, duration, span_duration, spans or errors".to_owned())
    );

    let (status, errors) = collector
        .errors("/api/traces?minDuration=2s&maxDuration=1s&start=5&end=4")
        .await;
    assert_eq!((status, errors.len()), (StatusCode::BAD_REQUEST, 2));
    let (status, errors) = collector.errors("/api/operations").await;
    assert_eq!(
        (status, &*errors[0]),
        (StatusCode::BAD_REQUEST, "service: is required")
    );
    assert_eq!(
        collector.errors("/api/traces/xyz").await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(collector.errors("/api/traces/abc").await.0, StatusCode::NOT_FOUND);
    assert_eq!(collector.errors("/api/nothing").await.0, StatusCode::NOT_FOUND);
    collector.stop().await;
}

#[tokio::test]
async fn the_second_api_answers_with_otlp() {
    let collector = bank().await;
    let get = async |path: &str| {
        let answer = collector.get(path).await;
        (answer.status, answer.json())
    };
    let (_, services) = get("/api/v3/services").await;
    assert_eq!(services, json!({"services": ["account", "cashier"]}));
    let (_, operations) = get("/api/v3/operations?service=cashier&span_kind=client").await;
    assert_eq!(
        operations,
        json!({"operations": [{"name": "GET /2", "spanKind": "client"}]})
    );
    let spans = |result: &Value| {
        let groups = result["result"]["resourceSpans"].as_array().unwrap().iter();
        let mut ids: Vec<_> = groups
            .flat_map(|group| group["scopeSpans"][0]["spans"].as_array().unwrap())
            .map(|span| span["spanId"].as_str().unwrap()[..2].to_owned())
            .collect();
        ids.sort_unstable();
        ids
    };
    let (_, trace) = get(&format!("/api/v3/traces/{}", hex(2, 16))).await;
    assert_eq!(spans(&trace), ["01", "02", "03"]);
    let ids = &trace["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(ids["traceId"], hex(1, 16), "a joined trace is one");

    let window = "query.start_time_min=2017-07-14T02:40:00Z&query.start_time_max=2017-07-14T02:40:01.5Z";
    for (query, found) in [
        ("query.service_name=cashier", 3),
        ("query.service_name=nobody", 0),
        ("query.operation_name=GET+/3", 3),
        ("query.duration_min=2ms", 0),
        (
            "query.attributes=%7B%22exception.type%22:%22Overdrawn%22%7D&query.num_traces=1",
            3,
        ),
    ] {
        let (status, json) = get(&format!("/api/v3/traces?{query}&{window}")).await;
        assert_eq!((status, spans(&json).len()), (StatusCode::OK, found), "{query}");
    }
    for (path, status) in [
        ("/api/v3/traces", StatusCode::BAD_REQUEST),
        (
            "/api/v3/traces?query.start_time_min=now&query.start_time_max=then",
            StatusCode::BAD_REQUEST,
        ),
        ("/api/v3/operations", StatusCode::BAD_REQUEST),
        ("/api/v3/traces/xyz", StatusCode::BAD_REQUEST),
        ("/api/v3/traces/9", StatusCode::NOT_FOUND),
    ] {
        let (answered, json) = get(path).await;
        assert_eq!(answered, status, "{path}");
        assert_eq!(json["error"]["httpCode"], status.as_u16());
        assert!(!json["error"]["message"].as_str().unwrap().is_empty());
    }
    collector.stop().await;
}

#[tokio::test]
async fn metrics_are_said_not_to_be_supported_and_where_they_are() {
    let collector = start().await;
    for metric in [
        "latencies?service=a&quantile=0.95",
        "calls?service=a",
        "errors?service=a",
        "minstep",
    ] {
        let (status, errors) = collector.errors(&format!("/api/metrics/{metric}")).await;
        assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
        assert!(errors[0].contains("not supported"), "{errors:?}");
    }
    collector.stop().await;
}

#[tokio::test]
async fn limits_have_bounds() {
    let collector = bank().await;
    for limit in ["0", "-1", "1501", "many", "99999999999999999999"] {
        let (status, errors) = collector.errors(&format!("/api/traces?limit={limit}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(
            errors,
            [format!("limit: `{limit}` is not a number from 1 to 1500")]
        );
    }
    assert_eq!(ids(&collector.data("/api/traces?limit=1500").await), ["01"]);
    collector.stop().await;
}
