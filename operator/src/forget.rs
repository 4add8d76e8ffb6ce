//! What is taken away when all is uninstalled and Helm would not, or would too late.
//!
//! [`forget`] runs before anything goes: no webhook is left that nobody answers. [`sweep`] runs after everything went, since
//! an operator that still runs would put back what it takes: the labels of namespaces, and the definition of TracePolicy
//! unless somebody has policies. Everything else is Helm's.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::mirror::{KEY, MANAGER};
use crate::policy::spec::TracePolicy;

/// How long the API server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Policies that are named where they keep their definition; of more, their number is said.
const NAMED: u32 = 5;

/// Something may still be there.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The API server refuses.
    #[error("cannot {step}: {source}")]
    Refused {
        /// What was to be done.
        step: String,
        /// What the API server says.
        source: kube::Error,
    },
    /// The API server does not answer.
    #[error("cannot {step}: the API server did not answer within {} s", PATIENCE.as_secs())]
    Silent {
        /// What was to be done.
        step: String,
    },
}

/// Deletes the webhook configuration of this name. It is fine if there is none.
///
/// # Errors
/// The API server refuses, or does not answer within 20 s.
pub async fn forget(client: Client, name: &str) -> Result<(), ForgetError> {
    let webhooks: Api<MutatingWebhookConfiguration> = Api::all(client);
    delete(&webhooks, name, "the webhook configuration").await
}

/// Takes our labels off namespaces, and, if it was `defined` by this installation and nothing would be lost with it, deletes
/// the definition of TracePolicy; if it stays, it says for whose sake.
///
/// # Errors
/// The API server refuses, or does not answer within 20 s.
pub async fn sweep(client: Client, defined: bool) -> Result<(), ForgetError> {
    unlabel(&Api::all(client.clone())).await?;
    if !defined {
        return Ok(());
    }
    let definition = TracePolicy::crd_name();
    match policies(&Api::all(client.clone())).await? {
        None => {
            let definitions: Api<CustomResourceDefinition> = Api::all(client);
            delete(&definitions, definition, "the definition").await?;
        }
        Some(policies) => tracing::warn!(
            "{definition} stays, since policies would go with it: {policies}; `kubectl delete crd {definition}` deletes all"
        ),
    }
    Ok(())
}

/// Gives up what we have applied to namespaces: a label that somebody else has set too stays.
async fn unlabel(api: &Api<Namespace>) -> Result<(), ForgetError> {
    let labelled = ListParams::default().labels(KEY);
    for namespace in within("list namespaces", api.list(&labelled)).await? {
        let name = namespace.name_any();
        let nothing =
            Patch::Apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        let params = PatchParams::apply(MANAGER);
        let step = format!("take our label off the namespace {name}");
        match within(&step, api.patch_metadata(&name, &params, &nothing)).await {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => tracing::info!(name, "the namespace has no label of ours"),
        }
    }
    Ok(())
}

/// The policies that there are, for people.
async fn policies(api: &Api<TracePolicy>) -> Result<Option<String>, ForgetError> {
    let first = ListParams::default().limit(NAMED);
    let list = match within("list policies", api.list_metadata(&first)).await {
        // no definition, so no policies
        Err(error) if error.is_not_found() => return Ok(None),
        list => list?,
    };
    let names: Vec<String> = list
        .items
        .iter()
        .map(|policy| format!("{}/{}", policy.namespace().unwrap_or_default(), policy.name_any()))
        .collect();
    let more = list.metadata.remaining_item_count.unwrap_or_default();
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Ok((!names.is_empty()).then(|| names.join(", ") + &more))
}

async fn delete<K>(api: &Api<K>, name: &str, what: &str) -> Result<(), ForgetError>
where
    K: Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let step = format!("delete {what} {name}");
    match within(&step, api.delete(name, &DeleteParams::default())).await {
        Err(error) if error.is_not_found() => tracing::info!(name, "{what} was not there"),
        deleted => {
            deleted?;
            tracing::info!(name, "{what} is deleted");
        }
    }
    Ok(())
}

async fn within<T>(step: &str, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, ForgetError> {
    let step = step.to_owned();
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(ForgetError::Refused { step, source }),
        Err(_) => Err(ForgetError::Silent { step }),
    }
}

impl ForgetError {
    /// Also where the API server does not know the kind at all, of which it tells in no form but the code.
    fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { source: kube::Error::Api(status), .. } if status.code == 404)
    }
}
