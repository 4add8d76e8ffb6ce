//! Watching the cluster's namespaces, and keeping the label of each as [`mirror`] says.

use std::sync::Arc;
use std::time::Duration;

use inject::decide::{Namespace, Site};
use k8s_openapi::api::core::v1 as core;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::follow::{self, Change};
use crate::mirror::{self, ASKS, KEY, MANAGER, Mark, Step};
use crate::namespaces::{Namespaces, Record};

/// How long to wait before labels are looked at again that could not be written.
const AGAIN: Duration = Duration::from_secs(5);

/// Keeps `namespaces` up to date for as long as it is polled, and says which have `changed`; `None` where it may be all of
/// them, once they are known.
pub async fn follow(client: Client, namespaces: Arc<Namespaces>, changed: impl Fn(Option<&str>)) {
    let api: Api<core::Namespace> = Api::all(client);
    follow::follow("namespaces", api, |change| match change {
        Change::Is(namespace) => {
            namespaces.set(record(&namespace));
            changed(Some(&namespace.name_any()));
        }
        Change::Gone((_, name)) => {
            namespaces.remove(&name);
            changed(Some(&name));
        }
        Change::Only(there) => {
            namespaces.only(|name| there.contains(&(String::new(), name.to_owned())));
            changed(None);
        }
    })
    .await;
}

/// Keeps every namespace's label, for as long as it is polled; looks whenever `changed` changes.
pub async fn mirror(
    client: &Client,
    namespaces: &Namespaces,
    site: &Site,
    mut changed: watch::Receiver<u64>,
) {
    let api: Api<core::Namespace> = Api::all(client.clone());
    loop {
        changed.mark_unchanged();
        let mut all_are_kept = true;
        for record in namespaces.all() {
            if !site.is_off_limits(&record.namespace.name)
                && let Err(error) = keep(&api, &record).await
            {
                all_are_kept = false;
                let name = record.namespace.name;
                tracing::warn!(%error, name, "the namespace's label could not be written; trying again");
            }
        }
        if all_are_kept {
            if changed.changed().await.is_err() {
                return;
            }
        } else {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn keep(api: &Api<core::Namespace>, record: &Record) -> Result<(), kube::Error> {
    let name = &record.namespace.name;
    let labels = match mirror::step(&record.namespace, &record.mark) {
        Step::Set => json!({KEY: ASKS}),
        Step::Remove => json!({}),
        Step::Leave | Step::Taken => return Ok(()),
    };
    let label =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    match api
        .patch(name, &PatchParams::apply(MANAGER), &Patch::Apply(&label))
        .await
    {
        Ok(_) => tracing::info!(name, %labels, "the namespace's label follows its annotation"),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

fn record(namespace: &core::Namespace) -> Record {
    let managed = namespace.managed_fields().iter().filter_map(|entry| {
        let fields: &Value = &entry.fields_v1.as_ref()?.0;
        let time = entry.time.as_ref().map(|time| time.0.as_second());
        Some((entry.manager.as_deref(), time, fields))
    });
    Record {
        mark: Mark::read(&managed.collect::<Vec<_>>()),
        uid: namespace.uid().unwrap_or_default(),
        namespace: Namespace {
            name: namespace.name_any(),
            annotations: namespace.annotations().clone(),
            labels: namespace.labels().clone(),
            ..Namespace::default()
        },
    }
}
