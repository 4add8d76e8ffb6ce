//! Watching the cluster's namespaces.

use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use inject::decide::Namespace;
use k8s_openapi::api::core::v1 as core;
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;

use crate::namespaces::Namespaces;

/// Keeps `namespaces` up to date for as long as it is polled. `listed` becomes true once all of them are known, and stays
/// so: what was known last is better than nothing while the API server is away.
pub async fn follow(client: Client, namespaces: Arc<Namespaces>, listed: watch::Sender<bool>) {
    let api: Api<core::Namespace> = Api::all(client);
    let mut events = pin!(watcher(api, Config::default()).default_backoff());
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => all.clear(),
            Ok(Event::InitApply(namespace)) => all.push(known(&namespace)),
            Ok(Event::InitDone) => {
                namespaces.replace(all.drain(..));
                listed.send_replace(true);
            }
            Ok(Event::Apply(namespace)) => namespaces.set(known(&namespace)),
            Ok(Event::Delete(namespace)) => namespaces.remove(&namespace.name_any()),
            Err(error) => tracing::warn!(%error, "namespaces cannot be watched; going on with what is known"),
        }
    }
}

fn known(namespace: &core::Namespace) -> Namespace {
    Namespace {
        name: namespace.name_any(),
        is_unknown: false,
        annotations: namespace.annotations().clone(),
        labels: namespace.labels().clone(),
    }
}
