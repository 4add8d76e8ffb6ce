//! The webhook: an AdmissionReview comes in, an answer goes out that always allows.
//!
//! [`review`] reads and writes the API server's documents, [`serve`] is the TLS server, [`tls`] its configuration. What
//! there is to decide is the crate `inject`'s. A request that cannot be read is an error of HTTP, which the webhook's
//! `failurePolicy: Ignore` turns into a pod without a sidecar, as it does when we are away.

pub mod review;
pub mod serve;
pub mod tls;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use inject::decide::Site;

use self::review::Review;
use crate::metrics::Metrics;
use crate::namespaces::Namespaces;
use crate::policy::known::Known;

/// Where reviews are asked for.
pub const PATH: &str = "/admit";

/// The largest document that is read. Kubernetes' own objects are at most some 1.5 MiB, and an update has two.
const LARGEST: usize = 8 << 20;

/// What answers depend on.
#[derive(Clone)]
pub struct Webhook {
    /// What holds for all pods.
    pub site: Arc<Site>,
    /// What is known of namespaces.
    pub namespaces: Arc<Namespaces>,
    /// What is known of policies.
    pub policies: Arc<Known>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The webhook's one route.
pub fn router(webhook: Webhook) -> Router {
    Router::new()
        .route(PATH, post(admit))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(webhook)
}

async fn admit(State(webhook): State<Webhook>, body: Bytes) -> Response {
    let review = match Review::read(&body) {
        Ok(review) => review,
        Err(error) => {
            webhook.metrics.unreadable();
            tracing::warn!(%error, "a review could not be read, so its object is left as it is");
            return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response();
        }
    };
    let namespace = webhook.namespaces.get(review.namespace());
    let site = Site {
        skip: webhook.policies.skip(review.namespace(), &review.labels()),
        ..Site::clone(&webhook.site)
    };
    let (answer, report) = review.answer(&namespace, &site);
    if let Some(report) = report {
        webhook.metrics.reviewed(&report);
        tracing::info!(
            object = report.object,
            outcome = report.outcome.name(),
            "reviewed"
        );
        tracing::debug!("{report}");
    }
    axum::Json(answer).into_response()
}
