//! `meshtrace traces` and `meshtrace trace` against a collector that says always the same. What they print stands in
//! `data/`: a change to a view is reviewed as a change to a picture.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, channel};

const TRACES: &str = include_str!("data/traces.json");
const TRACE: &str = include_str!("data/trace.json");
const ID: &str = "7d4cbb2bfa0e6b8ecae4a3ba5e9b9a01";

/// Answers searches and the one trace; returns its address and what it is asked.
fn collector() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    let (asked, questions) = channel();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut line = String::new();
            BufReader::new(&socket).read_line(&mut line).unwrap();
            let target = line.split(' ').nth(1).unwrap().to_owned();
            let (status, body) = match target.as_str() {
                search if search.starts_with("/api/traces?") && search.contains("minDuration=never") => (
                    400,
                    r#"{"data":null,"errors":[{"code":400,"msg":"minDuration: `never` is not a duration"}]}"#,
                ),
                search if search.starts_with("/api/traces?") => (200, TRACES),
                one if one == format!("/api/traces/{ID}") => (200, TRACE),
                own if own.starts_with("/api/meshtrace/v1/") => own_answer(&own["/api/meshtrace/v1".len()..]),
                _ => (
                    404,
                    r#"{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}"#,
                ),
            };
            write!(
                socket,
                "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
            if asked.send(target).is_err() {
                return;
            }
        }
    });
    (place, questions)
}

/// What a collector of ours says in its own API.
fn own_answer(target: &str) -> (u16, &'static str) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        _ if query.contains("window=soon") => (
            400,
            r#"{"errors": [{"message": "`soon` is not a duration", "where": "window", "allowed": "10s or longer"}]}"#,
        ),
        "/services" => (
            200,
            r#"{"services": [{"name": "bank", "points": {}, "stats": {"rate": 2.5, "errors": 1,
            "errorRatio": 0.04, "p50": 1200000, "p95": 48000000, "p99": 1250000000}},
            {"name": "quiet", "stats": {"rate": 0, "errors": 0, "errorRatio": 0, "p50": null, "p95": null, "p99": null}}]}"#,
        ),
        "/operations" => (
            200,
            r#"{"operations": [{"service": "bank", "name": "GET /\u001b[31m", "kind": "server", "stats":
            {"rate": 1, "errors": 0, "errorRatio": 0, "p50": 900000, "p95": 900000, "p99": 900000}}]}"#,
        ),
        "/graph" => (
            200,
            r#"{"nodes": [{"id": "bank", "name": "bank", "type": "service"},
            {"id": "silent:ledger", "name": "ledger", "type": "silent"}],
            "edges": [{"from": "bank", "to": "silent:ledger", "calls": 7, "stats": null}]}"#,
        ),
        "/propagation" => (
            200,
            r#"{"workloads": [{"workload": "bank", "verdict": "partly",
            "text": "some calls begin traces of their own", "fix": "copy the traceparent header", "edges": [{"to": "ledger",
            "links": {"calls": 10, "counts": {"propagated": 1, "exact": 5, "inferred": 2, "unknown": 2},
            "dialects": [{"name": "w3c", "count": 1}], "methods": [{"name": "single", "count": 5}],
            "reasons": [{"name": "ambiguous", "count": 2}], "meanConfidence": 0.995}}]}]}"#,
        ),
        "/mesh" => (
            200,
            r#"{"workloads": [{"name": "bank", "instances": [{}, {}], "versions": ["0.1.0"], "spansPerSecond": 12.5,
            "losses": [{"name": "queue_full", "count": 5}], "sidecars": {"addedLatency": {"requests": 9, "p99": 50000},
            "cpu": 0.021, "memory": 18874368}, "links": {"propagated": 0, "exact": 3, "inferred": 1, "unknown": 0},
            "findings": [{"severity": "warning", "text": "5 spans are lost", "fix": "see the collector"}]},
            {"name": "shop", "instances": [], "versions": [], "spansPerSecond": 0, "losses": null, "sidecars": null,
            "links": {"propagated": 0, "exact": 0, "inferred": 0, "unknown": 0}, "findings": []}]}"#,
        ),
        "/traces" if query.contains("traceId=7d4c") => (
            200,
            r#"{"traces": [{"traceId": "7d4cbb2bfa0e6b8ecae4a3ba5e9b9a01"}]}"#,
        ),
        "/traces" => (200, r#"{"traces": []}"#),
        "/analysis/features" => (200, "a table"),
        "/import" => (
            200,
            r#"{"stored": 4, "repeated": 1, "refused": [{"name": "time", "count": 2}]}"#,
        ),
        "/tail" => (
            200,
            "event: span\ndata: {\"traceId\": \"7d4cbb2bfa0e6b8ecae4a3ba5e9b9a01\", \"service\": \"bank\", \
            \"operation\": \"GET /a\", \"kind\": \"client\", \"start\": \"1410056419868400000\", \"duration\": 5590000, \
            \"status\": \"error\", \"message\": \"no money\"}\n\n:\n\nevent: lost\ndata: {\"spans\":3}\n\n",
        ),
        _ => (200, "the file"),
    }
}

fn meshtrace(arguments: &[&str], place: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meshtrace"))
        .args(arguments)
        .env("MESHTRACE_QUERY", place)
        .output()
        .unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let (place, _questions) = collector();
    let output = meshtrace(arguments, &place);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn complaint(arguments: &[&str], place: &str) -> String {
    let output = meshtrace(arguments, place);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn traces_are_a_table() {
    assert_eq!(printed(&["traces"]), include_str!("data/traces.txt"));
}

#[test]
fn a_trace_is_a_waterfall() {
    assert_eq!(printed(&["trace", ID]), include_str!("data/waterfall.txt"));
}

#[test]
fn a_trace_is_a_log_in_the_order_of_time() {
    assert_eq!(
        printed(&["trace", ID, "--format", "log"]),
        include_str!("data/log.txt")
    );
}

#[test]
fn the_beginning_of_an_id_is_enough() {
    // without its last digit it is the beginning of both
    let (place, questions) = collector();
    let said = complaint(&["trace", "7d4cbb2bfa0e6b8ecae4a3ba5e9b9a0"], &place);
    assert!(said.contains("several trace ids"), "{said}");
    assert_eq!(questions.recv().unwrap(), "/api/traces?limit=500");
    assert_eq!(
        printed(&["trace", "7D4CBB2BFA0E6B8ECAE4A3BA5E9B9A01"]),
        include_str!("data/waterfall.txt")
    );
}

#[test]
fn json_is_for_programs() {
    let list: serde_json::Value = serde_json::from_str(&printed(&["traces", "--json"])).unwrap();
    assert_eq!(list[0]["traceID"], ID);
    assert_eq!(list[0]["errors"], 4);
    assert_eq!(list[1]["root"], "edge GET /accounts/{id}/balance");
    let trace: serde_json::Value = serde_json::from_str(&printed(&["trace", ID, "--json"])).unwrap();
    assert_eq!(trace["spans"].as_array().unwrap().len(), 9);
}

#[test]
fn a_search_is_the_collectors_work() {
    let (place, questions) = collector();
    let search = [
        "traces",
        "-s",
        "edge",
        "-t",
        "error=true",
        "-t",
        "a=b=c",
        "--min-duration",
        "5ms",
        "--slowest",
        "-n",
        "3",
    ];
    assert!(meshtrace(&search, &place).status.success());
    assert_eq!(
        questions.recv().unwrap(),
        "/api/traces?limit=3&service=edge&minDuration=5ms\
         &tags=%7B%22a%22%3A%22b%3Dc%22%2C%22error%22%3A%22true%22%7D&order=duration"
    );
}

#[test]
fn errors_say_what_to_do() {
    let (place, _questions) = collector();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{unused}");
    for (arguments, place, what) in [
        (&["traces"][..], &nobody, "is `meshtrace up` running?"),
        (
            &["traces", "--min-duration", "never"],
            &place,
            "says: minDuration: `never` is not a duration",
        ),
        (
            &["trace", "7d4c"],
            &place,
            "several trace ids: 7d4cbb2bfa0e6b8ecae4a3ba5e9b9a01, 7d4cbb2b",
        ),
        (&["trace", "beef"], &place, "no trace whose id begins with `beef`"),
        (&["trace", "xyz"], &place, "`xyz` is not a trace id"),
        (
            &["trace", "00000000000000000000000000000001"],
            &place,
            "says: trace not found",
        ),
        (
            &["traces", "--collector", "localhost/x?"],
            &place,
            "is not the address of a collector",
        ),
    ] {
        let said = complaint(arguments, place);
        assert!(said.contains(what), "{arguments:?}: {said}");
    }
}

#[test]
fn what_happens_now_is_tables() {
    assert_eq!(
        printed(&["services"]),
        "SERVICE    RATE  ERRORS      P50       P95     P99\n\
         bank     2.50/s   4.0 %  1.20 ms  48.00 ms  1.25 s\n\
         quiet    0.00/s   0.0 %        -         -       -\n"
    );
    assert_eq!(
        printed(&["top"]),
        "  RATE  ERRORS     P50     P95     P99  SERVICE  KIND    OPERATION\n\
         1.00/s   0.0 %  900 µs  900 µs  900 µs  bank     server  GET /\u{fffd}[31m\n"
    );
    assert_eq!(
        printed(&["graph"]),
        "FROM  TO               CALLS  RATE  ERRORS  P50  P95  P99\n\
         bank  ledger (silent)      7     -       -    -    -    -\n"
    );
    let json: serde_json::Value = serde_json::from_str(&printed(&["graph", "--json"])).unwrap();
    assert_eq!(json["edges"][0]["calls"], 7);
}

#[test]
fn the_mesh_is_what_sidecars_tell_and_what_to_do() {
    assert_eq!(
        printed(&["mesh"]),
        "WORKLOAD  PODS  ADDED 99 %    CPU    MEMORY    SPANS  LOST          LINKS                      SIDECAR\n\
         bank         2     ≤ 50 µs  2.1 %  18.0 MiB  12.50/s  5 queue_full  75 % exact, 25 % inferred  0.1.0\n\
         shop         0           -      -         -   0.00/s  -             -\n\
         \nbank: 5 spans are lost\n  fix: see the collector\n"
    );
    let json: serde_json::Value = serde_json::from_str(&printed(&["mesh", "--json"])).unwrap();
    assert_eq!(json["workloads"][0]["losses"][0]["count"], 5);
}

#[test]
fn why_says_how_calls_were_joined_and_what_would_help() {
    assert_eq!(
        printed(&["why", "--propagation", "bank"]),
        "bank\n  some calls begin traces of their own\n  → ledger: 10 calls: 1 propagated (w3c 1), 5 exact, \
         2 inferred at 0.995, 2 unknown (ambiguous 2) (single 5)\n  fix: copy the traceparent header\n"
    );
    let (place, questions) = collector();
    assert!(
        meshtrace(&["why", "--propagation", "bank", "--window", "5m"], &place)
            .status
            .success()
    );
    assert_eq!(
        questions.recv().unwrap(),
        "/api/meshtrace/v1/propagation?window=5m&workload=bank"
    );
}

#[test]
fn spans_are_followed_as_they_arrive() {
    assert_eq!(
        printed(&["tail"]),
        "2014-09-07 02:20:19.868    5.59 ms 7d4cbb2b bank → GET /a ✗ no money\n(some were missed: {\"spans\":3})\n"
    );
    let (place, questions) = collector();
    let tail = [
        "tail", "-s", "bank", "--errors", "--where", "a>=5", "--where", "b", "--roots", "--json",
    ];
    let output = meshtrace(&tail, &place);
    assert_eq!(
        questions.recv().unwrap(),
        "/api/meshtrace/v1/tail?service=bank&where=a%3E%3D5&where=b&status=error&roots=true"
    );
    let lines: Vec<_> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    let spans = lines
        .iter()
        .map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap());
    assert_eq!(spans.count(), 2);
}

#[test]
fn traces_go_out_and_come_in_as_files() {
    assert_eq!(printed(&["export", "7d4c", "--format", "text"]), "the file");
    let (place, questions) = collector();
    assert!(
        meshtrace(&["export", "7D4C", "--format", "html"], &place)
            .status
            .success()
    );
    assert_eq!(
        questions.recv().unwrap(),
        "/api/meshtrace/v1/traces?traceId=7d4c&limit=5"
    );
    assert_eq!(
        questions.recv().unwrap(),
        format!("/api/meshtrace/v1/traces/{ID}/export?format=html")
    );
    let arguments = [
        "export",
        "--features",
        "parquet",
        "--service",
        "edge",
        "--where",
        "a>1",
        "--since",
        "1h",
        "-n",
        "7",
    ];
    let (place, questions) = collector();
    let output = meshtrace(&arguments, &place);
    assert_eq!(output.stdout, b"a table");
    // progress is for a terminal
    assert_eq!(output.stderr, b"");
    assert_eq!(
        questions.recv().unwrap(),
        "/api/meshtrace/v1/analysis/features?format=parquet"
    );
    // one trace, or many
    let both = meshtrace(&["export", "7d4c", "--features", "csv"], &place);
    assert_eq!(both.status.code(), Some(2));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/trace.json");
    let said = printed(&["import", file]);
    assert!(
        said.ends_with("trace.json: 4 spans kept, 1 were there already, 2 refused: time\n"),
        "{said}"
    );
}

#[test]
fn the_collectors_own_refusals_say_where_and_what_is_allowed() {
    let (place, _questions) = collector();
    for (arguments, what) in [
        (
            &["services", "--window", "soon"][..],
            "says: window: `soon` is not a duration (allowed: 10s or longer)",
        ),
        (&["export", "beef"], "no trace whose id begins with `beef`"),
        (&["import", "/nowhere/at/all"], "/nowhere/at/all: "),
    ] {
        let said = complaint(arguments, &place);
        assert!(said.contains(what), "{arguments:?}: {said}");
    }
}

#[test]
fn inferred_links_can_be_hidden() {
    let with = printed(&["trace", ID]);
    let without = printed(&["trace", ID, "--links", "exact"]);
    let inferred = with.lines().filter(|line| line.contains("link inferred")).count();
    assert!(inferred > 0, "{with}");
    assert!(with.contains("confidence 0."), "{with}");
    let deepest = |text: &str| text.lines().map(|line| line.find(['└', '├']).unwrap_or(0)).max();
    assert!(deepest(&without) < deepest(&with), "{without}");
}
