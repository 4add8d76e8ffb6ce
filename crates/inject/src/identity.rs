//! Whose spans these are: the resource attributes of a pod, by OpenTelemetry's conventions for services, Kubernetes and
//! containers.
//!
//! What is known when the pod is made is written as it is. What only the kubelet will know (the pod's name, uid and
//! node) comes through the downward API.

use serde_json::{Value, json};

use crate::pod::{Container, Pod};
use crate::workload::Owner;

/// The recommended label for an application's name.
const NAME_LABEL: &str = "app.kubernetes.io/name";
/// The recommended label for an application's version.
const VERSION_LABEL: &str = "app.kubernetes.io/version";
/// Which container an admin means who names none.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// An attribute, the variable that holds its value inside the pod, and the field that the kubelet fills in.
const DOWNWARD: [(&str, &str, &str); 4] = [
    (
        "k8s.namespace.name",
        "MESHTRACE_POD_NAMESPACE",
        "metadata.namespace",
    ),
    ("k8s.pod.name", "MESHTRACE_POD_NAME", "metadata.name"),
    ("k8s.pod.uid", "MESHTRACE_POD_UID", "metadata.uid"),
    ("k8s.node.name", "MESHTRACE_NODE_NAME", "spec.nodeName"),
];

/// Whose spans these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// `service.name`.
    pub(crate) service: String,
    /// Further attributes that are known beforehand.
    known: Vec<(&'static str, String)>,
}

impl Identity {
    /// `service.name` is what the admin says, or else the workload's name, or else `app.kubernetes.io/name`, or else the
    /// pod's own name. `service.version` is `app.kubernetes.io/version`, or else the image's tag. The container is told
    /// of where it is clear which one is meant.
    pub(crate) fn of(pod: &Pod, owner: Option<&Owner>, service_name: Option<&str>) -> Self {
        let label = |name| pod.metadata.labels.get(name).cloned();
        let service = service_name
            .map(str::to_owned)
            .or_else(|| owner.map(|owner| owner.name.clone()))
            .or_else(|| label(NAME_LABEL))
            .unwrap_or_else(|| own_name(pod));
        let mut known = Vec::new();
        let mut add = |attribute, value: Option<String>| {
            known.extend(
                value
                    .filter(|value| !value.is_empty())
                    .map(|value| (attribute, value)),
            );
        };
        let container = main_container(pod);
        let (image, tag) = container.map_or((None, None), |container| {
            let (image, tag) = name_and_tag(&container.image);
            (Some(image.to_owned()), tag.map(str::to_owned))
        });
        add("service.version", label(VERSION_LABEL).or_else(|| tag.clone()));
        if let Some(attribute) = owner.and_then(|owner| owner.kind.attribute()) {
            add(attribute, owner.map(|owner| owner.name.clone()));
        }
        add(
            "k8s.container.name",
            container.map(|container| container.name.clone()),
        );
        add("container.image.name", image);
        add("container.image.tags", tag);
        Self { service, known }
    }

    /// The variables that the kubelet fills in, which [`Self::resource`] refers to.
    pub(crate) fn downward() -> impl Iterator<Item = Value> {
        DOWNWARD.into_iter().map(|(_, variable, field)| {
            json!({"name": variable, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": field}}})
        })
    }

    /// All attributes but the service's name, as the sidecar reads them. A value with a comma would end there, so such
    /// a one is left out; no name in Kubernetes has any.
    pub(crate) fn resource(&self) -> String {
        let known = self
            .known
            .iter()
            .filter(|(_, value)| !value.contains(','))
            .map(|(attribute, value)| format!("{attribute}={}", literal(value)));
        let downward = DOWNWARD.map(|(attribute, variable, _)| format!("{attribute}=$({variable})"));
        downward.into_iter().chain(known).collect::<Vec<_>>().join(",")
    }
}

/// A value in which Kubernetes replaces no `$(NAME)`.
pub(crate) fn literal(value: &str) -> String {
    value.replace('$', "$$")
}

fn own_name(pod: &Pod) -> String {
    let metadata = &pod.metadata;
    let name = if metadata.name.is_empty() {
        metadata.generate_name.trim_end_matches('-')
    } else {
        &metadata.name
    };
    if name.is_empty() { "unknown_service" } else { name }.to_owned()
}

/// The only container, or the one that is said to be the usual one.
fn main_container(pod: &Pod) -> Option<&Container> {
    let containers = &pod.spec.containers;
    match (
        pod.metadata.annotations.get(DEFAULT_CONTAINER),
        containers.as_slice(),
    ) {
        (Some(name), _) => containers.iter().find(|container| container.name == *name),
        (None, [only]) => Some(only),
        _ => None,
    }
}

/// `registry:5000/name:tag@digest` is `registry:5000/name` and `tag`.
fn name_and_tag(image: &str) -> (&str, Option<&str>) {
    let named = image.split_once('@').map_or(image, |(named, _)| named);
    match named.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (named, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_images_tag_is_not_its_registrys_port_or_its_digest() {
        assert_eq!(name_and_tag("bank:1.2"), ("bank", Some("1.2")));
        assert_eq!(name_and_tag("r:5000/a/bank"), ("r:5000/a/bank", None));
        assert_eq!(
            name_and_tag("r:5000/bank:1@sha256:00"),
            ("r:5000/bank", Some("1"))
        );
        assert_eq!(name_and_tag("bank@sha256:00"), ("bank", None));
    }
}
