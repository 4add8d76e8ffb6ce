//! The bank of `demo/bank`, whole: its money without us, its traces with us. Needs root, which CI has, and the
//! programs of the workspace: `cargo build --workspace --bins`.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Mesh, as_nobody, ask, free_ports, mesh_file};
use crate::leftovers::{Leftovers, processes, wait_until_gone};
use nix::sys::signal::Signal;
use serde_json::Value;

const ACCOUNTS: u32 = 8;
const OPENING: i64 = 100_000;
const SERVICES: [&str; 6] = ["account", "balance", "cashier", "customer", "edge", "transaction"];
/// A SERVER span for each service, and a CLIENT span for each call between them.
const SPANS_OF_A_DEPOSIT: usize = 11;
const PATIENCE: Duration = Duration::from_secs(60);

/// The demo's own mesh.yaml, at these ports of the host and with this load.
fn bank(edge: u16, collector: u16, load: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../demo/bank")
        .canonicalize()
        .unwrap();
    let text = std::fs::read_to_string(home.join("mesh.yaml")).unwrap();
    let text = text
        .replace("publish: 8080", &format!("publish: {edge}"))
        .replace("RATE: 2, CONCURRENCY: 1", load)
        .replace(
            "    command:",
            &format!("    workdir: {}\n    command:", home.display()),
        );
    assert!(
        text.contains(&edge.to_string()) && text.contains(load),
        "the demo's mesh.yaml has changed"
    );
    mesh_file(&format!("{text}\ncollector: {{publish: {collector}}}\n"))
}

#[test]
fn money_is_conserved() {
    let [edge, collector] = free_ports();
    let (_directory, file) = bank(edge, collector, "REQUESTS: 1");
    let mut mesh = Mesh::up(&file, &["--untraced"]);
    mesh.expect("load        • ended");

    let balance = |id: u32| {
        let (status, body) = ask(edge, "GET", &format!("/accounts/{id}/balance"), "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["balance"]
            .as_i64()
            .unwrap()
    };
    let total = || (1..=ACCOUNTS).map(balance).sum::<i64>();
    let before = total();
    let people: Vec<_> = (0..4_u32)
        .map(|person| {
            thread::spawn(move || {
                let mut moved = 0;
                let mut refused = 0;
                for step in 0..30_u32 {
                    let (kind, amount) = match (step + person) % 5 {
                        0 | 1 => ("deposit", 700_i64),
                        2 => ("withdraw", 10 * OPENING),
                        _ => ("withdraw", 300),
                    };
                    let path = format!("/accounts/{}/{kind}", (step + person) % ACCOUNTS + 1);
                    match ask(edge, "POST", &path, &format!("{{\"amount\": {amount}}}")).0 {
                        200 if kind == "deposit" => moved += amount,
                        200 => moved -= amount,
                        409 | 500 => refused += 1,
                        other => panic!("{path} was answered {other}"),
                    }
                }
                (moved, refused)
            })
        })
        .collect();
    let (moved, refused) = people
        .into_iter()
        .map(|person| person.join().unwrap())
        .fold((0, 0), |(moved, refused), (m, r)| (moved + m, refused + r));
    assert_eq!(total(), before + moved);
    assert!(
        refused > 24,
        "some ask for too much and now and then the paper runs out, but {refused} were refused"
    );
    mesh.signal(Signal::SIGINT);
    assert_eq!(mesh.end().code(), Some(0));
}

#[test]
fn every_deposit_is_one_trace_across_all_services() {
    let mut mesh = deposits(Command::new(env!("CARGO_BIN_EXE_meshtrace")), "bank");
    mesh.signal(Signal::SIGINT);
    assert_eq!(mesh.end().code(), Some(0), "{}", mesh.said.join("\n"));
}

#[test]
fn every_deposit_is_one_trace_without_root_too() {
    match as_nobody() {
        Ok(command) => drop(deposits(command, "bank-rootless")),
        Err(why) => eprintln!("SKIPPED: a traced mesh without root: {why}"),
    }
}

#[test]
fn sidecars_and_rules_are_gone_with_the_front() {
    let before = Leftovers::now();
    let mark = format!("bank-killed-{}", std::process::id());
    let mut mesh = deposits(Command::new(env!("CARGO_BIN_EXE_meshtrace")), &mark);
    assert!(
        processes(&mark).len() > 2 * SERVICES.len(),
        "{:?}",
        processes(&mark)
    );
    mesh.signal(Signal::SIGKILL);
    mesh.end();
    wait_until_gone(&mark);
    before.wait_until_gone();
}

/// Sends a little load through the traced bank, one request at a time, and looks at what the collector has. Every
/// process of the mesh carries `mark`.
fn deposits(mut command: Command, mark: &str) -> Mesh {
    let [edge, collector] = free_ports();
    let (_directory, file) = bank(edge, collector, "RATE: 20, REQUESTS: 25");
    command.env("BANK_MARK", mark);
    let mut mesh = Mesh::with(command, &file, &[]);
    mesh.expect("the bank is open");
    mesh.expect("load        • ended");

    let place = format!("http://127.0.0.1:{collector}");
    let movements = || -> Vec<Value> {
        let arguments = [
            "traces",
            "--json",
            "-n",
            "500",
            "-o",
            "POST /transactions",
            "--collector",
            &place,
        ];
        let output = Command::new(env!("CARGO_BIN_EXE_meshtrace"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let whole = |trace: &Value| {
        trace["services"] == serde_json::json!(SERVICES)
            && trace["spans"] == SPANS_OF_A_DEPOSIT
            && trace["root"]
                .as_str()
                .unwrap()
                .starts_with("edge POST /accounts/{id}/")
    };
    // a movement that transaction or one before it refuses does not reach all
    let unbroken = |traces: Vec<Value>| {
        traces
            .into_iter()
            .filter(|trace| trace["errors"] == 0)
            .collect::<Vec<_>>()
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = unbroken(movements());
        if found.len() >= 10 && found.iter().all(whole) {
            return mesh;
        }
        assert!(
            Instant::now() < deadline,
            "not all of these are whole: {found:#?}\n{}",
            mesh.said.join("\n")
        );
        thread::sleep(Duration::from_millis(200));
    }
}
