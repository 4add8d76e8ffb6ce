//! Pods that asked for a sidecar and have none: they start all the same, and whoever looks is told why.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use cluster::admin::{Namespace, Own, apply, attempt, eventually, get, is_injected, tell};
use cluster::installed;
use cluster::web;
use serde_json::{Value, json};

/// A pod of its own that asks for a sidecar, and has these limits.
fn alone(limits: &Value) -> String {
    let mut container = web::python(&["-m", "http.server", "8080"]);
    container["resources"] = json!({"limits": limits});
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "alone", "annotations": {"meshtrace.io/inject": "true"}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    });
    pod.to_string()
}

/// Waits until an Event of this reason is about the object (`Kind/beginning of its name`), and returns what it says.
fn told(namespace: &str, object: &str, reason: &str) -> String {
    let (kind, name) = object.split_once('/').unwrap();
    let is_about = |event: &&Value| {
        let regarding = &event["regarding"];
        let begins = regarding["name"].as_str().is_some_and(|it| it.starts_with(name));
        event["reason"] == reason && regarding["kind"] == kind && begins
    };
    eventually(&format!("an Event {reason} about {object}"), || {
        let events = get(&format!("--namespace {namespace} events.events.k8s.io"));
        let all = events["items"].as_array().cloned().unwrap_or_default();
        let found = all.iter().find(is_about);
        let note = found.and_then(|event| event["note"].as_str());
        note.map(str::to_owned)
            .ok_or_else(|| format!("{} other Events", all.len()))
    })
}

/// Waits until the operator lists so many objects of a namespace as standing like this.
fn listed(namespace: &Namespace, state: &str, count: usize) {
    let service = "/api/v1/namespaces/meshtrace/services/meshtrace-operator:admin/proxy/coverage";
    let is_one = |miss: &&Value| miss["namespace"] == namespace.name() && miss["state"] == state;
    eventually(&format!("{count} objects that are {state}"), || {
        let text = attempt("kubectl", &["get", "--raw", service], "")?;
        let coverage: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        let misses = coverage["misses"].as_array().cloned().unwrap_or_default();
        match misses.iter().filter(is_one).count() {
            found if found == count => Ok(()),
            _ => Err(text),
        }
    });
}

fn restart(namespace: &Namespace) -> Vec<Value> {
    namespace.tell("rollout restart deployment/web");
    namespace.rolled_out("deployment/web");
    namespace.pods("app=web")
}

#[test]
fn what_was_made_while_the_operator_was_away_is_told_of_when_it_is_back() {
    let meshtrace = installed::with("");
    let own = Own::new("missed", "");
    meshtrace.tell("scale --replicas 0 deployment/meshtrace-operator");
    meshtrace.tell("wait --for=delete pod --selector app.kubernetes.io/component=operator --timeout 120s");
    web::serve(&own, 1, &json!({"meshtrace.io/inject": "true"}));
    apply("missed", &alone(&json!({})));
    own.tell("wait --for=condition=Ready pod/alone --timeout 150s");

    installed::with("");
    let note = told("missed", "Pod/alone", "SidecarMissed");
    assert!(note.contains("did not answer when it was made"), "{note}");
    let note = told("missed", "Deployment/web", "AnnotationsNotCarried");
    assert!(note.contains("kubectl rollout restart"), "{note}");
    listed(&own, "missed", 1);
    listed(&own, "not_carried", 1);

    own.tell("delete pod alone --wait");
    assert!(restart(&own).iter().all(is_injected));
    listed(&own, "missed", 0);
    listed(&own, "not_carried", 0);
}

#[test]
fn a_namespace_is_labelled_for_as_long_as_it_asks_and_its_older_pods_need_a_restart() {
    installed::with("");
    let own = Own::new("asks", "");
    web::serve(&own, 1, &json!({}));
    let label = || {
        let namespace = get("namespace asks");
        let label = &namespace["metadata"]["labels"]["meshtrace.io/inject"];
        label.as_str().map(str::to_owned)
    };

    tell("kubectl annotate namespace asks meshtrace.io/inject=true");
    let note = told("asks", "Pod/web", "SidecarNeedsRestart");
    assert!(note.contains("before it could have a sidecar"), "{note}");
    eventually("the label", || {
        label()
            .filter(|label| label == "true")
            .ok_or("no label".to_owned())
    });
    assert!(restart(&own).iter().all(is_injected));
    listed(&own, "needs_restart", 0);

    tell("kubectl annotate namespace asks meshtrace.io/inject-");
    eventually("no label", || label().map_or(Ok(()), Err));
    assert!(!restart(&own).iter().any(is_injected));
}

#[test]
fn a_label_that_somebody_else_has_set_stays_and_is_told_of() {
    installed::with("");
    let _own = Own::new("taken", "meshtrace.io/inject=team-a");
    tell("kubectl annotate namespace taken meshtrace.io/inject=true");
    // where Events are about what is in no namespace
    let note = told("default", "Namespace/taken", "LabelTaken");
    assert!(note.contains("remove the label"), "{note}");
    let namespace = get("namespace taken");
    assert_eq!(namespace["metadata"]["labels"]["meshtrace.io/inject"], "team-a");
}

#[test]
fn a_misspelt_annotation_is_told_of_on_its_workload_whose_pods_start() {
    installed::with("");
    let own = Own::new("misspelt", "");
    web::serve(&own, 1, &json!({"meshtrace.io/injct": "true"}));
    let note = told("misspelt", "Deployment/web", "AnnotationProblem");
    assert!(note.ends_with("did you mean `meshtrace.io/inject`?"), "{note}");
}

#[test]
fn a_pod_whose_sidecar_a_quota_would_refuse_starts_without_and_is_told_of() {
    installed::with("");
    let own = Own::new("quota", "");
    own.tell("create quota memory --hard=limits.memory=1Gi");
    eventually("the quota to be known to the operator", || {
        apply("quota", &alone(&json!({"memory": "128Mi"})));
        let pod = own.get("pod alone");
        let skipped = &pod["metadata"]["annotations"]["meshtrace.io/skipped"];
        if skipped == "resource_quota" {
            return Ok(());
        }
        own.tell("delete pod alone --wait");
        Err(skipped.to_string())
    });
    own.tell("wait --for=condition=Ready pod/alone --timeout 150s");
    let note = told("quota", "Pod/alone", "SidecarRefused");
    assert!(note.contains("resource_quota"), "{note}");
}
