//! Metrics, probes and coverage, on a port of their own.

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use process::admin::{Answer, Told};
use tokio::sync::watch;

use crate::coverage::Coverage;
use crate::metrics::Metrics;

/// What the operator says of itself. It is ready once the webhook serves, and until it is asked to stop.
#[derive(Clone)]
pub struct Admin {
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How all stand that asked for a sidecar.
    pub coverage: Arc<Coverage>,
    /// Whether the webhook serves.
    pub ready: watch::Receiver<bool>,
}

/// What every program answers on such a port, and `/coverage`: a [`Summary`](crate::coverage::summary::Summary) as JSON,
/// the same from each replica.
pub fn router(admin: Admin) -> Router {
    let coverage = Arc::clone(&admin.coverage);
    let summary = get(async move || Json(coverage.summary()));
    process::admin::router(admin).route("/coverage", summary)
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
