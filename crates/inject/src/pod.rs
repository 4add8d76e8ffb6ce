//! What is read of a pod or of a pod's template. Whatever else stands in it is not looked at.
//!
//! `null` is the same as absent everywhere, as it is for Kubernetes.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Texts by their keys: labels, annotations, selectors.
pub type Texts = BTreeMap<String, String>;

/// A pod, or the template of pods.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Pod {
    /// Whose it is and what is said of it.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: Metadata,
    /// What runs in it.
    pub spec: Spec,
}

/// The metadata of any object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Empty where the name is to be generated.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// What a generated name begins with.
    #[serde(deserialize_with = "or_default")]
    pub generate_name: String,
    /// Empty where it is said elsewhere.
    #[serde(deserialize_with = "or_default")]
    pub namespace: String,
    /// Values that are not texts are read as the text that they look like: Kubernetes refuses them by itself.
    #[serde(deserialize_with = "texts")]
    pub annotations: Texts,
    /// As the annotations.
    #[serde(deserialize_with = "texts")]
    pub labels: Texts,
    /// Who made it.
    #[serde(deserialize_with = "or_default")]
    pub owner_references: Vec<OwnerReference>,
}

/// Who made an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// Such as `apps/v1`.
    #[serde(deserialize_with = "or_default")]
    pub api_version: String,
    /// Such as `ReplicaSet`.
    #[serde(deserialize_with = "or_default")]
    pub kind: String,
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Whether this owner manages the object. At most one does.
    #[serde(deserialize_with = "or_default")]
    pub controller: bool,
}

/// What runs in a pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// At least one, in a pod that Kubernetes takes.
    pub containers: Vec<Container>,
    /// In the order in which they run.
    #[serde(default, deserialize_with = "or_default")]
    pub init_containers: Vec<Container>,
    /// Whether it shares the network of its node.
    #[serde(default, deserialize_with = "or_default")]
    pub host_network: bool,
    /// Empty is `Always`.
    #[serde(default, deserialize_with = "or_default")]
    pub restart_policy: String,
    /// Which operating system it is for.
    #[serde(default, deserialize_with = "or_default")]
    pub os: Os,
    /// The labels of nodes that it may run on.
    #[serde(default, deserialize_with = "texts")]
    pub node_selector: Texts,
    /// As whom its containers run that do not say it themselves.
    #[serde(default, deserialize_with = "or_default")]
    pub security_context: SecurityContext,
}

/// Which operating system a pod is for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Os {
    /// `linux`, `windows`, or empty.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
}

/// One container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Its image.
    #[serde(deserialize_with = "or_default")]
    pub image: String,
    /// The ports that it says it listens on.
    #[serde(deserialize_with = "or_default")]
    pub ports: Vec<Port>,
    /// Whether it has started.
    #[serde(deserialize_with = "or_default")]
    pub startup_probe: Probe,
    /// Whether it lives.
    #[serde(deserialize_with = "or_default")]
    pub liveness_probe: Probe,
    /// Whether it takes requests.
    #[serde(deserialize_with = "or_default")]
    pub readiness_probe: Probe,
    /// As whom it runs, and what it may do.
    #[serde(deserialize_with = "or_default")]
    pub security_context: SecurityContext,
}

/// A port that a container says it listens on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Port {
    /// What probes may call it.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Its number.
    #[serde(deserialize_with = "or_default")]
    pub container_port: u16,
}

/// How the kubelet asks a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Probe {
    /// By an HTTP request.
    pub http_get: Option<HttpGet>,
    /// By a connection.
    pub tcp_socket: Option<TcpSocket>,
}

/// An HTTP request of a probe.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct HttpGet {
    /// Empty is `/`.
    #[serde(deserialize_with = "or_default")]
    pub path: String,
}

/// A connection of a probe.
#[derive(Clone, Debug, Deserialize)]
pub struct TcpSocket {
    /// The number or the name of a port.
    pub port: Value,
}

/// As whom a container runs, and what it may do.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecurityContext {
    /// The user id, where the image does not say it.
    pub run_as_user: Option<u32>,
    /// Whether it may do everything.
    #[serde(deserialize_with = "or_default")]
    pub privileged: bool,
    /// What else it may do.
    #[serde(deserialize_with = "or_default")]
    pub capabilities: Capabilities,
}

/// What a container may do besides what all may.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Such as `NET_ADMIN`.
    #[serde(deserialize_with = "or_default")]
    pub add: Vec<String>,
}

impl Pod {
    /// Reads a pod or a template.
    ///
    /// # Errors
    /// It is none: it has no `spec.containers`, or something stands where Kubernetes has something else.
    pub fn read(document: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(document)
    }

    /// Every container, those that run before the others first.
    pub fn all_containers(&self) -> impl Iterator<Item = &Container> {
        self.spec.init_containers.iter().chain(&self.spec.containers)
    }
}

impl Metadata {
    /// Reads the metadata of any object; empty where there is none that can be read.
    pub fn of(document: &Value) -> Self {
        document
            .get("metadata")
            .and_then(|metadata| Self::deserialize(metadata).ok())
            .unwrap_or_default()
    }

    /// What manages the object.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

impl Container {
    /// Its three probes, each under the name that its field has.
    pub fn probes(&self) -> [(&'static str, &Probe); 3] {
        [
            ("startupProbe", &self.startup_probe),
            ("livenessProbe", &self.liveness_probe),
            ("readinessProbe", &self.readiness_probe),
        ]
    }

    /// Whether it may change the pod's network.
    pub fn may_change_the_network(&self) -> bool {
        let context = &self.security_context;
        let capable = |name: &String| ["NET_ADMIN", "CAP_NET_ADMIN", "ALL"].contains(&name.as_str());
        context.privileged || context.capabilities.add.iter().any(capable)
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Texts, D::Error> {
    let read: Option<BTreeMap<String, Value>> = Option::deserialize(from)?;
    let text = |value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let texts = read.unwrap_or_default().into_iter();
    Ok(texts.map(|(key, value)| (key, text(value))).collect())
}
