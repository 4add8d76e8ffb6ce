//! meshtrace as it is installed in the cluster of the tests.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "for tests, which fail by it; a JSON value's index never panics"
)]

use serde_json::{Value, json};

use crate::admin::{Namespace, PATIENCE, attempt, eventually, is_injected, tell};
use crate::web;

/// The release and its namespace.
pub const NAME: &str = "meshtrace";

/// Where it is, or was.
#[must_use]
pub fn there() -> Namespace {
    Namespace(NAME.to_owned())
}

/// Installs it, or brings an installation back to what it is with these values (`key=value`, separated by spaces).
#[track_caller]
pub fn with(values: &str) -> Namespace {
    from("charts/meshtrace", values)
}

/// [`with`], from another chart than this repository's, by its path in it.
#[track_caller]
pub fn from(chart: &str, values: &str) -> Namespace {
    // - nothing stays when it is uninstalled, so that the next one begins with nothing
    // - the API server waits for the webhook even where all of this shares two processors with whoever compiles
    let always = "collector.storage.whenDeleted=Delete crds.keep=false operator.replicas=1 operator.webhook.timeoutSeconds=20";
    let values = always.split(' ').chain(values.split_whitespace());
    let values: Vec<&str> = values.flat_map(|value| ["--set", value]).collect();
    let patience = format!("{}s", PATIENCE.as_secs());
    let install = ["upgrade", "--install", NAME, chart, "--namespace", NAME];
    let wait = ["--create-namespace", "--wait", "--timeout", &patience];
    let arguments = [&install[..], &wait, &values].concat();
    let installed = there();
    if let Err(error) = attempt("helm", &arguments, "") {
        panic!("{error}\n{}", installed.state());
    }
    // a test before may have scaled it, which helm takes for somebody else's wish
    tell(&format!(
        "kubectl --namespace {NAME} scale --replicas 1 deployment/meshtrace-operator"
    ));
    tell(&format!(
        "kubectl --namespace {NAME} scale --replicas 1 statefulset/meshtrace-collector"
    ));
    installed.rolled_out("deployment/meshtrace-operator");
    installed.rolled_out("statefulset/meshtrace-collector");
    eventually("the webhook to answer", || {
        let asks = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "asks", "annotations": {"meshtrace.io/inject": "true"}},
            "spec": {"containers": [web::python(&[])]},
        });
        let nothing_is_made = [
            "create",
            "--dry-run=server",
            "--output",
            "json",
            "--filename",
            "-",
        ];
        let answer = attempt("kubectl", &nothing_is_made, &asks.to_string())?;
        let pod = serde_json::from_str(&answer).map_err(|error| format!("{error}: {answer}"))?;
        is_injected(&pod).then_some(()).ok_or(answer)
    });
    installed
}

/// Takes it away, if it is there, and returns what helm said of it.
#[track_caller]
#[must_use]
pub fn not_at_all() -> String {
    // what its hooks print it logs, to standard error
    let line =
        format!("helm uninstall {NAME} --namespace {NAME} --ignore-not-found --wait --timeout 150s 2>&1");
    attempt("sh", &["-c", &line], "").unwrap_or_else(|error| panic!("{error}"))
}

/// What the collector answers, asked through the API server, so from anywhere.
///
/// # Errors
/// It does not answer, or not in JSON.
pub fn collector(path: &str) -> Result<Value, String> {
    let service = "/api/v1/namespaces/meshtrace/services/meshtrace-collector:16686/proxy";
    let text = attempt("kubectl", &["get", "--raw", &format!("{service}{path}")], "")?;
    serde_json::from_str(&text).map_err(|error| format!("{path}: {error}: {text}"))
}

/// The spans of the latest traces that a service takes part in, by trace.
///
/// # Errors
/// The collector does not answer.
pub fn traces(service: &str) -> Result<Vec<Vec<Span>>, String> {
    traces_by(collector, service)
}

/// [`traces`], asked in another way than through the API server.
///
/// # Errors
/// The collector does not answer.
pub fn traces_by(
    ask: impl FnOnce(&str) -> Result<Value, String>,
    service: &str,
) -> Result<Vec<Vec<Span>>, String> {
    Ok(read(&ask(&format!("/api/traces?service={service}&limit=200"))?))
}

/// The spans of one trace.
///
/// # Errors
/// The collector does not answer, or does not have it.
pub fn trace(id: &str) -> Result<Vec<Span>, String> {
    let found = read(&collector(&format!("/api/traces/{id}"))?).pop();
    found.ok_or_else(|| format!("no trace {id}"))
}

fn read(answer: &Value) -> Vec<Vec<Span>> {
    let traces = answer["data"].as_array().cloned().unwrap_or_default();
    traces.iter().map(spans).collect()
}

/// A span, as far as tests look at it.
#[derive(Clone, Debug)]
pub struct Span {
    /// The trace that it belongs to.
    pub trace: String,
    /// The service that it belongs to.
    pub service: String,
    /// What the service did.
    pub name: String,
    /// Its own id.
    pub id: String,
    /// Its parent's id, where it has one.
    pub parent: Option<String>,
    /// Its attributes and its process's.
    pub tags: Vec<(String, String)>,
}

impl Span {
    /// The value of an attribute.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        let found = self.tags.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }
}

/// The spans of a trace as Jaeger's API writes it.
fn spans(trace: &Value) -> Vec<Span> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let tags = |of: &Value| {
        let all = of["tags"].as_array().cloned().unwrap_or_default();
        all.into_iter()
            .map(|tag| (text(&tag["key"]), text(&tag["value"])))
            .collect::<Vec<_>>()
    };
    let all = trace["spans"].as_array().cloned().unwrap_or_default();
    all.iter()
        .map(|span| {
            let process = &trace["processes"][text(&span["processID"])];
            let references = span["references"].as_array().cloned().unwrap_or_default();
            Span {
                trace: text(&span["traceID"]),
                service: text(&process["serviceName"]),
                name: text(&span["operationName"]),
                id: text(&span["spanID"]),
                parent: references.first().map(|reference| text(&reference["spanID"])),
                tags: [tags(span), tags(process)].concat(),
            }
        })
        .collect()
}
