//! TracePolicies: what admins say of many pods at once, and how it reaches sidecars that run.
//!
//! [`spec`] is the custom resource, [`key`] what it can say, [`precedence`] whose word counts, [`document`] how a sidecar is
//! told, [`status`] what admins are told. All of these are pure. [`known`] is what is known of the cluster, [`follow`] keeps
//! it up to date, [`stream`] tells sidecars, [`report`] writes statuses.

pub mod document;
pub mod follow;
pub mod key;
pub mod known;
pub mod precedence;
pub mod report;
pub mod spec;
pub mod status;
pub mod stream;

use std::sync::Arc;

use kube::{Client, CustomResourceExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::known::Known;
use crate::metrics::Metrics;

/// The definitions of our custom resources, as YAML to be applied.
pub fn definitions() -> String {
    process::config::render(&spec::TracePolicy::crd())
}

/// Watches, tells sidecars on `listener` until `stop` is true, and writes statuses, for as long as it is polled.
pub async fn run(
    client: Client,
    known: Arc<Known>,
    listener: TcpListener,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
) {
    tokio::join!(
        follow::policies(client.clone(), &known),
        follow::pods(client.clone(), &known),
        known.tell(),
        report::keep(client, &known),
        stream::serve(listener, Arc::clone(&known), metrics, stop),
    );
}
