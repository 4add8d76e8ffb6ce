//! What is found of the cluster itself. Pure.
//!
//! | check | what was seen | so |
//! |---|---|---|
//! | `kubectl` | none on PATH, or older than 1.28 | error |
//! | | more than one minor version away from the API server | warning |
//! | `api-server` | no answer | error |
//! | `kubernetes-version` | before 1.28: webhooks cannot choose what they are asked | error |
//! | | 1.28: no native sidecars | warning |
//! | `nodes` | a Linux node whose kubelet has no native sidecars, while the API server has | warning |
//! | | no Linux node | error |
//! | `webhook-api` | `admissionregistration.k8s.io/v1` has no mutating webhooks | error |

use inject::version::Version;
use serde_json::Value;

use super::Fact;
use super::finding::{Check, Finding, counted};
use crate::cluster::facts::{self, items, text};
use crate::cluster::kubectl::Error;

/// The oldest that is good enough: the first in which a webhook's `matchConditions` are on.
const OLDEST: Version = Version::of(1, 28);
/// The most minor versions that kubectl may be away from the API server (https://kubernetes.io/releases/version-skew-policy).
const SKEW: u32 = 1;

/// `kubectl`, by `kubectl version`.
pub(super) fn kubectl(version: &Fact<Value>) -> Finding {
    const INSTALL: &str = "install a current kubectl: https://kubernetes.io/docs/tasks/tools/";
    let version = match version {
        Ok(version) => version,
        Err(Error::Missing) => return Check::Kubectl.error("there is no kubectl on PATH", INSTALL),
        Err(error) => return Check::Kubectl.unknown(error),
    };
    let name = text(version, "/clientVersion/gitVersion").unwrap_or("of an unknown version");
    let number = |at| version.pointer(at).and_then(facts::kubernetes);
    match (number("/clientVersion"), number("/serverVersion")) {
        (Some(client), _) if client < OLDEST => {
            Check::Kubectl.error(format!("kubectl is {name}, older than {OLDEST}"), INSTALL)
        }
        (Some(client), Some(server)) if client.major == server.major && client.minor.abs_diff(server.minor) > SKEW => Check::Kubectl
            .warning(
                format!(
                    "kubectl is {name}, more than {SKEW} minor version away from the API server's {server}"
                ),
                "install a kubectl of the API server's version: others are not supported, and may fail in odd ways",
            ),
        _ => Check::Kubectl.ok(format!("kubectl is {name}")),
    }
}

/// The API server's answer to `/version`.
pub(super) fn api_server(version: &Fact<Value>) -> Finding {
    match version {
        Ok(_) => Check::ApiServer.ok("the API server answers"),
        Err(error @ Error::Forbidden(_)) => {
            Check::ApiServer.error(error.to_string(), "log in as somebody who may read the cluster")
        }
        Err(error) => Check::ApiServer.error(
            error.to_string(),
            "try `kubectl get namespaces`, which has to work first",
        ),
    }
}

/// Its version.
pub(super) fn version(version: &Value) -> Finding {
    let name = text(version, "/gitVersion").unwrap_or("unknown");
    match facts::kubernetes(version) {
        Some(old) if old < OLDEST => Check::Kubernetes.error(
            format!("Kubernetes is {name}, older than {OLDEST}"),
            "upgrade it: the webhook needs matchConditions, so that pods which did not ask never wait for it",
        ),
        Some(old) if !old.has_native_sidecars() => Check::Kubernetes.warning(
            format!("Kubernetes is {name}, without native sidecars"),
            format!(
                "upgrade to {} if Jobs are to be traced: until then they get no sidecar, and a pod's own \
                 init containers are not seen",
                Version::NATIVE_SIDECARS
            ),
        ),
        _ => Check::Kubernetes.ok(format!("Kubernetes is {name}")),
    }
}

/// The nodes, as far as they may be read; `server` is the API server's version.
pub(super) fn nodes(nodes: &Fact<Vec<Value>>, server: &Value) -> Finding {
    let nodes = match nodes {
        Ok(nodes) => nodes,
        Err(error) => return Check::Nodes.unknown(error),
    };
    let linux: Vec<_> = nodes
        .iter()
        .filter(|node| text(node, "/status/nodeInfo/operatingSystem") == Some("linux"))
        .collect();
    if linux.is_empty() {
        return Check::Nodes.error(
            "no node runs Linux",
            "add a Linux node: operator, collector and sidecars need one",
        );
    }
    let native = facts::kubernetes(server).is_none_or(Version::has_native_sidecars);
    let old: Vec<_> = linux
        .iter()
        .filter(|node| native && !kubelet(node).is_none_or(Version::has_native_sidecars))
        .filter_map(|node| text(node, "/metadata/name").map(str::to_owned))
        .collect();
    if old.is_empty() {
        return Check::Nodes.ok(counted(linux.len(), "Linux node"));
    }
    Check::Nodes
        .warning(
            format!(
                "{} nodes have a kubelet older than {}",
                old.len(),
                Version::NATIVE_SIDECARS
            ),
            "upgrade them: a pod with a native sidecar would never get past its init containers there",
        )
        .of(old)
}

fn kubelet(node: &Value) -> Option<Version> {
    Version::of_release(text(node, "/status/nodeInfo/kubeletVersion")?)
}

/// The resources of `admissionregistration.k8s.io/v1`.
pub(super) fn webhook_api(resources: &Fact<Value>) -> Finding {
    let missing = || {
        Check::WebhookApi.error(
            "the API server has no mutating admission webhooks",
            "let it serve admissionregistration.k8s.io/v1, and switch the plugin MutatingAdmissionWebhook on",
        )
    };
    match resources {
        Ok(resources) => {
            let mut names = items(resources, "/resources").filter_map(|it| text(it, "/name"));
            match names.any(|name| name == "mutatingwebhookconfigurations") {
                true => Check::WebhookApi.ok("the API server has mutating admission webhooks"),
                false => missing(),
            }
        }
        Err(Error::Absent(_)) => missing(),
        Err(error) => Check::WebhookApi.unknown(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::check::finding::Status;

    fn versions(client: &str, server: &str) -> Value {
        json!({
            "clientVersion": {"major": "1", "minor": client, "gitVersion": format!("v1.{client}.0")},
            "serverVersion": {"major": "1", "minor": server},
        })
    }

    #[test]
    fn kubectl_has_to_be_there_and_near_the_api_server() {
        for (version, status, what) in [
            (Err(Error::Missing), Status::Error, "there is no kubectl on PATH"),
            (
                Ok(versions("27", "28")),
                Status::Error,
                "kubectl is v1.27.0, older than 1.28",
            ),
            (
                Ok(versions("30", "33+")),
                Status::Warning,
                "kubectl is v1.30.0, more than 1 minor version away from the API server's 1.33",
            ),
            (Ok(versions("32", "33")), Status::Ok, "kubectl is v1.32.0"),
            (Ok(json!({})), Status::Ok, "kubectl is of an unknown version"),
        ] {
            let finding = kubectl(&version);
            assert_eq!((finding.status, finding.what.as_str()), (status, what));
        }
    }

    #[test]
    fn kubernetes_has_to_know_match_conditions_and_should_know_native_sidecars() {
        for (minor, status) in [
            ("27", Status::Error),
            ("28", Status::Warning),
            ("29+", Status::Ok),
            ("41", Status::Ok),
        ] {
            assert_eq!(
                version(&json!({"major": "1", "minor": minor})).status,
                status,
                "1.{minor}"
            );
        }
    }

    #[test]
    fn nodes_that_lag_behind_are_named() {
        let node = |name: &str, os: &str, version: &str| json!({"metadata": {"name": name}, "status": {"nodeInfo": {"operatingSystem": os, "kubeletVersion": version}}});
        let server = json!({"major": "1", "minor": "31"});
        let seen = vec![
            node("new", "linux", "v1.31.2-eks-1"),
            node("old", "linux", "v1.28.9"),
            node("win", "windows", "v1.28.9"),
        ];
        let finding = nodes(&Ok(seen), &server);
        assert_eq!(
            (finding.status, finding.objects),
            (Status::Warning, vec!["old".to_owned()])
        );
        assert_eq!(
            nodes(&Ok(vec![node("win", "windows", "v1.31.0")]), &server).status,
            Status::Error
        );
        let forbidden = Err(Error::Forbidden("nodes is forbidden".to_owned()));
        assert_eq!(nodes(&forbidden, &server).status, Status::Warning);
    }

    #[test]
    fn an_api_server_without_webhooks_is_an_error() {
        let with = json!({"resources": [{"name": "mutatingwebhookconfigurations"}]});
        assert_eq!(webhook_api(&Ok(with)).status, Status::Ok);
        assert_eq!(webhook_api(&Ok(json!({"resources": []}))).status, Status::Error);
        assert_eq!(
            webhook_api(&Err(Error::Absent("no".to_owned()))).status,
            Status::Error
        );
    }
}
