//! What is known of the cluster's namespaces: their annotations, which may ask for sidecars, their labels and limits, which
//! may forbid them, and the label that lets the API server ask about their pods.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use inject::decide::Namespace;
use inject::limits::Limits;
use serde_json::Value;

use crate::mirror::Mark;

/// What is known of one namespace.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// What decisions depend on.
    pub namespace: Namespace,
    /// What of all that bore its name it is.
    pub uid: String,
    /// Its label.
    pub mark: Mark,
}

/// What limits the pods of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limiting {
    /// ResourceQuotas.
    Quotas,
    /// LimitRanges.
    Ranges,
}

impl Limiting {
    /// The kind of the objects that say it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Quotas => "ResourceQuota",
            Self::Ranges => "LimitRange",
        }
    }
}

/// What is known, kept up to date by whoever watches the cluster.
#[derive(Debug, Default)]
pub struct Namespaces {
    known: RwLock<BTreeMap<String, Record>>,
    limits: RwLock<BTreeMap<String, Limits>>,
}

impl Namespaces {
    /// What decisions depend on. A namespace that has never been heard of is [`Namespace::unknown`].
    pub fn get(&self, name: &str) -> Namespace {
        self.known(name)
            .map_or_else(|| Namespace::unknown(name), |known| known.namespace)
    }

    /// All that is known of one.
    pub fn known(&self, name: &str) -> Option<Record> {
        let known = self.read().get(name).cloned()?;
        Some(self.with_limits(known))
    }

    /// All that is known of all.
    pub fn all(&self) -> Vec<Record> {
        self.read().values().cloned().collect()
    }

    /// From now on this is known of one.
    pub fn set(&self, known: Record) {
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(known.namespace.name.clone(), known);
    }

    /// It is gone.
    pub fn remove(&self, name: &str) {
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        all.remove(name);
    }

    /// From now on there are only those that are `there`.
    pub fn only(&self, there: impl Fn(&str) -> bool) {
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|name, _| there(name));
    }

    /// From now on these are the quotas, or the ranges, of one.
    pub fn limit(&self, name: &str, which: Limiting, documents: Vec<Value>) {
        let mut all = self.limits.write().unwrap_or_else(PoisonError::into_inner);
        let limits = all.entry(name.to_owned()).or_default();
        match which {
            Limiting::Quotas => limits.quotas = documents,
            Limiting::Ranges => limits.ranges = documents,
        }
        all.retain(|_, limits| *limits != Limits::default());
    }

    fn with_limits(&self, mut known: Record) -> Record {
        let limits = self.limits.read().unwrap_or_else(PoisonError::into_inner);
        known.namespace.limits = limits.get(&known.namespace.name).cloned().unwrap_or_default();
        known
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Record>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}
