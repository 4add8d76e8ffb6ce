//! The way back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use cluster::admin::{Own, ask, is_injected};
use cluster::{installed, web};
use serde_json::json;

/// Kinds that belong to no namespace, and of which we make objects.
const WIDE: &str = "mutatingwebhookconfigurations,validatingwebhookconfigurations,clusterroles,clusterrolebindings,\
                    customresourcedefinitions,apiservices,priorityclasses";

#[test]
fn helm_uninstall_leaves_nothing_cluster_wide_and_pods_still_start() {
    installed::with("");
    let own = Own::new("after", "");
    web::serve(&own, 1, &json!({"meshtrace.io/inject": "true"}));
    assert!(own.pods("app=web").iter().all(is_injected));

    installed::not_at_all();
    let left = ask(&format!("kubectl get {WIDE} --output name"));
    let ours: Vec<&str> = left.lines().filter(|name| name.contains("meshtrace")).collect();
    assert!(ours.is_empty(), "{ours:?}");

    own.tell("rollout restart deployment/web");
    own.rolled_out("deployment/web");
}
