//! Workloads that end, and workloads that want their pods back as they were.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use cluster::admin::{Own, apply, eventually, is_injected};
use cluster::installed::{self, traces};
use cluster::web;
use serde_json::{Value, json};

/// Calls `web` once, and ends.
const ONCE: &str = "import urllib.request; urllib.request.urlopen('http://web/', timeout=20).read()";

fn job() -> Value {
    json!({"backoffLimit": 3, "template": {
        "spec": {"restartPolicy": "Never", "containers": [web::python(&["-c", ONCE])]},
    }})
}

#[test]
fn a_job_and_a_cronjob_with_sidecars_complete_and_their_spans_are_kept() {
    installed::with("");
    let own = Own::new("jobs", "");
    web::serve(&own, 1, &json!({}));
    let named = |service: &str| json!({"meshtrace.io/inject": "true", "meshtrace.io/service-name": service});
    let manifest = json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "once", "annotations": named("a-job")},
            "spec": job(),
        },
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "nightly", "annotations": named("a-cronjob")},
            "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": job()}},
        },
    ]});
    apply(own.name(), &manifest.to_string());
    own.tell("create job tonight --from cronjob/nightly");

    for (job, service) in [("once", "a-job"), ("tonight", "a-cronjob")] {
        own.tell(&format!("wait --for=condition=complete job/{job} --timeout 150s"));
        let pods = own.pods(&format!("job-name={job}"));
        assert!(
            !pods.is_empty() && pods.iter().all(is_injected),
            "{job}: {pods:?}"
        );
        eventually("the job's span", || {
            let found = traces(service)?;
            let span = found.iter().flatten().find(|span| span.service == service);
            span.map(drop).ok_or_else(|| "no span".to_owned())
        });
    }
}

#[test]
fn whoever_takes_the_annotation_back_gets_the_pods_as_they_were() {
    installed::with("");
    let own = Own::new("taken-back", "");
    web::serve(&own, 1, &json!({}));
    let template = || own.get("deployment web")["spec"]["template"].clone();
    let as_it_was = template();

    own.tell("annotate deployment web meshtrace.io/inject=true");
    own.rolled_out("deployment/web");
    assert!(own.pods("app=web").iter().all(is_injected));
    assert_ne!(template(), as_it_was, "the rollout is asked for in the template");

    own.tell("annotate deployment web meshtrace.io/inject-");
    own.rolled_out("deployment/web");
    assert_eq!(template(), as_it_was);
    eventually("pods without a sidecar only", || {
        let pods = own.pods("app=web");
        let none = !pods.is_empty() && !pods.iter().any(is_injected);
        none.then_some(()).ok_or_else(|| own.state())
    });
}

#[test]
fn in_a_restricted_namespace_pods_start_and_get_a_sidecar_only_without_the_redirect() {
    installed::with("");
    let own = Own::new("restricted", "pod-security.kubernetes.io/enforce=restricted");
    web::serve(&own, 1, &json!({"meshtrace.io/inject": "true"}));
    let pods = own.pods("app=web");
    assert!(
        !pods.is_empty() && !pods.iter().any(is_injected),
        "the redirect needs NET_ADMIN"
    );
    let skipped = pods[0]["metadata"]["annotations"]["meshtrace.io/skipped"].as_str();
    assert!(
        skipped.is_some_and(|why| why.contains("pod_security")),
        "{skipped:?}"
    );

    own.tell("annotate deployment web meshtrace.io/capture=none");
    own.rolled_out("deployment/web");
    eventually("pods with a sidecar only", || {
        let pods = own.pods("app=web");
        let all = !pods.is_empty() && pods.iter().all(is_injected);
        all.then_some(()).ok_or_else(|| own.state())
    });
}
