//! Whose word counts: for each pod and each key, the nearest policy that says something. Pure.
//!
//! | rank | who | where it stands |
//! |---|---|---|
//! | 1 | annotations | on the pod, its workload, its namespace: they are variables of the sidecar, which win there |
//! | 2 | a policy with a selector | in the pod's namespace |
//! | 3 | a policy without one | in the pod's namespace |
//! | 4 | a policy with a selector | in the operator's namespace |
//! | 5 | a policy without one | in the operator's namespace |
//! | 6 | nobody | the sidecar's own defaults |
//!
//! Of two policies of one rank the older one counts, by the second in which it was made, and of two as old the one whose
//! name comes first: a policy that is added never takes the word from one of the same rank that was there.
//!
//! All of this holds key by key, as it does for annotations: a policy that says only `sampling` leaves every other key to
//! those behind it. Lists are keys like any other; the nearest replaces the others, and nothing is joined. A policy with
//! anything wrong counts for nothing, whole.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use serde_json::Value;

use super::key::Key;
use super::spec::{TracePolicy, TracePolicySpec, TracePolicyStatus};

/// What labels look like.
pub type Labels = BTreeMap<String, String>;

/// A policy, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// How often what it says has changed.
    pub generation: Option<i64>,
    /// What it says.
    pub spec: TracePolicySpec,
    /// What has been said of it before.
    pub status: TracePolicyStatus,
    /// What is wrong with it: then it counts for nothing.
    pub problems: Vec<String>,
    selector: Selector,
}

impl Policy {
    /// Reads one from the cluster.
    pub fn read(policy: &TracePolicy) -> Self {
        let metadata = &policy.metadata;
        let mut problems = policy.spec.problems();
        let selector = policy.spec.selector.clone().unwrap_or_default();
        let selector = selector.try_into().unwrap_or_else(|error| {
            problems.push(format!("selector: {error}"));
            Selector::default()
        });
        let created = metadata.creation_timestamp.as_ref();
        Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            created: created.map_or(i64::MAX, |time| time.0.as_second()),
            generation: metadata.generation,
            spec: policy.spec.clone(),
            status: policy.status.clone().unwrap_or_default(),
            problems,
            selector,
        }
    }

    /// As people read it.
    pub fn title(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it is for a pod of these labels in that namespace, whatever nearer ones say.
    pub fn selects(&self, own_namespace: &str, namespace: &str, labels: &Labels) -> bool {
        let reaches = self.namespace == namespace || self.namespace == own_namespace;
        reaches && self.selector.matches(labels)
    }

    /// The nearest first.
    fn rank(&self, namespace: &str) -> (bool, bool, i64, &str) {
        let is_for_all = |selector: &LabelSelector| {
            selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
                && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
        };
        let for_all = self.spec.selector.as_ref().is_none_or(is_for_all);
        (self.namespace != namespace, for_all, self.created, &self.name)
    }
}

/// Those that are for a pod, the nearest first.
pub fn nearest_first<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    own_namespace: &str,
    namespace: &str,
    labels: &Labels,
) -> Vec<&'p Policy> {
    let mut nearest: Vec<_> = policies
        .into_iter()
        .filter(|policy| policy.problems.is_empty() && policy.selects(own_namespace, namespace, labels))
        .collect();
    nearest.sort_by(|one, other| one.rank(namespace).cmp(&other.rank(namespace)));
    nearest
}

/// Who has the word on each key, and what it is.
pub fn words<'p>(nearest_first: &[&'p Policy]) -> BTreeMap<Key, (&'p Policy, Value)> {
    let word = |key: Key| {
        let mut policies = nearest_first.iter();
        let (policy, said) = policies.find_map(|policy| Some((*policy, policy.spec.said(key)?)))?;
        Some((key, (policy, said)))
    };
    Key::ALL.into_iter().filter_map(word).collect()
}
