//! What is rendered from the chart, before a real API server, and the chart's own test.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;

use cluster::admin::{Own, attempt, eventually, repository};
use cluster::{installed, web};
use serde_json::{Value, json};

/// Namespaces in which everything is tried out without being made. Nothing in them may need more than `restricted` allows.
const RESTRICTED: &str =
    "pod-security.kubernetes.io/enforce=restricted pod-security.kubernetes.io/warn=restricted";

/// Has the API server check and default these documents as if they were applied. A warning counts as a refusal.
fn try_out(what: &str, manifest: &str) {
    // their definitions are the Prometheus operator's, which is not here
    let known = |document: &&str| !document.contains("apiVersion: monitoring.coreos.com/");
    let documents: Vec<&str> = manifest.split("\n---\n").filter(known).collect();
    let try_out = "apply --server-side --force-conflicts --dry-run=server --warnings-as-errors --filename -";
    let arguments: Vec<&str> = try_out.split(' ').collect();
    let tried = attempt("kubectl", &arguments, &documents.join("\n---\n"));
    assert!(tried.is_ok(), "{what}: {}", tried.unwrap_err());
}

#[test]
fn the_api_server_takes_every_set_of_values_and_has_nothing_to_warn_of() {
    // or its webhook would warn that nothing in a namespace like this can be redirected
    drop(installed::not_at_all());
    let own = Own::new("rendered", RESTRICTED);
    let places = format!("demo.namespace={0},test.namespace={0}", own.name());
    let values = repository().join("tests/data/chart/values");
    let mut sets: Vec<_> = fs::read_dir(values)
        .unwrap()
        .map(|file| file.unwrap().path().display().to_string())
        .collect();
    sets.sort();
    for set in sets {
        let arguments = ["template", "meshtrace", "charts/meshtrace", "--values", &set];
        let places = ["--namespace", own.name(), "--set", &places];
        let rendered = attempt("helm", &[&arguments[..], &places].concat(), "").unwrap();
        try_out(&set, &rendered);
    }
}

#[test]
fn the_api_server_takes_the_manifests() {
    let _bank = Own::new("bank", RESTRICTED);
    let _ours = installed::with("");
    for manifest in ["crds.yaml", "meshtrace.yaml", "demo/bank.yaml"] {
        let text = fs::read_to_string(repository().join("manifests").join(manifest)).unwrap();
        try_out(manifest, &text);
    }
}

#[test]
fn helm_test_finds_the_trace_of_what_it_has_sent_through_an_injected_pod() {
    let ours = installed::with("");
    let test = "test meshtrace --namespace meshtrace --timeout 120s";
    let arguments: Vec<&str> = test.split(' ').collect();
    let tested = attempt("helm", &arguments, "");
    assert!(tested.is_ok(), "{}\n{}", tested.unwrap_err(), ours.state());
}

/// How often the API server has asked the operator.
fn reviews() -> Result<u64, String> {
    let metrics = "/api/v1/namespaces/meshtrace/services/meshtrace-operator:admin/proxy/metrics";
    let text = attempt("kubectl", &["get", "--raw", metrics], "")?;
    let counts = text
        .lines()
        .filter_map(|line| line.strip_prefix("meshtrace_operator_reviews_total"));
    let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    Ok(counts.sum())
}

/// How often it asks about a pod that is not made.
fn asked_about(pod: &Value) -> Result<u64, String> {
    let before = reviews()?;
    let nothing_is_made = ["create", "--dry-run=server", "--filename", "-"];
    attempt("kubectl", &nothing_is_made, &pod.to_string())?;
    Ok(reviews()? - before)
}

#[test]
fn the_operator_is_asked_neither_about_pods_that_want_nothing_nor_about_those_that_have_their_sidecar() {
    let _ours = installed::with("");
    let pod = |annotations: Value, init: Value| {
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "tried", "namespace": "default", "annotations": annotations},
            "spec": {"containers": [web::python(&[])], "initContainers": init},
        })
    };
    let mut sidecar = web::python(&[]);
    sidecar["name"] = json!("meshtrace-sidecar");
    let wants = json!({"meshtrace.io/inject": "true"});
    for (what, pod, expected) in [
        ("one that wants nothing", pod(json!({"team": "a"}), json!([])), 0),
        (
            "one that wants none",
            pod(json!({"meshtrace.io/inject": "false"}), json!([])),
            0,
        ),
        (
            "one that has it by its template",
            pod(wants.clone(), json!([sidecar])),
            0,
        ),
        ("one that wants it", pod(wants, json!([])), 1),
    ] {
        // it may be asked about others at the same time
        eventually(what, || match asked_about(&pod)? {
            times if times == expected => Ok(()),
            times => Err(format!("asked {times} times")),
        });
    }
}
