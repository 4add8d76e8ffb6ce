//! Which service calls which, read from the spans of whole traces. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use otlp::model::{Kind, Span};
use span::SpanId;

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
        let mut continued = HashSet::new();
        for span in spans {
            if let Some(caller) = tree
                .caller(span)
                .filter(|caller| caller.service() != span.service())
            {
                continued.insert(caller.span_id);
                self.count(caller.service(), span.service());
            }
        }
        let unanswered = spans.iter().filter(|span| {
            matches!(span.kind, Kind::Client | Kind::Producer) && !continued.contains(&span.span_id)
        });
        for span in unanswered {
            if let Some(peer) = peer(span).filter(|peer| *peer != span.service()) {
                self.count(span.service(), peer);
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

/// The spans of a trace by id. In Zipkin's traces a client span and its server span share one id.
struct Tree<'a> {
    clients: HashMap<SpanId, &'a Span>,
    others: HashMap<SpanId, &'a Span>,
}

impl<'a> Tree<'a> {
    fn new(spans: &'a [Arc<Span>]) -> Self {
        let (clients, others): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.kind == Kind::Client);
        let by_id =
            |spans: Vec<&'a Arc<Span>>| spans.into_iter().map(|span| (span.span_id, &**span)).collect();
        Self {
            clients: by_id(clients),
            others: by_id(others),
        }
    }

    /// The span that caused this one: the client with the same id, else the parent.
    fn caller(&self, span: &Span) -> Option<&'a Span> {
        let shared = self
            .clients
            .get(&span.span_id)
            .filter(|_| span.kind == Kind::Server);
        let parent = || {
            let id = span.parent_id?;
            self.others.get(&id).or_else(|| self.clients.get(&id))
        };
        shared.or_else(parent).copied()
    }
}

/// What an outbound span says of its other end: a name before an address.
fn peer(span: &Span) -> Option<&str> {
    [
        "peer.service",
        "service.peer.name",
        "messaging.system",
        "db.system.name",
        "db.system",
        "server.address",
        "network.peer.address",
    ]
    .into_iter()
    .find_map(|key| span.attribute(key)?.as_str().filter(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
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
