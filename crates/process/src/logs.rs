//! Log lines: to standard error, one a line, coloured only on a terminal.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

/// The filter given is not one.
#[derive(Debug, thiserror::Error)]
#[error(
    "log filter `{filter}`: {reason}; a level (error, warn, info, debug, trace), or target=level, separated by commas"
)]
pub struct BadFilter {
    filter: String,
    reason: String,
}

/// What is logged, to be changed while the program runs.
#[derive(Clone, Debug)]
pub struct Logs(Handle<EnvFilter, Registry>);

impl Logs {
    /// From now on this is logged.
    ///
    /// # Errors
    /// The filter does not parse; what was logged before is logged still.
    pub fn set(&self, filter: &str) -> Result<(), BadFilter> {
        self.0.reload(parse(filter)?).map_err(|error| BadFilter {
            filter: filter.to_owned(),
            reason: error.to_string(),
        })
    }
}

/// Starts logging for the life of the program.
///
/// `filter` is what [`EnvFilter`] takes: `info`, or `warn,sidecar=debug`. Called a second time it changes nothing.
///
/// # Errors
/// The filter does not parse.
pub fn init(filter: &str) -> Result<Logs, BadFilter> {
    let (filter, handle) = reload::Layer::new(parse(filter)?);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(true);
    if Registry::default().with(filter).with(lines).try_init().is_err() {
        tracing::debug!("logging had already been started");
    }
    Ok(Logs(handle))
}

/// Whether a filter can be used.
///
/// # Errors
/// It does not parse.
pub fn check(filter: &str) -> Result<(), BadFilter> {
    parse(filter).map(drop)
}

fn parse(filter: &str) -> Result<EnvFilter, BadFilter> {
    EnvFilter::try_new(filter).map_err(|error| BadFilter {
        filter: filter.to_owned(),
        reason: error.to_string(),
    })
}
