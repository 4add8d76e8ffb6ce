//! Metrics and probes, on a port of their own.

use std::sync::Arc;

use process::admin::{Answer, Told};
use tokio::sync::watch;

use crate::metrics::Metrics;

/// What the operator says of itself. It is ready once the webhook serves, and until it is asked to stop.
#[derive(Clone)]
pub struct Admin {
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether the webhook serves.
    pub ready: watch::Receiver<bool>,
}

impl Told for Admin {
    async fn metrics(&self) -> Answer<String> {
        Ok(self.metrics.render()?)
    }

    async fn ready(&self) -> Answer<()> {
        let serving = *self.ready.borrow();
        serving.then_some(()).ok_or_else(|| "not serving".into())
    }
}
