//! Our own API over real HTTP: every answer is held against `openapi.yaml`, and then against what was sent.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use common::document::Document;
use common::{Away, Running, START, hex, request, send, span, start, start_with, text};
use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span as proto};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};

/// A collector whose answers are checked against the document.
struct Api {
    collector: Running,
    document: Document,
}

impl Api {
    async fn start() -> Self {
        Self::of(start().await)
    }

    fn of(collector: Running) -> Self {
        Self {
            collector,
            document: Document::read(),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let url = format!("http://{}/api/meshtrace/v1{path}", self.collector.at.query);
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = Request::builder().method(method.clone()).uri(url);
        let answer = send(request.body(body).unwrap()).await;
        assert_eq!(answer.content_type(), "application/json", "{path}");
        let json = answer.json();
        let problems = self.document.problems(&method, path, answer.status, &json);
        assert!(problems.is_empty(), "{method} {path}: {problems:#?}\n{json:#}");
        (answer.status, json)
    }

    async fn get(&self, path: &str) -> Value {
        let (status, json) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {json:#}");
        json
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, json) = self.ask(Method::POST, path, Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{path} {body}: {json:#}");
        json
    }

    /// What is wrong with a question: the places.
    async fn refused(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Vec<String>) {
        let (status, json) = self.ask(method, path, body).await;
        let errors = json["errors"].as_array().unwrap().iter();
        let mut places: Vec<_> = errors
            .map(|error| error["where"].as_str().unwrap_or_default().to_owned())
            .collect();
        places.sort_unstable();
        (status, places)
    }
}

fn number(key: &str, number: i64) -> KeyValue {
    attribute(key, ProtoValue::IntValue(number))
}

fn attribute(key: &str, value: ProtoValue) -> KeyValue {
    KeyValue {
        value: Some(AnyValue { value: Some(value) }),
        ..text(key, "")
    }
}

/// A span of `kind` below `parent`, from `from` to `to`, in milliseconds after [`START`].
fn call(trace: u8, id: u8, parent: u8, kind: SpanKind, from: u64, to: u64) -> Span {
    Span {
        parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
        kind: kind as i32,
        start_time_unix_nano: START + from * 1_000_000,
        end_time_unix_nano: START + to * 1_000_000,
        ..span(trace, id)
    }
}

fn failed(message: &str) -> Option<Status> {
    Some(Status {
        message: message.to_owned(),
        code: 2,
    })
}

/// A deposit: the edge calls the cashier, whose clock is 40 ms ahead, and who asks a ledger without a sidecar. The call
/// to the cashier was joined by inference, and began a provisional trace.
async fn deposit(api: &Api) {
    let linked = |kind: &str, confidence| {
        vec![
            text("server.address", "cashier"),
            text("meshtrace.link.kind", kind),
            text("meshtrace.link.method", "joint"),
            attribute("meshtrace.link.confidence", ProtoValue::DoubleValue(confidence)),
            text("meshtrace.provisional_trace_id", &hex(2, 16)),
        ]
    };
    let mut edge = request(
        "edge",
        vec![
            call(1, 1, 0, SpanKind::Server, 0, 100),
            Span {
                attributes: linked("inferred", 0.995),
                status: failed(""),
                ..call(1, 2, 1, SpanKind::Client, 10, 90)
            },
        ],
    );
    edge.resource_spans[0].scope_spans[0].scope = Some(InstrumentationScope {
        name: "meshtrace-sidecar".to_owned(),
        version: "0.1.0".to_owned(),
        ..InstrumentationScope::default()
    });
    let mut cashier = request(
        "cashier",
        vec![
            Span {
                attributes: vec![number("http.response.status_code", 503), number("big", i64::MAX)],
                status: failed("no money"),
                events: vec![proto::Event {
                    time_unix_nano: START + 70_000_000,
                    name: "exception".to_owned(),
                    attributes: vec![text("exception.type", "Overdrawn")],
                    ..proto::Event::default()
                }],
                ..call(2, 3, 2, SpanKind::Server, 60, 120)
            },
            Span {
                attributes: vec![text("server.address", "ledger")],
                ..call(2, 4, 3, SpanKind::Client, 70, 100)
            },
        ],
    );
    let resource = cashier.resource_spans[0].resource.as_mut().unwrap();
    resource.attributes.push(text("k8s.pod.name", "cashier-1"));
    for batch in [cashier, edge] {
        assert_eq!(api.collector.post_json(&batch).await.json(), json!({}));
    }
}

fn ids(found: &Value) -> Vec<String> {
    let traces = found["traces"].as_array().unwrap().iter();
    traces
        .map(|trace| trace["traceId"].as_str().unwrap()[..2].to_owned())
        .collect()
}

#[tokio::test]
async fn a_trace_reads_whole_with_links_gaps_skew_and_critical_path() {
    let api = Api::start().await;
    deposit(&api).await;
    for id in [hex(1, 16), hex(2, 16)] {
        let trace = api.get(&format!("/traces/{id}")).await;
        assert_eq!(trace["traceId"], hex(1, 16));
        assert_eq!(trace["provisionalTraceIds"], json!([hex(2, 16)]));
        assert_eq!(trace["state"], "gaps");
        assert_eq!(trace["confidence"], 0.995);
        assert_eq!(trace["start"], START.to_string());
        let spans = trace["spans"].as_array().unwrap();
        let shape: Vec<_> = spans
            .iter()
            .map(|span| (span["service"].as_str().unwrap(), span["parent"].as_u64()))
            .collect();
        assert_eq!(
            shape,
            [
                ("edge", None),
                ("edge", Some(0)),
                ("cashier", Some(1)),
                ("cashier", Some(2))
            ]
        );
        assert_eq!(spans[1]["link"]["kind"], "inferred");
        assert_eq!(spans[1]["link"]["method"], "joint");
        assert_eq!(spans[2]["provisionalTraceId"], hex(2, 16));
        assert_eq!(
            spans[2]["status"],
            json!({"code": "error", "message": "no money"})
        );
        assert_eq!(
            spans[2]["attributes"],
            json!([
                {"key": "http.response.status_code", "type": "int", "value": 503},
                {"key": "big", "type": "int", "value": i64::MAX.to_string()},
            ])
        );
        assert_eq!(spans[2]["events"][0]["offset"], 70_000_000);
        assert_eq!(trace["resources"][1]["instance"], "cashier-1");

        let gaps: Vec<_> = trace["gaps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|gap| (gap["reason"].as_str().unwrap(), gap["peer"].as_str()))
            .collect();
        assert_eq!(gaps, [("silent_peer", Some("ledger"))]);

        // the server ran from 60 to 120 by a clock that is 30 to 50 ahead; the middle is what is shown
        assert_eq!(
            trace["clockSkew"],
            json!([{"resource": 1, "offset": 40_000_000, "uncertainty": 10_000_000, "pairs": 1, "consistent": true}])
        );
        let adjusted: Vec<_> = spans
            .iter()
            .map(|span| span["adjustedOffset"].as_i64().unwrap() / 1_000_000)
            .collect();
        assert_eq!(adjusted, [0, 10, 20, 30]);
        let path: Vec<_> = trace["criticalPath"]
            .as_array()
            .unwrap()
            .iter()
            .map(|segment| {
                let millis = |key: &str| segment[key].as_u64().unwrap() / 1_000_000;
                (
                    segment["span"].as_u64().unwrap(),
                    millis("offset"),
                    millis("duration"),
                )
            })
            .collect();
        assert_eq!(
            path,
            [
                (0, 0, 10),
                (1, 10, 10),
                (2, 20, 10),
                (3, 30, 30),
                (2, 60, 20),
                (1, 80, 10),
                (0, 90, 10)
            ]
        );
    }
    api.collector.stop().await;
}

#[tokio::test]
async fn inferred_links_can_be_hidden() {
    let api = Api::start().await;
    deposit(&api).await;
    let trace = api.get(&format!("/traces/{}?links=exact", hex(1, 16))).await;
    let spans = trace["spans"].as_array().unwrap().iter();
    let parents: Vec<_> = spans
        .map(|span| (span["service"].as_str().unwrap(), span["parent"].as_u64()))
        .collect();
    assert_eq!(
        parents,
        [
            ("edge", None),
            ("edge", None),
            ("cashier", Some(1)),
            ("cashier", Some(2))
        ]
    );
    let wrong = format!("/traces/{}?links=some", hex(1, 16));
    let refused = api.refused(Method::GET, &wrong, None).await;
    assert_eq!(refused, (StatusCode::BAD_REQUEST, vec!["links".to_owned()]));
    api.collector.stop().await;
}

#[tokio::test]
async fn a_summary_says_what_a_trace_is_and_what_is_missing() {
    let api = Api::start().await;
    deposit(&api).await;
    let found = api
        .get("/traces?service=cashier&where=http.response.status_code%3E%3D500")
        .await;
    assert_eq!(found["next"], Value::Null);
    let summary = &found["traces"][0];
    assert_eq!(summary["traceId"], hex(1, 16));
    assert_eq!(summary["duration"], 120_000_000);
    assert_eq!(summary["root"]["service"], "edge");
    assert_eq!((&summary["spans"], &summary["errors"]), (&json!(4), &json!(2)));
    assert_eq!((&summary["state"], &summary["gaps"]), (&json!("gaps"), &json!(1)));
    assert_eq!(summary["longestMatch"], 60_000_000);
    api.collector.stop().await;
}

#[tokio::test]
async fn every_field_of_a_search_counts_in_a_body_and_in_a_link() {
    let api = Api::start().await;
    deposit(&api).await;
    api.collector
        .post_json(&request(
            "teller",
            vec![call(5, 50, 0, SpanKind::Consumer, 0, 2000)],
        ))
        .await;
    let micro = START + 1_000_000;
    for (body, link, expected) in [
        (json!({}), String::new(), vec!["05", "01"]),
        (
            json!({"service": "teller"}),
            "service=teller".to_owned(),
            vec!["05"],
        ),
        (
            json!({"operation": "GET /3"}),
            "operation=GET+/3".to_owned(),
            vec!["01"],
        ),
        (
            json!({"kind": "consumer"}),
            "kind=consumer".to_owned(),
            vec!["05"],
        ),
        (json!({"status": "error"}), "status=error".to_owned(), vec!["01"]),
        (
            json!({"linkKind": "inferred"}),
            "linkKind=inferred".to_owned(),
            vec!["01"],
        ),
        (
            json!({"where": [{"key": "http.response.status_code", "op": ">", "value": 500}]}),
            "where=http.response.status_code%3E500".to_owned(),
            vec!["01"],
        ),
        (
            json!({"where": [{"key": "error", "value": true}]}),
            "where=error=true".to_owned(),
            vec!["01"],
        ),
        (
            json!({"where": [{"key": "exception.type", "op": "exists"}]}),
            "where=exception.type".to_owned(),
            vec!["01"],
        ),
        (
            json!({"where": ["k8s.pod.name=cashier-1", "span.kind=server"]}),
            "where=k8s.pod.name=cashier-1&where=span.kind=server".to_owned(),
            vec!["01"],
        ),
        (
            json!({"duration": {"min": "1s"}}),
            "minDuration=1s".to_owned(),
            vec!["05"],
        ),
        (
            json!({"traceDuration": {"max": "1s"}}),
            "maxTraceDuration=1s".to_owned(),
            vec!["01"],
        ),
        (
            json!({"start": micro.to_string()}),
            format!("start={micro}"),
            vec!["01"],
        ),
        (
            json!({"end": micro.to_string()}),
            format!("end={micro}"),
            vec!["05", "01"],
        ),
        (json!({"lookback": "1h"}), "lookback=1h".to_owned(), vec![]),
        (json!({"traceId": "02"}), "traceId=02".to_owned(), vec!["01"]),
        (
            json!({"order": "duration"}),
            "order=duration".to_owned(),
            vec!["05", "01"],
        ),
        (
            json!({"order": "errors", "limit": 1}),
            "order=errors&limit=1".to_owned(),
            vec!["01"],
        ),
    ] {
        let mut by_body = ids(&api.post("/traces", &body).await);
        let mut by_link = ids(&api.get(&format!("/traces?{link}")).await);
        if body.get("order").is_none() {
            // both begin at the same moment
            by_body.sort_unstable_by(|one, other| other.cmp(one));
            by_link.sort_unstable_by(|one, other| other.cmp(one));
        }
        assert_eq!(by_body, expected, "{body}");
        assert_eq!(by_link, expected, "{link}");
    }
    api.collector.stop().await;
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended_while_others_arrive() {
    let api = Api::start().await;
    let arrive = async |traces: std::ops::Range<u8>| {
        let spans = traces.map(|trace| span(trace, trace)).collect();
        api.collector.post_json(&request("edge", spans)).await;
    };
    arrive(10..20).await;
    let mut seen = Vec::new();
    let mut page = api
        .post("/traces", &json!({"limit": 4, "lookback": "876000h"}))
        .await;
    loop {
        seen.extend(ids(&page));
        arrive(100 + seen.len() as u8..103 + seen.len() as u8).await;
        let Some(next) = page["next"].as_str() else { break };
        page = api
            .post(
                "/traces",
                &json!({"limit": 4, "lookback": "876000h", "cursor": next}),
            )
            .await;
    }
    let expected: Vec<_> = (10..20).rev().map(|trace: u8| hex(trace, 1)).collect();
    assert_eq!(seen, expected);
    let page = api.get("/traces?limit=1").await;
    let next = page["next"].as_str().unwrap();
    let other = format!("/traces?limit=1&service=edge&cursor={next}");
    let refused = api.refused(Method::GET, &other, None).await;
    assert_eq!(refused, (StatusCode::BAD_REQUEST, vec!["cursor".to_owned()]));
    api.collector.stop().await;
}

#[tokio::test]
async fn everything_wrong_with_a_search_is_said_at_once_with_what_is_allowed() {
    let api = Api::start().await;
    let body = json!({"kind": "sever", "status": "bad", "linkKind": "guessed", "order": "best", "limit": 0,
        "where": ["=1"], "duration": {"min": "soon"}, "traceDuration": {"min": "2s", "max": "1s"}, "start": "now",
        "lookback": "1h", "traceId": "xyz", "cursor": "1"});
    let (status, places) = api.refused(Method::POST, "/traces", Some(&body)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let expected = [
        "cursor",
        "duration.min",
        "kind",
        "limit",
        "linkKind",
        "lookback",
        "order",
        "start",
        "status",
        "traceDuration.min",
        "traceId",
        "where",
    ];
    assert_eq!(places, expected);
    let (_, places) = api
        .refused(
            Method::GET,
            "/traces?minDuration=soon&sevice=edge&limit=2000",
            None,
        )
        .await;
    assert_eq!(places, ["limit", "minDuration", "sevice"]);
    for body in [json!([]), json!({"sevice": "edge"}), json!({"limit": "many"})] {
        let (status, places) = api.refused(Method::POST, "/traces", Some(&body)).await;
        assert_eq!(
            (status, places),
            (StatusCode::BAD_REQUEST, vec!["body".to_owned()])
        );
    }
    let unknown = api
        .refused(Method::GET, &format!("/traces/{}", hex(9, 16)), None)
        .await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
    let wrong = api.refused(Method::GET, "/traces/9", None).await;
    assert_eq!(wrong.0, StatusCode::BAD_REQUEST);
    api.collector.stop().await;
}

#[tokio::test]
async fn a_store_that_is_away_is_said_to_be() {
    let api = Api::of(start_with(std::sync::Arc::new(Away)).await);
    for path in ["/traces", &format!("/traces/{}", hex(1, 16))] {
        let (status, _) = api.refused(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    api.collector.stop().await;
}

#[tokio::test]
async fn what_arrives_is_counted_by_service_operation_and_edge() {
    let api = Api::start().await;
    deposit(&api).await;
    let overview = api.get("/overview?window=1m").await;
    let services = overview["services"].as_array().unwrap();
    let counts: Vec<_> = services
        .iter()
        .map(|service| {
            let stats = &service["stats"];
            (
                service["name"].as_str().unwrap(),
                stats["calls"].as_u64(),
                stats["errors"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        counts,
        [("cashier", Some(1), Some(1)), ("edge", Some(1), Some(0))]
    );
    let edge = &services[1]["stats"];
    let p95 = edge["p95"].as_f64().unwrap();
    assert!((97e6..103e6).contains(&p95), "{p95}");
    assert_eq!(edge["exemplars"]["slowest"], hex(1, 16));
    assert_eq!(
        services[0]["stats"]["exemplars"]["error"],
        hex(2, 16),
        "a provisional trace is answered with the whole one"
    );
    let calls = services[1]["points"]["calls"].as_array().unwrap();
    assert_eq!(calls.iter().filter_map(Value::as_u64).sum::<u64>(), 1);
    assert_eq!(
        overview["ingest"]["received"],
        json!([{"name": "http/json", "count": 4}])
    );

    let names = |json: &Value, list: &str, key: &str| {
        let list = json[list].as_array().unwrap().iter();
        list.map(|item| item[key].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let services = api.get("/services").await;
    assert_eq!(names(&services, "services", "name"), ["cashier", "edge"]);
    let operations = api.get("/operations?service=edge").await;
    assert_eq!(names(&operations, "operations", "name"), ["GET /1", "GET /2"]);
    let operations = api.get("/operations?order=time&limit=2&kind=client").await;
    assert_eq!(names(&operations, "operations", "name"), ["GET /2", "GET /4"]);

    let graph = api.get("/graph?window=10m").await;
    assert_eq!(graph["source"], "live");
    let edges: Vec<_> = graph["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| (edge["from"].as_str().unwrap(), edge["to"].as_str().unwrap()))
        .collect();
    // the ledger is still waited for
    assert_eq!(edges, [("edge", "cashier"), ("client:outside", "edge")]);
    assert_eq!(graph["edges"][0]["stats"]["errors"], 1);
    assert_eq!(graph["edges"][0]["links"]["inferred"], 1);
    assert_eq!(names(&graph, "nodes", "type"), ["service", "service", "client"]);
    api.collector.stop().await;
}

#[tokio::test]
async fn a_graph_of_long_ago_is_read_from_the_store() {
    let api = Api::start().await;
    deposit(&api).await;
    let end = START + 1_000_000_000;
    let graph = api.get(&format!("/graph?window=2h&end={end}")).await;
    assert_eq!(graph["source"], "store");
    let calls: Vec<_> = graph["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| (edge["from"].as_str().unwrap(), edge["to"].as_str().unwrap()))
        .collect();
    assert_eq!(calls, [("cashier", "silent:ledger"), ("edge", "cashier")]);
    api.collector.stop().await;
}

#[tokio::test]
async fn the_propagation_report_says_how_calls_were_joined_and_what_would_help() {
    let api = Api::start().await;
    deposit(&api).await;
    let lost = |id: u8, reason: &str| Span {
        attributes: vec![
            text("server.address", "ledger"),
            text("meshtrace.link.kind", "unknown"),
            text("meshtrace.link.reason", reason),
        ],
        ..call(id, id, 0, SpanKind::Client, 0, 1)
    };
    let spans = vec![
        lost(20, "ambiguous"),
        lost(21, "ambiguous"),
        lost(22, "background"),
    ];
    api.collector.post_json(&request("edge", spans)).await;
    let report = api.get("/propagation?workload=edge").await;
    let edge = &report["workloads"][0];
    assert_eq!(
        edge["links"]["counts"],
        json!({"propagated": 0, "exact": 0, "inferred": 1, "unknown": 3})
    );
    assert_eq!(edge["links"]["methods"], json!([{"name": "joint", "count": 1}]));
    assert_eq!(
        edge["links"]["reasons"],
        json!([{"name": "ambiguous", "count": 2}, {"name": "background", "count": 1}])
    );
    assert_eq!(edge["links"]["meanConfidence"], 0.995);
    assert_eq!(edge["verdict"], "partly");
    assert!(edge["fix"].as_str().unwrap().contains("traceparent"), "{edge:#}");
    assert_eq!(edge["edges"][0]["to"], "ledger");
    assert_eq!(edge["edges"][1]["links"]["counts"]["inferred"], 1);

    let mesh = api.get("/mesh").await;
    let cashier = &mesh["workloads"][0];
    assert_eq!(cashier["name"], "cashier");
    assert_eq!(cashier["instances"][0]["name"], "cashier-1");
    assert_eq!(cashier["spans"], 2);
    let edge = &mesh["workloads"][1];
    assert_eq!(edge["links"]["unknown"], 3);
    assert_eq!(edge["findings"][0]["severity"], "warning");

    let metrics = common::get(api.collector.at.admin, "/metrics").await;
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    for line in [
        "meshtrace_link_total{service=\"edge\",kind=\"unknown\"} 3",
        "meshtrace_link_total{service=\"edge\",kind=\"inferred\"} 1",
        "meshtrace_edge_request_errors_total{client=\"edge\",server=\"cashier\"} 1",
        "meshtrace_service_request_duration_seconds_bucket{service=\"edge\",le=\"0.1\"} 1",
        "meshtrace_service_request_duration_seconds_count{service=\"edge\"} 1",
        "meshtrace_operation_duration_seconds_sum{service=\"cashier\",operation=\"GET /4\",kind=\"client\"} 0.03",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    api.collector.stop().await;
}

#[tokio::test]
async fn spans_are_watched_as_they_arrive() {
    let api = Api::start().await;
    let url = format!(
        "http://{}/api/meshtrace/v1/tail?service=cashier&status=error",
        api.collector.at.query
    );
    let client =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let request: Request<Body> = Request::get(url).body(Body::empty()).unwrap();
    let response = client.request(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    deposit(&api).await;
    let mut body = response.into_body();
    let frame = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
    let event = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
    let data = event.strip_prefix("event: span\ndata: ").unwrap();
    let span: Value = serde_json::from_str(data.trim()).unwrap();
    assert_eq!(api.document.invalid_as("TailSpan", &span), [""; 0]);
    assert_eq!(
        (&span["service"], &span["message"]),
        (&json!("cashier"), &json!("no money"))
    );
    assert_eq!(api.get("/ingest").await["tail"]["readers"], 1);
    drop(body);
    api.collector.stop().await;
}

#[tokio::test]
async fn windows_are_within_the_last_hour_but_for_the_graph() {
    let api = Api::start().await;
    for (question, places) in [
        ("/overview?window=2h", vec!["window"]),
        ("/services?window=1s", vec!["window"]),
        ("/mesh?window=long&end=now", vec!["end", "window"]),
        ("/propagation?end=1500000000000000000", vec!["window"]),
        (
            "/operations?order=best&limit=0&kind=x",
            vec!["kind", "limit", "order"],
        ),
        ("/graph?window=0", vec!["window"]),
        ("/ingest?window=1h", vec!["window"]),
        ("/tail?limit=3", vec!["limit"]),
    ] {
        let refused = api.refused(Method::GET, question, None).await;
        let places: Vec<_> = places.into_iter().map(str::to_owned).collect();
        assert_eq!(refused, (StatusCode::BAD_REQUEST, places), "{question}");
    }
    assert_eq!(api.get("/overview?window=1h").await["services"], json!([]));
    api.collector.stop().await;
}

impl Api {
    /// An export as text, with its media type.
    async fn export(&self, format: &str) -> (String, String) {
        let path = format!("/api/meshtrace/v1/traces/{}/export?format={format}", hex(1, 16));
        let answer = self.collector.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK);
        let name = answer.headers["content-disposition"].to_str().unwrap();
        assert!(name.contains(&hex(1, 16)), "{name}");
        let kind = answer.content_type().to_owned();
        (kind, String::from_utf8(answer.body.to_vec()).unwrap())
    }

    async fn import(&self, file: &str) -> (StatusCode, Value) {
        let file: Value = serde_json::from_str(file).unwrap();
        self.ask(Method::POST, "/import", Some(&file)).await
    }
}

#[tokio::test]
async fn a_trace_is_exported_and_read_back_the_same() {
    let api = Api::start().await;
    deposit(&api).await;
    let whole = api.get(&format!("/traces/{}", hex(1, 16))).await;
    for (format, attributes_kept) in [("otlp", true), ("jaeger", false)] {
        let (kind, file) = api.export(format).await;
        assert_eq!(kind, "application/json");
        let (_, again) = api.import(&file).await;
        assert_eq!(
            again["stored"], 0,
            "{format}: what is there already is not stored again"
        );
        assert_eq!(
            (&again["repeated"], &again["format"]),
            (&json!(4), &json!(format))
        );

        let other = Api::start().await;
        let (status, imported) = other.import(&file).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(imported["stored"], 4);
        assert_eq!(imported["refused"], json!([]));
        let read = other.get(&format!("/traces/{}", hex(1, 16))).await;
        for key in [
            "duration",
            "gaps",
            "clockSkew",
            "criticalPath",
            "confidence",
            "services",
        ] {
            assert_eq!(read[key], whole[key], "{format} {key}");
        }
        let attributes = |trace: &Value| trace["spans"][2]["attributes"].clone();
        assert_eq!(
            attributes(&read) == attributes(&whole),
            attributes_kept || format == "jaeger"
        );
        let overview = other.get("/overview").await;
        assert_eq!(
            overview["services"],
            json!([]),
            "what is imported does not happen now"
        );
        assert_eq!(
            overview["ingest"]["received"],
            json!([{"name": "file", "count": 4}])
        );
        other.collector.stop().await;
    }
    api.collector.stop().await;
}

#[tokio::test]
async fn a_trace_is_exported_for_people() {
    let api = Api::start().await;
    deposit(&api).await;
    let (kind, log) = api.export("text").await;
    assert_eq!(kind, "text/plain; charset=utf-8");
    let moments: Vec<_> = log
        .lines()
        .filter_map(|line| line.split_once(" ["))
        .filter_map(|(_, rest)| Some(rest.split_once("] [")?.1.split_once(']')?.0))
        .collect();
    assert_eq!(moments, ["IN", "REQ", "IN", "REQ", "REP", "OUT", "REP", "OUT"]);
    assert!(log.contains("ERR - cashier: no money"), "{log}");
    let (kind, page) = api.export("html").await;
    assert_eq!(kind, "text/html; charset=utf-8");
    assert_eq!(page.matches("<details").count(), 4);
    let wrong = api
        .refused(
            Method::GET,
            &format!("/traces/{}/export?format=pdf", hex(1, 16)),
            None,
        )
        .await;
    assert_eq!(wrong, (StatusCode::BAD_REQUEST, vec!["format".to_owned()]));
    let none = api
        .refused(Method::GET, &format!("/traces/{}/export", hex(9, 16)), None)
        .await;
    assert_eq!(none.0, StatusCode::NOT_FOUND);
    api.collector.stop().await;
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_span_by_span_or_whole() {
    let api = Api::start().await;
    let file = json!({"data": [{"traceID": "1", "spans": [
        {"traceID": "1", "spanID": "2", "operationName": "x", "startTime": 1_500_000_000_000_000_u64, "duration": 1},
        {"traceID": "1", "spanID": "0", "operationName": "x", "startTime": 1_500_000_000_000_000_u64, "duration": 1},
    ], "processes": {}}]});
    let (_, imported) = api.import(&file.to_string()).await;
    assert_eq!(imported["stored"], 1);
    assert_eq!(imported["refused"], json!([{"name": "span_id", "count": 1}]));
    let (status, places) = api
        .refused(Method::POST, "/import", Some(&json!({"traces": []})))
        .await;
    assert_eq!(
        (status, places),
        (StatusCode::BAD_REQUEST, vec!["body".to_owned()])
    );
    api.collector.stop().await;
}

#[tokio::test]
async fn searches_are_analysed_compared_and_counted() {
    let api = Api::start().await;
    deposit(&api).await;
    api.collector
        .post_json(&request("edge", vec![call(7, 1, 0, SpanKind::Server, 0, 300)]))
        .await;
    let time = api.post("/analysis/time", &json!({})).await;
    assert_eq!(
        (&time["traces"], &time["duration"]),
        (&json!(2), &json!(420_000_000))
    );
    assert_eq!(time["services"][0]["service"], "edge");
    assert_eq!(time["operations"][0]["operation"], "GET /1");
    let share: f64 = ["services"]
        .iter()
        .flat_map(|list| time[*list].as_array().unwrap())
        .map(|row| row["share"].as_f64().unwrap())
        .sum();
    assert!((share - 1.0).abs() < 1e-9);

    let sides =
        json!({"a": {"traceIds": [hex(1, 16)]}, "b": {"search": {"service": "edge", "traceId": "07"}}});
    let comparison = api.post("/analysis/compare", &sides).await;
    assert_eq!(comparison["a"]["spans"], 4);
    assert_eq!(comparison["b"]["duration"], 300_000_000);
    let first = &comparison["operations"][0];
    assert_eq!(
        (&first["operation"], &first["verdict"]),
        (&json!("GET /1"), &json!("slower"))
    );

    let features = api.post("/analysis/features", &json!({"order": "spans"})).await;
    let row = &features["traces"][0];
    assert_eq!(
        (&row["spans"], &row["depth"], &row["maxFanOut"]),
        (&json!(4), &json!(4), &json!(1))
    );
    let url = format!(
        "http://{}/api/meshtrace/v1/analysis/features?format=csv",
        api.collector.at.query
    );
    let answer = send(Request::post(url).body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.content_type(), "text/csv; charset=utf-8");
    assert_eq!(
        String::from_utf8(answer.body.to_vec()).unwrap().lines().count(),
        3
    );

    let url = format!(
        "http://{}/api/meshtrace/v1/analysis/features?format=parquet",
        api.collector.at.query
    );
    let answer = send(Request::post(url).body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.content_type(), "application/vnd.apache.parquet");
    let table = SerializedFileReader::new(answer.body).unwrap();
    assert_eq!(table.metadata().file_metadata().num_rows(), 2);

    for (body, status, places) in [
        (json!({"a": {}, "b": {}}), StatusCode::BAD_REQUEST, vec!["a"]),
        (
            json!({"a": {"traceIds": ["x"]}, "b": {}}),
            StatusCode::BAD_REQUEST,
            vec!["a.traceIds"],
        ),
        (
            json!({"a": {"search": {"limit": 0}}, "b": {}}),
            StatusCode::BAD_REQUEST,
            vec!["a.limit"],
        ),
        (
            json!({"a": {"traceIds": [hex(9, 16)]}, "b": {}}),
            StatusCode::NOT_FOUND,
            vec!["a.traceIds"],
        ),
        (
            json!({"a": {"search": {}}}),
            StatusCode::BAD_REQUEST,
            vec!["body"],
        ),
    ] {
        let refused = api.refused(Method::POST, "/analysis/compare", Some(&body)).await;
        let places: Vec<_> = places.into_iter().map(str::to_owned).collect();
        assert_eq!(refused, (status, places), "{body}");
    }
    api.collector.stop().await;
}

/// Whatever the document has is asked by some test here, and answered.
#[tokio::test]
async fn every_path_of_the_document_is_answered() {
    let api = Api::start().await;
    deposit(&api).await;
    let document = api.collector.get("/api/meshtrace/v1/openapi.yaml").await;
    assert_eq!(document.content_type(), "application/yaml");
    for (method, path) in api.document.operations() {
        let path = path.replace("{traceId}", &hex(1, 16));
        let url = format!("http://{}/api/meshtrace/v1{path}", api.collector.at.query);
        let request = Request::builder().method(method.as_str()).uri(url);
        let client =
            hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
        let body = if method == "POST" {
            Body::from("{}")
        } else {
            Body::empty()
        };
        let answer = client.request(request.body(body).unwrap()).await.unwrap();
        assert!(
            answer.status() != StatusCode::NOT_FOUND && answer.status() != StatusCode::METHOD_NOT_ALLOWED,
            "{method} {path}: {}",
            answer.status()
        );
    }
    for path in ["/nothing", "/traces/x/y"] {
        let answer = api.collector.get(&format!("/api/meshtrace/v1{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(api.document.invalid_as("Errors", &answer.json()), [""; 0]);
    }
    api.collector.stop().await;
}
