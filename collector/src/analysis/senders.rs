//! Who made the spans of a trace: each resource once, however many batches it came in.

use std::collections::HashMap;
use std::sync::Arc;

use otlp::model::{Resource, Span, Value, find};

use super::tree::Tree;

/// The resources of a trace.
#[derive(Debug)]
pub struct Senders<'a> {
    list: Vec<&'a Resource>,
    of: Vec<usize>,
}

impl<'a> Senders<'a> {
    /// The senders of a tree's spans, in its order.
    pub fn new(tree: &Tree<'a>) -> Self {
        let mut senders = Self {
            list: Vec::new(),
            of: Vec::new(),
        };
        let mut known: HashMap<*const Resource, usize> = HashMap::new();
        for node in tree.nodes() {
            let span: &'a Span = node.span;
            let index = *known
                .entry(Arc::as_ptr(&span.resource))
                .or_insert_with(|| senders.index(&span.resource));
            senders.of.push(index);
        }
        senders
    }

    fn index(&mut self, resource: &'a Resource) -> usize {
        let known = self.list.iter().position(|known| *known == resource);
        known.unwrap_or_else(|| {
            self.list.push(resource);
            self.list.len() - 1
        })
    }

    /// All of them.
    pub fn list(&self) -> &[&'a Resource] {
        &self.list
    }

    /// The place in the list of the sender of the span at that place in the tree.
    pub fn of(&self, node: usize) -> usize {
        self.of.get(node).copied().unwrap_or(0)
    }
}

/// Which of a service's instances a resource is: its pod, instance, host or container, whichever it says first.
pub fn instance(resource: &Resource) -> Option<&str> {
    ["k8s.pod.name", "service.instance.id", "host.name", "container.id"]
        .into_iter()
        .find_map(|key| find(&resource.attributes, key).and_then(Value::as_str))
        .filter(|name| !name.is_empty())
}
