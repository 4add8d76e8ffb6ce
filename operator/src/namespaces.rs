//! What is known of the cluster's namespaces: their annotations, which may ask for sidecars, and their labels, which may
//! forbid them.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use inject::decide::Namespace;

/// What is known, kept up to date by whoever watches the cluster.
#[derive(Debug, Default)]
pub struct Namespaces {
    known: RwLock<BTreeMap<String, Namespace>>,
}

impl Namespaces {
    /// What is known of one. One that has never been heard of is [`Namespace::unknown`].
    pub fn get(&self, name: &str) -> Namespace {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known
            .get(name)
            .cloned()
            .unwrap_or_else(|| Namespace::unknown(name))
    }

    /// From now on this is known of one.
    pub fn set(&self, namespace: Namespace) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(namespace.name.clone(), namespace);
    }

    /// It is gone.
    pub fn remove(&self, name: &str) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.remove(name);
    }

    /// From now on these are all there are.
    pub fn replace(&self, all: impl IntoIterator<Item = Namespace>) {
        let all = all
            .into_iter()
            .map(|namespace| (namespace.name.clone(), namespace));
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = all.collect();
    }
}
