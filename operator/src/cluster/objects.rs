//! Watching pods, workloads and limits, as documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use inject::workload::Kind;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::follow::{Change, Name, follow, name};
use crate::coverage::Coverage;
use crate::namespaces::{Limiting, Namespaces};
use crate::policy::known::{Known, Pod};

/// Tells `coverage` of all workloads of a kind, or of all pods, for as long as it is polled. Policies ask for pods too, so
/// that `known` is told of them: a cluster has too many to watch them twice.
pub async fn cover(client: Client, kind: Kind, coverage: Arc<Coverage>, known: Arc<Known>) {
    let objects = documents(client, kind.api_version(), kind.name());
    let tell_of_pod = |name: Name, pod: Option<Pod>| {
        if kind == Kind::Pod {
            known.pod(name, pod);
        }
    };
    follow(kind.name(), objects, |change| match change {
        Change::Is(object) => {
            tell_of_pod(name(&object), Pod::read(&object.metadata));
            match serde_json::to_value(&object) {
                Ok(value) => coverage.see(kind, &value),
                Err(error) => tracing::warn!(%error, "an object could not be read"),
            }
        }
        Change::Gone(name) => {
            coverage.gone(kind, &name.0, &name.1);
            tell_of_pod(name, None);
        }
        Change::Only(there) => {
            coverage.only(kind, &there);
            if kind == Kind::Pod {
                known.only_pods(&there);
            }
        }
    })
    .await;
}

/// Keeps what `which` says of all `namespaces` up to date, for as long as it is polled; says which have `changed`, and
/// `None` once all are known.
pub async fn limit(
    client: Client,
    which: Limiting,
    namespaces: Arc<Namespaces>,
    changed: impl Fn(Option<&str>),
) {
    let mut all: BTreeMap<Name, Value> = BTreeMap::new();
    let objects = documents(client, "v1", which.kind());
    follow(which.kind(), objects, |change| {
        let is_listed = matches!(change, Change::Only(_));
        let mut touched = BTreeSet::new();
        match change {
            Change::Is(object) => {
                // its status changes with every pod, which is nothing to us
                let spec = json!({"spec": object.data.get("spec")});
                let key = name(&object);
                if all.get(&key) != Some(&spec) {
                    touched.insert(key.0.clone());
                    all.insert(key, spec);
                }
            }
            Change::Gone(key) => {
                all.remove(&key);
                touched.insert(key.0);
            }
            Change::Only(there) => all.retain(|key, _| {
                let stays = there.contains(key);
                if !stays {
                    touched.insert(key.0.clone());
                }
                stays
            }),
        }
        for namespace in &touched {
            let documents = all.iter().filter(|(key, _)| key.0 == *namespace);
            let documents = documents.map(|(_, document)| document.clone()).collect();
            namespaces.limit(namespace, which, documents);
            changed(Some(namespace));
        }
        if is_listed {
            changed(None);
        }
    })
    .await;
}

/// All objects of a kind, as documents.
fn documents(client: Client, api_version: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::all_with(client, &resource)
}
