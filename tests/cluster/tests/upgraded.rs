//! From one release, or one set of values, to the next, while people work.
//!
//! `data/meshtrace-0.1.0.tgz` is the chart as it was packaged before this one, at b456257. With each release the one before
//! takes its place. Its programs are this repository's, by another name, so that one sees whose image a pod has.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use cluster::admin::{Own, attempt, eventually, is_injected};
use cluster::installed::{self, trace, traces};
use cluster::web::{self, Caller};
use serde_json::{Value, json};

const BEFORE: &str = "tests/cluster/data/meshtrace-0.1.0.tgz";
const SERVICE: &str = "web-upgraded";

/// The image of a pod's sidecar, as the operator wrote it.
fn image(pod: &Value) -> &str {
    let containers = pod["spec"]["initContainers"].as_array().unwrap();
    let sidecar = containers.iter().find(|it| it["name"] == "meshtrace-sidecar");
    sidecar.unwrap()["image"].as_str().unwrap()
}

fn uids(pods: &[Value]) -> Vec<&Value> {
    pods.iter().map(|pod| &pod["metadata"]["uid"]).collect()
}

/// The id of a trace that is kept.
fn a_trace() -> String {
    eventually("a trace", || {
        let found = traces(SERVICE)?.into_iter().flatten().next();
        found.map(|span| span.trace).ok_or_else(|| "no trace".to_owned())
    })
}

#[test]
fn a_collector_gets_another_size_as_the_guide_says_and_keeps_its_spans() {
    let meshtrace = installed::with("");
    let own = Own::new("resized", "");
    web::serve(
        &own,
        1,
        &json!({"meshtrace.io/inject": "true", "meshtrace.io/service-name": SERVICE}),
    );
    let caller = Caller::begin(&own);
    let kept = a_trace();
    let claim = || meshtrace.get("pvc spans-meshtrace-collector-0")["metadata"]["uid"].clone();
    let before = claim();

    // the volumes of the tests cannot be resized, so it is a smaller one, with which the claim stays as it is
    let upgrade = "upgrade meshtrace charts/meshtrace --namespace meshtrace --reuse-values --set collector.storage.size=1Gi";
    let upgrade: Vec<&str> = upgrade.split(' ').collect();
    let refused = attempt("helm", &upgrade, "").unwrap_err();
    assert!(refused.contains("volumeClaimTemplates"), "{refused}");
    meshtrace.tell("delete statefulset meshtrace-collector --cascade=orphan");
    attempt("helm", &upgrade, "").unwrap();
    meshtrace.rolled_out("statefulset/meshtrace-collector");

    let pod = meshtrace.get("pod meshtrace-collector-0");
    let arguments = &pod["spec"]["containers"][0]["args"];
    assert!(
        arguments.to_string().contains("--data-max-bytes=870MiB"),
        "{arguments}"
    );
    assert_eq!(claim(), before);
    let spans = eventually("the trace of before", || trace(&kept));
    assert!(spans.iter().any(|span| span.service == SERVICE), "{spans:?}");
    caller.was_always_answered();
    // or the next test could not bring it back to what it was
    drop(installed::not_at_all());
}

#[test]
fn an_upgrade_under_load_fails_no_request_keeps_spans_and_reaches_pods_when_they_are_restarted() {
    drop(installed::not_at_all());
    installed::from(BEFORE, "image.registry=docker.io");
    let own = Own::new("upgraded", "");
    let annotations = json!({"meshtrace.io/inject": "true", "meshtrace.io/service-name": SERVICE});
    web::serve(&own, 2, &annotations);
    let before = own.pods("app=web");
    assert!(
        before.iter().all(|pod| image(pod).starts_with("docker.io/")),
        "{before:?}"
    );
    let caller = Caller::begin(&own);
    let kept = a_trace();

    let meshtrace = installed::with("");
    caller.has_more_answers();
    let after = own.pods("app=web");
    assert_eq!(uids(&after), uids(&before), "nobody asked for a rollout");
    let spans = eventually("the trace of before", || trace(&kept));
    assert!(spans.iter().any(|span| span.service == SERVICE), "{spans:?}");
    eventually("spans of sidecars of before", || {
        let found = traces(SERVICE)?
            .into_iter()
            .flatten()
            .find(|span| span.trace != kept);
        found.map(drop).ok_or_else(|| "no other trace".to_owned())
    });

    // it goes on answering for a while after it was told to stop
    eventually("the operator of before to be gone", || {
        let pods = meshtrace.get("pods --selector app.kubernetes.io/component=operator");
        let count = pods["items"].as_array().map_or(0, Vec::len);
        (count == 1).then_some(()).ok_or_else(|| meshtrace.state())
    });
    own.tell("rollout restart deployment/web");
    own.rolled_out("deployment/web");
    let restarted = eventually("the pods of before to be gone", || {
        let pods = own.pods("app=web");
        let new = pods
            .iter()
            .all(|pod| is_injected(pod) && image(pod).starts_with("meshtrace/"));
        if new { Ok(pods) } else { Err(own.state()) }
    });
    assert_eq!(restarted.len(), 2);
    caller.was_always_answered();
}
