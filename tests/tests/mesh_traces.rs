//! Unmodified programs in, connected traces out: services with sidecars and a collector, in network namespaces of their
//! own with the rules that a pod has.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

use stories::mesh::{Mesh, Span, Trace, of_path};

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
    mesh.warm("front");
    mesh.open();
    mesh.eventually("the client's answer", |mesh| mesh.said_by("client", "got 200"));
    let trace = mesh.trace_of(&of_path("/orders/7"), 4);

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
    let [begins, arrives, asks, answers] = path;
    assert_eq!(
        [begins, arrives, answers].map(Span::link),
        ["unknown", "propagated", "propagated"]
    );
    assert!(asks.is_joined(), "{asks:#?}");
    assert_eq!(path.map(|span| &*span.name), ["GET /orders/{id}"; 4]);
    assert!(path.iter().all(|span| span.tag("error").is_empty()));
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
    mesh.warm("front");
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
        let traces = mesh.traces(&of_path("/orders"));
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
    mesh.warm("front");
    assert_eq!(mesh.ask("front", "GET", "/forward", &[]).status, 200);
    let trace = mesh.trace_of(&of_path("/forward"), 3);
    let back = trace.span("back", "server");
    assert!(trace.span("front", "client").is_parent_of(back), "{trace:#?}");
    assert_eq!(back.link(), "propagated");
}

#[test]
fn a_service_without_a_sidecar_that_forwards_nothing_ends_the_trace_and_the_next_one_begins_behind_it() {
    let Some(mesh) = Mesh::up(GAP) else { return };
    mesh.warm("front");
    assert_eq!(mesh.ask("front", "GET", "/orders", &[]).status, 200);
    let behind = mesh.trace_of(&format!("service=back&{}", of_path("/orders")), 1);
    let before = mesh.trace_of(&format!("service=front&{}", of_path("/orders")), 2);
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
    mesh.warm("front");
    assert_eq!(mesh.ask("front", "GET", "/orders", &[]).status, 200);
    let trace = mesh.trace_of(&of_path("/orders"), 3);
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
