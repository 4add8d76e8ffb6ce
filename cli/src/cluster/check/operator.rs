//! What is found of the operator and its webhook. Pure.
//!
//! | check | what was seen | so |
//! |---|---|---|
//! | `operator`, `collector` | it is not installed in this namespace, or no pod of it is ready | error |
//! | | fewer pods are ready than there should be | warning |
//! | `webhook` | there is none, or it does not lead to the operator | error |
//! | | its `failurePolicy` is not `Ignore`: pods would not start while the operator is away | error |
//! | | it waits longer than 5 s | warning |
//! | `webhook-answers` | a pod that asks, tried out by a dry run, comes back as it was | error |
//! | `custom-resources` | TracePolicy is not known | error |
//! | | its definition is older than this program | warning |
//! | `versions` | operator, collector or sidecars are of another version than this program | warning |

use std::collections::{BTreeMap, BTreeSet};

use inject::annotations::{INJECTED, SKIPPED};
use inject::pod::Metadata;
use serde_json::{Value, json};

use super::Fact;
use super::finding::{Check, Finding, counted};
use crate::cluster::facts::{self, Part, items, text};
use crate::cluster::kubectl::Error;

/// The longest that a pod should have to wait for a webhook that does not answer, in seconds.
const PATIENCE: u64 = 5;

/// How to install, or to renew an installation.
const HELM: &str = "helm upgrade --install";

/// Where nothing of ours is in the namespace.
pub(super) fn not_installed(namespace: &str) -> Finding {
    Check::Operator.error(
        format!("meshtrace is not installed in the namespace {namespace}"),
        "say with --meshtrace-namespace where it is; or install it: `meshtrace check --pre` says whether that will work",
    )
}

/// A Deployment or StatefulSet of ours, as far as its label finds one, and its pods.
pub(super) fn running(
    check: Check,
    part: Part,
    found: &Fact<Vec<Value>>,
    pods: &Fact<Vec<Value>>,
    namespace: &str,
) -> Finding {
    let name = part.name();
    let workload = match found {
        Ok(found) => match found.first() {
            Some(workload) => workload,
            None => {
                return check.error(
                    format!("no {name} in the namespace {namespace}"),
                    format!("install it ({HELM}), or say with --meshtrace-namespace where it is"),
                );
            }
        },
        Err(error) => return check.unknown(error),
    };
    let count = |at| workload.pointer(at).and_then(Value::as_u64);
    let wanted = count("/spec/replicas").unwrap_or(1);
    let ready = count("/status/readyReplicas").unwrap_or(0);
    let what = format!("{ready} of {wanted} pods of the {name} are ready");
    let stuck = pods.iter().flatten().filter_map(stuck);
    let todo = format!("look at `kubectl -n {namespace} describe pods` and at its log");
    match ready {
        0 => check.error(what, todo).of(stuck),
        ready if ready < wanted => check.warning(what, todo).of(stuck),
        _ => check.ok(what),
    }
}

/// Why a pod is not ready: what its containers or the scheduler say.
fn stuck(pod: &Value) -> Option<String> {
    let name = Metadata::of(pod).name;
    let containers = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let waiting = containers
        .into_iter()
        .flat_map(|list| items(pod, list))
        .find_map(|status| {
            let reason = text(status, "/state/waiting/reason")?;
            let message = text(status, "/state/waiting/message").unwrap_or_default();
            Some(format!("{reason} {message}"))
        });
    let condition = || {
        let mut conditions = items(pod, "/status/conditions");
        let unmet =
            conditions.find(|it| text(it, "/status") == Some("False") && it.get("message").is_some())?;
        text(unmet, "/message").map(str::to_owned)
    };
    let why = waiting.or_else(condition)?;
    Some(format!("{name}: {}", why.trim()))
}

/// The webhook's configuration, as far as its label finds one.
pub(super) fn webhook(found: &Fact<Vec<Value>>, namespace: &str) -> Finding {
    let webhooks: Vec<&Value> = match found {
        Ok(found) => found.iter().flat_map(|it| items(it, "/webhooks")).collect(),
        Err(error) => return Check::Webhook.unknown(error),
    };
    if webhooks.is_empty() {
        return Check::Webhook.error(
            "the API server asks nobody about pods: there is no webhook configuration of ours",
            format!("install it again: {HELM}"),
        );
    }
    let names = |wrong: &dyn Fn(&Value) -> bool| -> Vec<String> {
        let wrong = webhooks.iter().filter(|webhook| wrong(webhook));
        wrong
            .filter_map(|webhook| text(webhook, "/name").map(str::to_owned))
            .collect()
    };
    let stranger = names(&|it| text(it, "/clientConfig/service/namespace") != Some(namespace));
    let strict = names(&|it| text(it, "/failurePolicy") != Some("Ignore"));
    let slow = names(&|it| {
        it.get("timeoutSeconds")
            .and_then(Value::as_u64)
            .is_none_or(|s| s > PATIENCE)
    });
    if !stranger.is_empty() {
        return Check::Webhook
            .error(
                format!("webhooks of ours do not lead to the operator in {namespace}"),
                format!("install it again: {HELM}"),
            )
            .of(stranger);
    }
    if !strict.is_empty() {
        return Check::Webhook
            .error(
                "a webhook's failurePolicy is not Ignore: no pod would start while the operator is away",
                format!("set it back to Ignore: {HELM}"),
            )
            .of(strict);
    }
    if !slow.is_empty() {
        return Check::Webhook
            .warning(
                format!("a webhook may hold pods up for more than {PATIENCE} s while the operator is away"),
                format!("set timeoutSeconds back to 3: {HELM}"),
            )
            .of(slow);
    }
    Check::Webhook.ok("the API server asks the operator about pods, and no pod has to wait for it")
}

/// A pod that asks for a sidecar, that any namespace takes, and that is never made.
pub(super) fn trial() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "meshtrace-check",
            // without the redirect's NET_ADMIN it passes wherever Pod Security is strict
            "annotations": {"meshtrace.io/inject": "true", "meshtrace.io/capture": "none"},
        },
        "spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "trial",
                "image": "trial",
                "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
                "securityContext": {
                    "runAsUser": 65534,
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    })
}

/// What became of [`trial`] in a dry run, while the operator `runs` or none of its pods is ready.
pub(super) fn answers(tried: &Fact<Value>, runs: bool) -> Finding {
    let pod = match tried {
        Ok(pod) => pod,
        Err(error @ (Error::Forbidden(_) | Error::Refused(_))) => {
            return Check::WebhookAnswers.warning(
                format!("could not be tried out: {error}"),
                "try with `kubectl run --dry-run=server` where you may make pods",
            );
        }
        Err(error) => return Check::WebhookAnswers.unknown(error),
    };
    let annotations = Metadata::of(pod).annotations;
    match (annotations.get(INJECTED), annotations.get(SKIPPED)) {
        (Some(version), _) => Check::WebhookAnswers.ok(format!(
            "a pod that asks for a sidecar gets one, by version {version} (tried by a dry run)"
        )),
        (None, Some(reasons)) => Check::WebhookAnswers.ok(format!(
            "the webhook answers a pod that asks for a sidecar, with {reasons} (tried by a dry run)"
        )),
        (None, None) => Check::WebhookAnswers.error(
            "a pod that asks for a sidecar gets none: the API server had no answer from the operator (tried by a dry run)",
            if runs {
                "let the API server reach the operator's port 9443: firewalls between control plane and nodes, \
                 NetworkPolicies, and the operator's log"
            } else {
                "get the operator ready first, as said above: it answers nobody before"
            },
        ),
    }
}

/// The definition of TracePolicy.
pub(super) fn custom_resources(definition: &Fact<Value>, own: &str) -> Finding {
    let todo = format!("{HELM}, which renews it");
    let definition = match definition {
        Ok(definition) => definition,
        Err(Error::Absent(_)) => {
            return Check::CustomResources.error("the cluster does not know TracePolicy", todo);
        }
        Err(error) => return Check::CustomResources.unknown(error),
    };
    let mut conditions = items(definition, "/status/conditions");
    let is = |it: &Value, what| text(it, "/type") == Some(what) && text(it, "/status") == Some("True");
    if !conditions.any(|it| is(it, "Established")) {
        return Check::CustomResources.error("the definition of TracePolicy is not served", todo);
    }
    match facts::version(definition) {
        Some(version) if number(&version) < number(own) => Check::CustomResources.warning(
            format!("the definition of TracePolicy is of version {version}, older than this program ({own})"),
            todo,
        ),
        _ => Check::CustomResources.ok("the cluster knows TracePolicy"),
    }
}

/// Major, minor and patch. One that cannot be read comes first.
fn number(version: &str) -> Option<[u32; 3]> {
    let version = version.trim_start_matches('v');
    let plain = version.split(['-', '+']).next()?;
    let numbers: Vec<u32> = plain
        .split('.')
        .map(|it| it.parse().ok())
        .collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// The versions of what is installed, and of the sidecars with how many there are; `own` is this program's.
pub(super) fn versions(
    operator: Option<&str>,
    collector: Option<&str>,
    sidecars: &BTreeMap<String, usize>,
    own: &str,
) -> Finding {
    let parts = [("operator", operator), ("collector", collector)];
    let parts = parts
        .iter()
        .filter_map(|(name, version)| Some(((*name).to_owned(), (*version)?)));
    let sidecars = sidecars
        .iter()
        .map(|(version, count)| (counted(*count, "sidecar"), version.as_str()));
    let others: Vec<_> = parts
        .chain(sidecars)
        .filter(|(_, version)| *version != own)
        .collect();
    if others.is_empty() {
        return Check::Versions.ok(format!("all are of version {own}"));
    }
    let distinct: BTreeSet<_> = others.iter().map(|(_, version)| *version).collect();
    let newer = distinct.iter().any(|version| number(version) > number(own));
    let todo = match newer {
        true => "install this program in the newer version",
        false => "renew the installation (helm upgrade), then restart the workloads whose sidecars are older",
    };
    Check::Versions
        .warning(format!("not all are of this program's version {own}"), todo)
        .of(others
            .into_iter()
            .map(|(name, version)| format!("{name}: {version}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::check::finding::Status;

    #[test]
    fn a_part_that_is_not_ready_says_why() {
        let judge = |ready: u64, pods: Vec<Value>| {
            let workload = json!({"spec": {"replicas": 2}, "status": {"readyReplicas": ready}});
            running(
                Check::Operator,
                Part::Operator,
                &Ok(vec![workload]),
                &Ok(pods),
                "meshtrace",
            )
        };
        assert_eq!(judge(2, vec![]).status, Status::Ok);
        assert_eq!(judge(1, vec![]).status, Status::Warning);
        let pulling = json!({"metadata": {"name": "o-1"}, "status": {"containerStatuses": [
            {"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
        ]}});
        let unscheduled = json!({"metadata": {"name": "o-2"}, "status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
        ]}});
        let finding = judge(0, vec![pulling, unscheduled]);
        assert_eq!(finding.status, Status::Error);
        assert_eq!(
            finding.objects,
            ["o-1: ErrImagePull not found", "o-2: 0/1 nodes are available"]
        );
        let none = running(
            Check::Operator,
            Part::Operator,
            &Ok(vec![]),
            &Ok(vec![]),
            "observe",
        );
        assert!(
            none.todo
                .is_some_and(|todo| todo.contains("--meshtrace-namespace"))
        );
    }

    #[test]
    fn a_webhook_may_neither_block_nor_delay() {
        let judge = |policy: &str, seconds: u64, namespace: &str| {
            let webhook = json!({
                "name": "pods.meshtrace.io",
                "failurePolicy": policy,
                "timeoutSeconds": seconds,
                "clientConfig": {"service": {"namespace": namespace}},
            });
            webhook_of(vec![json!({"webhooks": [webhook]})])
        };
        fn webhook_of(found: Vec<Value>) -> Status {
            webhook(&Ok(found), "meshtrace").status
        }
        assert_eq!(judge("Ignore", 3, "meshtrace"), Status::Ok);
        assert_eq!(judge("Ignore", 10, "meshtrace"), Status::Warning);
        assert_eq!(judge("Fail", 3, "meshtrace"), Status::Error);
        assert_eq!(judge("Ignore", 3, "elsewhere"), Status::Error);
        assert_eq!(webhook_of(vec![]), Status::Error);
    }

    #[test]
    fn a_trial_that_comes_back_as_it_was_had_no_answer() {
        let todo = |runs| {
            let finding = answers(&Ok(trial()), runs);
            assert_eq!(finding.status, Status::Error);
            finding.todo.unwrap()
        };
        assert!(todo(true).contains("firewalls"));
        assert!(todo(false).starts_with("get the operator ready first"));
        let with = |key: &str| json!({"metadata": {"annotations": {key: "0.1.0"}}});
        assert_eq!(answers(&Ok(with(INJECTED)), true).status, Status::Ok);
        assert_eq!(answers(&Ok(with(SKIPPED)), true).status, Status::Ok);
        let refused = Err(Error::Refused("exceeded quota".to_owned()));
        assert_eq!(answers(&refused, true).status, Status::Warning);
    }

    #[test]
    fn the_definitions_are_served_and_not_older_than_the_program() {
        let judge = |version: &str, established: &str| {
            let definition = json!({
                "metadata": {"labels": {"app.kubernetes.io/version": version}},
                "status": {"conditions": [{"type": "Established", "status": established}]},
            });
            custom_resources(&Ok(definition), "0.10.0").status
        };
        assert_eq!(judge("0.10.0", "True"), Status::Ok);
        assert_eq!(judge("0.9.1", "True"), Status::Warning);
        assert_eq!(judge("0.10.0", "False"), Status::Error);
        let absent = Err(Error::Absent("no".to_owned()));
        assert_eq!(custom_resources(&absent, "0.1.0").status, Status::Error);
    }

    #[test]
    fn other_versions_are_named_with_what_to_renew() {
        let sidecars = |version: &str| BTreeMap::from([(version.to_owned(), 3)]);
        let same = versions(Some("0.2.0"), Some("0.2.0"), &sidecars("0.2.0"), "0.2.0");
        assert_eq!(same.status, Status::Ok);
        let old = versions(Some("0.2.0"), None, &sidecars("0.1.0"), "0.2.0");
        assert_eq!(old.objects, ["3 sidecars: 0.1.0"]);
        assert!(old.todo.is_some_and(|todo| todo.contains("helm upgrade")));
        let new = versions(Some("0.3.0"), None, &BTreeMap::new(), "0.2.0");
        assert!(new.todo.is_some_and(|todo| todo.contains("this program")));
    }
}
