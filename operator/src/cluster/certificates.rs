//! Keeping the certificates: in a Secret that all replicas share, and in the `caBundle` of our webhooks.
//!
//! The leader makes what is due and replaces the Secret in the version that it has read, so that nothing is lost where two
//! lead for a moment; the others read. Only what is in the Secret is ever shown or published.

use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::certificates::due::Lifetimes;
use crate::certificates::issue::IssueError;
use crate::certificates::{Certificates, Leaf, advance};
use crate::metrics::Metrics;
use crate::webhook::tls::{self, TlsError};

/// The Secret's key for everything there is.
const KEPT: &str = "certificates.json";
/// The Secret's key for the bundle, for people and for their tools.
const BUNDLE: &str = "ca.crt";
/// How often is looked whether something is due, and whether the webhooks still have our bundle. More often where a leaf
/// lasts for minutes.
const LOOK: Duration = Duration::from_secs(20);
/// How many looks there are at least in the life of a leaf.
const LOOKS: u64 = 12;
/// How long to wait after something has failed.
const AGAIN: Duration = Duration::from_secs(2);

/// Why the certificates are not as they should be.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The API server does not answer, or refuses. A conflict is nothing to worry about: another replica was faster.
    #[error("the API server: {0}")]
    Kubernetes(#[from] kube::Error),
    /// They cannot be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// They cannot be written down.
    #[error("cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// They cannot be shown.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Keeps the certificates of one operator.
pub struct Keeper {
    secrets: Api<Secret>,
    webhooks: Api<MutatingWebhookConfiguration>,
    secret: String,
    webhook: String,
    names: Vec<String>,
    lifetimes: Lifetimes,
    leads: watch::Receiver<bool>,
    metrics: Arc<Metrics>,
}

impl Keeper {
    /// For the operator of this name in this namespace: so are called its Service and its webhook configuration, and
    /// its Secret begins like that.
    pub fn new(
        client: &Client,
        name: &str,
        namespace: &str,
        lifetimes: Lifetimes,
        leads: watch::Receiver<bool>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), namespace),
            webhooks: Api::all(client.clone()),
            secret: format!("{name}-certificates"),
            webhook: name.to_owned(),
            names: vec![format!("{name}.{namespace}.svc")],
            lifetimes,
            leads,
            metrics,
        }
    }

    /// What the webhook has to show, once there is something.
    pub async fn first(&self) -> Arc<ServerConfig> {
        loop {
            match self.look(None).await {
                Ok(Some((_, config))) => return config,
                Ok(None) => {}
                Err(error) => complain(&error),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Keeps what is `shown` up to date for as long as it is polled.
    pub async fn keep(self, shown: watch::Sender<Arc<ServerConfig>>) {
        let mut last = None;
        let look = LOOK.min(Duration::from_secs(self.lifetimes.leaf / LOOKS));
        loop {
            let pause = match self.look(last.as_ref()).await {
                Ok(news) => {
                    if let Some((leaf, config)) = news {
                        last = Some(leaf);
                        shown.send_replace(config);
                    }
                    look
                }
                Err(error) => {
                    complain(&error);
                    AGAIN
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Where we lead: makes what is due, keeps it, publishes the bundle. Says what is to be shown, if that is there and is
    /// not the `last` leaf.
    async fn look(&self, last: Option<&Leaf>) -> Result<Option<(Leaf, Arc<ServerConfig>)>, KeepError> {
        let kept = self.secrets.get_opt(&self.secret).await?;
        let mut certificates = kept.as_ref().map(read).unwrap_or_default();
        if *self.leads.borrow() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let advanced = advance(&certificates, &self.names, now.as_secs(), self.lifetimes)?;
            if advanced != certificates {
                self.write(kept, &advanced).await?;
                certificates = advanced;
            }
            self.publish(&certificates.bundle()).await?;
        }
        let Some(leaf) = certificates.leaf.filter(|leaf| Some(leaf) != last) else {
            return Ok(None);
        };
        let config = tls::server(&leaf)?;
        self.metrics.certificate_until(leaf.validity.until);
        Ok(Some((leaf, config)))
    }

    async fn write(&self, kept: Option<Secret>, certificates: &Certificates) -> Result<(), KeepError> {
        let data = BTreeMap::from([
            (KEPT.to_owned(), ByteString(serde_json::to_vec(certificates)?)),
            (BUNDLE.to_owned(), ByteString(certificates.bundle().into_bytes())),
        ]);
        let params = PostParams::default();
        match kept {
            Some(mut secret) => {
                secret.data = Some(data);
                self.secrets.replace(&self.secret, &params, &secret).await?;
            }
            None => {
                let secret = Secret {
                    metadata: ObjectMeta {
                        name: Some(self.secret.clone()),
                        ..ObjectMeta::default()
                    },
                    data: Some(data),
                    ..Secret::default()
                };
                self.secrets.create(&params, &secret).await?;
            }
        }
        tracing::info!(secret = self.secret, "certificates renewed");
        Ok(())
    }

    /// Lets the API server trust the bundle, where it does not yet. Nothing else of the configuration is touched, and that
    /// only in the version that was read.
    async fn publish(&self, bundle: &str) -> Result<(), KeepError> {
        let Some(configuration) = self.webhooks.get_opt(&self.webhook).await? else {
            tracing::warn!(
                name = self.webhook,
                "no webhook configuration of this name, so nobody will ask us"
            );
            return Ok(());
        };
        let bundle = ByteString(bundle.as_bytes().to_vec());
        let webhooks = configuration.webhooks.iter().flatten().enumerate();
        let lacking =
            webhooks.filter(|(_, webhook)| webhook.client_config.ca_bundle.as_ref() != Some(&bundle));
        let version = json!({"op": "test", "path": "/metadata/resourceVersion", "value": configuration.resource_version()});
        let patch: Vec<Value> = iter::once(version)
            .chain(lacking.map(|(index, _)| {
                json!({"op": "add", "path": format!("/webhooks/{index}/clientConfig/caBundle"), "value": bundle})
            }))
            .collect();
        if patch.len() > 1 {
            let patch: Patch<MutatingWebhookConfiguration> =
                Patch::Json(serde_json::from_value(json!(patch))?);
            self.webhooks
                .patch(&self.webhook, &PatchParams::default(), &patch)
                .await?;
            tracing::info!(name = self.webhook, "caBundle published");
        }
        Ok(())
    }
}

/// What is kept, or nothing where it cannot be read: then everything is made anew.
fn read(secret: &Secret) -> Certificates {
    let kept = secret.data.as_ref().and_then(|data| data.get(KEPT));
    let read = kept.map(|kept| serde_json::from_slice(&kept.0));
    match read {
        Some(Ok(certificates)) => certificates,
        Some(Err(error)) => {
            tracing::warn!(%error, "the kept certificates cannot be read, so all are made anew");
            Certificates::default()
        }
        None => Certificates::default(),
    }
}

fn complain(error: &KeepError) {
    match error {
        KeepError::Kubernetes(kube::Error::Api(status))
            if status.is_conflict() || status.is_already_exists() =>
        {
            tracing::debug!("another replica was faster");
        }
        error => tracing::warn!(%error, "the certificates are not as they should be; trying again"),
    }
}
