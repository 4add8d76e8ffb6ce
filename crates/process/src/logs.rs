//! Log lines: to standard error, one a line, coloured only on a terminal.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The filter given is not one.
#[derive(Debug, thiserror::Error)]
#[error(
    "log filter `{filter}`: {reason}; a level (error, warn, info, debug, trace), or target=level, separated by commas"
)]
pub struct BadFilter {
    filter: String,
    reason: String,
}

/// Starts logging for the life of the program.
///
/// `filter` is what [`EnvFilter`] takes: `info`, or `warn,sidecar=debug`. Called a second time it changes nothing.
///
/// # Errors
/// The filter does not parse.
pub fn init(filter: &str) -> Result<(), BadFilter> {
    let parsed = EnvFilter::try_new(filter).map_err(|error| BadFilter {
        filter: filter.to_owned(),
        reason: error.to_string(),
    })?;
    let started = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(true)
        .try_init();
    if started.is_err() {
        tracing::debug!("logging had already been started");
    }
    Ok(())
}
