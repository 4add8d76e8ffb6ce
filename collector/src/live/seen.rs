//! What the live aggregates keep of a span: a few words and numbers.

use std::sync::Arc;

use otlp::model::Kind;
use otlp::receive::{Packed, Scanned};
use span::{SpanId, TraceId};

use super::names::Names;
use super::series::Call;
use crate::analysis::link::{LinkKind, link};
use crate::analysis::peer::{PeerKind, is_encrypted, peer};
use crate::analysis::senders::instance;

/// A span, as far as it is counted.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) service: Arc<str>,
    pub(super) operation: Arc<str>,
    pub(super) kind: Kind,
    pub(super) call: Call,
    pub(super) span_id: SpanId,
    pub(super) parent_id: Option<SpanId>,
    /// The trace in which spans below it say they are.
    pub(super) trace_below: TraceId,
    pub(super) peer: Option<SeenPeer>,
    pub(super) link: Option<SeenLink>,
    pub(super) instance: Option<Arc<str>>,
    /// The version of the sidecar that made it.
    pub(super) version: Option<Arc<str>>,
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

impl Seen {
    pub(super) fn new(packed: &Packed, span: &Scanned<'_>, names: &mut Names) -> Self {
        let sidecar = packed.scope.name == contract::told::SCOPE;
        // a connection that cannot be read has no request that could have a parent
        let link = link(span).filter(|_| !is_encrypted(span)).map(|link| SeenLink {
            kind: link.kind,
            confidence: link.confidence,
            detail: match link.kind {
                LinkKind::Propagated => link.dialect,
                LinkKind::Exact | LinkKind::Inferred => link.method,
                LinkKind::Unknown => link.reason,
            }
            .map(|detail| names.get(detail)),
        });
        Self {
            service: names.get(packed.service()),
            operation: names.get(span.name),
            kind: span.kind,
            call: Call {
                duration: span.duration(),
                error: packed.is_error,
                trace_id: packed.trace_id,
            },
            span_id: packed.span_id,
            parent_id: span.parent_id(),
            trace_below: packed.provisional.unwrap_or(packed.trace_id),
            peer: peer(span).map(|peer| (names.get(peer.name), peer.kind)),
            link,
            instance: instance(&packed.resource).map(|name| names.get(name)),
            version: sidecar.then(|| names.get(&packed.scope.version)),
        }
    }
}
