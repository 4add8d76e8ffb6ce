//! From what was seen to what it means. Pure.
//!
//! | what was seen | verdict |
//! |---|---|
//! | the template has a sidecar itself, from `meshtrace inject` or by hand | `in_manifest` |
//! | it is managed by another object | `refused`: `owned` |
//! | the decision about the template, with what its workload says, is no | `refused`, with all reasons |
//! | it is yes; without what the workload says it would be no | `not_carried` |
//! | it is yes, and a pod that runs is not as a new one would be | `outdated` |
//! | it is yes | `injected` |
//!
//! A pod is asked about as if it were made today.

use inject::annotations::Problem;
use inject::carry::carry;
use inject::decide::{Decision, Question, decide};
use inject::pod::{Metadata, Pod, Texts};
use inject::reason::Reason;
use inject::review;
use inject::workload::{Kind, Owner};
use serde::Serialize;

use super::gather::{Operator, Seen, Settings};
use super::levels::{Said, levels};
use super::subject::Subject;
use crate::cluster::pods::{self, PodState, Today, state};

/// Why a workload, or a pod, has a sidecar or none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// What was asked about: `Deployment bank/account`.
    pub object: String,
    /// The answer in a word.
    pub verdict: Verdict,
    /// Why it gets none.
    pub reasons: Vec<Reason>,
    /// What is said of each key, and where.
    pub annotations: Vec<Said>,
    /// Annotations that cannot be used.
    pub problems: Vec<Problem>,
    /// What one might not expect.
    pub notes: Vec<String>,
    /// The pods that there are.
    pub pods: Vec<PodState>,
    /// What one of their sidecars says of where its settings come from: variables (annotations) and policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// What to do, in sentences.
    pub todo: Vec<String>,
}

/// The answer in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its pods get a sidecar, and have it.
    Injected,
    /// The sidecar stands in its template.
    InManifest,
    /// New pods get a sidecar; some that run are not as new ones would be.
    Outdated,
    /// The workload asks for one, and its template does not know.
    NotCarried,
    /// Its pods get none.
    Refused,
}

impl Verdict {
    /// The exit code of `meshtrace why`: 0 as it should be, 3 no sidecar, 4 something to do.
    pub fn code(self) -> u8 {
        match self {
            Self::Injected | Self::InManifest => 0,
            Self::Refused => 3,
            Self::Outdated | Self::NotCarried => 4,
        }
    }
}

pub(super) fn explain(seen: &Seen) -> Explanation {
    let Seen {
        kind,
        object,
        namespace,
        site,
        ..
    } = seen;
    let at = kind.template();
    let metadata = Metadata::of(object);
    let fresh = match kind {
        Kind::Pod => pods::fresh(object),
        // a template with a sidecar has it from its author
        _ => object.clone(),
    };
    let template = fresh.pointer(at).cloned().unwrap_or_default();
    let own = Metadata::of(&template).annotations;
    let none = Texts::new();
    let above = match kind {
        Kind::Pod => seen.owner.as_ref().map(|owner| Metadata::of(owner).annotations),
        _ => Some(metadata.annotations.clone()),
    };
    let workload = above.as_ref().unwrap_or(&none);
    let pod = Pod::read(&template);
    let asked = |workload: &Texts| {
        let pod = pod.as_ref().ok()?;
        let owner = match kind {
            Kind::Pod => Owner::of(pod),
            kind => Some(Owner {
                kind: *kind,
                name: metadata.name.clone(),
            }),
        };
        Some(decide(&Question {
            pod,
            owner: owner.as_ref(),
            workload,
            namespace,
            site,
        }))
    };
    let answer = asked(workload);
    let (reasons, problems, notes) = match answer {
        _ if *kind != Kind::Pod && metadata.controller().is_some() => (vec![Reason::Owned], vec![], vec![]),
        None => (vec![Reason::Unreadable], vec![], vec![]),
        Some(answer) => match answer.decision {
            Decision::Skip(reasons) => (reasons, answer.problems, answer.notes),
            Decision::Inject(_) => (vec![], answer.problems, answer.notes),
        },
    };
    // the webhook sees the pod alone: what its workload says has to be in the template by then
    let unaware = asked(&none).is_some_and(|answer| matches!(answer.decision, Decision::Skip(_)));
    let in_manifest = [Reason::AlreadyInjected, Reason::InjectedByHand];
    let given = reasons.is_empty();
    let review = review::inject(*kind, &fresh, namespace, site);
    let mut whole = fresh.clone();
    let model = json_patch::patch(&mut whole, &review.patch)
        .ok()
        .and_then(|()| whole.pointer(at));
    let today = match given {
        true => Today::Sidecar {
            version: &site.version,
            template: model,
        },
        false => Today::Nothing,
    };
    let pods: Vec<_> = match reasons.first() {
        Some(reason) if in_manifest.contains(reason) || *reason == Reason::Owned => {
            let plain = |pod| PodState {
                outdated: None,
                ..state(pod, today)
            };
            seen.pods.iter().map(plain).collect()
        }
        _ => seen.pods.iter().map(|pod| state(pod, today)).collect(),
    };
    let outdated = pods.iter().any(|pod| pod.outdated.is_some());
    let verdict = match reasons.first() {
        Some(reason) if in_manifest.contains(reason) => Verdict::InManifest,
        Some(_) => Verdict::Refused,
        None if unaware => Verdict::NotCarried,
        None if outdated => Verdict::Outdated,
        None => Verdict::Injected,
    };
    let carried = carry(*kind, object, None).is_ok_and(|patch| patch.is_empty());
    let mut told = notes;
    if verdict == Verdict::Injected && !carried && *kind != Kind::Pod {
        told.push("the template does not have all that the workload says yet".to_owned());
    }
    told.extend(seen.unread.iter().cloned());
    Explanation {
        object: review.report.object,
        verdict,
        annotations: levels(&own, workload, &namespace.annotations),
        problems,
        todo: todo(seen, verdict, &reasons, &pods),
        settings: seen.settings.clone(),
        notes: told,
        reasons,
        pods,
    }
}

fn todo(seen: &Seen, verdict: Verdict, reasons: &[Reason], pods: &[PodState]) -> Vec<String> {
    let mut todo = Vec::new();
    let metadata = Metadata::of(&seen.object);
    let namespace = &seen.namespace.name;
    let subject = Subject::written(seen.kind, &metadata.name);
    let wanted = verdict != Verdict::Refused && verdict != Verdict::InManifest;
    match seen.operator {
        Operator::None if wanted => {
            todo.push("install meshtrace: no operator is there that could put the sidecar in".to_owned());
        }
        Operator::NotReady if wanted => {
            todo.push(
                "run `meshtrace check`: the operator is not ready, and new pods get no sidecar".to_owned(),
            );
        }
        _ => {}
    }
    if let (Some(Reason::Owned), Some(owner)) = (reasons.first(), metadata.controller()) {
        let owner = format!("{}/{}", owner.kind.to_lowercase(), owner.name);
        todo.push(format!(
            "ask about the object that makes it: meshtrace why {owner} -n {namespace}"
        ));
    }
    // what one changes for a pod is changed at its workload
    let owner = seen.owner.as_ref();
    let owner = owner.and_then(|owner| Some((Kind::of(owner)?, Metadata::of(owner).name)));
    let (kind, workload) = match owner {
        Some((kind, name)) => (kind, Subject::written(kind, &name)),
        None => (seen.kind, subject.clone()),
    };
    if reasons.contains(&Reason::NotAsked) {
        todo.push(format!(
            "kubectl annotate {workload} -n {namespace} meshtrace.io/inject=true"
        ));
    }
    let outdated = pods.iter().any(|pod| pod.outdated.is_some());
    match verdict {
        Verdict::NotCarried => todo.push(again(kind, &workload, namespace, true)),
        _ if outdated => todo.push(again(seen.kind, &subject, namespace, false)),
        _ => {}
    }
    todo
}

/// How new pods take the place of those that run.
fn again(kind: Kind, subject: &str, namespace: &str, not_carried: bool) -> String {
    match kind {
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => {
            format!("kubectl rollout restart {subject} -n {namespace}")
        }
        Kind::CronJob if not_carried => format!(
            "annotate it once more, so that the operator sees it: kubectl annotate {subject} -n {namespace} \
             meshtrace.io/inject- && kubectl annotate {subject} -n {namespace} meshtrace.io/inject=true"
        ),
        Kind::CronJob => "nothing: its next Job is made as it should be".to_owned(),
        Kind::Job => "delete the Job and create it again: the template of a Job cannot be changed".to_owned(),
        Kind::ReplicaSet => "delete its pods: it makes new ones".to_owned(),
        Kind::Pod => format!("kubectl delete {subject} -n {namespace}, so that its workload makes a new one"),
    }
}
