//! The demo itself: what `make demo` runs, seen from the collector's API and from the command line.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;
use stories::mesh::{Answer, Mesh, Span, Trace};

const ACCOUNTS: std::ops::RangeInclusive<u32> = 1..=8;

/// The bank's services, in the order of their names.
const BANK: [&str; 6] = ["account", "balance", "cashier", "customer", "edge", "transaction"];

/// The demo with other addresses to publish on, and its load as it is or with other settings.
fn bank(load: Option<&str>) -> Option<Mesh> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../demo/bank")
        .canonicalize()
        .unwrap();
    let yaml = std::fs::read_to_string(folder.join("mesh.yaml")).unwrap();
    let as_it_is = "{RATE: 2, CONCURRENCY: 1}";
    assert!(yaml.contains(as_it_is), "the demo makes one request at a time");
    Mesh::up_in(&yaml.replace(as_it_is, load.unwrap_or(as_it_is)), &folder)
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A deposit or withdrawal at the bank's door.
fn move_money(mesh: &Mesh, account: u32, kind: &str, cents: i64) -> Answer {
    let target = format!("/accounts/{account}/{kind}");
    let document = format!("{{\"amount\": {cents}}}");
    mesh.ask_with("edge", "POST", &target, &[], document.as_bytes())
}

fn money_in_the_bank(mesh: &Mesh) -> i64 {
    let balance = |account| {
        mesh.ask("edge", "GET", &format!("/accounts/{account}/balance"), &[])
            .json()
    };
    ACCOUNTS
        .map(|account| balance(account)["balance"].as_i64().unwrap())
        .sum()
}

/// Whether it is one tree whose only span without a cause of its own is the root.
fn is_connected(trace: &Trace) -> bool {
    let roots = trace.roots();
    let [root] = roots.as_slice() else { return false };
    let joined = trace.spans.iter().filter(|span| span.link() != "unknown").count();
    root.parent.is_none() && joined == trace.spans.len() - 1
}

#[test]
fn a_deposit_is_one_trace_across_all_six_services_of_the_bank() {
    let Some(mesh) = bank(None) else { return };
    let search = "service=edge&operation=POST%20%2Faccounts%2F%7Bid%7D%2Fdeposit&limit=100";
    let trace = mesh.eventually("a deposit that crosses all services", |mesh| {
        mesh.traces(search)
            .into_iter()
            .find(|trace| trace.services().into_iter().eq(BANK) && is_connected(trace))
    });

    let calls = [
        ("edge", "cashier"),
        ("cashier", "account"),
        ("account", "customer"),
        ("cashier", "transaction"),
        ("transaction", "balance"),
    ];
    assert_eq!(trace.spans.len(), 1 + 2 * calls.len(), "{trace:#?}");
    for (caller, callee) in calls {
        let mut asks = trace
            .spans
            .iter()
            .filter(|span| span.service == caller && span.tag("server.address") == callee);
        let asks = asks.find(|span| span.tag("span.kind") == "client").unwrap();
        assert!(trace.span(caller, "server").is_parent_of(asks), "{trace:#?}");
        assert!(asks.is_parent_of(trace.span(callee, "server")), "{trace:#?}");
        assert!(asks.is_joined(), "{asks:#?}");
    }

    let listed = json(&mesh.meshtrace(&["traces", "--service", "edge", "--limit", "100", "--json"]));
    let listed = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|listed| listed["traceID"] == *trace.id)
        .unwrap();
    assert_eq!(listed["root"], "edge POST /accounts/{id}/deposit");
    assert_eq!(listed["services"], Value::from(BANK.to_vec()));
    assert_eq!(listed["spans"], trace.spans.len());
}

#[test]
fn one_trace_is_a_log_of_requests_that_come_in_go_out_and_come_back() {
    let Some(mesh) = bank(Some("{RATE: 40, REQUESTS: 20}")) else {
        return;
    };
    let trace = mesh.eventually("a deposit", |mesh| {
        mesh.traces("service=customer")
            .into_iter()
            .find(|trace| trace.services().len() == BANK.len() && is_connected(trace))
    });
    let output = mesh.meshtrace(&["trace", &trace.id, "--format", "log"]);
    let log = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{log}");
    let heading = log.lines().next().unwrap();
    assert_eq!(heading, format!("Tracing: {}", trace.id));
    for what in ["[REQ]", "[IN]", "[OUT]", "[REP]"] {
        let expected = if matches!(what, "[IN]" | "[OUT]") {
            BANK.len()
        } else {
            BANK.len() - 1
        };
        let lines: Vec<_> = log.lines().filter(|line| line.contains(what)).collect();
        assert_eq!(lines.len(), expected, "{what}\n{log}");
    }
    assert!(log.contains("cashier → transaction POST /transactions"), "{log}");

    let waterfall = mesh.meshtrace(&["trace", &trace.id[..12]]);
    let waterfall = String::from_utf8(waterfall.stdout).unwrap();
    assert!(
        waterfall.contains("11 spans") && waterfall.contains("6 services"),
        "{waterfall}"
    );
}

#[test]
fn at_one_request_at_a_time_every_trace_is_connected_and_the_odd_ones_are_found() {
    let Some(mesh) = bank(Some("{RATE: 40, REQUESTS: 150}")) else {
        return;
    };
    mesh.eventually("the end of the load", |mesh| mesh.said_by("load", "ended"));
    // those before the first are the load generator's at the closed door
    let traces = mesh.eventually("every span of every trace", |mesh| {
        let traces = mesh.traces("limit=1500");
        (traces.len() > 150 && traces.iter().all(is_connected)).then_some(traces)
    });
    let deposits = traces
        .iter()
        .filter(|trace| trace.services().len() == BANK.len())
        .count();
    assert!(deposits > 50, "only {deposits} have crossed all services");

    let overdrawn = json(&mesh.meshtrace(&["traces", "--tag", "http.response.status_code=409", "--json"]));
    let overdrawn = overdrawn.as_array().unwrap();
    assert!(
        !overdrawn.is_empty(),
        "somebody has asked for more than anybody has"
    );
    for trace in overdrawn {
        assert_eq!(trace["root"], "edge POST /accounts/{id}/withdraw");
        assert!(trace["errors"].as_u64().unwrap() > 0, "{trace}");
    }

    let slow = json(&mesh.meshtrace(&[
        "traces",
        "--service",
        "customer",
        "--min-duration",
        "400ms",
        "--slowest",
        "--json",
    ]));
    let slow = slow.as_array().unwrap();
    assert!(!slow.is_empty(), "a customer's file is thick");
    let durations: Vec<_> = slow
        .iter()
        .map(|trace| trace["duration"].as_u64().unwrap())
        .collect();
    assert!(durations.is_sorted_by(|one, next| one >= next) && durations.iter().all(|it| *it >= 400_000));
}

#[test]
fn with_four_customers_at_once_no_exact_link_is_wrong_and_hardly_an_inferred_one() {
    let Some(mesh) = bank(Some("{RATE: 200, CONCURRENCY: 4, REQUESTS: 300}")) else {
        return;
    };
    mesh.eventually("the end of the load", |mesh| mesh.said_by("load", "ended"));
    let traces = mesh.eventually("every span", |mesh| {
        let traces = mesh.traces("limit=1500");
        let of = |kind: &str| {
            spans(&traces)
                .filter(|span| span.tag("span.kind") == kind)
                .count()
        };
        // each call of the edge and below is answered by a service with a sidecar, 301 requests come from outside
        (of("server") >= of("client") + 301).then_some(traces)
    });
    let unknown = spans(&traces).filter(|span| span.tag("span.kind") == "client" && span.link() == "unknown");
    assert!(unknown.count() > 0, "four at once were never in the same service");
    let mixed: Vec<_> = (traces.iter())
        .filter(|trace| {
            trace
                .spans
                .iter()
                .filter_map(account)
                .collect::<BTreeSet<_>>()
                .len()
                > 1
        })
        .collect();
    let inferred = |span: &Span| span.link() == "inferred";
    assert!(
        mixed.iter().all(|trace| trace.spans.iter().any(inferred)),
        "requests are mixed by links that were certain: {mixed:#?}"
    );
    // at 0.99 one in a hundred may be wrong, while the sidecars learn from nothing but this
    let allowed = spans(&traces).filter(|span| inferred(span)).count() / 100 + 1;
    assert!(
        mixed.len() <= allowed,
        "more than {allowed} are mixed: {mixed:#?}"
    );
}

fn spans(traces: &[Trace]) -> impl Iterator<Item = &Span> {
    traces.iter().flat_map(|trace| &trace.spans)
}

/// The account that a span's request is about, if it says.
fn account(span: &Span) -> Option<&str> {
    let path = span.tags.get("url.path").or(span.tags.get("url.full"))?;
    path.split_once("/accounts/")?.1.split('/').next()
}

#[test]
fn no_money_is_made_or_lost_while_it_is_traced() {
    let Some(mesh) = bank(Some("{RATE: 40, REQUESTS: 40}")) else {
        return;
    };
    mesh.eventually("the end of the load", |mesh| mesh.said_by("load", "ended"));
    let before = money_in_the_bank(&mesh);
    let mut moved = 0;
    for (account, kind, cents) in ACCOUNTS.flat_map(|account| {
        [
            (account, "deposit", 700),
            (account, "withdraw", 300),
            (account, "withdraw", 1_000_000_000),
        ]
    }) {
        let answer = move_money(&mesh, account, kind, cents);
        match answer.status {
            200 => moved += answer.json()["amount"].as_i64().unwrap(),
            409 | 500 => {}
            status => panic!("{status}: {}", answer.body),
        }
    }
    assert!(moved > 0);
    assert_eq!(money_in_the_bank(&mesh), before + moved);
}

#[test]
fn ctrl_c_leaves_nothing_of_the_demo_behind() {
    let Some(mut mesh) = bank(None) else { return };
    mesh.eventually("the first customer", |mesh| {
        mesh.said_by("load", "the bank is open")
    });
    let processes = mesh.processes();
    // each of the six with its sidecar, the load generator, the collector, and the three that make the mesh
    assert!(processes.len() >= 6 * 2 + 2 + 3, "{processes:#?}");
    let front = mesh.address("edge");

    assert_eq!(mesh.interrupt().code(), Some(0));
    assert!(processes.iter().all(|process| !process.lives()), "{processes:#?}");
    assert!(TcpStream::connect(front).is_err());
    drop(TcpListener::bind(front).unwrap());
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    let networks = processes
        .iter()
        .map(|process| &process.network)
        .filter(|network| **network != own);
    let held = stories::mesh::networks();
    for network in networks {
        assert!(!held.contains(network), "{} outlives the mesh", network.display());
    }
}
