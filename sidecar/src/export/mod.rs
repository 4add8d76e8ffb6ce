//! Spans on their way out: a bounded queue that never makes a request wait, and an exporter that empties it. Beside them a
//! word about the sidecar itself.

mod queue;
mod report;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use otlp::client::{Client, ExportError};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, sleep, sleep_until};

pub use queue::{Batch, Full, Queue};
pub use report::Reporter;

use crate::metrics::Metrics;

/// The pause before a batch is tried again: doubled each time, up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LONGEST: Duration = Duration::from_secs(5);

/// Why a span that was made is lost. A closed set: it labels a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The queue had no room: the collector is away, or too slow.
    QueueFull,
    /// The collector could not be reached for as long as a batch is tried.
    Unreachable,
    /// The collector refused it.
    Refused,
    /// The sidecar had to stop before the collector had taken it.
    Stopped,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::Unreachable, Self::Refused, Self::Stopped];

    /// As it stands in labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
        }
    }
}

/// Empties the queue into a collector.
pub struct Exporter {
    /// Where spans wait.
    pub queue: Arc<Queue>,
    /// Where they go.
    pub client: Client,
    /// What becomes of them.
    pub metrics: Arc<Metrics>,
    /// The longest that a span waits for its batch.
    pub interval: Duration,
    /// How long a batch is tried again.
    pub retry_for: Duration,
}

impl Exporter {
    /// Sends what there is, whenever a batch is full or the interval has passed.
    ///
    /// Returns when `stop` has been given a deadline and the queue is empty, or the deadline has passed; what has not
    /// been taken by then is counted as lost.
    pub async fn run(&self, stop: watch::Receiver<Option<Instant>>) {
        let mut stopping = stop.clone();
        let mut due = tokio::time::interval(self.interval);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (all, stopped) = tokio::select! {
                () = self.queue.filled() => (false, false),
                _ = due.tick() => (true, false),
                _ = stopping.wait_for(Option::is_some) => (true, true),
            };
            // a request for each handful of spans would cost more than the spans: what is not full waits until it is due,
            // and what comes meanwhile until the next time
            let mut rest = all;
            let mut next = || {
                let full = self.queue.pop_full();
                full.or_else(|| std::mem::take(&mut rest).then(|| self.queue.pop()).flatten())
            };
            while let Some(batch) = next() {
                let (spans, bytes) = (batch.spans, Bytes::from(batch.bytes));
                let (taken, loss) = tokio::select! {
                    outcome = self.deliver(spans, &bytes) => outcome,
                    () = passed(stop.clone()) => (0, Loss::Stopped),
                };
                self.metrics.exported.inc_by(taken);
                self.metrics.lost(loss, spans - taken);
                if !all {
                    self.queue.recycle(bytes);
                }
            }
            if stopped {
                return;
            }
        }
    }

    /// Sends one batch, again and again while that makes sense. Returns how many of its spans were taken, and why the
    /// others were not.
    async fn deliver(&self, spans: u64, bytes: &Bytes) -> (u64, Loss) {
        let give_up = Instant::now() + self.retry_for;
        let mut pause = PAUSE_FIRST;
        loop {
            match self.client.export(bytes.clone()).await {
                Ok(refused) => return (spans.saturating_sub(refused), Loss::Refused),
                Err(ExportError::Final(problem)) => {
                    tracing::error!(spans, problem, "spans are lost: the collector refused them");
                    return (0, Loss::Refused);
                }
                Err(ExportError::Retryable(problem)) if Instant::now() + pause >= give_up => {
                    tracing::error!(spans, problem, "spans are lost: the collector cannot be reached");
                    return (0, Loss::Unreachable);
                }
                Err(ExportError::Retryable(problem)) => {
                    tracing::debug!(spans, problem, ?pause, "a batch is tried again");
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_LONGEST);
        }
    }
}

/// Resolves when a deadline has been set and has passed.
async fn passed(mut stop: watch::Receiver<Option<Instant>>) {
    let deadline = stop
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|deadline| *deadline);
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        // whoever could have set it is gone, and so is the reason to stop
        None => std::future::pending().await,
    }
}
