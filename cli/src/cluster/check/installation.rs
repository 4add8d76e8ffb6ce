//! What is found before an installation. Pure.
//!
//! | check | what was seen | so |
//! |---|---|---|
//! | `rights` | something that the chart makes may not be made | error |
//! | `names` | an object has the name of one of ours, and is not of a release in this namespace | error |
//! | | it is of our release: it is installed already | ok |
//! | `other-meshes` | another mesh's webhook is called after ours | warning |
//! | | it is called before ours: whatever is in that mesh is left alone | ok |

use inject::pod::Metadata;
use serde_json::Value;

use super::Fact;
use super::finding::{Check, Finding};
use crate::cluster::facts::{items, text};
use crate::cluster::kubectl::Error;

/// What the chart makes: resource, and whether it is in a namespace.
pub(super) const MADE: [(&str, bool); 13] = [
    ("namespaces", false),
    ("clusterroles.rbac.authorization.k8s.io", false),
    ("clusterrolebindings.rbac.authorization.k8s.io", false),
    ("customresourcedefinitions.apiextensions.k8s.io", false),
    (
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        false,
    ),
    ("roles.rbac.authorization.k8s.io", true),
    ("rolebindings.rbac.authorization.k8s.io", true),
    ("serviceaccounts", true),
    ("secrets", true),
    ("services", true),
    ("deployments.apps", true),
    ("statefulsets.apps", true),
    ("jobs.batch", true),
];

/// What of ours is in no namespace, with the names that it usually has.
pub(super) const CLUSTER_WIDE: [&str; 4] = [
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/meshtrace-operator",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/meshtrace-operator",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/meshtrace-operator",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tracepolicies.meshtrace.io",
];

/// Meshes that are known by the domain of their webhook.
const MESHES: [(&str, &str); 6] = [
    ("istio.io", "Istio"),
    ("linkerd.io", "Linkerd"),
    ("kuma.io", "Kuma"),
    ("consul.hashicorp.com", "Consul"),
    ("openservicemesh.io", "Open Service Mesh"),
    ("nsm.nginx.com", "NGINX Service Mesh"),
];

/// Whether each of [`MADE`] may be made.
pub(super) fn rights(rights: &[(&str, Fact<bool>)]) -> Finding {
    let unknown = rights.iter().find_map(|(_, may)| may.as_ref().err());
    let refused: Vec<_> = rights
        .iter()
        .filter(|(_, may)| *may == Ok(false))
        .map(|(resource, _)| (*resource).to_owned())
        .collect();
    match (refused.is_empty(), unknown) {
        (false, _) => Check::Rights
            .error(
                "you may not create all that an installation consists of",
                "install as a cluster-admin, or be given these rights",
            )
            .of(refused),
        (true, Some(error)) => Check::Rights.unknown(error),
        (true, None) => Check::Rights.ok("you may create all that an installation consists of"),
    }
}

/// What there is at each of [`CLUSTER_WIDE`], for an installation into `namespace`.
pub(super) fn names(found: &[Fact<Value>], namespace: &str) -> Finding {
    let mut taken = Vec::new();
    let mut ours = false;
    for object in found {
        match object {
            Ok(object) => {
                let metadata = Metadata::of(object);
                let release = metadata.annotations.get("meta.helm.sh/release-namespace");
                match release.is_some_and(|release| release == namespace) {
                    true => ours = true,
                    false => taken.push(format!(
                        "{} {}{}",
                        text(object, "/kind").unwrap_or("object"),
                        metadata.name,
                        release
                            .map(|release| format!(" (of a release in {release})"))
                            .unwrap_or_default(),
                    )),
                }
            }
            Err(Error::Absent(_)) => {}
            Err(error) => return Check::Names.unknown(error),
        }
    }
    match (taken.is_empty(), ours) {
        (false, _) => Check::Names
            .error(
                "names of ours are taken",
                "if that is an older installation, remove it or upgrade it where it is (--meshtrace-namespace); otherwise \
                 rename what has them",
            )
            .of(taken),
        (true, true) => Check::Names.ok(format!(
            "meshtrace is installed in {namespace} already: helm upgrade renews it"
        )),
        (true, false) => Check::Names.ok("no name of ours is taken"),
    }
}

/// The webhook configurations of others. They are called in the order of their names.
pub(super) fn other_meshes(configurations: &Fact<Vec<Value>>, own: &str) -> Finding {
    let configurations = match configurations {
        Ok(configurations) => configurations,
        Err(error) => return Check::OtherMeshes.unknown(error),
    };
    let mut before = Vec::new();
    let mut after = Vec::new();
    for configuration in configurations {
        let name = Metadata::of(configuration).name;
        if let Some(mesh) = mesh(configuration) {
            let list = if name.as_str() < own {
                &mut before
            } else {
                &mut after
            };
            list.push(format!("{mesh} ({name})"));
        }
    }
    if after.is_empty() {
        let what = match before.is_empty() {
            true => "no other mesh".to_owned(),
            false => format!(
                "another mesh is asked about pods before us, so what it takes we leave alone: {}",
                before.join(", ")
            ),
        };
        return Check::OtherMeshes.ok(what);
    }
    Check::OtherMeshes
        .warning(
            "another mesh is asked about pods after us, when its proxy cannot be seen yet",
            "let no pod be in both: two proxies would take each other's connections",
        )
        .of(after)
}

fn mesh(configuration: &Value) -> Option<&'static str> {
    let mut names = items(configuration, "/webhooks").filter_map(|webhook| text(webhook, "/name"));
    names.find_map(|name| {
        MESHES
            .iter()
            .find(|(domain, _)| name == *domain || name.ends_with(&format!(".{domain}")))
            .map(|(_, mesh)| *mesh)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::check::finding::Status;

    #[test]
    fn what_may_not_be_made_is_named() {
        let finding = rights(&[("secrets", Ok(true)), ("jobs.batch", Ok(false))]);
        assert_eq!(
            (finding.status, finding.objects),
            (Status::Error, vec!["jobs.batch".to_owned()])
        );
        assert_eq!(rights(&[("secrets", Ok(true))]).status, Status::Ok);
    }

    #[test]
    fn a_name_is_taken_unless_our_own_release_has_it() {
        let absent = || Err(Error::Absent("no".to_owned()));
        let role = |annotations: Value| json!({"kind": "ClusterRole", "metadata": {"name": "meshtrace-operator", "annotations": annotations}});
        assert_eq!(names(&[absent()], "meshtrace").status, Status::Ok);
        let own = role(json!({"meta.helm.sh/release-namespace": "meshtrace"}));
        assert!(
            names(&[absent(), Ok(own)], "meshtrace")
                .what
                .contains("installed in meshtrace already")
        );
        let other = role(json!({"meta.helm.sh/release-namespace": "observe"}));
        let finding = names(&[Ok(other), Ok(role(json!({})))], "meshtrace");
        assert_eq!(finding.status, Status::Error);
        assert_eq!(
            finding.objects,
            [
                "ClusterRole meshtrace-operator (of a release in observe)",
                "ClusterRole meshtrace-operator"
            ]
        );
    }

    #[test]
    fn meshes_are_called_in_the_order_of_their_names() {
        let mesh =
            |name: &str, webhook: &str| json!({"metadata": {"name": name}, "webhooks": [{"name": webhook}]});
        let early = mesh(
            "istio-sidecar-injector",
            "rev.namespace.sidecar-injector.istio.io",
        );
        let late = mesh("osm-webhook", "osm-inject.openservicemesh.io");
        let unrelated = mesh("vault", "vault.hashicorp.com");
        let judge = |list: &[&Value]| {
            let list = list.iter().map(|it| (*it).clone()).collect();
            other_meshes(&Ok(list), "meshtrace-operator")
        };
        assert_eq!(judge(&[&unrelated]).what, "no other mesh");
        assert_eq!(judge(&[&early]).status, Status::Ok);
        let finding = judge(&[&early, &late]);
        assert_eq!(finding.status, Status::Warning);
        assert_eq!(finding.objects, ["Open Service Mesh (osm-webhook)"]);
    }
}
