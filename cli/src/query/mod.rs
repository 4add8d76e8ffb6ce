//! `meshtrace traces` and `meshtrace trace`: questions to a collector, answers as text.
//!
//! The questions are Jaeger's HTTP JSON API, so any Jaeger can be asked. Nothing is decided here that the collector
//! could decide: searching, ordering and limiting are its work.

mod api;
pub mod http;
mod log;
mod model;
mod table;
mod text;
mod tree;
mod waterfall;

pub use api::{Api, Error, Search};
pub use waterfall::View;

use crate::style::Style;

/// The traces that a search finds, as a table or as JSON.
///
/// # Errors
/// The collector does not answer, or refuses.
pub async fn traces(api: &Api, search: &Search, json: bool, style: Style) -> Result<String, Error> {
    let found = api.search(search).await?;
    Ok(if json {
        table::json(&found)
    } else {
        table::table(&found, style)
    })
}

/// How one trace is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line for every span, with a bar for its time.
    Waterfall,
    /// A line for every event, in the order of time.
    Log,
    /// What the collector answered.
    Json,
}

/// One trace, by its id or the beginning of it.
///
/// # Errors
/// The collector does not answer, or has no such trace, or several.
pub async fn trace(api: &Api, id: &str, format: Format, view: View) -> Result<String, Error> {
    let answer = api.trace(id).await?;
    Ok(match format {
        Format::Waterfall => waterfall::waterfall(&answer.trace, view),
        Format::Log => log::log(&answer.trace, view.style),
        Format::Json => format!("{:#}\n", answer.json),
    })
}
