//! What the leader does: it mirrors labels, tells of what was missed, and of what policies do. Certificates are kept by
//! [`super::certificates`], which every replica reads.

use std::sync::Arc;

use inject::decide::Site;
use kube::Client;
use tokio::sync::watch;

use super::{events, namespaces, policies};
use crate::coverage::Coverage;
use crate::namespaces::Namespaces;
use crate::policy::known::Known;

/// A replica that may come to lead.
pub struct Leader {
    /// Asks the API server.
    pub client: Client,
    /// The replica's name.
    pub identity: String,
    /// What holds for all pods.
    pub site: Arc<Site>,
    /// What is known of namespaces.
    pub namespaces: Arc<Namespaces>,
    /// How all stand.
    pub coverage: Arc<Coverage>,
    /// What is known of policies.
    pub policies: Arc<Known>,
}

impl Leader {
    /// Does it whenever this replica leads, for as long as it is polled. `changed` grows with every change of a namespace.
    pub async fn whenever(self, mut leads: watch::Receiver<bool>, changed: watch::Receiver<u64>) {
        let mut leads_no_more = leads.clone();
        while leads.wait_for(|leads| *leads).await.is_ok() {
            let mirrored = namespaces::mirror(&self.client, &self.namespaces, &self.site, changed.clone());
            let told = events::tell(&self.client, &self.identity, &self.coverage);
            let reported = policies::report(&self.client, &self.policies);
            tokio::select! {
                _ = leads_no_more.wait_for(|leads| !leads) => {}
                _ = async { tokio::join!(mirrored, told, reported) } => {}
            }
        }
    }
}
