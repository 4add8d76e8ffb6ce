//! How all objects that asked for a sidecar stand, as `/coverage` shows it and metrics count it.

use std::collections::BTreeMap;

use inject::annotations::Problem;
use inject::reason::Reason;
use inject::workload::Owner;
use serde::Serialize;

use super::seen::Object;
use super::verdict::{State, Verdict};

/// The most misses that are listed; all are counted.
const MOST: usize = 1000;

/// How all stand.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// How many pods, and workloads whose annotations are not carried, stand how.
    pub states: BTreeMap<State, u64>,
    /// For which reasons how many are refused. One may be refused for several.
    pub reasons: BTreeMap<&'static str, u64>,
    /// All that is not as it should be, up to a bound.
    pub misses: Vec<Miss>,
    /// How many more there are.
    pub unlisted: u64,
    /// How often an object was not looked at, for want of room.
    pub beyond: u64,
}

/// An object that is not as it should be.
#[derive(Debug, PartialEq, Serialize)]
pub struct Miss {
    /// `Pod`, or the kind of a workload, or `Namespace`.
    pub kind: &'static str,
    /// Empty for a namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The workload that a pod belongs to, `Deployment/account`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// How it stands; nothing where only its annotations have problems.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// What that means and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<&'static str>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// What the redirect said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// Annotations that cannot be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

impl Summary {
    /// Of these objects; `beyond` others were not looked at.
    pub fn of<'a>(
        objects: impl Iterator<Item = (&'a Object, Option<&'a Owner>, Option<&'a Verdict>, &'a [Problem])>,
        beyond: u64,
    ) -> Self {
        let mut summary = Self {
            states: State::ALL.map(|state| (state, 0)).into(),
            beyond,
            ..Self::default()
        };
        for (object, owner, verdict, problems) in objects {
            if let Some(verdict) = verdict {
                *summary.states.entry(verdict.state).or_default() += 1;
                for reason in &verdict.reasons {
                    *summary.reasons.entry(reason.name()).or_default() += 1;
                }
            }
            let missed = verdict.filter(|verdict| verdict.state != State::Injected);
            if missed.is_none() && problems.is_empty() {
                continue;
            }
            if summary.misses.len() >= MOST {
                summary.unlisted += 1;
                continue;
            }
            summary.misses.push(Miss {
                kind: object.kind,
                namespace: object.namespace.clone(),
                name: object.name.clone(),
                workload: owner.map(|owner| format!("{}/{}", owner.kind.name(), owner.name)),
                state: missed.map(|verdict| verdict.state),
                sentence: missed.map(|verdict| verdict.state.sentence()),
                reasons: missed.map(|verdict| verdict.reasons.clone()).unwrap_or_default(),
                said: missed.map(|verdict| verdict.said.clone()).unwrap_or_default(),
                problems: problems.to_vec(),
            });
        }
        summary
    }
}
