//! What is seen of an object, as far as it matters for its coverage.

use inject::patch::REDIRECT;
use inject::pod::{Metadata, Pod};
use inject::workload::Kind;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

/// The longest annotation that is kept: others, such as what kubectl has last applied, say nothing to us.
const LONGEST: usize = 512;

/// An object, as Events and people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its API version.
    pub api_version: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Empty where it is in none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which of all that bore this name.
    pub uid: String,
}

/// A pod that is there.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which one.
    pub object: Object,
    /// What decisions depend on.
    pub pod: Pod,
    /// When it was made, in seconds since 1970.
    pub made: i64,
    /// Whether nothing runs in it any more, or soon will not.
    pub has_ended: bool,
    /// Why its redirect could not be installed.
    pub without_redirect: Option<String>,
}

impl Object {
    /// Of an object of this kind.
    pub fn read(kind: Kind, object: &Value) -> Self {
        let metadata = Metadata::of(object);
        Self {
            api_version: kind.api_version(),
            kind: kind.name(),
            namespace: metadata.namespace,
            name: metadata.name,
            uid: text(object, "/metadata/uid").to_owned(),
        }
    }
}

impl Seen {
    /// Reads a pod; `None` where it is none.
    pub fn read(object: &Value) -> Option<Self> {
        let mut pod = Pod::read(object).ok()?;
        pod.metadata.annotations.retain(|_, value| value.len() <= LONGEST);
        let made = text(object, "/metadata/creationTimestamp").parse::<Timestamp>();
        let is_going = object.pointer("/metadata/deletionTimestamp").is_some();
        Some(Self {
            object: Object::read(Kind::Pod, object),
            pod,
            made: made.map_or(0, Timestamp::as_second),
            has_ended: is_going || ["Succeeded", "Failed"].contains(&text(object, "/status/phase")),
            without_redirect: without_redirect(object),
        })
    }
}

/// The redirect says something at its end only if it has installed nothing.
fn without_redirect(object: &Value) -> Option<String> {
    let containers = object.pointer("/status/initContainerStatuses")?.as_array()?;
    let redirect = containers
        .iter()
        .find(|container| text(container, "/name") == REDIRECT)?;
    let ended = redirect.pointer("/state/terminated")?;
    let message = text(ended, "/message");
    (ended.get("exitCode")?.as_i64() == Some(0) && !message.is_empty()).then(|| message.to_owned())
}

fn text<'v>(object: &'v Value, path: &str) -> &'v str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}
