use std::collections::BTreeMap;

use otlp::model::{Kind, Span};

use super::Operation;

/// The services and operations of which spans are kept, with how many, so that the last one takes the name away.
#[derive(Debug, Default)]
pub(super) struct Catalogue(BTreeMap<String, BTreeMap<(String, Kind), u64>>);

impl Catalogue {
    pub(super) fn add(&mut self, span: &Span) {
        if !self.0.contains_key(span.service()) {
            self.0.insert(span.service().to_owned(), BTreeMap::new());
        }
        if let Some(operations) = self.0.get_mut(span.service()) {
            *operations.entry((span.name.clone(), span.kind)).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, span: &Span) {
        let Some(operations) = self.0.get_mut(span.service()) else {
            return;
        };
        let key = (span.name.clone(), span.kind);
        if let Some(count) = operations.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                operations.remove(&key);
            }
        }
        if operations.is_empty() {
            self.0.remove(span.service());
        }
    }

    pub(super) fn services(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub(super) fn operations(&self, service: &str) -> Vec<Operation> {
        let known = self.0.get(service).into_iter().flat_map(BTreeMap::keys);
        known
            .map(|(name, kind)| Operation {
                name: name.clone(),
                kind: *kind,
            })
            .collect()
    }
}
