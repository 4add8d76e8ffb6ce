//! Services that forward nothing and serve several requests at a time: no call is joined to the wrong one, and what is
//! found out late reads as one trace all the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::thread;

use serde_json::Value;
use stories::mesh::{Mesh, Span, Trace};

/// What the services themselves saw of one request: which span it was to the first, and which to the second.
struct Truth {
    above: Context,
    below: Context,
}

struct Context {
    trace: String,
    span: String,
}

impl Context {
    /// Of the headers that a service was asked with.
    fn of(headers: &Value) -> Self {
        let headers = headers.as_array().unwrap();
        let carried = headers
            .iter()
            .find(|header| header[0].as_str().unwrap().eq_ignore_ascii_case("traceparent"));
        let parts: Vec<_> = carried.unwrap()[1].as_str().unwrap().split('-').collect();
        Self {
            trace: parts[1].to_owned(),
            span: parts[2].to_owned(),
        }
    }
}

/// So many customers, each with so many requests one after the other.
fn ask(mesh: &Mesh, customers: usize, requests: usize) -> Vec<Truth> {
    thread::scope(|scope| {
        let customers: Vec<_> = (0..customers)
            .map(|_| {
                scope.spawn(|| {
                    let one = || {
                        let answer = mesh.ask("front", "GET", "/orders", &[]).json();
                        Truth {
                            above: Context::of(&answer["headers"]),
                            below: Context::of(&answer["next"]["headers"]),
                        }
                    };
                    (0..requests).map(|_| one()).collect::<Vec<_>>()
                })
            })
            .collect();
        customers
            .into_iter()
            .flat_map(|customer| customer.join().unwrap())
            .collect()
    })
}

/// How the calls of `front` were joined, by kind; `wrong`, if to another request than their own.
fn judge(mesh: &Mesh, truths: &[Truth]) -> BTreeMap<String, usize> {
    let spans = 3 * truths.len();
    let traces = mesh.eventually("every span", |mesh| {
        let traces = mesh.traces("limit=1500");
        (traces.iter().map(|trace| trace.spans.len()).sum::<usize>() == spans).then_some(traces)
    });
    let mut kinds = BTreeMap::new();
    for truth in truths {
        let (trace, answers) = find(&traces, &truth.below.span);
        let call = trace.spans.iter().find(|span| span.is_parent_of(answers));
        let call = call.unwrap_or_else(|| panic!("what is below is read with its call: {trace:#?}"));
        let kind = match &call.parent {
            Some(parent) if (parent, &trace.id) == (&truth.above.span, &truth.above.trace) => call.link(),
            Some(_) => {
                assert_eq!(call.link(), "inferred", "what is exact is not wrong: {call:#?}");
                "wrong"
            }
            None => {
                assert_ne!(call.tag("meshtrace.link.reason"), "", "{call:#?}");
                call.link()
            }
        };
        let provisional = call.tag("meshtrace.provisional_trace_id");
        let other = if trace.id == truth.below.trace {
            ""
        } else {
            &truth.below.trace
        };
        assert_eq!(provisional, other, "{call:#?}");
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    kinds
}

/// Of a sidecar that has just begun to learn, on a machine that may be busy with other tests. What its confidence is worth
/// on the whole, the benchmark says.
fn few_are_wrong(kinds: &BTreeMap<String, usize>) -> bool {
    let wrong = kinds.get("wrong").copied().unwrap_or_default();
    wrong * 20 <= kinds.values().sum()
}

fn find<'t>(traces: &'t [Trace], id: &str) -> (&'t Trace, &'t Span) {
    let of = |trace: &'t Trace| Some((trace, trace.spans.iter().find(|span| span.id == id)?));
    traces.iter().find_map(of).unwrap()
}

#[test]
fn calls_of_a_service_with_threads_are_joined_to_their_own_request_or_to_none() {
    let Some(mesh) = Mesh::up(
        "
services:
  front: {command: [python3, app.py], port: 8080, publish: auto, env: {NEXT: 'back:8080'}}
  back: {command: [python3, app.py], port: 8080}
",
    ) else {
        return;
    };
    let truths = ask(&mesh, 6, 30);
    let kinds = judge(&mesh, &truths);
    assert!(few_are_wrong(&kinds), "{kinds:?}");
}

#[test]
fn calls_of_a_service_with_a_process_for_each_request_are_known_by_the_process() {
    let Some(mesh) = Mesh::up(
        "
services:
  front: {command: [python3, prefork.py], port: 8080, publish: auto, env: {NEXT: 'back:8080', WORKERS: 6}}
  back: {command: [python3, app.py], port: 8080}
",
    ) else {
        return;
    };
    let truths = ask(&mesh, 6, 30);
    let kinds = judge(&mesh, &truths);
    let joined = |kind| kinds.get(kind).copied().unwrap_or_default();
    // the first calls leave before anyone has looked
    assert!(joined("exact") > 0 && few_are_wrong(&kinds), "{kinds:?}");
}
