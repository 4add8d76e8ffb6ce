//! What is missing from a trace, each with a reason from a closed set.

use otlp::model::Dropped;

use super::link::{LinkKind, link};
use super::peer::{PeerKind, is_encrypted, peer};
use super::tree::{Node, Tree, is_outbound};

/// Why something is missing. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The span names a parent that has not been received.
    MissingParent,
    /// It names one that its caller had decided not to record.
    UnsampledParent,
    /// It is a call whose cause is not known.
    LinkUnknown,
    /// What passed over its TLS connection cannot be seen.
    EncryptedPeer,
    /// The service that it called sent no span.
    SilentPeer,
    /// It has no end yet.
    OpenSpan,
    /// Its sender left out a part of it.
    AttributesDropped,
}

/// Something is missing at a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub reason: Reason,
    /// The place of the span in its tree.
    pub node: usize,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::MissingParent,
        Self::UnsampledParent,
        Self::LinkUnknown,
        Self::EncryptedPeer,
        Self::SilentPeer,
        Self::OpenSpan,
        Self::AttributesDropped,
    ];

    /// As JSON and labels have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingParent => "missing_parent",
            Self::UnsampledParent => "unsampled_parent",
            Self::LinkUnknown => "link_unknown",
            Self::EncryptedPeer => "encrypted_peer",
            Self::SilentPeer => "silent_peer",
            Self::OpenSpan => "open_span",
            Self::AttributesDropped => "attributes_dropped",
        }
    }

    /// Whether a span that comes later may close it.
    pub fn may_close(self) -> bool {
        match self {
            Self::MissingParent | Self::LinkUnknown | Self::SilentPeer | Self::OpenSpan => true,
            Self::UnsampledParent | Self::EncryptedPeer | Self::AttributesDropped => false,
        }
    }
}

impl Gap {
    /// What is missing, in words.
    pub fn text(&self, tree: &Tree<'_>) -> String {
        let Some(span) = tree.get(self.node).map(|node| node.span) else {
            return String::new();
        };
        let parent = || span.parent_id.map(|id| id.to_string()).unwrap_or_default();
        let other = || peer(span).map_or("the service that it called", |peer| peer.name);
        match self.reason {
            Reason::MissingParent => format!("its parent {} has not been received", parent()),
            Reason::UnsampledParent => format!("its parent {} was not sampled", parent()),
            Reason::LinkUnknown => match link(span).and_then(|link| link.reason) {
                Some(reason) => format!("what caused this call is not known: {reason}"),
                None => "what caused this call is not known".to_owned(),
            },
            Reason::EncryptedPeer => "the connection is encrypted: no requests can be seen on it".to_owned(),
            Reason::SilentPeer => format!("{} sent no span of this call", other()),
            Reason::OpenSpan => "it has no end yet".to_owned(),
            Reason::AttributesDropped => {
                let Dropped {
                    attributes,
                    events,
                    links,
                } = span.dropped;
                format!("its sender left out {attributes} attributes, {events} events and {links} links")
            }
        }
    }

    /// What would help, if anything would.
    pub fn fix(&self, tree: &Tree<'_>) -> Option<&'static str> {
        let span = tree.get(self.node)?.span;
        match self.reason {
            Reason::MissingParent => Some(
                "if the caller has no sidecar, give it one; if it has, its metric spans_lost_total says whether the span was lost",
            ),
            Reason::UnsampledParent => {
                Some("let the caller sample the trace, or leave the decision to the sidecars")
            }
            Reason::LinkUnknown => Some(advice(link(span).and_then(|link| link.reason))),
            Reason::EncryptedPeer | Reason::OpenSpan => None,
            Reason::SilentPeer => {
                Some("give it a sidecar; if it has one, the call did not get there, or its span was lost")
            }
            Reason::AttributesDropped => Some("raise the limits of the SDK that made it"),
        }
    }
}

/// What an admin can do about calls whose cause is unknown for this reason.
pub fn advice(reason: Option<&str>) -> &'static str {
    match reason {
        Some("background") => "nothing: the program made these calls on its own account",
        Some("chosen") => "nothing: the application began these traces on purpose",
        Some("unseen") => {
            "requests come in over connections that cannot be read (TLS, or another protocol): let TLS end before the \
             sidecar, or have the application pass the traceparent header on"
        }
        Some("off") => "let the sidecar look for causes: propagate-inferred is off for this workload",
        Some("cause_not_sampled") => "sample all or none of the workloads of a trace alike",
        Some("too_many" | "budget") => {
            "more requests are in flight than the sidecar follows: add replicas, or have the application pass the \
             traceparent header on"
        }
        Some(_) | None => {
            "have the application copy the traceparent header, or only x-request-id, from the request that it serves to \
             the calls that it makes"
        }
    }
}

/// All gaps of a trace, in the order of its tree.
pub fn gaps(tree: &Tree<'_>) -> Vec<Gap> {
    let nodes = tree.nodes().iter().enumerate();
    nodes
        .flat_map(|(place, node)| {
            let found = [above(node), beside(tree, node), within(node)];
            found
                .into_iter()
                .flatten()
                .map(move |reason| Gap { reason, node: place })
        })
        .collect()
}

/// What is missing between a span and what caused it.
fn above(node: &Node<'_>) -> Option<Reason> {
    let sampled = node.span.flags & 1 == 1;
    if node.is_orphan() {
        return Some(if sampled {
            Reason::MissingParent
        } else {
            Reason::UnsampledParent
        });
    }
    let unknown = link(node.span).is_some_and(|link| {
        // nothing is missing above what a program does on its own account, or where it wants a trace to begin
        link.kind == LinkKind::Unknown && !matches!(link.reason, Some("background" | "chosen"))
    });
    let encrypted = is_encrypted(node.span);
    (unknown && !encrypted && node.parent.is_none() && is_outbound(node.span.kind))
        .then_some(Reason::LinkUnknown)
}

/// What is missing at the other end of a call. Of databases, brokers and hosts outside nothing is expected.
fn beside(tree: &Tree<'_>, node: &Node<'_>) -> Option<Reason> {
    if is_encrypted(node.span) {
        return Some(Reason::EncryptedPeer);
    }
    let expected = || peer(node.span).is_some_and(|peer| peer.kind == PeerKind::Silent);
    (is_outbound(node.span.kind) && tree.answer(node).is_none() && expected()).then_some(Reason::SilentPeer)
}

/// What is missing of a span itself.
fn within(node: &Node<'_>) -> Option<Reason> {
    if node.span.end == 0 {
        return Some(Reason::OpenSpan);
    }
    (node.span.dropped != Dropped::default()).then_some(Reason::AttributesDropped)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use otlp::model::{Kind, Span};

    use super::*;
    use crate::fixtures::*;

    fn reasons(spans: Vec<Span>) -> Vec<(u64, Reason)> {
        let spans: Vec<_> = spans.into_iter().map(Arc::new).collect();
        let tree = Tree::new(&spans);
        gaps(&tree)
            .into_iter()
            .map(|gap| (tree.nodes()[gap.node].span.span_id.as_u64(), gap.reason))
            .collect()
    }

    fn call(id: u64, parent: u64, attributes: &[(&str, &str)]) -> Span {
        span("a", 1, id)
            .with(child_of(parent, Kind::Client))
            .with(|span| {
                let attributes = attributes.iter().map(|(key, value)| text(key, value));
                span.attributes.extend(attributes);
            })
    }

    #[test]
    fn a_whole_trace_has_none() {
        let spans = vec![
            span("a", 1, 1).with(|span| span.kind = Kind::Server),
            call(2, 1, &[("server.address", "b")]),
            span("b", 1, 3).with(child_of(2, Kind::Server)),
            call(4, 1, &[("server.address", "api.example.com")]),
            call(5, 1, &[("db.system", "redis"), ("server.address", "cache")]),
            call(
                6,
                0,
                &[
                    (super::super::link::KIND, "unknown"),
                    (super::super::link::REASON, "background"),
                ],
            ),
        ];
        assert_eq!(reasons(spans), []);
    }

    #[test]
    fn every_gap_has_its_own_reason() {
        let spans = vec![
            span("a", 1, 1).with(child_of(99, Kind::Server)),
            span("a", 1, 2)
                .with(child_of(98, Kind::Server))
                .with(|span| span.flags = 0x100),
            call(3, 0, &[(super::super::link::KIND, "unknown")]),
            call(
                4,
                0,
                &[
                    ("meshtrace.encrypted", "true"),
                    (super::super::link::KIND, "unknown"),
                ],
            ),
            call(5, 1, &[("server.address", "b")]),
            span("a", 1, 6).with(|span| span.end = 0),
            span("a", 1, 7).with(|span| span.dropped.events = 1),
        ];
        let expected = [
            (1, Reason::MissingParent),
            (5, Reason::SilentPeer),
            (2, Reason::UnsampledParent),
            (3, Reason::LinkUnknown),
            (4, Reason::EncryptedPeer),
            (6, Reason::OpenSpan),
            (7, Reason::AttributesDropped),
        ];
        assert_eq!(reasons(spans), expected);
    }
}
