//! Writing the statuses of policies, where they are not what they have to be.
//!
//! Every replica does the same: all of them say the same of the same cluster, and whoever is later finds nothing to do.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde_json::json;

use super::known::Known;
use super::precedence::Policy;
use super::spec::{TracePolicy, TracePolicyStatus};
use super::status::statuses;

/// The least time between two rounds: pods come and go, and each would change a number.
const PAUSE: Duration = Duration::from_secs(2);

/// Who writes, as the API server keeps it.
const MANAGER: &str = "meshtrace-operator";

/// Keeps statuses up to date for as long as it is polled.
pub async fn keep(client: Client, known: &Known) {
    let mut changes = known.changes();
    while changes.changed().await.is_ok() {
        let stale = stale(known);
        for (policy, status) in stale {
            if let Err(error) = write(&client, &policy, &status).await {
                tracing::warn!(%error, policy = policy.title(), "the status of a policy could not be written");
            }
        }
        tokio::time::sleep(PAUSE).await;
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
