//! What is found of the namespaces and pods that ask for sidecars. Pure: objects are shown to a [`Census`] one by one, and
//! what it keeps of them is small.
//!
//! | check | what was seen | so |
//! |---|---|---|
//! | `pod-security` | a namespace asks for sidecars, and enforces a level that forbids the redirect | warning |
//! | `namespace-labels` | a namespace asks for sidecars, and has not the label that the webhook goes by | error |
//! | `annotations` | an annotation cannot be used | warning |
//! | `missing-sidecars` | a pod that asks has none; or one has what nobody asks for | warning |
//! | `sidecars` | a sidecar that should run does not | error |

use std::collections::{BTreeMap, BTreeSet};

use inject::annotations::{self, Level, PREFIX, Wanted};
use inject::decide::{Decision, Namespace, Question, Site, decide};
use inject::plan::Capture;
use inject::pod::{Metadata, Pod, Texts};
use inject::reason::Reason;
use inject::workload::{Kind, Owner};
use serde_json::Value;

use super::finding::{Check, Finding, counted};
use super::quantity::quantity;
use super::quotas::Need;
use crate::cluster::pods::{Today, fresh, state};

/// The label that the webhook goes by, since it cannot see a namespace's annotations.
const LABEL: &str = "meshtrace.io/inject";
/// The label that says which pods a namespace takes.
const POD_SECURITY: &str = "pod-security.kubernetes.io/enforce";
/// Levels of Pod Security that forbid NET_ADMIN.
const STRICT: [&str; 2] = ["baseline", "restricted"];

/// What is known of all namespaces, workloads and pods.
#[derive(Debug)]
pub(super) struct Census {
    site: Site,
    namespaces: BTreeMap<String, Namespace>,
    /// Annotations of ours, by namespace, kind and name.
    workloads: BTreeMap<(String, &'static str, String), Texts>,
    /// Pods that ask for a sidecar.
    asking: usize,
    /// What stands against a sidecar, or for taking it away: how many pods, by whose they are and what it is.
    missing: BTreeMap<(String, String), usize>,
    unready: Vec<String>,
    problems: BTreeSet<String>,
    /// How many sidecars there are of each version.
    pub(super) versions: BTreeMap<String, usize>,
    /// What the sidecars of each namespace need.
    pub(super) needs: BTreeMap<String, Need>,
}

impl Census {
    pub(super) fn new(site: Site) -> Self {
        Self {
            site,
            namespaces: BTreeMap::new(),
            workloads: BTreeMap::new(),
            asking: 0,
            missing: BTreeMap::new(),
            unready: Vec::new(),
            problems: BTreeSet::new(),
            versions: BTreeMap::new(),
            needs: BTreeMap::new(),
        }
    }

    /// To be shown before what is in it.
    pub(super) fn namespace(&mut self, document: &Value) {
        let namespace = Namespace::of(document);
        self.namespaces.insert(namespace.name.clone(), namespace);
    }

    /// To be shown before its pods.
    pub(super) fn workload(&mut self, kind: Kind, document: &Value) {
        let Metadata {
            name,
            namespace,
            mut annotations,
            ..
        } = Metadata::of(document);
        annotations.retain(|key, _| key.starts_with(PREFIX));
        if !annotations.is_empty() {
            self.workloads.insert((namespace, kind.name(), name), annotations);
        }
    }

    pub(super) fn pod(&mut self, document: &Value) {
        let leaves = document.pointer("/metadata/deletionTimestamp").is_some();
        let phase = document.pointer("/status/phase").and_then(Value::as_str);
        let ended = matches!(phase, Some("Succeeded" | "Failed"));
        let fresh = fresh(document);
        let Some(pod) = Pod::read(&fresh).ok().filter(|_| !leaves && !ended) else {
            return;
        };
        let name = &pod.metadata.namespace;
        let unknown = Namespace::unknown(name);
        let namespace = self.namespaces.get(name).unwrap_or(&unknown);
        let owner = Owner::of(&pod);
        let said = owner.as_ref().and_then(|owner| {
            self.workloads
                .get(&(name.clone(), owner.kind.name(), owner.name.clone()))
        });
        let none = Texts::new();
        let answer = decide(&Question {
            pod: &pod,
            owner: owner.as_ref(),
            workload: said.unwrap_or(&none),
            namespace,
            site: &self.site,
        });
        let whose = match &owner {
            Some(owner) => format!("{} {name}/{}", owner.kind.name(), owner.name),
            None => format!("Pod {name}/{}", pod.metadata.name),
        };
        let today = match &answer.decision {
            Decision::Inject(_) => Today::Sidecar {
                version: &self.site.version,
                template: None,
            },
            Decision::Skip(_) => Today::Nothing,
        };
        let state = state(document, today);
        self.problems.extend(
            answer
                .problems
                .iter()
                .map(|problem| format!("{whose}: {problem}")),
        );
        let need = match &answer.decision {
            Decision::Inject(plan) => {
                Some([quantity(&plan.cpu), quantity(&plan.memory)].map(Option::unwrap_or_default))
            }
            Decision::Skip(_) => None,
        };
        let against = match answer.decision {
            Decision::Inject(_) if state.sidecar.is_none() => Some("restart it".to_owned()),
            Decision::Inject(_) => None,
            Decision::Skip(reasons) => against(&reasons, state.sidecar.is_some()),
        };
        self.asking += usize::from(need.is_some() || (against.is_some() && state.sidecar.is_none()));
        if let Some(need) = need {
            self.needs(name, need, state.sidecar.is_none());
        }
        if let Some(against) = against {
            *self.missing.entry((whose, against)).or_default() += 1;
        }
        if let Some(sidecar) = &state.sidecar {
            let version = sidecar
                .version
                .clone()
                .unwrap_or_else(|| "none of ours".to_owned());
            *self.versions.entry(version).or_default() += 1;
            if phase == Some("Running") && !sidecar.ready || stuck(&sidecar.state) {
                self.unready
                    .push(format!("{name}/{}: {}", pod.metadata.name, sidecar.state));
            }
        }
    }

    fn needs(&mut self, namespace: &str, [cpu, memory]: [f64; 2], is_missing: bool) {
        let of = self.needs.entry(namespace.to_owned()).or_default();
        let [least_cpu, least_memory] = of.smallest.unwrap_or([cpu, memory]);
        of.smallest = Some([least_cpu.min(cpu), least_memory.min(memory)]);
        if is_missing {
            let [before_cpu, before_memory] = of.missing;
            of.missing = [before_cpu + cpu, before_memory + memory];
        }
    }

    /// The namespaces that ask for sidecars, with what they wish for.
    fn asking(&self) -> impl Iterator<Item = (&Namespace, annotations::Wishes)> {
        self.namespaces.values().filter_map(|namespace| {
            let (wishes, _) = annotations::read(&[(Level::Namespace, &namespace.annotations)]);
            (wishes.inject == Wanted::Yes).then_some((namespace, wishes))
        })
    }

    pub(super) fn pod_security(&self) -> Finding {
        let strict: Vec<_> = self
            .asking()
            .filter(|(_, wishes)| wishes.capture != Some(Capture::None))
            .filter_map(|(namespace, _)| {
                let level = namespace.labels.get(POD_SECURITY)?;
                STRICT
                    .contains(&level.as_str())
                    .then(|| format!("{}: {level}", namespace.name))
            })
            .collect();
        if strict.is_empty() {
            return Check::PodSecurity.ok("no namespace that asks for sidecars forbids the redirect");
        }
        Check::PodSecurity
            .warning(
                "namespaces ask for sidecars, and their Pod Security level forbids the NET_ADMIN that the redirect needs",
                Reason::PodSecurity.sentence(),
            )
            .of(strict)
    }

    pub(super) fn labels(&self) -> Finding {
        let of_nobody = |namespace: &&Namespace| {
            ![
                self.site.own_namespace.as_str(),
                "kube-system",
                "kube-public",
                "kube-node-lease",
            ]
            .contains(&namespace.name.as_str())
        };
        let (mut all, mut without) = (0, Vec::new());
        for namespace in self.asking().map(|(namespace, _)| namespace).filter(of_nobody) {
            all += 1;
            if namespace.labels.get(LABEL).map(String::as_str) != Some("true") {
                without.push(namespace.name.clone());
            }
        }
        if without.is_empty() {
            return Check::NamespaceLabels.ok(format!(
                "{all} namespaces ask for sidecars, and the webhook knows"
            ));
        }
        Check::NamespaceLabels
            .error(
                format!(
                    "namespaces ask for sidecars, and have not the label {LABEL} that the webhook goes by"
                ),
                "the operator sets it within seconds: look whether it is ready, and at its log",
            )
            .of(without)
    }

    pub(super) fn annotations(&self) -> Finding {
        if self.problems.is_empty() {
            return Check::Annotations.ok("all annotations can be used");
        }
        Check::Annotations
            .warning(
                "annotations cannot be used, and count as not said",
                "correct them: `meshtrace why` says for each workload what holds",
            )
            .of(self.problems.iter().cloned())
    }

    pub(super) fn missing(&self) -> Finding {
        if self.missing.is_empty() {
            return Check::Missing.ok(format!(
                "{} asked for: all are there",
                counted(self.asking, "sidecar")
            ));
        }
        let told = self.missing.iter().map(|((whose, what), count)| match count {
            1 => format!("{whose}: {what}"),
            count => format!("{whose} ({count} pods): {what}"),
        });
        Check::Missing
            .warning(
                "pods ask for a sidecar and have none, or have one that nobody asks for",
                "`meshtrace why` says for each workload why, and what to do",
            )
            .of(told)
    }

    pub(super) fn sidecars(&self) -> Finding {
        if self.unready.is_empty() {
            let count: usize = self.versions.values().sum();
            return Check::Sidecars.ok(format!("{} running", counted(count, "sidecar")));
        }
        Check::Sidecars
            .error(
                "sidecars do not run",
                "look at `kubectl describe pod` and at the log of the container meshtrace-sidecar",
            )
            .of(self.unready.iter().cloned())
    }
}

/// What is to be said of a pod that gets no sidecar for these reasons.
fn against(reasons: &[Reason], has_one: bool) -> Option<String> {
    let theirs = [Reason::AlreadyInjected, Reason::InjectedByHand];
    if has_one {
        let expected = reasons.iter().any(|reason| theirs.contains(reason));
        return (!expected).then(|| "restart it, and the sidecar goes".to_owned());
    }
    let told: Vec<_> = reasons
        .iter()
        .filter(|reason| reason.is_worth_telling())
        .map(|reason| reason.name())
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// Whether a sidecar waits for something that does not come by itself.
fn stuck(state: &str) -> bool {
    !["running", "starting", "not started yet"].contains(&state)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::check::finding::Status;

    fn census() -> Census {
        Census::new(Site::usual("0.1.0"))
    }

    fn namespace(name: &str, annotations: &Value, labels: &Value) -> Value {
        json!({"metadata": {"name": name, "annotations": annotations, "labels": labels}})
    }

    fn pod(name: &str, annotations: &Value, spec: &Value) -> Value {
        let mut whole = json!({"containers": [{"name": "app"}]});
        for (key, value) in spec.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        json!({
            "metadata": {
                "name": name, "namespace": "bank", "annotations": annotations,
                "labels": {"pod-template-hash": "5d"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "account-5d", "controller": true}],
            },
            "spec": whole,
            "status": {"phase": "Running"},
        })
    }

    #[test]
    fn pods_that_ask_and_have_none_are_told_by_their_workload_with_what_stands_against_it() {
        let mut census = census();
        census.namespace(&namespace("bank", &json!({}), &json!({})));
        let deployment = json!({"metadata": {"name": "account", "namespace": "bank",
            "annotations": {"meshtrace.io/inject": "true"}}});
        census.workload(Kind::Deployment, &deployment);
        census.pod(&pod("account-5d-1", &json!({}), &json!({})));
        census.pod(&pod("account-5d-2", &json!({}), &json!({})));
        census.pod(&pod("account-5d-3", &json!({}), &json!({"hostNetwork": true})));
        census.pod(&pod(
            "account-5d-4",
            &json!({"meshtrace.io/inject": "false"}),
            &json!({}),
        ));
        let finding = census.missing();
        assert_eq!(finding.status, Status::Warning);
        assert_eq!(
            finding.objects,
            [
                "Deployment bank/account: host_network",
                "Deployment bank/account (2 pods): restart it"
            ]
        );
        assert_eq!(census.needs["bank"].missing, [0.02, 2.0 * 24.0 * 1024.0 * 1024.0]);
    }

    #[test]
    fn a_sidecar_that_cannot_start_is_an_error_and_one_of_another_version_is_counted() {
        let mut census = census();
        census.namespace(&namespace("bank", &json!({}), &json!({})));
        let mut stuck = pod(
            "account-5d-1",
            &json!({"meshtrace.io/inject": "true", "meshtrace.io/injected": "0.0.9"}),
            &json!({"initContainers": [{"name": "meshtrace-sidecar"}]}),
        );
        stuck["status"] = json!({"phase": "Pending", "initContainerStatuses": [
            {"name": "meshtrace-sidecar", "state": {"waiting": {"reason": "ErrImagePull"}}}
        ]});
        census.pod(&stuck);
        assert_eq!(census.sidecars().objects, ["bank/account-5d-1: ErrImagePull"]);
        assert_eq!(census.versions, BTreeMap::from([("0.0.9".to_owned(), 1)]));
        assert_eq!(census.missing().status, Status::Ok);
    }

    #[test]
    fn namespaces_that_ask_need_the_label_and_a_level_that_takes_the_redirect() {
        let mut census = census();
        let asks = || json!({"meshtrace.io/inject": "true"});
        census.namespace(&namespace("mirrored", &asks(), &json!({LABEL: "true"})));
        census.namespace(&namespace(
            "not-yet",
            &asks(),
            &json!({POD_SECURITY: "restricted"}),
        ));
        census.namespace(&namespace(
            "quiet",
            &json!({}),
            &json!({POD_SECURITY: "restricted"}),
        ));
        census.namespace(&namespace("kube-system", &asks(), &json!({})));
        assert_eq!(census.labels().objects, ["not-yet"]);
        assert_eq!(census.pod_security().objects, ["not-yet: restricted"]);
    }

    #[test]
    fn what_is_misspelt_is_told_once_for_a_workload() {
        let mut census = census();
        census.namespace(&namespace("bank", &json!({}), &json!({})));
        for name in ["account-5d-1", "account-5d-2"] {
            census.pod(&pod(name, &json!({"meshtrace.io/injct": "true"}), &json!({})));
        }
        assert_eq!(
            census.annotations().objects,
            [
                "Deployment bank/account: meshtrace.io/injct on the pod: unknown key; did you mean `meshtrace.io/inject`?"
            ]
        );
    }
}
