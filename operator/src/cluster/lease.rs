//! Holding the Lease by which the replicas agree who leads. The rules are [`crate::leading`]'s.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;

use crate::leading::{Candidate, Held, LEASE, RETRY, Step};

/// How long the API server may take to answer about the lease.
const PATIENCE: Duration = Duration::from_secs(3);

/// A replica that stands for election.
pub struct Election {
    leases: Api<Lease>,
    lease: String,
    identity: String,
}

impl Election {
    /// For the lease of this name in this namespace. No two replicas have the same `identity`.
    pub fn new(client: &Client, name: &str, namespace: &str, identity: &str) -> Self {
        Self {
            leases: Api::namespaced(client.clone(), namespace),
            lease: name.to_owned(),
            identity: identity.to_owned(),
        }
    }

    /// Stands for election for as long as it is polled, and tells `leads` of every change.
    pub async fn stand(&self, leads: watch::Sender<bool>) {
        let mut candidate = Candidate::new(&self.identity);
        loop {
            let began = Instant::now();
            match tokio::time::timeout(PATIENCE, self.turn(&mut candidate)).await {
                Ok(Ok(true)) => candidate.renewed(began),
                Ok(Ok(false)) => candidate.lost(),
                Ok(Err(error)) => tracing::warn!(%error, "the lease could not be seen to; trying again"),
                Err(_) => tracing::warn!("the API server does not answer about the lease; trying again"),
            }
            let is_leader = candidate.leads(Instant::now());
            if leads.send_if_modified(|leads| std::mem::replace(leads, is_leader) != is_leader) {
                tracing::info!(
                    identity = self.identity,
                    leads = is_leader,
                    "the lead has changed"
                );
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Gives the lease up, so that another need not wait for its end.
    pub async fn resign(&self) {
        let Ok(Some(mut lease)) = self.leases.get_opt(&self.lease).await else {
            return;
        };
        if let Some(spec) = lease.spec.as_mut()
            && spec.holder_identity.as_deref() == Some(&self.identity)
        {
            spec.holder_identity = None;
            if let Err(error) = self
                .leases
                .replace(&self.lease, &PostParams::default(), &lease)
                .await
            {
                tracing::debug!(%error, "the lease could not be given up, and will end by itself");
            }
        }
    }

    /// One look at the lease, and whether it is ours afterwards.
    async fn turn(&self, candidate: &mut Candidate) -> Result<bool, kube::Error> {
        let lease = self.leases.get_opt(&self.lease).await?;
        let step = candidate.step(lease.as_ref().map(held), Instant::now());
        if step == Step::Wait {
            return Ok(false);
        }
        let params = PostParams::default();
        let written = match lease {
            Some(mut lease) => {
                lease.spec = Some(self.spec(lease.spec.unwrap_or_default(), step));
                self.leases.replace(&self.lease, &params, &lease).await
            }
            None => {
                let lease = Lease {
                    metadata: ObjectMeta {
                        name: Some(self.lease.clone()),
                        ..ObjectMeta::default()
                    },
                    spec: Some(self.spec(LeaseSpec::default(), step)),
                };
                self.leases.create(&params, &lease).await
            }
        };
        match written {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn spec(&self, before: LeaseSpec, step: Step) -> LeaseSpec {
        let now = Some(MicroTime(Timestamp::now()));
        let taken = step == Step::Take;
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: LEASE.as_secs().try_into().ok(),
            acquire_time: if taken { now.clone() } else { before.acquire_time },
            lease_transitions: Some(before.lease_transitions.unwrap_or(0) + i32::from(taken)),
            renew_time: now,
            ..before
        }
    }
}

fn held(lease: &Lease) -> Held {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    Held {
        version: lease.resource_version().unwrap_or_default(),
        holder: spec.holder_identity.unwrap_or_default(),
        lasts: seconds.map_or(LEASE, Duration::from_secs),
    }
}
