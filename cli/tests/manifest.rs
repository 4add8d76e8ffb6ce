//! `meshtrace inject` and `meshtrace uninject`, as a user runs them. What they make of `data/bank.yaml` stands in
//! `data/bank-injected.yaml` and `data/bank-report.txt`: a change to it is reviewed as a change to a picture.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io::{ErrorKind, Write};
use std::process::{Command, Output, Stdio};

const BANK: &str = include_str!("data/bank.yaml");
const INJECTED: &str = include_str!("data/bank-injected.yaml");
const REPORT: &str = include_str!("data/bank-report.txt");

fn meshtrace(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_meshtrace"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = child.stdin.take().unwrap().write_all(input.as_bytes());
    // whoever refuses its arguments ends without reading
    assert!(said.is_ok() || said.is_err_and(|error| error.kind() == ErrorKind::BrokenPipe));
    child.wait_with_output().unwrap()
}

fn texts(output: Output) -> (String, String) {
    assert!(output.status.success(), "{output:?}");
    (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn only_what_is_put_in_differs_and_the_report_says_what_became_of_every_document() {
    let (manifests, report) = texts(meshtrace(&["inject", "-"], BANK));
    assert_eq!(manifests, INJECTED);
    assert_eq!(report, REPORT);
    let added: Vec<&str> = manifests.lines().filter(|line| !BANK.contains(line)).collect();
    let lost: Vec<&str> = BANK.lines().filter(|line| !manifests.contains(line)).collect();
    assert!(!added.is_empty());
    // in brackets: such a document is written anew as far as the sidecar goes in
    assert_eq!(
        lost,
        [
            "  metadata: {name: teller}",
            "  spec: {containers: [{name: teller, image: teller:1}]}"
        ]
    );
}

#[test]
fn taking_it_back_gives_the_same_text_again() {
    let blocks = BANK.split_once("---\napiVersion: v1\nkind: List").unwrap().0;
    let (injected, _) = texts(meshtrace(&["inject", "-"], blocks));
    assert_ne!(injected, blocks);
    let (back, report) = texts(meshtrace(&["uninject", "-"], &injected));
    assert!(report.contains("Deployment bank/account: uninjected"), "{report}");
    assert_eq!(back, blocks);
}

#[test]
fn a_second_time_changes_nothing() {
    let (again, report) = texts(meshtrace(&["inject", "-"], INJECTED));
    assert_eq!(again, INJECTED);
    assert!(report.contains("already_injected"), "{report}");
}

#[test]
fn the_report_comes_in_json_too() {
    let (_, report) = texts(meshtrace(&["inject", "-", "--json", "--namespace", "bank"], BANK));
    let lines: Vec<serde_json::Value> = report
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["object"], "Deployment bank/account");
    assert_eq!(lines[0]["outcome"], "injected");
    assert_eq!(lines[2]["reasons"][0]["reason"], "pod_security");
    assert_eq!(lines[3]["object"], "Pod bank/teller");
}

#[test]
fn json_is_a_manifest_too() {
    let pod = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "a"}]}}"#;
    let (injected, _) = texts(meshtrace(&["inject", "-", "--image", "mine:1"], pod));
    let injected: serde_json::Value = serde_json::from_str(&injected).unwrap();
    assert_eq!(injected["spec"]["initContainers"][0]["image"], "mine:1");
}

#[test]
fn a_document_that_cannot_be_changed_stops_all_of_them() {
    let one_is_fine = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a}]}\n";
    let shared = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: &l {a: b}, annotations: *l}\nspec: {containers: [{name: a}]}\n";
    let text = format!("{one_is_fine}---\n{shared}---\na: [\n");
    let output = meshtrace(&["inject", "-"], &text);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let complaint = String::from_utf8(output.stderr).unwrap();
    let complaints: Vec<&str> = complaint.lines().collect();
    assert_eq!(complaints.len(), 2, "{complaint}");
    assert!(complaints[0].starts_with("meshtrace: -: document 2: cannot be changed in its text"));
    assert!(complaints[1].starts_with("-: document 3: not YAML"));
}

#[test]
fn a_collector_with_which_no_sidecar_would_start_is_refused() {
    let output = meshtrace(&["inject", "-", "--collector", "collector:4317"], BANK);
    assert!(!output.status.success() && output.stdout.is_empty());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("is not `http://host:port`"), "{complaint}");
}

#[test]
fn documents_without_pods_pass_as_they_are() {
    for text in [
        "",
        "# nothing\n",
        "kind: Secret\ndata: {a: yes}\n---\n---\n# end\n",
    ] {
        assert_eq!(
            texts(meshtrace(&["inject", "-"], text)),
            (text.to_owned(), String::new())
        );
    }
}
