//! Questions to a collector, answers as text.
//!
//! `traces` and `trace` ask in Jaeger's HTTP JSON, so any Jaeger can be asked; the others in our own. Nothing is decided here that the collector
//! could decide: searching, ordering and limiting are its work.

mod api;
pub mod http;
mod log;
mod model;
mod now;
mod ours;
pub mod probe;
mod table;
mod text;
mod tree;
mod waterfall;

pub use api::{Api, Error, Search};
pub use waterfall::View;

use std::ops::ControlFlow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::style::{Look, Style};

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

/// One trace, by its id or the beginning of it. With `exact`, spans whose parent was inferred stand without it.
///
/// # Errors
/// The collector does not answer, or has no such trace, or several.
pub async fn trace(api: &Api, id: &str, format: Format, exact: bool, view: View) -> Result<String, Error> {
    let answer = api.trace(id).await?;
    let trace = match exact {
        true => answer.trace.without_inferred(),
        false => answer.trace,
    };
    Ok(match format {
        Format::Waterfall => waterfall::waterfall(&trace, view),
        Format::Log => log::log(&trace, view.style),
        Format::Json => format!("{:#}\n", answer.json),
    })
}

/// What is asked of what happens now.
#[derive(Clone, Debug)]
pub enum Question {
    /// The services.
    Services,
    /// Their operations, in an order, so many.
    Top {
        /// Only those of this service.
        service: Option<String>,
        /// What comes first.
        order: &'static str,
        /// How many at most.
        limit: usize,
    },
    /// Who calls whom.
    Graph,
    /// The workloads, and what their sidecars tell of themselves.
    Mesh,
    /// How calls got their parents.
    Propagation {
        /// Only those of this workload.
        workload: Option<String>,
    },
}

/// What happened in the last `window`, such as `15m`, as a table or as JSON.
///
/// # Errors
/// The collector does not answer, or refuses.
pub async fn now(
    api: &Api,
    question: &Question,
    window: &str,
    json: bool,
    style: Style,
) -> Result<String, Error> {
    let limit = match question {
        Question::Top { limit, .. } => limit.to_string(),
        _ => String::new(),
    };
    let (path, more) = match question {
        Question::Services => ("/services", vec![]),
        Question::Graph => ("/graph", vec![]),
        Question::Mesh => ("/mesh", vec![]),
        Question::Top { service, order, .. } => {
            let service = service.as_deref().map(|service| ("service", service));
            let rest = [("order", *order), ("limit", limit.as_str())];
            ("/operations", service.into_iter().chain(rest).collect())
        }
        Question::Propagation { workload } => {
            let workload = workload.as_deref().map(|workload| ("workload", workload));
            ("/propagation", workload.into_iter().collect())
        }
    };
    let parameters: Vec<_> = [("window", window)].into_iter().chain(more).collect();
    let answer = api.own(path, &parameters).await?;
    if json {
        return Ok(format!("{answer:#}\n"));
    }
    fn shown<T: DeserializeOwned>(
        api: &Api,
        answer: &Value,
        style: Style,
        show: fn(&T, Style) -> String,
    ) -> Result<String, Error> {
        Ok(show(&api.shown(answer)?, style))
    }
    match question {
        Question::Services => shown(api, &answer, style, now::services),
        Question::Top { .. } => shown(api, &answer, style, now::operations),
        Question::Graph => shown(api, &answer, style, now::graph),
        Question::Mesh => shown(api, &answer, style, now::mesh),
        Question::Propagation { .. } => shown(api, &answer, style, now::propagation),
    }
}

/// A trace as a file, by its id or the beginning of it. `far` is told how many bytes have come.
///
/// # Errors
/// The collector does not answer, or has no such trace, or several.
pub async fn export(api: &Api, id: &str, format: &str, far: impl FnMut(usize)) -> Result<Vec<u8>, Error> {
    let id = api.find(&id.to_ascii_lowercase()).await?;
    let file = api
        .fetch(&format!("/traces/{id}/export"), &[("format", format)], far)
        .await?;
    Ok(file.body.to_vec())
}

/// Of which traces the features are wanted, as the collector is asked.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FeatureSearch<'a> {
    /// Only those with a span of this service,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<&'a str>,
    /// that says this, as people write it,
    #[serde(rename = "where")]
    pub conditions: &'a [String],
    /// and is not older than this.
    #[serde(rename = "lookback", skip_serializing_if = "Option::is_none")]
    pub since: Option<&'a str>,
    /// At most so many.
    pub limit: usize,
}

/// What traces are in numbers, a row for each, as a file. `far` is told how many bytes have come.
///
/// # Errors
/// The collector does not answer, or refuses.
pub async fn features(
    api: &Api,
    search: &FeatureSearch<'_>,
    format: &str,
    far: impl FnMut(usize),
) -> Result<Vec<u8>, Error> {
    let body = json!(search).to_string().into_bytes();
    let table = api
        .post("/analysis/features", &[("format", format)], body, far)
        .await?;
    Ok(table.body.to_vec())
}

/// Hands a file of traces to the collector, and says what became of it.
///
/// # Errors
/// The collector does not answer, or does not know what the file is.
pub async fn import(api: &Api, file: Vec<u8>, json: bool) -> Result<String, Error> {
    let answer = api.send("/import", file).await?;
    if json {
        return Ok(format!("{answer:#}\n"));
    }
    let imported: ours::Imported = api.shown(&answer)?;
    let mut text = format!("{} spans kept", imported.stored);
    if imported.repeated > 0 {
        text += &format!(", {} were there already", imported.repeated);
    }
    for refused in &imported.refused {
        text += &format!(", {} refused: {}", refused.count, text::plain(&refused.name));
    }
    Ok(text + "\n")
}

/// Follows spans as they arrive, each given to `show` as a line, until that says to stop.
///
/// # Errors
/// The collector does not answer, or refuses, or went away.
pub async fn tail(
    api: &Api,
    conditions: &[(&str, &str)],
    json: bool,
    style: Style,
    mut show: impl FnMut(&str) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut event = String::new();
    let take = |line: &str| {
        if let Some(name) = line.strip_prefix("event: ") {
            event = name.to_owned();
        }
        match line.strip_prefix("data: ") {
            Some(data) if json => show(&format!("{data}\n")),
            Some(data) => show(&told(&event, data, style)),
            None => ControlFlow::Continue(()),
        }
    };
    api.follow("/tail", conditions, take).await
}

/// One event of the tail in words.
fn told(event: &str, data: &str, style: Style) -> String {
    if event == "lost" {
        let note = format!("(some were missed: {data})");
        return style.paint(Look::Faint, text::plain(&note)) + "\n";
    }
    let Ok(span) = serde_json::from_str::<ours::TailSpan>(data) else {
        return String::new();
    };
    let arrow = if span.kind == "client" || span.kind == "producer" {
        "→ "
    } else {
        ""
    };
    let line = format!(
        "{} {:>10} {} {} {arrow}{}",
        text::time(span.start.parse().unwrap_or(0) / 1000),
        text::duration(span.duration / 1000),
        span.trace_id.get(..8).unwrap_or_default(),
        text::plain(&span.service),
        text::plain(&span.operation),
    );
    if span.status != "error" {
        return line + "\n";
    }
    let failure = match span.message.is_empty() {
        true => "failed".to_owned(),
        false => text::plain(&span.message),
    };
    style.paint(Look::Bad, format!("{line} ✗ {failure}")) + "\n"
}
