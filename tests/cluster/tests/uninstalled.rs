//! The way back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use cluster::admin::{Own, apply, ask, eventually, get, is_injected, tell};
use cluster::{installed, web};
use serde_json::json;

/// Kinds that belong to no namespace, and of which we make objects.
const WIDE: &str = "mutatingwebhookconfigurations,validatingwebhookconfigurations,clusterroles,clusterrolebindings,\
                    customresourcedefinitions,apiservices,priorityclasses";
/// The definition of TracePolicy, and what the API server keeps for as long as that is there.
const DEFINED: [&str; 2] = [
    "customresourcedefinition.apiextensions.k8s.io/tracepolicies.meshtrace.io",
    "apiservice.apiregistration.k8s.io/v1alpha1.meshtrace.io",
];

/// Installs it, and waits until no test before has a policy any more: their namespaces go when they like.
fn installed_without_policies() {
    installed::with("crds.keep=true");
    eventually("no policies", || {
        let names = ask("kubectl get tracepolicies --all-namespaces --output name");
        if names.is_empty() { Ok(()) } else { Err(names) }
    });
}

/// Waits until of ours only this is left that belongs to no namespace: the API server takes a moment for a definition.
fn only_left(expected: &[&str]) {
    eventually(&format!("only {expected:?} to be left"), || {
        let left = ask(&format!("kubectl get {WIDE} --output name"));
        let ours: Vec<&str> = left.lines().filter(|name| name.contains("meshtrace")).collect();
        if ours == expected {
            Ok(())
        } else {
            Err(format!("{ours:?}"))
        }
    });
}

/// A namespace whose pods all have sidecars, once its label says so.
fn asking(name: &str) -> Own {
    let own = Own::new(name, "");
    tell(&format!(
        "kubectl annotate namespace {name} meshtrace.io/inject=true"
    ));
    eventually("the label", || match label(name) {
        Some(label) if label == "true" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    own
}

fn label(namespace: &str) -> Option<String> {
    let namespace = get(&format!("namespace {namespace}"));
    let label = &namespace["metadata"]["labels"]["meshtrace.io/inject"];
    label.as_str().map(str::to_owned)
}

#[test]
fn helm_uninstall_leaves_nothing_cluster_wide_and_pods_still_start() {
    installed_without_policies();
    let own = asking("after");
    let _anothers = Own::new("anothers", "meshtrace.io/inject=true");
    web::serve(&own, 1, &json!({}));
    assert!(own.pods("app=web").iter().all(is_injected));

    drop(installed::not_at_all());
    only_left(&[]);
    assert_eq!(label("after"), None);
    assert_eq!(
        label("anothers").as_deref(),
        Some("true"),
        "we have not set that one"
    );

    own.tell("rollout restart deployment/web");
    own.rolled_out("deployment/web");
}

#[test]
fn policies_outlive_helm_uninstall_with_their_definition_and_hold_again_after_the_next_install() {
    installed_without_policies();
    let own = Own::new("policies-stay", "");
    let policy =
        "apiVersion: meshtrace.io/v1alpha1\nkind: TracePolicy\nmetadata: {name: web}\nspec: {sampling: 7%}\n";
    apply(own.name(), policy);

    let said = installed::not_at_all();
    assert!(
        said.contains("stays, since policies would go with it: policies-stay/web"),
        "{said}"
    );
    only_left(&DEFINED);
    let before = own.get("tracepolicy web")["metadata"]["uid"].clone();

    installed::with("crds.keep=true");
    let policy = own.get("tracepolicy web");
    assert_eq!(policy["metadata"]["uid"], before);
}
