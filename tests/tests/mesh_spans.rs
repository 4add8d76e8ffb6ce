//! What the spans of a real mesh say and do not say, and which there are not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

use stories::mesh::{Mesh, of_path};
use stories::sidecar::Metrics;

/// A client program, `front`, and `back` that answers.
const CHAIN: &str = "
services:
  client: {command: [python3, get.py, $GATE, 'http://front:8080/orders/7?card=4111111111111111']}
  front: {command: [python3, app.py], port: 8080, publish: auto, env: {NEXT: 'back:8080'}}
  back: {command: [python3, app.py], port: 8080}
";

#[test]
fn spans_say_what_the_semantic_conventions_want_of_them() {
    let Some(mesh) = Mesh::up(CHAIN) else { return };
    mesh.warm("front");
    mesh.open();
    let trace = mesh.trace_of(&of_path("/orders/7"), 4);

    for (service, kind, expected) in [
        (
            "front",
            "server",
            &[
                ("http.request.method", "GET"),
                ("url.scheme", "http"),
                ("url.path", "/orders/7"),
                ("url.query", "REDACTED"),
                ("http.route", "/orders/{id}"),
                ("http.response.status_code", "200"),
                ("server.address", "front"),
                ("server.port", "8080"),
                ("network.protocol.version", "1.1"),
            ][..],
        ),
        (
            "front",
            "client",
            &[
                ("http.request.method", "GET"),
                ("url.full", "http://back:8080/orders/7?REDACTED"),
                ("http.response.status_code", "200"),
                ("server.address", "back"),
                ("server.port", "8080"),
                ("network.peer.port", "8080"),
                ("network.protocol.version", "1.1"),
            ][..],
        ),
    ] {
        let span = trace.span(service, kind);
        for (key, value) in expected {
            assert_eq!(span.tag(key), *value, "{key} of {span:#?}");
        }
        assert!(
            span.tag("network.peer.address")
                .parse::<std::net::Ipv4Addr>()
                .is_ok(),
            "{span:#?}"
        );
        assert!(span.tag("http.response.body.size").parse::<u64>().unwrap() > 0);
    }
    let [asks, answers] = ["client", "server"].map(|kind| trace.span("front", kind));
    assert_eq!(answers.resource["service.instance.id"], "front");
    assert!(
        asks.duration <= answers.duration,
        "a call takes no longer than the request that it is a part of"
    );
}

#[test]
fn secrets_of_a_request_are_nowhere_in_the_collector() {
    let Some(mesh) = Mesh::up(CHAIN) else { return };
    let headers = [
        ("Authorization", "Bearer hush-1"),
        ("Cookie", "session=hush-2"),
        ("X-Api-Key", "hush-3"),
        ("Referer", "http://front/?hush-4"),
    ];
    let target = "http://hush-5:hush-6@front:8080/forward/orders?token=hush-7";
    assert_eq!(mesh.ask("front", "GET", target, &headers).status, 200);
    let trace = mesh.trace_of("service=back", 3);

    for target in [
        "/api/traces?limit=100".to_owned(),
        format!("/api/traces/{}", trace.id),
    ] {
        let all = mesh.collector(&target);
        assert!(all.contains("/forward/orders") && !all.contains("hush"), "{all}");
    }
    let operations = mesh.collector("/api/services/front/operations");
    assert!(
        operations.contains("/forward/orders") && !operations.contains("hush"),
        "{operations}"
    );
}

#[test]
fn a_failure_below_is_an_error_on_every_span_that_saw_it() {
    let Some(mesh) = Mesh::up(CHAIN) else { return };
    mesh.warm("front");
    assert_eq!(mesh.ask("front", "GET", "/status/503", &[]).status, 503);
    let trace = mesh.trace_of(&of_path("/status/503"), 3);
    for span in &trace.spans {
        assert_eq!(
            (span.tag("error"), span.tag("error.type")),
            ("true", "503"),
            "{span:#?}"
        );
        assert_eq!(span.tag("otel.status_code"), "ERROR");
    }

    assert_eq!(mesh.ask("front", "GET", "/status/404", &[]).status, 404);
    let trace = mesh.eventually("the trace of a 404", |mesh| {
        let mut traces = mesh
            .traces("service=back&tags=%7B%22http.response.status_code%22%3A%22404%22%7D")
            .into_iter();
        traces.find(|trace| trace.spans.len() == 3)
    });
    assert_eq!(
        trace.span("front", "client").tag("error"),
        "true",
        "what a client did wrong it is told"
    );
    assert_eq!(
        trace.span("back", "server").tag("error"),
        "",
        "and its server is not to blame"
    );
}

#[test]
fn a_sampling_decision_that_came_with_the_request_holds_in_every_sidecar() {
    let yaml = CHAIN.replace("env: {NEXT", "sidecar: {sampling: 0}, env: {NEXT");
    let Some(mesh) = Mesh::up(&yaml) else { return };
    let sampled = [(
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )];
    let not_sampled = [(
        "traceparent",
        "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
    )];
    for _ in 0..6 {
        mesh.ask("front", "GET", "/orders", &not_sampled);
    }
    mesh.ask("front", "GET", "/orders", &[]);
    mesh.ask("front", "GET", "/orders", &sampled);
    let trace = mesh.trace_of("limit=10", 3);
    assert_eq!(trace.id, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(
        trace.span("front", "server").parent.as_deref(),
        Some("b7ad6b7169203331")
    );
}

/// What a sidecar's admin port says, asked from inside the mesh by a service without a sidecar.
const METRICS: &str = "
services:
  front: {command: [python3, app.py], port: 8080, publish: auto, env: {NEXT: 'back:8080'}}
  back: {command: [python3, app.py], port: 8080, sidecar: {sampling: SAMPLING}}
  look: {command: [python3, get.py, $GATE, 'http://back:15190/metrics'], traced: false}
";

/// What `look` has printed, once it has ended.
fn metrics(mesh: &Mesh) -> Metrics {
    mesh.open();
    mesh.eventually("metrics", |mesh| mesh.said_by("look", "ended"));
    let lines = mesh.said();
    let printed = lines
        .iter()
        .filter_map(|line| line.strip_prefix("look")?.split_once("│ "));
    let printed: Vec<_> = printed
        .map(|(_, line)| line.strip_prefix("got 200 ").unwrap_or(line))
        .collect();
    Metrics(printed.join("\n"))
}

#[test]
fn a_probe_that_succeeds_is_counted_and_not_stored_and_one_that_fails_is_stored() {
    let Some(mesh) = Mesh::up(&METRICS.replace("SAMPLING", "100%")) else {
        return;
    };
    let probe = [("User-Agent", "kube-probe/1.30")];
    for _ in 0..3 {
        assert_eq!(mesh.ask("front", "GET", "/forward/live", &probe).status, 200);
    }
    assert_eq!(mesh.ask("front", "GET", "/forward/orders", &[]).status, 200);
    assert_eq!(
        mesh.ask("front", "GET", "/forward/status/500", &probe).status,
        500
    );
    let paths = |mesh: &Mesh| -> BTreeSet<String> {
        let traces = mesh.traces("service=back");
        let spans = traces
            .iter()
            .flat_map(|trace| &trace.spans)
            .filter(|span| span.service == "back");
        spans.map(|span| span.tag("url.path").to_owned()).collect()
    };
    mesh.eventually("what is no probe, and the one that failed", |mesh| {
        (paths(mesh).len() >= 2).then_some(())
    });
    assert_eq!(
        paths(&mesh),
        ["/forward/orders", "/forward/status/500"]
            .map(str::to_owned)
            .into()
    );

    let metrics = metrics(&mesh);
    assert_eq!(
        metrics.value("meshtrace_requests_unrecorded_total{reason=\"probe\"}"),
        3
    );
    assert_eq!(
        metrics.value("meshtrace_requests_total{direction=\"inbound\",outcome=\"2xx\"}"),
        4
    );
}

#[test]
fn a_service_that_samples_nothing_stores_nothing_of_traces_that_begin_there_and_counts_all() {
    // the front has no sidecar, so that traces begin at the back
    let yaml = METRICS
        .replace("SAMPLING", "0")
        .replace("publish: auto,", "publish: auto, traced: false,");
    let Some(mesh) = Mesh::up(&yaml) else { return };
    for _ in 0..5 {
        assert_eq!(mesh.ask("front", "GET", "/orders", &[]).status, 200);
    }
    let metrics = metrics(&mesh);
    assert_eq!(
        metrics.value("meshtrace_requests_unrecorded_total{reason=\"not_sampled\"}"),
        5
    );
    assert_eq!(
        metrics.value("meshtrace_requests_total{direction=\"inbound\",outcome=\"2xx\"}"),
        5
    );
    assert_eq!(metrics.value("meshtrace_spans_exported_total"), 0);
    assert!(mesh.traces("limit=10").is_empty());
}
