//! What the command line says of a cluster: is it well, why has a workload a sidecar or none, where are the traces.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::PathBuf;
use std::process::Command;

use cluster::admin::{Own, eventually, repository, tell};
use cluster::installed;
use serde_json::Value;

const NAMESPACE: &str = "admin-hand";

/// What `meshtrace` with these words answers, and how it ends. It is built beside these tests.
fn meshtrace(words: &str) -> (Option<i32>, String) {
    let beside = std::env::current_exe().unwrap();
    let folder = beside.parent().and_then(|deps| deps.parent()).unwrap();
    let program: PathBuf = folder.join("meshtrace");
    assert!(
        program.exists(),
        "{}: build it with `cargo build -p meshtrace`",
        program.display()
    );
    let output = Command::new(program)
        .args(words.split(' '))
        .current_dir(repository())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (
        output.status.code(),
        text + &String::from_utf8_lossy(&output.stderr),
    )
}

/// As [`meshtrace`], of what is answered in JSON.
fn answer(words: &str) -> (Option<i32>, Value) {
    let (code, text) = meshtrace(words);
    let answer = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words}: {error}: {text}"));
    (code, answer)
}

/// The status of each check by its name.
fn status(report: &Value, id: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["id"] == id);
    finding.unwrap_or_else(|| panic!("{id}: {report:#}"))["status"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A Deployment whose program runs for as long as it is let: the collector's image is there already.
fn deploy(namespace: &Own, name: &str) {
    namespace.tell(&format!(
        "create deployment {name} --image=meshtrace/collector:0.1.0"
    ));
}

#[test]
fn an_installation_that_works_is_told_so_and_one_without_an_operator_is_not() {
    let installed = installed::with("");
    let (code, text) = meshtrace("check --wait 60s");
    assert_eq!(code, Some(0), "{text}");
    let (_, report) = answer("check --json");
    for id in [
        "webhook-answers",
        "certificate",
        "collector-answers",
        "custom-resources",
        "versions",
    ] {
        assert_eq!(status(&report, id), "ok", "{report:#}");
    }

    installed.tell("scale --replicas 0 deployment/meshtrace-operator");
    let report = eventually("the operator to be gone", || {
        let (code, report) = answer("check --json");
        match status(&report, "webhook-answers").as_str() {
            "error" => Ok((code, report)),
            other => Err(other.to_owned()),
        }
    });
    assert_eq!(report.0, Some(1));
    drop(installed::with(""));
}

#[test]
fn before_an_installation_the_cluster_is_told_to_be_ready() {
    let (code, report) = answer("check --pre --json");
    assert_eq!(code, Some(0), "{report:#}");
    for id in ["rights", "webhook-api", "kubernetes-version", "nodes"] {
        assert_eq!(status(&report, id), "ok", "{report:#}");
    }
}

#[test]
fn why_follows_a_workload_from_nobody_asked_to_its_sidecar_and_its_next_restart() {
    let _installed = installed::with("");
    let namespace = Own::new(NAMESPACE, "pod-security.kubernetes.io/enforce=privileged");
    deploy(&namespace, "web");
    let why = format!("why deploy/web -n {NAMESPACE} --json");
    let (code, told) = answer(&why);
    assert_eq!(
        (code, told["reasons"][0]["reason"].as_str()),
        (Some(3), Some("not_asked"))
    );

    namespace.tell("annotate deployment web meshtrace.io/inject=true");
    namespace.rolled_out("deployment/web");
    let told = eventually("the sidecar to be told of", || {
        let (code, told) = answer(&why);
        let pods = told["pods"].as_array().cloned().unwrap_or_default();
        match pods.as_slice() {
            [pod] if pod["sidecar"]["ready"] == true => Ok((code, told)),
            _ => Err(told.to_string()),
        }
    });
    assert_eq!(
        (told.0, told.1["verdict"].as_str()),
        (Some(0), Some("injected")),
        "{told:?}"
    );

    // what a namespace says reaches a pod when it is made
    tell(&format!(
        "kubectl annotate namespace {NAMESPACE} meshtrace.io/sampling=0.25"
    ));
    let (code, told) = answer(&why);
    assert_eq!(
        (code, told["verdict"].as_str()),
        (Some(4), Some("outdated")),
        "{told:#}"
    );
    assert_eq!(
        told["todo"][0],
        format!("kubectl rollout restart deployment/web -n {NAMESPACE}")
    );
}

#[test]
fn the_collector_of_a_cluster_is_asked_without_a_dashboard() {
    let _installed = installed::with("");
    let (code, answer) = answer("services --cluster --json");
    assert_eq!(code, Some(0), "{answer:#}");
    assert!(answer["services"].is_array(), "{answer:#}");
}
