//! Answering questions: [`jaeger`] in the words of Jaeger's clients, [`v1`] in our own.
//!
//! Reads only, but for the import of files. Handlers read what is asked, ask the store or the live aggregates, and write
//! what they say; everything between is done by pure functions elsewhere.

mod jaeger;
mod v1;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tokio::sync::Semaphore;

use crate::sources::Sources;

/// Questions that are answered at once. An answer may be large, so others wait.
const QUERIES: usize = 16;

/// Both query APIs.
pub fn router(sources: Sources) -> Router {
    Router::new()
        .merge(jaeger::router(Arc::clone(&sources.store)))
        .nest("/api/meshtrace/v1", v1::router(sources))
        .fallback(jaeger::unknown_path)
        .layer(from_fn_with_state(Arc::new(Semaphore::new(QUERIES)), in_turn))
}

async fn in_turn(State(turns): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let _turn = turns.acquire().await;
    next.run(request).await
}
