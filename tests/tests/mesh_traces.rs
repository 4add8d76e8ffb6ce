//! Unmodified programs in, connected traces out: two services with sidecars and a collector, in network namespaces of
//! their own with the rules that a pod has.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

use stories::mesh::{Mesh, Span, Trace};

/// A client program, `front`, and `back` that answers.
const CHAIN: &str = "
services:
  client: {command: [python3, get.py, $GATE, 'http://front:8080/orders/7?card=4111111111111111']}
  front: {command: [python3, app.py], port: 8080, publish: auto, env: {NEXT: 'back:8080'}}
  back: {command: [python3, app.py], port: 8080}
";

#[test]
fn a_request_of_an_ordinary_client_is_one_trace_through_two_services_that_forward_nothing() {
    let Some(mesh) = Mesh::up(CHAIN) else { return };
    mesh.open();
    mesh.eventually("the client's answer", |mesh| mesh.said_by("client", "got 200"));
    let trace = mesh.trace_of("service=back", 4);

    let path = [
        trace.span("client", "client"),
        trace.span("front", "server"),
        trace.span("front", "client"),
        trace.span("back", "server"),
    ];
    assert_eq!(trace.spans.len(), path.len());
    assert!(
        path.windows(2).all(|pair| pair[0].is_parent_of(pair[1])),
        "{trace:#?}"
    );
    assert_eq!(path[0].parent, None);
    assert_eq!(
        path.map(Span::link),
        ["unknown", "propagated", "exact", "propagated"]
    );
    assert_eq!(path.map(|span| &*span.name), ["GET /orders/{id}"; 4]);
    assert!(path.iter().all(|span| span.tag("error").is_empty()));
}

#[test]
fn spans_say_what_the_semantic_conventions_want_of_them() {
    let Some(mesh) = Mesh::up(CHAIN) else { return };
    mesh.open();
    let trace = mesh.trace_of("service=back", 4);

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
    assert_eq!(mesh.ask("front", "GET", "/status/503", &[]).status, 503);
    let trace = mesh.trace_of("service=back", 3);
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

/// What a sidecar's admin port says, asked from inside the mesh by a service without a sidecar.
const METRICS: &str = "
services:
  front: {command: [python3, app.py], port: 8080, publish: auto, env: {NEXT: 'back:8080'}}
  back: {command: [python3, app.py], port: 8080, sidecar: {sampling: SAMPLING}}
  look: {command: [python3, get.py, $GATE, 'http://back:15190/metrics'], traced: false}
";

/// The value of a series among what `look` has printed.
fn metric(mesh: &Mesh, series: &str) -> Option<u64> {
    let lines = mesh.said();
    let value = lines
        .iter()
        .find_map(|line| line.split_once(series)?.1.trim().parse().ok());
    value.or_else(|| {
        lines
            .iter()
            .any(|line| line.contains("meshtrace_spans_started_total "))
            .then_some(0)
    })
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
    assert_eq!(mesh.ask("front", "GET", "/forward/status", &[]).status, 200);
    assert_eq!(mesh.ask("front", "GET", "/status/500", &probe).status, 500);
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
        ["/forward/status", "/status/500"].map(str::to_owned).into()
    );

    mesh.open();
    let counted = mesh.eventually("metrics", |mesh| {
        metric(mesh, "meshtrace_requests_unrecorded_total{reason=\"probe\"}")
    });
    assert_eq!(counted, 3);
    assert_eq!(
        metric(
            &mesh,
            "meshtrace_requests_total{direction=\"inbound\",outcome=\"2xx\"}"
        ),
        Some(4)
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
    mesh.open();
    let unrecorded = mesh.eventually("metrics", |mesh| {
        metric(
            mesh,
            "meshtrace_requests_unrecorded_total{reason=\"not_sampled\"}",
        )
    });
    assert_eq!(unrecorded, 5);
    assert_eq!(
        metric(
            &mesh,
            "meshtrace_requests_total{direction=\"inbound\",outcome=\"2xx\"}"
        ),
        Some(5)
    );
    assert_eq!(metric(&mesh, "meshtrace_spans_exported_total"), Some(0));
    assert!(mesh.traces("limit=10").is_empty());
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
    mesh.ask("front", "GET", "/orders", &not_sampled);
    mesh.ask("front", "GET", "/orders", &[]);
    mesh.ask("front", "GET", "/orders", &sampled);
    let trace = mesh.trace_of("limit=10", 3);
    assert_eq!(trace.id, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(
        trace.span("front", "server").parent.as_deref(),
        Some("b7ad6b7169203331")
    );
}

#[test]
fn with_two_requests_in_flight_no_outbound_call_is_joined_to_the_wrong_one() {
    let yaml = CHAIN.replace("NEXT:", "TOGETHER: 2, NEXT:");
    let Some(mesh) = Mesh::up(&yaml) else { return };
    // the service calls on only when both requests are in, and answers only when both calls have been answered
    std::thread::scope(|scope| {
        for path in ["/together/a", "/together/b"] {
            let mesh = &mesh;
            scope.spawn(move || assert_eq!(mesh.ask("front", "GET", path, &[]).status, 200));
        }
    });
    let traces = mesh.eventually("six spans", |mesh| {
        let traces = mesh.traces("limit=10");
        (traces.iter().map(|trace| trace.spans.len()).sum::<usize>() == 6).then_some(traces)
    });

    let below: Vec<&Trace> = traces
        .iter()
        .filter(|trace| trace.services().contains("back"))
        .collect();
    assert_eq!((traces.len(), below.len()), (4, 2), "{traces:#?}");
    for trace in below {
        let (asks, answers) = (trace.span("front", "client"), trace.span("back", "server"));
        assert_eq!((asks.link(), asks.parent.as_ref()), ("unknown", None));
        assert!(
            asks.is_parent_of(answers),
            "what is below is whole in itself: {trace:#?}"
        );
    }
}

#[test]
fn every_replica_of_a_service_is_itself_in_the_traces() {
    let yaml = CHAIN.replace("publish: auto,", "publish: auto, replicas: 2,");
    let Some(mesh) = Mesh::up(&yaml) else { return };
    let hosts: BTreeSet<String> = (0..2)
        .map(|_| {
            mesh.ask("front", "GET", "/orders", &[]).json()["host"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(hosts, ["front-0", "front-1"].map(str::to_owned).into());

    let traces = mesh.eventually("two whole traces", |mesh| {
        let traces = mesh.traces("service=front");
        (traces.len() == 2 && traces.iter().all(|trace| trace.spans.len() == 3)).then_some(traces)
    });
    let instances: BTreeSet<_> = traces
        .iter()
        .map(|trace| trace.span("front", "client").resource["service.instance.id"].clone())
        .collect();
    assert_eq!(instances, hosts);
}

/// `middle` has no sidecar.
const GAP: &str = "
services:
  front: {command: [python3, app.py], port: 8080, publish: auto, env: {NEXT: 'middle:8080'}}
  middle: {command: [python3, app.py], port: 8080, traced: false, env: {NEXT: 'back:8080'}}
  back: {command: [python3, app.py], port: 8080}
";

#[test]
fn a_service_without_a_sidecar_that_forwards_its_headers_does_not_break_the_trace() {
    let Some(mesh) = Mesh::up(GAP) else { return };
    assert_eq!(mesh.ask("front", "GET", "/forward", &[]).status, 200);
    let trace = mesh.trace_of("service=back", 3);
    let back = trace.span("back", "server");
    assert!(trace.span("front", "client").is_parent_of(back), "{trace:#?}");
    assert_eq!(back.link(), "propagated");
}

#[test]
fn a_service_without_a_sidecar_that_forwards_nothing_ends_the_trace_and_the_next_one_begins_behind_it() {
    let Some(mesh) = Mesh::up(GAP) else { return };
    assert_eq!(mesh.ask("front", "GET", "/orders", &[]).status, 200);
    let behind = mesh.trace_of("service=back", 1);
    let before = mesh.trace_of("service=front", 2);
    assert_ne!(behind.id, before.id);
    assert_eq!(behind.span("back", "server").link(), "unknown");
    assert_eq!(before.span("front", "client").tag("server.address"), "middle");
}

#[test]
fn services_that_meet_over_ipv6_are_traced_as_over_ipv4() {
    let yaml = format!("ip: dual{}", CHAIN.replace("NEXT:", "FAMILY: 6, NEXT:"));
    let Some(mesh) = Mesh::up(&yaml) else { return };
    if !std::path::Path::new("/proc/net/if_inet6").exists() {
        eprintln!("SKIPPED: IPv6 between services: this machine has none");
        return;
    }
    assert_eq!(mesh.ask("front", "GET", "/orders", &[]).status, 200);
    let trace = mesh.trace_of("service=back", 3);
    let (asks, answers) = (trace.span("front", "client"), trace.span("back", "server"));
    assert!(asks.is_parent_of(answers), "{trace:#?}");
    for span in [asks, answers] {
        assert!(
            span.tag("network.peer.address")
                .parse::<std::net::Ipv6Addr>()
                .is_ok(),
            "{span:#?}"
        );
        assert_eq!(span.tag("server.address"), "back");
    }
}

#[test]
fn a_protocol_in_which_the_server_speaks_first_passes_the_redirect_unseen() {
    let yaml = "
services:
  post: {command: [python3, talk.py, greet, '2525'], port: 2525}
  client: {command: [python3, talk.py, listen, post, '2525', $GATE]}
";
    let Some(mesh) = Mesh::up(yaml) else { return };
    mesh.open();
    mesh.eventually("the greeting", |mesh| {
        mesh.said_by("client", "heard 220 ready when you are")
    });
    mesh.eventually("the answer", |mesh| mesh.said_by("client", "heard 250 HELO"));
    mesh.eventually("the end", |mesh| mesh.said_by("client", "ended"));
    assert!(
        mesh.traces("limit=10").is_empty(),
        "it has no requests that could be seen"
    );
}

#[test]
fn a_tls_connection_is_one_span_on_each_side_and_its_bytes_stay_secret() {
    let yaml = "
services:
  vault: {command: [python3, talk.py, tls, '8443'], port: 8443}
  client: {command: [python3, talk.py, tls-ask, vault, '8443', $GATE]}
";
    let Some(mesh) = Mesh::up(yaml) else { return };
    mesh.open();
    mesh.eventually("the answer", |mesh| {
        mesh.said_by("client", "heard 250 a secret TLSv1.2 http/1.1")
    });
    let traces = mesh.eventually("a span on each side", |mesh| {
        let traces = mesh.traces("limit=10");
        (traces.len() == 2).then_some(traces)
    });
    for (service, kind) in [("client", "client"), ("vault", "server")] {
        let of_service = traces
            .iter()
            .find(|trace| trace.services().contains(service))
            .unwrap();
        let span = of_service.span(service, kind);
        assert_eq!(span.name, "TLS");
        for (key, value) in [
            ("tls.client.server_name", "vault"),
            ("tls.protocol.version", "1.2"),
            ("tls.next_protocol", "http/1.1"),
            ("meshtrace.encrypted", "true"),
        ] {
            assert_eq!(span.tag(key), value, "{key} of {span:#?}");
        }
        assert!(span.tag("meshtrace.client.bytes").parse::<u64>().unwrap() > 0);
    }
}

#[test]
fn a_connection_that_nobody_takes_is_reset_with_sidecars_and_refused_without() {
    let yaml = "
services:
  empty: {command: [sleep, '3600'], traced: TRACED}
  client: {command: [python3, talk.py, knock, empty, '9999', $GATE], traced: TRACED}
";
    for (traced, heard) in [
        ("true", "ConnectionResetError"),
        ("false", "ConnectionRefusedError"),
    ] {
        let yaml = yaml.replace("TRACED", traced);
        let Some(mesh) = Mesh::up(&yaml) else { return };
        mesh.open();
        let said = mesh.eventually("what the client hears", |mesh| mesh.said_by("client", "heard"));
        assert!(said.ends_with(heard), "{said}");
        assert!(mesh.traces("limit=10").is_empty());
    }
}
