//! The edge of a mesh, in real namespaces: whoever comes in brings a trace, and nobody inside hears of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use stories::mesh::Mesh;

const MESH: &str = "services:
  gate: {command: [python3, app.py], port: 8080, publish: auto, env: {NEXT: 'inside:8080'}, sidecar: {edge: true}}
  inside: {command: [python3, app.py], port: 8080}
";

/// Who is outside, in four dialects at once.
const OUTSIDE: &str = "0af7651916cd43dd8448eb211c80319c";

#[test]
fn a_trace_from_outside_ends_at_the_edge_though_the_application_forwards_all_that_it_gets() {
    let Some(mesh) = Mesh::up(MESH) else { return };
    let answer = mesh.ask(
        "gate",
        "GET",
        "/forward",
        &[
            ("traceparent", &format!("00-{OUTSIDE}-b7ad6b7169203331-00")),
            ("tracestate", "vendor=secret"),
            ("b3", &format!("{OUTSIDE}-b7ad6b7169203331-d")),
            ("uber-trace-id", &format!("{OUTSIDE}:b7ad6b7169203331:0:3")),
            ("x-b3-sampled", "0"),
        ],
    );
    let heard = answer.json()["next"]["headers"].to_string();
    assert!(!heard.contains(OUTSIDE) && !heard.contains("secret"), "{heard}");

    // one from the gate's server, one from its client, one from the server inside
    let trace = mesh.eventually("the trace that began at the edge", |mesh| {
        let mut traces = mesh.traces("service=inside&limit=20").into_iter();
        traces.find(|trace| trace.spans.len() == 3)
    });
    assert_ne!(trace.id, OUTSIDE);
    let root = trace.span("gate", "server");
    assert_eq!((root.parent.as_ref(), root.tag("meshtrace.edge")), (None, "true"));
    let call = trace.span("gate", "client");
    assert!(root.is_parent_of(call) && call.is_parent_of(trace.span("inside", "server")));
    assert!(heard.contains(&trace.id), "{heard}");
    assert!(
        mesh.traces("service=gate&limit=20")
            .iter()
            .all(|trace| trace.id != OUTSIDE)
    );
}
