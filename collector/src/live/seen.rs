//! What the live aggregates keep of a span: a few words and numbers.

use std::sync::Arc;

use otlp::model::{Attributes, Kind, Resource, Scope};
use otlp::receive::{Packed, Scanned};
use span::{SpanId, TraceId};

use super::names::Names;
use super::series::Call;
use crate::analysis::link::{LinkKind, link};
use crate::analysis::peer::{PeerKind, is_encrypted, peer};
use crate::analysis::senders::instance;
use crate::analysis::tree::{is_inbound, is_outbound};

/// Spans of one request that have the same sender and the same name: looked up once, counted together.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) service: Arc<str>,
    pub(super) operation: Arc<str>,
    pub(super) kind: Kind,
    pub(super) instance: Option<Arc<str>>,
    /// The version of the sidecar that made them.
    pub(super) version: Option<Arc<str>>,
    pub(super) spans: Vec<Seen>,
    /// Whose they are, so that the next one of them is known without a look at its words.
    resource: Arc<Resource>,
    scope: Arc<Scope>,
}

/// A span, as far as it is counted.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) call: Call,
    pub(super) span_id: SpanId,
    pub(super) parent_id: Option<SpanId>,
    /// The trace in which spans below it say they are.
    pub(super) trace_below: TraceId,
    /// Of an outbound span, and of an inbound one from a queue.
    pub(super) peer: Option<SeenPeer>,
    /// Of an outbound span.
    pub(super) link: Option<SeenLink>,
}

/// The other side of a call.
pub(super) type SeenPeer = (Arc<str>, PeerKind);

/// How the span's parent was found.
#[derive(Clone, Debug)]
pub(super) struct SeenLink {
    pub(super) kind: LinkKind,
    pub(super) confidence: f64,
    /// The dialect, the method, or the reason, whichever tells most of that kind.
    pub(super) detail: Option<Arc<str>>,
}

impl Group {
    /// Of spans like this one; it has none yet.
    pub(super) fn new(packed: &Packed, span: &Scanned<'_>, names: &mut Names) -> Self {
        let sidecar = packed.scope.name == contract::told::SCOPE;
        Self {
            service: names.get(packed.service()),
            operation: names.get(span.name),
            kind: span.kind,
            instance: instance(&packed.resource).map(|name| names.get(name)),
            version: sidecar.then(|| names.get(&packed.scope.version)),
            spans: Vec::new(),
            resource: Arc::clone(&packed.resource),
            scope: Arc::clone(&packed.scope),
        }
    }

    /// Whether a span is one of these.
    pub(super) fn has(&self, packed: &Packed, span: &Scanned<'_>) -> bool {
        self.kind == span.kind
            && *self.operation == *span.name
            && Arc::ptr_eq(&self.resource, &packed.resource)
            && Arc::ptr_eq(&self.scope, &packed.scope)
    }

    /// Adds one of these. `names` gives the name that others know by the same address.
    pub(super) fn add(
        &mut self,
        packed: &Packed,
        span: &Scanned<'_>,
        mut names: impl FnMut(&str) -> Arc<str>,
    ) {
        let outbound = is_outbound(self.kind);
        // a connection that cannot be read has no request that could have a parent
        let link = link(span).filter(|_| outbound && !is_encrypted(span));
        let link = link.map(|link| SeenLink {
            kind: link.kind,
            confidence: link.confidence,
            detail: match link.kind {
                LinkKind::Propagated => link.dialect,
                LinkKind::Exact | LinkKind::Inferred => link.method,
                LinkKind::Unknown => link.reason,
            }
            .map(&mut names),
        });
        let asked = outbound || is_inbound(self.kind) && span.text("messaging.system").is_some();
        let peer = asked.then(|| peer(span)).flatten();
        self.spans.push(Seen {
            call: Call {
                duration: span.duration(),
                error: packed.is_error,
                trace_id: packed.trace_id,
            },
            span_id: packed.span_id,
            parent_id: span.parent_id(),
            trace_below: packed.provisional.unwrap_or(packed.trace_id),
            peer: peer.map(|peer| (names(peer.name), peer.kind)),
            link,
        });
    }
}
