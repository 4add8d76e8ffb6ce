//! Whether what leaves here is traced: one request with a trace of its own, and then the question for that trace.
//!
//! It has to run where a sidecar sees its connections, so in a pod; `helm test` does that. The request is one to the
//! collector itself, since that is all that is sure to be there.

use std::time::Duration;

use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use tokio::time::{Instant, sleep};

use super::api::{self, Api};

/// How long a span may take to get to where it can be asked for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked for.
const PAUSE: Duration = Duration::from_millis(500);

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The collector does not answer, or not with what it was asked for.
    #[error(transparent)]
    Collector(#[from] api::Error),
    /// The system gives no random numbers.
    #[error("no random numbers for a trace id: {0}")]
    Random(#[from] SysError),
    /// The trace is not there.
    #[error(
        "the collector answered, but {wait} s later it knows nothing of trace {trace}: is there a sidecar in this pod? \
         `kubectl describe pod` shows the container meshtrace-sidecar, or an event that says why there is none",
        wait = PATIENCE.as_secs()
    )]
    Untraced {
        /// Its id.
        trace: String,
    },
}

/// Asks the collector something, with a trace context that says to keep it, and then for that trace.
///
/// # Errors
/// The collector does not answer, or the trace is not there within 30 s.
pub async fn probe(api: &Api) -> Result<String, Error> {
    let mut id = [0; 24];
    SysRng.try_fill_bytes(&mut id)?;
    let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (trace, parent) = digits.split_at(32);
    api.ask_traced(&format!("00-{trace}-{parent}-01")).await?;
    let patient_until = Instant::now() + PATIENCE;
    while Instant::now() < patient_until {
        match api.trace(trace).await {
            Ok(_) => return Ok(format!("a request from here is traced: it is trace {trace}\n")),
            Err(api::Error::Refused { .. } | api::Error::Unknown(_)) => sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Untraced {
        trace: trace.to_owned(),
    })
}
