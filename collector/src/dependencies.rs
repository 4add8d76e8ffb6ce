//! Which service calls which, read from the spans of whole traces. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use otlp::model::Span;

use crate::analysis::peer::peer;
use crate::analysis::tree::{Tree, is_outbound};

/// One service called another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The service that called.
    pub parent: String,
    /// The service, or the peer without a sidecar, that was called.
    pub child: String,
    /// How often.
    pub calls: u64,
}

/// Calls counted by caller and callee.
#[derive(Debug, Default)]
pub struct Calls(BTreeMap<(String, String), u64>);

impl Calls {
    /// Counts the calls of one trace: every span whose parent is another service's, and every outbound span that
    /// nobody continued, to the peer that it names.
    pub fn add(&mut self, spans: &[Arc<Span>]) {
        let tree = Tree::new(spans);
        for node in tree.nodes() {
            let caller = node.span.service();
            let mut continued = false;
            for child in tree.children(node).map(|child| child.span.service()) {
                if child != caller {
                    continued = true;
                    self.count(caller, child);
                }
            }
            if is_outbound(node.span.kind)
                && !continued
                && let Some(peer) = peer(node.span).filter(|peer| peer.name != caller)
            {
                self.count(caller, peer.name);
            }
        }
    }

    fn count(&mut self, parent: &str, child: &str) {
        *self.0.entry((parent.to_owned(), child.to_owned())).or_default() += 1;
    }

    /// All of them, in the order of their names.
    pub fn finish(self) -> Vec<Dependency> {
        self.0
            .into_iter()
            .map(|((parent, child), calls)| Dependency { parent, child, calls })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use otlp::model::Kind;

    use super::*;
    use crate::fixtures::*;

    fn calls(spans: Vec<Span>) -> Vec<(String, String, u64)> {
        let spans: Vec<_> = spans.into_iter().map(Arc::new).collect();
        let mut calls = Calls::default();
        calls.add(&spans);
        calls
            .finish()
            .into_iter()
            .map(|call| (call.parent, call.child, call.calls))
            .collect()
    }

    fn call(parent: &str, child: &str, calls: u64) -> (String, String, u64) {
        (parent.to_owned(), child.to_owned(), calls)
    }

    fn to(peer: &'static str) -> impl Fn(&mut Span) {
        move |span| span.attributes.push(text("server.address", peer))
    }

    #[test]
    fn calls_between_services_are_counted_once_each() {
        let spans = vec![
            span("edge", 1, 1).with(child_of(99, Kind::Server)),
            span("edge", 1, 2)
                .with(child_of(1, Kind::Client))
                .with(to("bank")),
            span("bank", 1, 3).with(child_of(2, Kind::Server)),
            span("edge", 1, 4)
                .with(child_of(1, Kind::Client))
                .with(to("bank")),
            span("bank", 1, 5).with(child_of(4, Kind::Server)),
            span("bank", 1, 6).with(child_of(5, Kind::Internal)),
        ];
        assert_eq!(calls(spans), [call("edge", "bank", 2)]);
    }

    #[test]
    fn what_nobody_continued_goes_to_the_peer_that_it_names() {
        let spans = vec![
            span("bank", 1, 1)
                .with(child_of(9, Kind::Client))
                .with(to("ledger")),
            span("bank", 1, 2).with(child_of(9, Kind::Producer)).with(|span| {
                to("10.0.0.7")(span);
                span.attributes.push(text("messaging.system", "kafka"));
            }),
            span("bank", 1, 3).with(child_of(9, Kind::Client)),
            span("bank", 1, 4)
                .with(child_of(9, Kind::Internal))
                .with(to("ignored")),
        ];
        assert_eq!(
            calls(spans),
            [call("bank", "kafka", 1), call("bank", "ledger", 1)]
        );
    }

    #[test]
    fn a_client_and_a_server_that_share_an_id_are_one_call() {
        let spans = vec![
            span("edge", 1, 1)
                .with(child_of(9, Kind::Client))
                .with(to("bank")),
            span("bank", 1, 1).with(child_of(9, Kind::Server)),
            span("bank", 1, 2)
                .with(child_of(1, Kind::Client))
                .with(to("ledger")),
        ];
        assert_eq!(calls(spans), [call("bank", "ledger", 1), call("edge", "bank", 1)]);
    }

    #[test]
    fn a_service_that_calls_itself_depends_on_nobody() {
        let spans = vec![
            span("bank", 1, 1)
                .with(child_of(2, Kind::Client))
                .with(to("bank")),
            span("bank", 1, 2).with(child_of(1, Kind::Server)),
        ];
        assert_eq!(calls(spans), []);
    }
}
