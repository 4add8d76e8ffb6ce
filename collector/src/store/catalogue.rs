use std::collections::HashMap;

use otlp::model::Kind;

use super::Operation;

/// The services and operations of which spans are kept, with how many, so that the last one takes the name away.
#[derive(Debug, Default)]
pub(super) struct Catalogue(HashMap<String, HashMap<String, Kinds>>);

/// How many spans of a name there are, by kind.
type Kinds = [u64; Kind::ALL.len()];

impl Catalogue {
    pub(super) fn add(&mut self, service: &str, name: &str, kind: Kind) {
        let known = self.0.get_mut(service).and_then(|names| names.get_mut(name));
        let kinds = match known {
            Some(kinds) => kinds,
            None => {
                let names = self.0.entry(service.to_owned()).or_default();
                names.entry(name.to_owned()).or_default()
            }
        };
        if let Some(count) = kinds.get_mut(kind as usize) {
            *count += 1;
        }
    }

    pub(super) fn remove(&mut self, service: &str, name: &str, kind: Kind) {
        let Some(names) = self.0.get_mut(service) else {
            return;
        };
        if let Some(kinds) = names.get_mut(name) {
            if let Some(count) = kinds.get_mut(kind as usize) {
                *count = count.saturating_sub(1);
            }
            if kinds.iter().all(|count| *count == 0) {
                names.remove(name);
            }
        }
        if names.is_empty() {
            self.0.remove(service);
        }
    }

    /// In the order of their names.
    pub(super) fn services(&self) -> Vec<String> {
        let mut services: Vec<_> = self.0.keys().cloned().collect();
        services.sort_unstable();
        services
    }

    /// In the order of their names and kinds.
    pub(super) fn operations(&self, service: &str) -> Vec<Operation> {
        let names = self.0.get(service).into_iter().flatten();
        let mut operations: Vec<_> = names
            .flat_map(|(name, kinds)| {
                let there = Kind::ALL.into_iter().zip(kinds).filter(|(_, count)| **count > 0);
                there.map(|(kind, _)| Operation {
                    name: name.clone(),
                    kind,
                })
            })
            .collect();
        operations.sort_unstable();
        operations
    }
}
