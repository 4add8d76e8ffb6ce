//! Listening to the operator for as long as the sidecar runs, whether it is there or not.
//!
//! Nothing waits for this: the sidecar starts with what it was started with, and keeps what it heard last.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use process::logs::Logs;
use rand::RngExt;
use rand::rngs::SmallRng;
use settings::client::{WatchError, watch};
use settings::{Update, Who};
use tokio::time::{sleep, timeout};

use crate::config::Settings;
use crate::record::Pod;
use crate::run::dial;

/// How long a connection to the operator may take.
const DIAL: Duration = Duration::from_secs(5);

/// About how long the operator is left alone after it was lost: at first, and at most. Longer every time in between.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Nothing is heard of the operator.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error("it cannot be connected to: {0}")]
    Dial(#[from] io::Error),
    #[error(transparent)]
    Watch(#[from] WatchError),
    #[error("it has ended the stream")]
    Ended,
}

/// Takes what the operator says, for as long as it is polled. Returns at once where there is no operator to listen to,
/// or where the sidecar does not know which pod it is in.
pub async fn follow(pod: &Pod, logs: &Logs, mut random: SmallRng) {
    let Some(operator) = pod.settings.operator.as_deref() else {
        return;
    };
    let Some(who) = who(&pod.settings) else {
        return tracing::warn!(
            "the operator is not asked for settings: `resource` has to name k8s.namespace.name and k8s.pod.name"
        );
    };
    let mut pause = PAUSE;
    let mut warned = false;
    loop {
        let Err(error) = listen(pod, operator, &who, logs).await;
        pod.metrics.operator_connected.set(0);
        if pod.live.is_lost() {
            (pause, warned) = (PAUSE, false);
        }
        if std::mem::replace(&mut warned, true) {
            tracing::debug!(%error, operator, "the operator is still away");
        } else {
            tracing::warn!(%error, operator, "the operator is away; settings stay as they are");
        }
        sleep(pause.mul_f64(random.random_range(0.5..1.5))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Which pod this is, by its resource attributes.
fn who(settings: &Settings) -> Option<Who> {
    let attribute = |name: &str| {
        let found = settings.resource.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    };
    Some(Who {
        namespace: attribute("k8s.namespace.name")?,
        pod: attribute("k8s.pod.name")?,
        uid: attribute("k8s.pod.uid").unwrap_or_default(),
    })
}

/// One call, from its beginning to its end.
async fn listen(pod: &Pod, operator: &str, who: &Who, logs: &Logs) -> Result<Infallible, FollowError> {
    let authority = operator.trim_start_matches("http://").trim_end_matches('/');
    let stream = timeout(DIAL, dial(authority, pod.settings.mark))
        .await
        .map_err(io::Error::from)??;
    let mut updates = watch(stream, operator, who.clone()).await?;
    pod.live.is_found();
    pod.metrics.operator_connected.set(1);
    tracing::info!(operator, "the operator is asked for settings");
    while let Some(update) = updates.next().await? {
        take(pod, logs, update);
    }
    Err(FollowError::Ended)
}

/// What is wrong in one place is wrong as a whole: half of what an admin has said is nothing that they have said.
fn take(pod: &Pod, logs: &Logs, update: Update) {
    let revision = update.revision();
    if pod.live.has(revision) {
        return;
    }
    let name = format!("settings {revision}");
    match pod.settings.changed(&name, &update.document) {
        Ok(live) => {
            if let Err(error) = logs.set(&live.log) {
                tracing::warn!(%error, "what is logged stays as it was");
            }
            pod.change(live, update);
            pod.metrics.settings_applied.inc();
            pod.metrics.settings_revision.set(revision.0.cast_signed());
            tracing::info!(%revision, "settings taken from the operator");
        }
        Err(problems) => {
            tracing::error!(%problems, "settings refused as a whole; those of before hold");
            pod.live.refuse(revision, problems);
            pod.metrics.settings_refused.inc();
        }
    }
}
