//! One look at a head: what its trace headers say, and how they are made to say something else.

use crate::dialect::carried::{Carried, Outgoing};
use crate::dialect::header::Header;
use crate::dialect::headers::{Found, Headers};
use crate::dialect::{
    Dialect, DialectSet, Tracestate, b3, datadog, jaeger, opencensus, opentracing, w3c, xray,
};
use crate::{Edits, Field, SpanContext, SpanId, TraceId};

/// What trace headers a head carries. Borrows the head's bytes, and allocates only if a trace header is repeated.
#[derive(Debug)]
pub struct Seen<'a> {
    headers: Headers<'a>,
    carried: [Option<Carried>; Dialect::ALL.len()],
    there: DialectSet,
}

/// The caller's span, which ours continues.
#[derive(Clone, Copy, Debug)]
pub struct Parent<'a> {
    /// The caller's span.
    pub context: SpanContext,
    /// The dialect that it was read from.
    pub dialect: Dialect,
    /// Whether the caller wants the trace sampled. `None`: it left the decision to us.
    pub sampled: Option<bool>,
    /// The caller wants this trace whatever the sampling says (B3 and Jaeger).
    pub debug: bool,
    /// Another dialect in the same head names another trace.
    pub conflict: bool,
    /// What other tracers keep in the trace, if `dialect` is [`Dialect::W3c`] and it is well-formed.
    pub tracestate: Option<Tracestate<'a>>,
}

/// Reads the trace headers of a head, given its fields in order.
///
/// A header that is repeated in other words makes its dialect malformed; in the same words it is taken once. Only
/// `tracestate` may come in pieces.
pub fn read<'a>(fields: &'a [Field<'a>]) -> Seen<'a> {
    let mut seen = Seen {
        headers: Headers::of(fields),
        carried: [None; Dialect::ALL.len()],
        there: DialectSet::default(),
    };
    let mut contradictory = DialectSet::default();
    // a head of so many fields is larger than any tap reads
    for (index, field) in (0..=u16::MAX).zip(fields) {
        let Some(header) = Header::of(field.name) else {
            continue;
        };
        let found = seen.headers.note(header, index);
        if let Some(dialect) = header.dialect() {
            seen.there.insert(dialect);
            if found == Found::Contradictory {
                contradictory.insert(dialect);
            }
        }
    }
    for dialect in seen
        .there
        .iter()
        .filter(|dialect| !contradictory.contains(*dialect))
    {
        if let Some(carried) = seen.carried.get_mut(dialect as usize) {
            *carried = read_dialect(dialect, &seen.headers);
        }
    }
    seen
}

impl Seen<'_> {
    /// The caller's span: that of the first dialect, in the order of [`Dialect::ALL`], which names one.
    pub fn parent(&self) -> Option<Parent<'_>> {
        let (dialect, context, carried) = self.contexts().next()?;
        let conflict = self
            .contexts()
            .any(|(_, other, _)| !same_trace(context.trace_id, other.trace_id));
        Some(Parent {
            context,
            dialect,
            sampled: carried.sampled.or_else(|| self.decision()),
            debug: carried.debug,
            conflict,
            tracestate: (dialect == Dialect::W3c)
                .then(|| Tracestate::read(&self.headers))
                .flatten(),
        })
    }

    /// Whether to sample, from a dialect that says so without naming a span: `b3: 0`, say.
    pub fn decision(&self) -> Option<bool> {
        self.well_formed()
            .filter(|(_, carried)| carried.span_id.is_none())
            .find_map(|(_, carried)| carried.sampled)
    }

    /// The trace that the caller has chosen without having a span in it. An AWS load balancer does so, and a browser
    /// that Datadog watches: a root span that takes this id can be found from there.
    pub fn chosen_trace(&self) -> Option<TraceId> {
        self.well_formed()
            .filter(|(_, carried)| carried.span_id.is_none())
            .find_map(|(_, carried)| carried.trace_id)
    }

    /// The dialects that are there with something well-formed: a span, a chosen trace, or only a decision.
    pub fn present(&self) -> DialectSet {
        self.well_formed().map(|(dialect, _)| dialect).collect()
    }

    /// The dialects that are there but not well-formed, or in contradiction with themselves.
    pub fn malformed(&self) -> DialectSet {
        self.there
            .iter()
            .filter(|dialect| self.carried(*dialect).is_none())
            .collect()
    }

    fn carried(&self, dialect: Dialect) -> Option<&Carried> {
        self.carried.get(dialect as usize)?.as_ref()
    }

    fn well_formed(&self) -> impl Iterator<Item = (Dialect, &Carried)> {
        self.there
            .iter()
            .filter_map(|dialect| Some((dialect, self.carried(dialect)?)))
    }

    fn contexts(&self) -> impl Iterator<Item = (Dialect, SpanContext, &Carried)> {
        self.well_formed()
            .filter_map(|(dialect, carried)| Some((dialect, carried.span_context()?, carried)))
    }
}

/// Whether a field of this name, in any case, is one of a dialect's.
pub fn carries_trace(name: &[u8]) -> bool {
    Header::of(name).is_some()
}

/// Makes every dialect that is there say `context`, and adds those `configured` that are not, so that none is stale.
///
/// `parent_span` is the parent of the span that `context` names, for the dialects that pass it on. Values keep the
/// shape that they came in: the width of ids as far as the new ones fit, encodings, fields of others. What was not
/// well-formed is replaced by something that is. A `tracestate` stays only with the trace that it came with.
pub fn write(
    seen: &Seen<'_>,
    context: &SpanContext,
    parent_span: Option<SpanId>,
    configured: DialectSet,
    edits: &mut Edits,
) {
    let outgoing = Outgoing {
        context: *context,
        parent: parent_span,
        debug: context.flags.is_sampled() && seen.well_formed().any(|(_, carried)| carried.debug),
        restarts: false,
    };
    write_all(seen, &outgoing, configured, edits, |dialect| {
        seen.carried(dialect)
    });
}

/// As [`write()`], for the root of a new trace at the edge of a trusted network (W3C Trace Context level 2, section 3.4,
/// "restart trace"): nothing of what came stays, neither in the dialects that are there nor beside them. No
/// `tracestate`, no debug flag, no field of others.
pub fn restart(seen: &Seen<'_>, context: &SpanContext, configured: DialectSet, edits: &mut Edits) {
    let outgoing = Outgoing {
        context: *context,
        parent: None,
        debug: false,
        restarts: true,
    };
    // what was not well-formed is replaced whole, and so is what is not trusted
    write_all(seen, &outgoing, configured, edits, |_| None);
}

fn write_all<'s>(
    seen: &Seen<'_>,
    outgoing: &Outgoing,
    configured: DialectSet,
    edits: &mut Edits,
    before: impl Fn(Dialect) -> Option<&'s Carried>,
) {
    let headers = &seen.headers;
    for dialect in seen.there.union(configured).iter() {
        let before = before(dialect);
        match dialect {
            Dialect::W3c => w3c::write(headers, before, outgoing, edits),
            Dialect::B3Single => b3::single::write(headers, before, outgoing, edits),
            Dialect::B3Multi => b3::multi::write(headers, before, outgoing, edits),
            Dialect::Jaeger => jaeger::write(headers, before, outgoing, edits),
            Dialect::OpenTracing => opentracing::write(headers, before, outgoing, edits),
            Dialect::OpenCensus => opencensus::write(headers, outgoing, edits),
            Dialect::XRay => xray::write(headers, before, outgoing, edits),
            Dialect::Datadog => datadog::write(headers, before, outgoing, edits),
        }
    }
}

fn read_dialect(dialect: Dialect, headers: &Headers<'_>) -> Option<Carried> {
    match dialect {
        Dialect::W3c => w3c::read(headers),
        Dialect::B3Single => b3::single::read(headers),
        Dialect::B3Multi => b3::multi::read(headers),
        Dialect::Jaeger => jaeger::read(headers),
        Dialect::OpenTracing => opentracing::read(headers),
        Dialect::OpenCensus => opencensus::read(headers),
        Dialect::XRay => xray::read(headers),
        Dialect::Datadog => datadog::read(headers),
    }
}

/// Whether two ids can name the same trace: a dialect may know the lower half only.
fn same_trace(one: TraceId, other: TraceId) -> bool {
    one.low() == other.low() && (one.high() == other.high() || one.high() == 0 || other.high() == 0)
}
