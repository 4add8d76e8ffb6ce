//! Beginning to watch, and knowing when everything has been seen once.

use std::sync::Arc;

use inject::workload::Kind;
use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{namespaces, objects, policies};
use crate::coverage::Coverage;
use crate::namespaces::{Limiting, Namespaces};
use crate::policy::known::Known;

/// What has been seen.
pub struct Changes {
    /// Grows with every change of a namespace.
    pub counted: watch::Receiver<u64>,
    listed: [watch::Receiver<bool>; 3],
}

impl Changes {
    /// Returns once all namespaces are known, with all that limits their pods.
    pub async fn all_listed(&self) {
        for listed in &self.listed {
            if listed.clone().wait_for(|listed| *listed).await.is_err() {
                tracing::error!("a watcher has ended before it knew all: a mistake of ours");
            }
        }
    }
}

/// Keeps `namespaces`, `coverage` and `known` up to date, in `tasks`.
pub fn begin(
    tasks: &mut JoinSet<()>,
    client: &Client,
    namespaces: &Arc<Namespaces>,
    coverage: &Arc<Coverage>,
    known: &Arc<Known>,
) -> Changes {
    let (counts, counted) = watch::channel(0);
    let (tells, listed) = watch::channel(false);
    let told = Arc::clone(coverage);
    tasks.spawn(namespaces::follow(
        client.clone(),
        Arc::clone(namespaces),
        move |name| {
            told.namespace(name);
            counts.send_modify(|count| *count += 1);
            listed_if_all(&tells, name);
        },
    ));
    let limits = [Limiting::Quotas, Limiting::Ranges].map(|which| {
        let (tells, listed) = watch::channel(false);
        let told = Arc::clone(coverage);
        let changed = move |name: Option<&str>| {
            told.namespace(name);
            listed_if_all(&tells, name);
        };
        tasks.spawn(objects::limit(
            client.clone(),
            which,
            Arc::clone(namespaces),
            changed,
        ));
        listed
    });
    for kind in Kind::ALL {
        let (coverage, known) = (Arc::clone(coverage), Arc::clone(known));
        tasks.spawn(objects::cover(client.clone(), kind, coverage, known));
    }
    tasks.spawn(policies::follow(client.clone(), Arc::clone(known)));
    let [quotas, ranges] = limits;
    Changes {
        counted,
        listed: [listed, quotas, ranges],
    }
}

/// Whoever tells of all names none.
fn listed_if_all(tells: &watch::Sender<bool>, name: Option<&str>) {
    if name.is_none() {
        tells.send_replace(true);
    }
}
