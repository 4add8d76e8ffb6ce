//! Telling sidecars: each its own, at once and whenever it changes.

use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use settings::{Update, Who, server};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::known::Known;
use crate::metrics::Metrics;

/// Answers sidecars until `stop` is true.
pub async fn serve(
    listener: TcpListener,
    known: Arc<Known>,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
) {
    let told = Arc::clone(&known);
    let streams = server::serve(
        listener,
        move |who| tell(Arc::clone(&told), Arc::clone(&metrics), who),
        stop,
    );
    tokio::join!(known.tell(), streams);
}

fn tell(known: Arc<Known>, metrics: Arc<Metrics>, who: Who) -> impl Stream<Item = Update> + Send {
    let listens = Listens::new(metrics);
    server::changes(known.changes(), move |()| known.update(&who))
        .inspect(move |_| listens.0.settings_told.inc())
}

/// A sidecar that listens, for as long as this is kept.
struct Listens(Arc<Metrics>);

impl Listens {
    fn new(metrics: Arc<Metrics>) -> Self {
        metrics.settings_streams.inc();
        Self(metrics)
    }
}

impl Drop for Listens {
    fn drop(&mut self) {
        self.0.settings_streams.dec();
    }
}
