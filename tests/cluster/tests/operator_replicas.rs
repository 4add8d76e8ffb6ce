//! The operator while it changes: its certificates are replaced, its leader goes away.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use cluster::admin::{Own, attempt, eventually, get, is_injected, tell};
use cluster::installed;
use cluster::web;
use serde_json::{Value, json};

/// What the API server would make of a pod that asks for a sidecar.
fn asked(namespace: &str) -> Value {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "asked", "annotations": {"meshtrace.io/inject": "true"}},
        "spec": {"containers": [web::python(&["-c", ""])]},
    });
    let create = [
        "create",
        "--namespace",
        namespace,
        "--dry-run=server",
        "--output=json",
        "--filename=-",
    ];
    let made = attempt("kubectl", &create, &pod.to_string()).unwrap();
    serde_json::from_str(&made).unwrap()
}

#[test]
fn certificates_are_replaced_again_and_again_and_no_pod_is_missed() {
    let meshtrace = installed::with("operator.webhook.certificateLifetime=30s");
    let own = Own::new("rotated", "");
    let kept = || meshtrace.get("secret meshtrace-operator-certificates")["data"].clone();
    let mut last = kept();
    for _ in 0..2 {
        let before = last.clone();
        last = eventually("another certificate", || {
            assert!(is_injected(&asked(own.name())));
            Some(kept())
                .filter(|kept| *kept != before)
                .ok_or("the same".to_owned())
        });
    }
    assert!(is_injected(&asked(own.name())));
}

#[test]
fn another_replica_leads_when_the_leader_is_gone() {
    let meshtrace = installed::with("");
    meshtrace.tell("scale --replicas 2 deployment/meshtrace-operator");
    meshtrace.rolled_out("deployment/meshtrace-operator");
    let leader = || {
        let holder = &meshtrace.get("lease meshtrace-operator")["spec"]["holderIdentity"];
        let holder = holder.as_str().unwrap_or_default().to_owned();
        let pods = meshtrace.pods("app.kubernetes.io/component=operator");
        let is_there = pods.iter().any(|pod| pod["metadata"]["name"] == *holder);
        if is_there {
            Ok(holder)
        } else {
            Err(format!("`{holder}`"))
        }
    };
    let before = eventually("a leader", leader);
    // without the time to resign
    meshtrace.tell(&format!("delete pod {before} --grace-period=0 --force"));
    let after = eventually("another leader", || {
        leader().and_then(|now| if now == before { Err(now) } else { Ok(now) })
    });
    assert_ne!(after, before);

    let _own = Own::new("led", "");
    tell("kubectl annotate namespace led meshtrace.io/inject=true");
    eventually("the new leader's label", || {
        let namespace = get("namespace led");
        let label = &namespace["metadata"]["labels"]["meshtrace.io/inject"];
        (label == "true").then_some(()).ok_or_else(|| label.to_string())
    });
    // Helm would take another number for somebody else's wish, and refuse the next upgrade
    meshtrace.tell("scale --replicas 1 deployment/meshtrace-operator");
}
