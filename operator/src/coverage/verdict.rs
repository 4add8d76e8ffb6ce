//! Whether a pod that asks for a sidecar has one, and if not, why. Pure.
//!
//! | the pod | so |
//! |---|---|
//! | has ended, or is about to | nothing is expected of it |
//! | would get no sidecar, since nobody asks or somebody says no | nothing is expected of it |
//! | has its sidecar, and its redirect could not be installed | `redirect_refused`: nothing of it is traced |
//! | has its sidecar | `injected` |
//! | would get no sidecar for another reason | `refused`, with all reasons |
//! | would get one, and was refused when it was made | `needs_restart` |
//! | would get one, and asks for it itself | `missed`: the webhook did not answer when it was made |
//! | would get one, its namespace asks, and did so before it was made | `missed` |
//! | would get one, its namespace asks, and did not then | `needs_restart` |
//!
//! | the workload | so |
//! |---|---|
//! | is made by another, or its template has what its annotations say | nothing is expected of it |
//! | is in a namespace that is never touched | `refused` |
//! | is a Job | `refused`: its template cannot be changed |
//! | none of these | `not_carried`: the webhook did not answer when it was annotated |

use inject::annotations::{Problem, SKIPPED};
use inject::carry::carry;
use inject::decide::{Decision, Question, Site, decide};
use inject::pod::Texts;
use inject::reason::Reason;
use inject::workload::{Kind, Owner};
use serde::Serialize;
use serde_json::Value;

use super::seen::Seen;
use crate::mirror;
use crate::namespaces::Record;

/// How an object that asked for a sidecar stands. A closed set: it labels metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has what it asked for.
    Injected,
    /// It has a sidecar that no connection comes to.
    RedirectRefused,
    /// It was made while the webhook did not answer.
    Missed,
    /// It was made before it could have a sidecar.
    NeedsRestart,
    /// It cannot have one.
    Refused,
    /// Its annotations are not in its template.
    NotCarried,
}

/// How an object stands, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How.
    pub state: State,
    /// Why it was refused.
    pub reasons: Vec<Reason>,
    /// What the redirect said.
    pub said: String,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Injected,
        Self::RedirectRefused,
        Self::Missed,
        Self::NeedsRestart,
        Self::Refused,
        Self::NotCarried,
    ];

    /// Its name in metrics and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::RedirectRefused => "redirect_refused",
            Self::Missed => "missed",
            Self::NeedsRestart => "needs_restart",
            Self::Refused => "refused",
            Self::NotCarried => "not_carried",
        }
    }

    /// What an Event about it gives as its reason.
    pub fn event(self) -> &'static str {
        match self {
            Self::Injected => "SidecarInjected",
            Self::RedirectRefused => "RedirectRefused",
            Self::Missed => "SidecarMissed",
            Self::NeedsRestart => "SidecarNeedsRestart",
            Self::Refused => "SidecarRefused",
            Self::NotCarried => "AnnotationsNotCarried",
        }
    }

    /// What it means and what to do about it.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Injected => "it has its sidecar",
            Self::RedirectRefused => {
                "it has a sidecar, but its connections could not be redirected to it, so nothing of it is traced"
            }
            Self::Missed => {
                "it has no sidecar, since the operator did not answer when it was made: restart it, for example by \
                 `kubectl rollout restart`"
            }
            Self::NeedsRestart => {
                "it was made before it could have a sidecar: restart it, for example by `kubectl rollout restart`"
            }
            Self::Refused => "it has no sidecar",
            Self::NotCarried => {
                "its annotations are not in its pod template, since the operator did not answer when it was changed: \
                 change it once more, for example by `kubectl rollout restart`"
            }
        }
    }
}

impl Verdict {
    fn of(state: State) -> Self {
        Self {
            state,
            reasons: Vec::new(),
            said: String::new(),
        }
    }

    fn refused(reasons: Vec<Reason>) -> Self {
        Self {
            reasons,
            ..Self::of(State::Refused)
        }
    }
}

/// How a pod stands, if anything is expected of it; and what is wrong with its annotations.
pub fn pod(seen: &Seen, known: &Record, site: &Site) -> (Option<Verdict>, Vec<Problem>) {
    if seen.has_ended {
        return (None, Vec::new());
    }
    let answer = decide(&Question {
        pod: &seen.pod,
        owner: Owner::of(&seen.pod).as_ref(),
        workload: &Texts::new(),
        namespace: &known.namespace,
        site,
    });
    let verdict = match answer.decision {
        Decision::Skip(reasons) if reasons.contains(&Reason::AlreadyInjected) => {
            Some(match &seen.without_redirect {
                Some(said) => Verdict {
                    said: said.clone(),
                    ..Verdict::of(State::RedirectRefused)
                },
                None => Verdict::of(State::Injected),
            })
        }
        Decision::Skip(reasons) => reasons
            .iter()
            .any(|reason| reason.is_worth_telling())
            .then(|| Verdict::refused(reasons)),
        Decision::Inject(_) => Some(Verdict::of(missing(seen, known))),
    };
    (verdict, answer.problems)
}

/// Why a pod has no sidecar that would get one now.
fn missing(seen: &Seen, known: &Record) -> State {
    let annotations = &seen.pod.metadata.annotations;
    let asked_later = known.mark.since.is_none_or(|since| seen.made <= since);
    if annotations.contains_key(SKIPPED) || (!annotations.contains_key(mirror::KEY) && asked_later) {
        State::NeedsRestart
    } else {
        State::Missed
    }
}

/// How a workload stands, if anything is expected of it.
pub fn workload(kind: Kind, object: &Value, namespace: &str, site: &Site) -> Option<Verdict> {
    let patch = carry(kind, object, None).ok()?;
    if patch.is_empty() {
        return None;
    }
    Some(if site.is_off_limits(namespace) {
        Verdict::refused(vec![Reason::SystemNamespace])
    } else if kind == Kind::Job {
        Verdict::refused(vec![Reason::JobIsFixed])
    } else {
        Verdict::of(State::NotCarried)
    })
}
