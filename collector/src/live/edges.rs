//! Who calls whom, from spans as they arrive.
//!
//! A call is two spans of two senders, in either order: the caller's, and one below it. Both are remembered for a while
//! under the id of the caller's, and where they meet there is an edge between two services. A caller that nobody answers
//! has called the peer that it names; a callee whose caller never comes was called from outside.

use std::sync::Arc;

use span::{SpanId, TraceId};

use super::seen::{Group, Seen, SeenPeer};
use super::series::Call;
use super::waiting::Waiting;
use crate::analysis::peer::PeerKind;
use crate::analysis::tree::{is_inbound, is_outbound};

/// Spans that are remembered at once. The oldest is given up early for one more.
const WAITING: usize = 131_072;
/// How long a span waits for its other half, in nanoseconds.
const PATIENCE: u64 = 20 * 1_000_000_000;

/// What stands at an end of an edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// A service that sends spans.
    Service(Arc<str>),
    /// Whoever calls from outside.
    Outside,
    /// A peer of which no span is seen.
    Peer(PeerKind, Arc<str>),
}

/// A call from one node to another.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) from: Node,
    pub(super) to: Node,
    pub(super) call: Call,
}

/// What a span that others may hang below is known by: its trace as they say it, and its id.
type Key = (TraceId, SpanId);

#[derive(Debug)]
enum Half {
    /// A span that may have called.
    Caller {
        service: Arc<str>,
        /// What it says of the call, if it is one; its peer.
        call: Option<(Call, Option<SeenPeer>)>,
        answered: bool,
    },
    /// A span whose caller has not come.
    Callee { service: Arc<str>, call: Call },
}

/// The halves of calls.
#[derive(Debug, Default)]
pub(super) struct Edges {
    waiting: Waiting<Key, Half>,
}

impl Edges {
    /// Spans have come; `found` gets the edges that are known by them.
    pub(super) fn add(&mut self, group: &Group, now: u64, found: &mut Vec<Edge>) {
        self.give_up(now, found);
        for seen in &group.spans {
            if is_inbound(group.kind) {
                self.callee(&group.service, seen, now, found);
            }
            self.caller(&group.service, seen, is_outbound(group.kind), now, found);
        }
    }

    fn callee(&mut self, name: &Arc<str>, seen: &Seen, now: u64, found: &mut Vec<Edge>) {
        let service = || Node::Service(Arc::clone(name));
        if let Some((broker, kind @ PeerKind::Queue)) = &seen.peer {
            let from = Node::Peer(*kind, Arc::clone(broker));
            return found.push(edge(from, service(), seen.call));
        }
        let trace_id = seen.call.trace_id;
        // in Zipkin's traces a client and its server share an id
        let shared = Some((trace_id, seen.span_id)).filter(|key| self.is_call_of_another(*key, name));
        let Some(key) = shared.or(seen.parent_id.map(|parent| (trace_id, parent))) else {
            return found.push(edge(Node::Outside, service(), seen.call));
        };
        match self.waiting.get_mut(&key) {
            Some(Half::Caller {
                service: caller,
                call,
                answered,
            }) => {
                let call = if *answered { None } else { call.as_ref() };
                let call = call.map_or(seen.call, |(call, _)| *call);
                *answered = true;
                if caller != name {
                    found.push(edge(Node::Service(Arc::clone(caller)), service(), call));
                }
            }
            Some(Half::Callee { .. }) => {}
            None => {
                let (service, call) = (Arc::clone(name), seen.call);
                self.wait(key, Half::Callee { service, call }, now, found);
            }
        }
    }

    fn is_call_of_another(&mut self, key: Key, service: &Arc<str>) -> bool {
        let known = self.waiting.get_mut(&key);
        matches!(known, Some(Half::Caller { service: caller, call: Some(_), .. }) if caller != service)
    }

    fn caller(&mut self, service: &Arc<str>, seen: &Seen, outbound: bool, now: u64, found: &mut Vec<Edge>) {
        let key = (seen.trace_below, seen.span_id);
        let from = || Node::Service(Arc::clone(service));
        let mut answered = false;
        let known = self.waiting.get_mut(&key);
        match &known {
            Some(Half::Callee {
                service: callee,
                call,
            }) => {
                answered = true;
                if callee != service {
                    let call = if outbound { seen.call } else { *call };
                    found.push(edge(from(), Node::Service(Arc::clone(callee)), call));
                }
            }
            // a repeated span, or the server that shares its client's id
            Some(Half::Caller { .. }) => return,
            None => {}
        }
        if let Some((name, kind @ (PeerKind::Queue | PeerKind::Database | PeerKind::Encrypted))) = &seen.peer
            && outbound
        {
            answered = true;
            found.push(edge(from(), Node::Peer(*kind, Arc::clone(name)), seen.call));
        }
        let caller = Half::Caller {
            service: Arc::clone(service),
            call: outbound.then(|| (seen.call, seen.peer.clone())),
            answered,
        };
        match known {
            Some(half) => *half = caller,
            None => self.wait(key, caller, now, found),
        }
    }

    fn wait(&mut self, key: Key, half: Half, now: u64, found: &mut Vec<Edge>) {
        self.waiting.push(key, half, now);
        while self.waiting.len() > WAITING {
            found.extend(self.waiting.pop().and_then(given_up));
        }
    }

    /// Those that have waited long enough wait no longer.
    pub(super) fn give_up(&mut self, now: u64, found: &mut Vec<Edge>) {
        let late = now.saturating_sub(PATIENCE);
        while let Some(half) = self.waiting.pop_since(late) {
            found.extend(given_up(half));
        }
    }
}

/// What a half says whose other one does not come.
fn given_up(half: Half) -> Option<Edge> {
    match half {
        Half::Caller {
            service,
            call: Some((call, Some((name, kind)))),
            answered: false,
        } if name != service => Some(edge(Node::Service(service), Node::Peer(kind, name), call)),
        Half::Callee { service, call } => Some(edge(Node::Outside, Node::Service(service), call)),
        Half::Caller { .. } => None,
    }
}

fn edge(from: Node, to: Node, call: Call) -> Edge {
    Edge { from, to, call }
}

#[cfg(test)]
mod tests {
    use otlp::model::{Kind, Span};
    use otlp::receive::Packed;
    use proptest::prelude::*;

    use super::super::names::Names;
    use super::*;
    use crate::fixtures::*;

    fn to(peer: &'static str) -> impl Fn(&mut Span) {
        move |span| span.attributes.push(text("server.address", peer))
    }

    /// The edges of these spans in that order, with the duration in microseconds that each has.
    fn edges(spans: impl IntoIterator<Item = Span>) -> Vec<(String, String, u64)> {
        let (mut edges, mut names, mut found) = (Edges::default(), Names::default(), Vec::new());
        for span in spans {
            let span = Packed::from(&span);
            let mut group = Group::new(&span, &span.scan(), &mut names);
            group.add(&span, &span.scan(), |name| names.get(name));
            edges.add(&group, START, &mut found);
        }
        edges.give_up(START + PATIENCE, &mut found);
        assert_eq!(edges.waiting.len(), 0);
        let name = |node: Node| match node {
            Node::Service(name) => name.to_string(),
            Node::Outside => "outside".to_owned(),
            Node::Peer(kind, name) => format!("{kind:?} {name}"),
        };
        let mut found: Vec<_> = found
            .into_iter()
            .map(|edge| (name(edge.from), name(edge.to), edge.call.duration / 1000))
            .collect();
        found.sort();
        found
    }

    fn call(from: &str, to: &str, micros: u64) -> (String, String, u64) {
        (from.to_owned(), to.to_owned(), micros)
    }

    fn lasts(micros: u64) -> impl Fn(&mut Span) {
        move |span| span.end = span.start + micros * 1000
    }

    #[test]
    fn halves_meet_in_every_order_and_across_a_provisional_trace() {
        let spans = vec![
            span("edge", 1, 1).with(child_of(0, Kind::Server)).with(lasts(9)),
            span("edge", 1, 2)
                .with(child_of(1, Kind::Client))
                .with(resolves(7))
                .with(to("bank:8080"))
                .with(lasts(5)),
            span("bank", 7, 3).with(child_of(2, Kind::Server)).with(lasts(4)),
            span("bank", 7, 4).with(child_of(3, Kind::Internal)),
            span("bank", 7, 5)
                .with(child_of(4, Kind::Client))
                .with(to("ledger"))
                .with(lasts(2)),
            span("bank", 7, 6).with(child_of(99, Kind::Server)).with(lasts(1)),
        ];
        let expected = [
            call("bank", "Silent ledger", 2),
            call("edge", "bank", 5),
            call("outside", "bank", 1),
            call("outside", "edge", 9),
        ];
        proptest!(|(spans in Just(spans).prop_shuffle())| {
            prop_assert_eq!(&edges(spans)[..], &expected[..]);
        });
    }

    #[test]
    fn databases_brokers_and_encrypted_peers_are_not_waited_for() {
        let said = |key: &'static str, value: &'static str| {
            move |span: &mut Span| span.attributes.push(text(key, value))
        };
        let spans = [
            span("a", 1, 1)
                .with(child_of(9, Kind::Client))
                .with(said("db.system", "redis")),
            span("a", 1, 2)
                .with(child_of(9, Kind::Producer))
                .with(said("messaging.system", "kafka")),
            span("b", 1, 3)
                .with(child_of(2, Kind::Consumer))
                .with(said("messaging.system", "kafka")),
            span("a", 1, 4)
                .with(child_of(0, Kind::Client))
                .with(to("bank"))
                .with(said("meshtrace.encrypted", "true")),
        ];
        let expected = [
            call("Queue kafka", "b", 1000),
            call("a", "Database redis", 1000),
            call("a", "Encrypted bank", 1000),
            call("a", "Queue kafka", 1000),
        ];
        assert_eq!(edges(spans), expected);
    }

    #[test]
    fn a_client_and_a_server_that_share_an_id_are_one_call() {
        let client = span("a", 1, 1).with(child_of(9, Kind::Client)).with(to("b"));
        let server = span("b", 1, 1).with(child_of(9, Kind::Server));
        assert_eq!(edges([client, server]), [call("a", "b", 1000)]);
    }

    #[test]
    fn a_repeated_span_is_one_call() {
        let client = span("a", 1, 1).with(child_of(9, Kind::Client)).with(to("b"));
        let server = span("b", 1, 2).with(child_of(1, Kind::Server));
        let spans = [client.clone(), client, server];
        assert_eq!(edges(spans), [call("a", "b", 1000)]);
    }
}
