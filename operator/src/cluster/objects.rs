//! Watching pods, workloads and limits, as documents.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use inject::workload::Kind;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::coverage::Coverage;
use crate::namespaces::{Limiting, Namespaces};

/// What has become of the objects of one kind.
enum Change {
    /// One is like this now.
    Is(DynamicObject),
    /// One is there no more.
    Gone(DynamicObject),
    /// All have been listed, and these are there, by namespace and name.
    Only(BTreeSet<(String, String)>),
}

/// Tells `coverage` of all pods, or all workloads of a kind, for as long as it is polled.
pub async fn cover(client: Client, kind: Kind, coverage: Arc<Coverage>) {
    follow(client, kind.api_version(), kind.name(), |change| match change {
        Change::Is(object) => match serde_json::to_value(&object) {
            Ok(value) => coverage.see(kind, &value),
            Err(error) => tracing::warn!(%error, "an object could not be read"),
        },
        Change::Gone(object) => {
            let (namespace, name) = key(&object);
            coverage.gone(kind, &namespace, &name);
        }
        Change::Only(there) => coverage.only(kind, &there),
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
    let mut all: BTreeMap<(String, String), Value> = BTreeMap::new();
    follow(client, "v1", which.kind(), |change| {
        let is_listed = matches!(change, Change::Only(_));
        let mut touched = BTreeSet::new();
        match change {
            Change::Is(object) => {
                // its status changes with every pod, which is nothing to us
                let spec = json!({"spec": object.data.get("spec")});
                let key = key(&object);
                if all.get(&key) != Some(&spec) {
                    touched.insert(key.0.clone());
                    all.insert(key, spec);
                }
            }
            Change::Gone(object) => {
                let key = key(&object);
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

async fn follow(client: Client, api_version: &str, kind: &str, mut on: impl FnMut(Change)) {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = Api::all_with(client, &resource);
    let mut events = pin!(watcher(api, Config::default()).default_backoff());
    let mut there = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => there.clear(),
            Ok(Event::InitApply(object)) => {
                there.insert(key(&object));
                on(Change::Is(object));
            }
            Ok(Event::InitDone) => on(Change::Only(std::mem::take(&mut there))),
            Ok(Event::Apply(object)) => on(Change::Is(object)),
            Ok(Event::Delete(object)) => on(Change::Gone(object)),
            Err(error) => tracing::warn!(%error, kind, "cannot be watched; going on with what is known"),
        }
    }
}

fn key(object: &DynamicObject) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}
