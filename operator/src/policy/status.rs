//! What there is to say of a policy: for how many pods it is, where its word holds, and what is wrong with it. Pure.
//!
//! | condition | true | false |
//! |---|---|---|
//! | `Accepted` | what it says can be used | it counts for nothing; the message says why |
//! | `Applied` | at least one of its keys holds in at least one pod | nowhere; the message says why |
//! | `RestartNeeded` | pods that it is for are older than what it skips | all of them skip it |
//!
//! `RestartNeeded` is there only where something is skipped. What an annotation of the pod says is known from its
//! metadata; one of the namespace is not seen here, though it wins in the sidecar.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use serde_json::json;

use super::key::Key;
use super::known::{Name, World};
use super::precedence::{Policy, nearest_first, words};
use super::spec::{KeyStatus, Skipped, TracePolicyStatus};

/// The most others that are named for one key. Those beyond are counted as `others`.
const MOST_OTHERS: usize = 16;

/// The statuses of all policies, at `now`.
pub fn statuses(world: &World, own_namespace: &str, now: &Time) -> BTreeMap<Name, TracePolicyStatus> {
    let mut all: BTreeMap<Name, Tally<'_>> = world
        .policies
        .iter()
        .map(|(name, policy)| (name.clone(), Tally::of(policy, now)))
        .collect();
    for ((namespace, _), pod) in &world.pods {
        let policies = world.policies.values();
        let nearest = nearest_first(policies, own_namespace, namespace, &pod.labels);
        let words = words(&nearest);
        for policy in &nearest {
            let name = (policy.namespace.clone(), policy.name.clone());
            let Some(tally) = all.get_mut(&name) else { continue };
            tally.pods += 1;
            let since = tally.skipped.as_ref().map(|skipped| skipped.since.0.as_second());
            tally.older += i32::from(since.is_some_and(|since| pod.created < since));
            for key in Key::ALL
                .into_iter()
                .filter(|key| policy.spec.said(*key).is_some())
            {
                let annotated = |name: &str| pod.annotated.iter().any(|annotated| annotated == name);
                let winner = words.get(&key).map(|(winner, _)| *winner);
                let by = match winner {
                    _ if key.annotation().is_some_and(annotated) => Some("annotation".to_owned()),
                    Some(winner) if !std::ptr::eq(winner, *policy) => Some(winner.title()),
                    _ => None,
                };
                tally.key(key, by);
            }
        }
    }
    all.into_iter()
        .map(|(name, tally)| (name, tally.finish(now)))
        .collect()
}

/// A policy's status while pods are counted.
struct Tally<'p> {
    policy: &'p Policy,
    pods: i32,
    /// Of these, those that were made before what is skipped was said.
    older: i32,
    keys: BTreeMap<String, KeyStatus>,
    skipped: Option<Skipped>,
}

impl<'p> Tally<'p> {
    fn of(policy: &'p Policy, now: &Time) -> Self {
        let before = policy.status.skipped.as_ref();
        let skipped = policy.spec.skip.as_ref().map(|skip| {
            let what = json!(skip).to_string();
            let since = before
                .filter(|before| before.what == what)
                .map(|before| &before.since);
            let since = since.unwrap_or(now).clone();
            Skipped { what, since }
        });
        Self {
            policy,
            pods: 0,
            older: 0,
            keys: BTreeMap::new(),
            skipped,
        }
    }

    fn key(&mut self, key: Key, by: Option<String>) {
        let key = self.keys.entry(key.name().to_owned()).or_default();
        match by {
            None => key.pods += 1,
            Some(other) => {
                let others = &mut key.overridden;
                let room = others.len() < MOST_OTHERS || others.contains_key(&other);
                let other = if room { other } else { "others".to_owned() };
                *others.entry(other).or_default() += 1;
            }
        }
    }

    fn finish(self, now: &Time) -> TracePolicyStatus {
        let conditions = [Some(self.accepted()), Some(self.applied()), self.restart_needed()];
        TracePolicyStatus {
            observed_generation: self.policy.generation,
            pods: self.pods,
            conditions: conditions
                .into_iter()
                .flatten()
                .map(|told| self.condition(told, now))
                .collect(),
            keys: self.keys,
            skipped: self.skipped,
        }
    }

    fn accepted(&self) -> Told {
        if self.policy.problems.is_empty() {
            Told::new("Accepted", true, "Valid", "what it says can be used".to_owned())
        } else {
            let problems = self.policy.problems.join("; ");
            Told::new(
                "Accepted",
                false,
                "Invalid",
                format!("it counts for nothing: {problems}"),
            )
        }
    }

    fn applied(&self) -> Told {
        let told = |is, reason, message| Told::new("Applied", is, reason, message);
        let pods = self.pods;
        if !self.policy.problems.is_empty() {
            return told(false, "Invalid", "it counts for nothing".to_owned());
        }
        if pods == 0 {
            let message = "it selects no pod that has a sidecar".to_owned();
            return told(false, "NoPods", message);
        }
        let lost: Vec<String> = self
            .keys
            .iter()
            .filter_map(|(key, at)| overruled(key, at))
            .collect();
        let holds = self.keys.values().any(|key| key.pods > 0);
        match (holds, lost.is_empty()) {
            (true, true) => told(
                true,
                "Everywhere",
                format!("it holds in all {pods} pods that it selects"),
            ),
            (true, false) => told(
                true,
                "InPart",
                format!(
                    "it holds in the {pods} pods that it selects, but for {}",
                    lost.join("; ")
                ),
            ),
            (false, _) => told(
                false,
                "Overridden",
                format!("others have the word: {}", lost.join("; ")),
            ),
        }
    }

    fn restart_needed(&self) -> Option<Told> {
        self.skipped.as_ref()?;
        let (older, pods) = (self.older, self.pods);
        Some(if older > 0 {
            let message = format!(
                "{older} of {pods} pods were made before this was to be skipped: restart their workloads for it to hold"
            );
            Told::new("RestartNeeded", true, "OlderPods", message)
        } else {
            let message = "all pods that it selects were made since".to_owned();
            Told::new("RestartNeeded", false, "NoOlderPods", message)
        })
    }

    fn condition(&self, told: Told, now: &Time) -> Condition {
        let before = self.policy.status.conditions.iter();
        let before = before
            .filter(|before| before.type_ == told.kind && before.status == told.status)
            .map(|before| &before.last_transition_time)
            .next();
        Condition {
            type_: told.kind.to_owned(),
            status: told.status.to_owned(),
            reason: told.reason.to_owned(),
            message: told.message,
            observed_generation: self.policy.generation,
            last_transition_time: before.unwrap_or(now).clone(),
        }
    }
}

/// Where a key's word is not this policy's.
fn overruled(key: &str, at: &KeyStatus) -> Option<String> {
    let others: Vec<String> = at
        .overridden
        .iter()
        .map(|(other, pods)| format!("{pods} by {other}"))
        .collect();
    (!others.is_empty()).then(|| format!("{key} in {}", others.join(", ")))
}

/// A condition before it has its time.
struct Told {
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Told {
    fn new(kind: &'static str, is: bool, reason: &'static str, message: String) -> Self {
        Self {
            kind,
            status: if is { "True" } else { "False" },
            reason,
            message,
        }
    }
}
