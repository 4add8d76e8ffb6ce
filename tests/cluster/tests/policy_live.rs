//! Policies on a cluster: what the API server refuses, and what reaches a sidecar that runs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs
)]

use std::time::Instant;

use cluster::admin::{Own, apply, attempt, eventually, get, is_injected};
use cluster::{installed, web};
use serde_json::json;

const PODS: &str = "policy-live";

/// A policy of this spec, as a manifest.
fn policy(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: meshtrace.io/v1alpha1\nkind: TracePolicy\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

/// What the API server says to a policy that it does not take.
fn refusal(spec: &str) -> String {
    let arguments = [
        "apply",
        "--namespace",
        PODS,
        "--dry-run=server",
        "--filename",
        "-",
    ];
    attempt("kubectl", &arguments, &policy("odd", spec)).unwrap_err()
}

#[test]
fn a_policy_that_makes_no_sense_is_refused_with_what_is_allowed_and_one_that_does_reaches_a_running_sidecar()
{
    let _meshtrace = installed::with("");
    let pods = Own::new(PODS, "pod-security.kubernetes.io/enforce=privileged");
    for (spec, sentence) in [
        ("{selector: {matchLabels: {a: b}}}", "says nothing"),
        ("{sampling: '2'}", "has to be a share, as a text"),
        ("{routes: [accounts]}", "has to be a list of routes"),
        (
            "{captureHeaders: ['x y']}",
            "has to be a list of names of headers",
        ),
        ("{propagateInferred: '0.1'}", "or a confidence as a text"),
        ("{requestId: never}", "has to be create or"),
        ("{skip: {inboundPorts: [0]}}", "has to be a list of ports"),
        ("{skip: {outboundPorts: ['80:90']}}", "has to be a list of ports"),
        (
            "{skip: {outboundCIDRs: [example.com]}}",
            "has to be a list of addresses and networks",
        ),
    ] {
        let said = refusal(spec);
        assert!(said.contains(sentence), "{spec}: {said}");
    }

    web::serve(&pods, 1, &json!({"meshtrace.io/inject": "true"}));
    let injected = pods.pods("app=web").into_iter().find(is_injected).unwrap();
    let name = injected["metadata"]["name"].as_str().unwrap();
    let config = || {
        let path = format!("/api/v1/namespaces/{PODS}/pods/{name}:15190/proxy/config");
        attempt("kubectl", &["get", "--raw", &path], "")
    };
    eventually("the sidecar to hear the operator", || {
        config()?
            .contains(": connected, revision")
            .then_some(())
            .ok_or(config()?)
    });
    let said = Instant::now();
    apply(
        PODS,
        &policy("web", "{sampling: 7%, skip: {outboundPorts: [5432]}}"),
    );
    let told = eventually("the sidecar to take the policy", || {
        let config = config()?;
        config
            .contains("sampling: '0.07'")
            .then_some(config.clone())
            .ok_or(config)
    });
    eprintln!("the policy held after {:?}, as kubectl saw it", said.elapsed());
    assert!(
        told.contains(&format!("#   sampling: TracePolicy {PODS}/web")),
        "{told}"
    );

    let status = eventually("the status", || {
        let policy = get(&format!("tracepolicy web --namespace {PODS}"));
        let conditions = policy["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        if conditions.len() == 3 {
            Ok(policy["status"].clone())
        } else {
            Err(policy.to_string())
        }
    });
    assert_eq!(status["pods"], 1, "{status}");
    assert_eq!(status["keys"]["sampling"]["pods"], 1, "{status}");
    assert_eq!(status["conditions"][2]["type"], "RestartNeeded");
    assert_eq!(status["conditions"][2]["status"], "True", "{status}");
}
