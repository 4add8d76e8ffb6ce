//! Metrics and probes, on a port of their own.

use process::admin::{Answer, Told};
use tokio::sync::watch;

use crate::sources::Sources;
use crate::time;

/// What the collector says of itself. It is ready until it is asked to stop, and while its store answers.
#[derive(Clone)]
pub struct Admin {
    /// Where it looks.
    pub sources: Sources,
    /// Whether it has been asked to stop.
    pub stopping: watch::Receiver<bool>,
}

impl Told for Admin {
    async fn metrics(&self) -> Answer<String> {
        let size = self.sources.store.size().await?;
        let mut text = self.sources.metrics.render(&size)?;
        self.sources.live.render(&mut text, time::now());
        Ok(text)
    }

    async fn ready(&self) -> Answer<()> {
        if *self.stopping.borrow() {
            return Err("stopping".into());
        }
        self.sources.store.size().await?;
        Ok(())
    }
}
