//! What has to be gone before the operator goes: the webhook, so that no API server waits for somebody who has left. Helm
//! runs it before it takes anything else away; everything else is Helm's.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::api::DeleteParams;
use kube::{Api, Client};

/// How long the API server may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The webhook may still be there.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The API server refuses.
    #[error("the webhook configuration {name} cannot be deleted: {source}")]
    Refused {
        /// What it is called.
        name: String,
        /// What the API server says.
        source: kube::Error,
    },
    /// The API server does not answer.
    #[error("the API server did not answer within {} s; nothing was deleted that one knows of", PATIENCE.as_secs())]
    Silent,
}

/// Deletes the webhook configuration of this name. It is fine if there is none.
///
/// # Errors
/// The API server refuses, or does not answer within 20 s.
pub async fn forget(client: Client, name: &str) -> Result<(), ForgetError> {
    let webhooks: Api<MutatingWebhookConfiguration> = Api::all(client);
    let params = DeleteParams::default();
    let deleted = tokio::time::timeout(PATIENCE, webhooks.delete(name, &params)).await;
    match deleted.map_err(|_| ForgetError::Silent)? {
        Ok(_) => tracing::info!(name, "the webhook configuration is deleted"),
        Err(kube::Error::Api(status)) if status.is_not_found() => {
            tracing::info!(name, "there is no webhook configuration any more");
        }
        Err(source) => {
            let name = name.to_owned();
            return Err(ForgetError::Refused { name, source });
        }
    }
    Ok(())
}
