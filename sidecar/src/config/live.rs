//! What can change while the sidecar runs.

use process::config::{Section, boolean, list, parsed};
use serde::Serialize;
use span::{Dialect, DialectSet, Ratio};

use super::{Inferred, Mode, RequestId, explained};
use crate::record::routes::Template;

/// The keys of [`Live`], in its order.
pub const KEYS: [&str; 12] = [
    "mode",
    "edge",
    "sampling",
    "propagate",
    "propagate_inferred",
    "request_id",
    "routes",
    "opaque_ports",
    "probe_paths",
    "capture_headers",
    "redact_query",
    "log",
];

/// What can change while the sidecar runs. Never changed in place: whoever has it has one that fits together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Live {
    /// Whether requests are looked at. Holds for connections that begin.
    pub mode: Mode,
    /// Whether requests come in from outside the mesh, whose trace context is not trusted.
    pub edge: bool,
    /// The share of new traces that is kept.
    #[serde(serialize_with = "super::display")]
    pub sampling: Ratio,
    /// Dialects that are written always, besides those a request already speaks.
    #[serde(serialize_with = "names")]
    pub propagate: DialectSet,
    /// Which links are made where the application forwards no context.
    #[serde(serialize_with = "super::display")]
    pub propagate_inferred: Inferred,
    /// Whether inbound requests are given an `x-request-id` that have none.
    pub request_id: RequestId,
    /// Route templates, before those that are learned.
    #[serde(serialize_with = "displays")]
    pub routes: Vec<Template>,
    /// Destination ports whose bytes are not looked at. Holds for connections that begin.
    pub opaque_ports: Vec<u16>,
    /// Paths that only probes ask for.
    pub probe_paths: Vec<String>,
    /// Headers, in lower case, that are kept on spans.
    pub capture_headers: Vec<String>,
    /// Whether the values of query strings stay out of spans.
    pub redact_query: bool,
    /// What is logged: a level, or a list of target=level.
    pub log: String,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            mode: Mode::Trace,
            edge: false,
            sampling: Ratio::ALL,
            propagate: [Dialect::W3c].into_iter().collect(),
            propagate_inferred: Inferred::default(),
            request_id: RequestId::default(),
            routes: Vec::new(),
            opaque_ports: Vec::new(),
            probe_paths: Vec::new(),
            capture_headers: Vec::new(),
            redact_query: true,
            log: "info".to_owned(),
        }
    }
}

impl Live {
    /// What a document says, over what holds otherwise.
    pub(super) fn read(self, root: &mut Section<'_>) -> Self {
        Self {
            mode: root
                .optional("mode", parsed("`trace` or `passthrough`"))
                .unwrap_or(self.mode),
            edge: root.optional("edge", boolean).unwrap_or(self.edge),
            sampling: root
                .optional("sampling", parsed("a share: `0` to `1`, or `0%` to `100%`"))
                .unwrap_or(self.sampling),
            propagate: root
                .optional("propagate", list(explained::<Dialect>))
                .map_or(self.propagate, |dialects| dialects.into_iter().collect()),
            propagate_inferred: root
                .optional("propagate_inferred", explained)
                .unwrap_or(self.propagate_inferred),
            request_id: root
                .optional("request_id", parsed("`off` or `create`"))
                .unwrap_or(self.request_id),
            routes: root.optional("routes", list(explained)).unwrap_or(self.routes),
            opaque_ports: root
                .optional("opaque_ports", list(parsed("a port, 1 to 65535")))
                .unwrap_or(self.opaque_ports),
            probe_paths: root
                .optional("probe_paths", list(super::path))
                .unwrap_or(self.probe_paths),
            capture_headers: root
                .optional("capture_headers", list(super::header))
                .unwrap_or(self.capture_headers),
            redact_query: root
                .optional("redact_query", boolean)
                .unwrap_or(self.redact_query),
            log: root.optional("log", filter).unwrap_or(self.log),
        }
    }
}

fn filter(value: &process::config::Value) -> Result<String, String> {
    let text = super::word(value)?;
    process::logs::check(&text).map_err(|error| error.to_string())?;
    Ok(text)
}

fn displays<S: serde::Serializer>(values: &[Template], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

fn names<S: serde::Serializer>(dialects: &DialectSet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(dialects.iter().map(Dialect::name))
}
