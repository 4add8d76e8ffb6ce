//! Watching policies, and writing their statuses where they are not what they have to be.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde_json::json;

use super::follow::{self, Change, name};
use crate::policy::known::Known;
use crate::policy::precedence::Policy;
use crate::policy::spec::{TracePolicy, TracePolicyStatus};
use crate::policy::status::statuses;

/// The least time between two rounds: pods come and go, and each would change a number.
const PAUSE: Duration = Duration::from_secs(2);

/// Who writes, as the API server keeps it.
const MANAGER: &str = "meshtrace-operator";

/// Keeps `known` policies up to date for as long as it is polled.
pub async fn follow(client: Client, known: Arc<Known>) {
    let api = Api::<TracePolicy>::all(client);
    follow::follow("TracePolicies", api, |change| match change {
        Change::Is(policy) => known.policy(name(&policy), Some(Policy::read(&policy))),
        Change::Gone(name) => known.policy(name, None),
        Change::Only(there) => known.only_policies(&there),
    })
    .await;
}

/// Keeps statuses as they have to be, for as long as it is polled.
pub async fn report(client: &Client, known: &Known) {
    let mut changes = known.changes();
    loop {
        changes.mark_unchanged();
        let mut all_are_written = true;
        for (policy, status) in stale(known) {
            if let Err(error) = write(client, &policy, &status).await {
                all_are_written = false;
                tracing::warn!(%error, policy = policy.title(), "its status could not be written; trying again");
            }
        }
        tokio::time::sleep(PAUSE).await;
        if all_are_written && changes.changed().await.is_err() {
            return;
        }
    }
}

/// Policies whose status is not what it has to be.
fn stale(known: &Known) -> Vec<(Policy, TracePolicyStatus)> {
    let world = known.world();
    if !world.has_policies {
        return Vec::new();
    }
    let statuses = statuses(&world, &known.own_namespace, &Time(Timestamp::now()));
    statuses
        .into_iter()
        .filter_map(|(name, status)| Some((world.policies.get(&name)?, status)))
        .filter(|(policy, status)| policy.status != *status)
        .map(|(policy, status)| (policy.clone(), status))
        .collect()
}

async fn write(client: &Client, policy: &Policy, status: &TracePolicyStatus) -> Result<(), kube::Error> {
    let api: Api<TracePolicy> = Api::namespaced(client.clone(), &policy.namespace);
    let applied = json!({
        "apiVersion": TracePolicy::api_version(&()),
        "kind": TracePolicy::kind(&()),
        "status": status,
    });
    let params = PatchParams::apply(MANAGER).force();
    api.patch_status(&policy.name, &params, &Patch::Apply(applied))
        .await
        .map(drop)
}
