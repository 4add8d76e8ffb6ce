//! What both `why` and `check` have to know of a cluster, read from what the API server says.

use contract::operator_env;
use inject::decide::Site;
use inject::pod::Metadata;
use inject::version::Version;
use serde_json::Value;

use super::kubectl::{Error, Kubectl};

/// A program of ours in a cluster. The chart labels all that belongs to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Puts sidecars into pods.
    Operator,
    /// Keeps spans.
    Collector,
}

impl Part {
    /// Its name in labels.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Collector => "collector",
        }
    }

    /// A list at `path`, as far as it belongs to this part.
    pub(super) fn of(self, path: &str) -> String {
        let component = self.name();
        format!(
            "{path}?labelSelector=app.kubernetes.io%2Fpart-of%3Dmeshtrace%2Capp.kubernetes.io%2Fcomponent%3D{component}"
        )
    }
}

/// The name of the Service of a part that has this port: one with an address of its own, if there is one.
///
/// # Errors
/// There is none ([`Error::Absent`]), or no answer.
pub(super) async fn service(
    kubectl: &Kubectl,
    namespace: &str,
    part: Part,
    port: u16,
) -> Result<String, Error> {
    let path = part.of(&format!("/api/v1/namespaces/{namespace}/services"));
    let mut services = Vec::new();
    kubectl
        .list(&path, |service| services.extend(serving(service, port)))
        .await?;
    let first = services.into_iter().min();
    first
        .map(|(_, name)| name)
        .ok_or_else(|| Error::Absent(format!("a Service of the {} in {namespace}", part.name())))
}

/// A Service that has this port: whether it is headless, and its name.
fn serving(service: &Value, port: u16) -> Option<(bool, String)> {
    let mut ports = items(service, "/spec/ports").filter_map(|it| it.get("port")?.as_u64());
    let serves = ports.any(|number| number == u64::from(port));
    let headless = text(service, "/spec/clusterIP") == Some("None");
    serves.then(|| (headless, Metadata::of(service).name))
}

/// The objects of the list at `path`.
pub(super) async fn all(kubectl: &Kubectl, path: &str) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    kubectl.list(path, |object| all.push(object.clone())).await?;
    Ok(all)
}

/// What holds for the pods of a cluster whose operator is this Deployment. What that does not say is as it usually is.
pub(super) fn site(operator: Option<&Value>, namespace: &str, kubernetes: Option<Version>) -> Site {
    let usual = Site::usual(env!("CARGO_PKG_VERSION"));
    let said = |variable| operator.and_then(|operator| variable_of(operator, variable));
    let excluded = said(operator_env::EXCLUDE).unwrap_or_default();
    let excluded = excluded.split(',').map(str::trim).filter(|name| !name.is_empty());
    // an empty address means that sidecars are told nothing while they run
    let operator_url = said(operator_env::SETTINGS_URL);
    Site {
        image: said(operator_env::IMAGE).unwrap_or(usual.image),
        collector: said(operator_env::COLLECTOR).unwrap_or(usual.collector),
        operator: operator_url.or(usual.operator).filter(|url| !url.is_empty()),
        native_sidecars: kubernetes.is_none_or(Version::has_native_sidecars),
        own_namespace: namespace.to_owned(),
        excluded: excluded.map(str::to_owned).collect(),
        version: operator.and_then(version).unwrap_or(usual.version),
        ..usual
    }
}

fn variable_of(workload: &Value, variable: &str) -> Option<String> {
    let containers = items(workload, "/spec/template/spec/containers");
    let mut variables = containers.flat_map(|container| items(container, "/env"));
    let found = variables.find(|it| text(it, "/name") == Some(variable))?;
    text(found, "/value").map(str::to_owned)
}

/// The version that an object of ours is of: its label's, or else its first image's tag.
pub(super) fn version(object: &Value) -> Option<String> {
    let label = Metadata::of(object).labels.remove("app.kubernetes.io/version");
    let image = text(object, "/spec/template/spec/containers/0/image");
    let tag = image.and_then(|image| {
        let name = image.split('@').next()?.rsplit('/').next()?;
        Some(name.split_once(':')?.1.to_owned())
    });
    label.or(tag)
}

/// A version such as `{"major": "1", "minor": "33+"}`.
pub(super) fn kubernetes(version: &Value) -> Option<Version> {
    Version::read(text(version, "/major")?, text(version, "/minor")?)
}

/// The text at a JSON pointer.
pub(super) fn text<'v>(value: &'v Value, at: &str) -> Option<&'v str> {
    value.pointer(at).and_then(Value::as_str)
}

/// The items of the list at a JSON pointer.
pub(super) fn items<'v>(value: &'v Value, at: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(at).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_operators_deployment_says_what_a_sidecar_gets() {
        let operator = json!({"spec": {"template": {"spec": {"containers": [{
            "image": "registry:5000/meshtrace/operator:0.3.0@sha256:00",
            "env": [{"name": operator_env::COLLECTOR, "value": "http://there:4317"}]
        }]}}}});
        let site = site(Some(&operator), "observe", Some(Version::of(1, 28)));
        assert_eq!(site.collector, "http://there:4317");
        assert_eq!((site.version.as_str(), site.native_sidecars), ("0.3.0", false));
        assert_eq!(site.own_namespace, "observe");
    }
}
