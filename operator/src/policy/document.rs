//! How a sidecar is told: in the form of its own configuration file. Pure.

use std::collections::BTreeMap;

use serde_json::Value;
use settings::Update;

use super::key::{Holds, Key, texts};
use super::precedence::Policy;

/// What those who have the word tell a running sidecar. Empty where nobody says anything: then its own settings hold.
pub fn update(words: &BTreeMap<Key, (&Policy, Value)>) -> Update {
    let mut document = BTreeMap::new();
    let mut origins = BTreeMap::new();
    for (key, (policy, said)) in words {
        if let Holds::Live(name) = key.holds() {
            document.insert(name, said);
            origins.insert(name.to_owned(), format!("TracePolicy {}", policy.title()));
        }
    }
    let document = if document.is_empty() {
        String::new()
    } else {
        process::config::render(&document)
    };
    Update::new(document, origins)
}

/// What they say that never comes to the sidecar, for a pod that is made now.
pub fn skip(words: &BTreeMap<Key, (&Policy, Value)>) -> inject::decide::Skip {
    let list = |key| words.get(&key).map(|(_, said)| texts(Some(said.clone())));
    inject::decide::Skip {
        inbound_ports: list(Key::SkipInboundPorts),
        outbound_ports: list(Key::SkipOutboundPorts),
        outbound_cidrs: list(Key::SkipOutboundCidrs),
    }
}
