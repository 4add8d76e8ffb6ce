//! What Jaeger UI and Grafana's Jaeger data source ask, letter by letter, and what they read of the answers.
//!
//! Neither can be run here. Their requests are written down as they encode them: Jaeger UI by `query-string` (sorted
//! keys, `null` as a bare key, spaces as `%20`), Grafana by Go's `url.Values` (sorted keys, spaces as `+`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::collections::HashMap;

use axum::http::StatusCode;
use common::{Running, START, hex, request, span, start, text};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde::Deserialize;
use serde_json::Value;

/// The envelope, as strictly as Go decodes it: a member of another type is an error, one that is not there is not.
#[derive(Deserialize)]
struct Envelope<T> {
    data: Option<Vec<T>>,
    /// Jaeger UI takes any array here for a failure.
    errors: Option<Vec<Failure>>,
    total: i64,
    limit: i64,
    offset: i64,
}

/// Jaeger UI shows `msg` alone where `code` is the status.
#[derive(Deserialize)]
struct Failure {
    code: u16,
    msg: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    #[serde(rename = "traceID")]
    trace_id: String,
    spans: Vec<JaegerSpan>,
    processes: HashMap<String, Process>,
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JaegerSpan {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    #[serde(rename = "processID")]
    process_id: String,
    operation_name: String,
    /// In microseconds. Jaeger UI leaves spans out that begin at zero.
    start_time: i64,
    duration: i64,
    flags: i64,
    references: Vec<Reference>,
    tags: Vec<Tag>,
    logs: Vec<Log>,
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    ref_type: String,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
struct Log {
    timestamp: i64,
    fields: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    #[serde(rename = "type")]
    kind: String,
    value: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    parent: String,
    child: String,
    call_count: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    name: String,
    span_kind: String,
}

/// The service has everything in its name that has to be encoded.
const SHOP: &str = "web shop/eu";

/// A call of the shop to its ledger, which fails.
async fn shop() -> Running {
    let collector = start().await;
    let number = |key: &str, value| KeyValue {
        value: Some(AnyValue {
            value: Some(any_value::Value::IntValue(value)),
        }),
        ..text(key, "")
    };
    let call = Span {
        name: "POST /book entry".to_owned(),
        parent_span_id: vec![1; 8],
        kind: SpanKind::Client as i32,
        attributes: vec![
            number("http.response.status_code", 500),
            text("db.statement", "a=\"b\" & c<d"),
        ],
        events: vec![Event {
            time_unix_nano: START + 7000,
            name: "retry".to_owned(),
            attributes: vec![number("attempt", 2)],
            ..Event::default()
        }],
        links: vec![Link {
            trace_id: vec![9; 16],
            span_id: vec![9; 8],
            ..Link::default()
        }],
        status: Some(Status {
            message: String::new(),
            code: 2,
        }),
        ..span(1, 2)
    };
    collector.post_json(&request(SHOP, vec![span(1, 1), call])).await;
    let book = Span {
        parent_span_id: vec![2; 8],
        ..span(1, 3)
    };
    collector.post_json(&request("ledger", vec![book])).await;
    collector
}

/// The data of an answer that both clients take for a success.
async fn data<T: for<'a> Deserialize<'a>>(collector: &Running, path: &str) -> Vec<T> {
    let answer = collector.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {:?}", answer.body);
    assert_eq!(answer.content_type(), "application/json", "{path}");
    let members = answer.json().as_object().unwrap().len();
    assert_eq!(members, 5, "{path}");
    let envelope: Envelope<T> = serde_json::from_slice(&answer.body).unwrap();
    let data = envelope.data.unwrap();
    assert!(envelope.errors.is_none(), "{path}");
    assert_eq!(
        (envelope.total, envelope.limit, envelope.offset),
        (i64::try_from(data.len()).unwrap(), 0, 0)
    );
    data
}

fn tag<'t>(tags: &'t [Tag], key: &str) -> (&'t str, &'t Value) {
    let mut of_key = tags.iter().filter(|tag| tag.key == key);
    let tag = of_key.next().unwrap();
    assert!(of_key.next().is_none(), "{key} is there twice");
    (&tag.kind, &tag.value)
}

#[tokio::test]
async fn the_lists_that_their_forms_are_filled_from() {
    let collector = shop().await;
    assert_eq!(
        data::<String>(&collector, "/api/services").await,
        ["ledger", SHOP]
    );
    // encodeURIComponent
    let operations = "/api/services/web%20shop%2Feu/operations";
    assert_eq!(
        data::<String>(&collector, operations).await,
        ["GET /1", "POST /book entry"]
    );
    let servers = "/api/operations?service=web%20shop%2Feu&spanKind=server";
    let servers: Vec<Operation> = data(&collector, servers).await;
    let servers: Vec<_> = servers.iter().map(|it| (&*it.name, &*it.span_kind)).collect();
    assert_eq!(servers, [("GET /1", "server")]);
    // a service that is not there has no operations
    assert_eq!(
        data::<String>(&collector, "/api/services/no%20body/operations").await,
        [""; 0]
    );
    collector.stop().await;
}

#[tokio::test]
async fn the_searches_of_both() {
    let collector = shop().await;
    let (from, to) = (START / 1000 - 60_000_000, START / 1000 + 60_000_000);
    let now = START / 1000 + 3_600_000_000;
    // {"error":"true","http.response.status_code":"500"}
    let tags = "%7B%22error%22%3A%22true%22%2C%22http.response.status_code%22%3A%22500%22%7D";
    // {"db.statement":"a=\"b\" & c<d"}; Go writes & and < as \u0026 and \u003c
    let quoted = "%7B%22db.statement%22%3A%22a%3D%5C%22b%5C%22%20%26%20c%3Cd%22%7D";
    let escaped = "%7B%22db.statement%22%3A%22a%3D%5C%22b%5C%22+%5Cu0026+c%5Cu003cd%22%7D";
    for (query, found) in [
        // Jaeger UI: the form as it is, all of it, its longest lookback, and a range of one's own
        (
            format!(
                "end={now}&limit=20&lookback=2h&maxDuration&minDuration&service=web%20shop%2Feu&start={from}"
            ),
            1,
        ),
        (
            format!(
                "end={to}&limit=1500&lookback=1h&maxDuration=1.2s&minDuration=100us&operation=POST%20%2Fbook%20entry&service=web%20shop%2Feu&start={from}&tags={tags}"
            ),
            1,
        ),
        (
            format!("end={to}&limit=20&lookback=4w&maxDuration&minDuration&service=ledger&start={from}"),
            1,
        ),
        (
            format!(
                "end={to}&limit=20&lookback=custom&maxDuration&minDuration&service=web%20shop%2Feu&start={from}&tags={quoted}"
            ),
            1,
        ),
        (
            format!(
                "end={to}&limit=20&lookback=1h&maxDuration&minDuration=500ms&service=ledger&start={from}"
            ),
            0,
        ),
        // a lookback that an administrator of Jaeger UI has configured, in units of its own
        (
            format!("end={to}&limit=20&lookback=1y&maxDuration&minDuration&service=ledger&start={from}"),
            1,
        ),
        // Jaeger UI: traces by their ids, short ones too
        (format!("traceID={}&traceID=abc", hex(1, 16)), 1),
        // Grafana: its server, with and without a time, and its page before there was a server
        ("limit=20&service=web+shop%2Feu".to_owned(), 1),
        (
            format!(
                "end={to}&limit=20&maxDuration=1.2s&minDuration=100us&operation=POST+%2Fbook+entry&service=web+shop%2Feu&start={from}&tags={tags}"
            ),
            1,
        ),
        (
            format!("end={to}&service=web+shop%2Feu&start={from}&tags={escaped}"),
            1,
        ),
        (
            format!(
                "service=ledger&operation=&tags=&minDuration=&maxDuration=&limit=&start={from}&end={to}&lookback=custom"
            ),
            1,
        ),
    ] {
        let traces: Vec<Trace> = data(&collector, &format!("/api/traces?{query}")).await;
        assert_eq!(traces.len(), found, "{query}");
        assert!(traces.iter().all(|trace| trace.spans.len() == 3), "{query}");
    }
    collector.stop().await;
}

#[tokio::test]
async fn a_trace_has_every_member_that_they_read_in_the_type_that_they_expect() {
    let collector = shop().await;
    let id = hex(1, 16);
    for path in [
        format!("/api/traces/{id}"),
        // Grafana, where it knows when the trace was, in milliseconds
        format!("/api/traces/{id}?end=1500000060000&start=1499999940000"),
        // as ids look in places that leave leading zeroes out
        format!("/api/traces/{}", &id[1..]),
        format!("/api/traces/{}", id.to_uppercase()),
    ] {
        let mut traces: Vec<Trace> = data(&collector, &path).await;
        let trace = traces.remove(0);
        assert!(traces.is_empty() && trace.warnings.is_none());
        assert_eq!(trace.trace_id, id);
        let mut services: Vec<_> = trace
            .spans
            .iter()
            .map(|span| {
                let process = &trace.processes[&span.process_id];
                assert!(process.tags.is_empty());
                &*process.service_name
            })
            .collect();
        services.sort_unstable();
        assert_eq!(services, ["ledger", SHOP, SHOP]);
        assert!(trace.spans.iter().all(|span| span.trace_id == id));

        let root = &trace.spans[0];
        assert_eq!((root.references.len(), root.logs.len()), (0, 0));
        assert!(root.warnings.is_none());
        let call = &trace.spans[1];
        assert_eq!((&*call.operation_name, call.flags), ("POST /book entry", 0));
        let micros = i64::try_from(START / 1000).unwrap();
        assert_eq!((call.start_time, call.duration), (micros + 2, 1000));
        // the parent first: Jaeger UI hangs a span under the first reference that it can find
        let references: Vec<_> = call
            .references
            .iter()
            .map(|it| (&*it.ref_type, &*it.trace_id, &*it.span_id))
            .collect();
        let (parent, linked) = (hex(1, 8), hex(9, 8));
        assert_eq!(
            references,
            [
                ("CHILD_OF", &*id, &*parent),
                ("FOLLOWS_FROM", &*hex(9, 16), &*linked)
            ]
        );
        // what colours a span, and gives it its arrow
        assert_eq!(tag(&call.tags, "error"), ("bool", &Value::from(true)));
        assert_eq!(tag(&call.tags, "span.kind"), ("string", &Value::from("client")));
        assert_eq!(
            tag(&call.tags, "http.response.status_code"),
            ("int64", &Value::from(500))
        );
        let log = &call.logs[0];
        assert_eq!(log.timestamp, micros + 7);
        assert_eq!(tag(&log.fields, "event"), ("string", &Value::from("retry")));
        assert_eq!(tag(&log.fields, "attempt"), ("int64", &Value::from(2)));
        // Jaeger UI opens the page of a span by an id that it has once
        let ids: Vec<_> = trace.spans.iter().map(|span| &*span.span_id).collect();
        assert_eq!(ids, [1, 2, 3].map(|id| hex(id, 8)));
    }
    collector.stop().await;
}

#[tokio::test]
async fn the_dependencies_of_both() {
    let collector = shop().await;
    let now = START / 1_000_000 + 3_600_000;
    for lookback in [604_800_000, 7_200_000] {
        let path = format!("/api/dependencies?endTs={now}&lookback={lookback}");
        let calls: Vec<Call> = data(&collector, &path).await;
        let calls: Vec<_> = calls
            .iter()
            .map(|call| (&*call.parent, &*call.child, call.call_count))
            .collect();
        assert_eq!(calls, [(SHOP, "ledger", 1)]);
    }
    collector.stop().await;
}

#[tokio::test]
async fn a_failure_is_one_to_both_and_says_what_to_do() {
    let collector = shop().await;
    for (path, status) in [
        (format!("/api/traces/{}", hex(8, 16)), StatusCode::NOT_FOUND),
        ("/api/traces/not-an-id".to_owned(), StatusCode::BAD_REQUEST),
        (
            "/api/traces?minDuration=5&service=ledger".to_owned(),
            StatusCode::BAD_REQUEST,
        ),
        // what Jaeger UI hides its page of metrics by
        (
            "/api/metrics/latencies?service=ledger&quantile=0.95".to_owned(),
            StatusCode::NOT_IMPLEMENTED,
        ),
    ] {
        let answer = collector.get(&path).await;
        assert_eq!(answer.status, status, "{path}");
        let envelope: Envelope<Value> = serde_json::from_slice(&answer.body).unwrap();
        let failures = envelope.errors.unwrap();
        assert!(!failures.is_empty(), "{path}");
        for failure in failures {
            assert_eq!(failure.code, status.as_u16(), "{path}");
            assert!(!failure.msg.is_empty(), "{path}");
        }
    }
    collector.stop().await;
}
