//! Spans as they are kept until somebody asks: the bytes that came, checked, and beside them what puts them in order.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use span::{SpanId, TraceId};

use super::scan::{Scanned, usual};
use super::{Reason, convert};
use crate::model::{Attributes, Kind, Outcome, PROVISIONAL_TRACE_ID, Resource, Scope, Span};
use crate::wire::{self, Wire, bytes_len};

/// Bytes that resources and scopes of a request take, mostly.
const HEADS_BYTES: usize = 1024;

/// A span in the bytes in which it came.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Who made it.
    pub resource: Arc<Resource>,
    /// Which instrumentation made it.
    pub scope: Arc<Scope>,
    /// The trace that it says it is part of.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// Which side of a call it is.
    pub kind: Kind,
    /// When it began.
    pub start: u64,
    /// When it ended.
    pub end: u64,
    /// Whether its status is an error.
    pub is_error: bool,
    /// The provisional trace that it brings into its own, if it names one.
    pub provisional: Option<TraceId>,
    /// Its share of what its resource and scope take in memory, in bytes.
    share: u32,
    /// Where its name stands.
    name: Range<u32>,
    bytes: Bytes,
}

impl Packed {
    /// The span in these bytes, if `check` lets it pass; `see` is shown it while it is looked at.
    pub(super) fn new(
        bytes: Bytes,
        resource: &Arc<Resource>,
        scope: &Arc<Scope>,
        check: impl FnOnce(&Scanned<'_>) -> Result<(), Reason>,
        see: impl FnOnce(&Self, &Scanned<'_>),
    ) -> Result<Self, Reason> {
        let odd;
        let (bytes, span) = match Scanned::new(&bytes) {
            Some(span) => (&bytes, span),
            None => {
                odd = usual(bytes)?;
                (&odd, Scanned::new(&odd).ok_or(Reason::Malformed)?)
            }
        };
        check(&span)?;
        let packed = Self {
            resource: Arc::clone(resource),
            scope: Arc::clone(scope),
            trace_id: span.trace_id().ok_or(Reason::TraceId)?,
            span_id: span.span_id().ok_or(Reason::SpanId)?,
            kind: span.kind,
            start: span.start,
            end: span.end,
            is_error: span.status.0 == Outcome::Error,
            provisional: span
                .text(PROVISIONAL_TRACE_ID)
                .and_then(|id| TraceId::from_hex(id.as_bytes())),
            share: share(resource, scope, 1),
            name: place(bytes, span.name),
            bytes: bytes.clone(),
        };
        see(&packed, &span);
        Ok(packed)
    }

    /// What the span says, in place.
    pub fn scan(&self) -> Scanned<'_> {
        // these bytes were scanned when they were packed
        Scanned::new(&self.bytes).unwrap_or_default()
    }

    /// The span in types of its own.
    pub fn unpack(&self) -> Span {
        let span = self.scan();
        Span {
            resource: Arc::clone(&self.resource),
            scope: Arc::clone(&self.scope),
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent_id: span.parent_id(),
            trace_state: span.trace_state.to_owned(),
            flags: span.flags,
            name: span.name.to_owned(),
            kind: self.kind,
            start: self.start,
            end: self.end,
            attributes: span.attributes(),
            events: span.events().unwrap_or_default(),
            // what events and links say was decoded when it was packed
            links: span.links().unwrap_or_default().0,
            status: span.status(),
            dropped: span.dropped(),
        }
    }

    /// The operation.
    pub fn name(&self) -> &str {
        let range = self.name.start as usize..self.name.end as usize;
        let name = self.bytes.get(range).unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }

    /// The service that made it; see [`Resource::service`].
    pub fn service(&self) -> &str {
        self.resource.service()
    }

    /// Nanoseconds from start to end; zero if it ends before it starts.
    pub fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// About how many bytes it takes in memory, with its share of its resource and scope.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + self.share as usize
    }
}

/// What each of so many spans takes of their resource and scope.
fn share(resource: &Resource, scope: &Scope, spans: usize) -> u32 {
    u32::try_from((resource.size() + scope.size()) / spans.max(1)).unwrap_or(u32::MAX)
}

/// Where a text stands that is a part of these bytes.
fn place(bytes: &[u8], text: &str) -> Range<u32> {
    let start = (text.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize);
    match (
        u32::try_from(start),
        u32::try_from(start.wrapping_add(text.len())),
    ) {
        (Ok(start), Ok(end)) => start..end,
        // an empty one may stand nowhere
        _ => 0..0,
    }
}

impl From<&Span> for Packed {
    fn from(span: &Span) -> Self {
        let bytes = Bytes::from(convert::to_protobuf(span).encode_to_vec());
        let name = Scanned::new(&bytes).map_or(0..0, |scanned| place(&bytes, scanned.name));
        Self {
            resource: Arc::clone(&span.resource),
            scope: Arc::clone(&span.scope),
            trace_id: span.trace_id,
            span_id: span.span_id,
            kind: span.kind,
            start: span.start,
            end: span.end,
            is_error: span.is_error(),
            provisional: span
                .text(PROVISIONAL_TRACE_ID)
                .and_then(|id| TraceId::from_hex(id.as_bytes())),
            share: share(&span.resource, &span.scope, 1),
            name,
            bytes,
        }
    }
}

/// Moves spans into an `ExportTraceServiceRequest` of their own, so that nothing else of the requests in which they came
/// stays in memory. Spans of one resource and scope that stand in a row are written under it once.
pub fn request(spans: &mut [Packed]) -> Bytes {
    let length = |spans: &[Packed]| -> usize { spans.iter().map(|span| bytes_len(span.bytes.len())).sum() };
    let mut out = Vec::with_capacity(length(spans) + HEADS_BYTES);
    let mut places = Vec::with_capacity(spans.len());
    let together =
        |a: &Packed, b: &Packed| Arc::ptr_eq(&a.resource, &b.resource) && Arc::ptr_eq(&a.scope, &b.scope);
    for group in spans.chunk_by(together) {
        let Some(first) = group.first() else { continue };
        let resource = convert::resource_to_protobuf(&first.resource).encode_to_vec();
        let scope = convert::scope_to_protobuf(&first.scope).encode_to_vec();
        let scoped = bytes_len(scope.len()) + length(group);
        wire::tag(&mut out, 1, Wire::Bytes);
        wire::varint(&mut out, (bytes_len(resource.len()) + bytes_len(scoped)) as u64);
        wire::bytes(&mut out, 1, &resource);
        wire::tag(&mut out, 2, Wire::Bytes);
        wire::varint(&mut out, scoped as u64);
        wire::bytes(&mut out, 1, &scope);
        let share = share(&first.resource, &first.scope, group.len());
        for span in group {
            wire::bytes(&mut out, 2, &span.bytes);
            places.push((out.len(), share));
        }
    }
    let request = Bytes::from(out);
    for (span, (end, share)) in spans.iter_mut().zip(places) {
        span.share = share;
        span.bytes = request.slice(end - span.bytes.len()..end);
    }
    request
}
