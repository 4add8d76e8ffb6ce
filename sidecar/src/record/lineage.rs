//! Whose child a span is, how that was found, and how the span says so.

use causality::{Certainty, Method, Unknown};
use otlp::encode::SpanEncoder;
use otlp::model::PROVISIONAL_TRACE_ID;
use span::{Dialect, SpanContext, SpanId, TraceId};

/// How a span's parent was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Link {
    /// The request carried its context.
    Propagated,
    /// It carried none; which request caused it was found out.
    Found(Certainty, Method),
    /// It carried none, and what caused it is not known yet: it starts a trace until it is.
    Provisional,
    /// It carried none, and what caused it cannot be known: it starts a trace of its own. Of a request that comes in
    /// nobody asks why.
    Unknown(Option<Reason>),
}

/// Why nobody knows what caused an outbound call. A closed set: it labels a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It cannot be found out.
    Cause(Unknown),
    /// Nobody is to find out.
    Off,
    /// The application has chosen the call's trace, or its sampling, without naming a span.
    Chosen,
    /// It was found out too late: the request that caused it is not sampled, the call is.
    CauseNotSampled,
}

impl Link {
    /// As `meshtrace.link.kind` and labels have it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Propagated => "propagated",
            Self::Found(Certainty::Exact, _) => "exact",
            Self::Found(Certainty::Inferred(_), _) => "inferred",
            Self::Provisional => "provisional",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl Reason {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let ours = [Self::Off, Self::Chosen, Self::CauseNotSampled];
        Unknown::ALL.into_iter().map(Self::Cause).chain(ours)
    }

    /// As attributes and labels have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cause(unknown) => unknown.name(),
            Self::Off => "off",
            Self::Chosen => "chosen",
            Self::CauseNotSampled => "cause_not_sampled",
        }
    }
}

/// What was found out about a call's cause.
pub(super) type Word = Result<causality::Link<SpanContext>, Unknown>;

impl From<Word> for Link {
    fn from(word: Word) -> Self {
        match word {
            Ok(found) => Self::Found(found.certainty, found.method),
            Err(unknown) => Self::Unknown(Some(Reason::Cause(unknown))),
        }
    }
}

/// A span's identity, its parent, and how that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lineage {
    pub(crate) context: SpanContext,
    pub(crate) parent: Option<SpanId>,
    pub(crate) link: Link,
    /// The trace that the request carried on the wire, if it turned out to be part of another.
    pub(crate) provisional: Option<TraceId>,
    /// The dialect in which the request carried its context, if it did.
    pub(crate) dialect: Option<Dialect>,
}

impl Lineage {
    /// The root of a trace.
    pub(super) fn root(context: SpanContext, link: Link) -> Self {
        Self {
            context,
            parent: None,
            link,
            provisional: None,
            dialect: None,
        }
    }

    /// The child of a parent that was found.
    pub(super) fn child(parent: SpanContext, span_id: SpanId, sampled: bool, link: Link) -> Self {
        Self {
            context: SpanContext {
                span_id,
                flags: parent.flags.with_sampled(sampled),
                ..parent
            },
            parent: Some(parent.span_id),
            link,
            provisional: None,
            dialect: None,
        }
    }

    /// What becomes of a provisional root, now that the last word on it has been said.
    ///
    /// Where the cause is not sampled there is no trace to be part of: the subtree, which is, stays one of its own.
    pub(super) fn resolved(self, word: Word) -> Self {
        match word {
            Ok(found) if found.parent.flags.is_sampled() => Self {
                provisional: Some(self.context.trace_id),
                ..Self::child(found.parent, self.context.span_id, true, word.into())
            },
            Ok(_) => Self::root(self.context, Link::Unknown(Some(Reason::CauseNotSampled))),
            Err(_) => Self::root(self.context, word.into()),
        }
    }

    /// Writes it into a span, whose last word this is.
    pub(super) fn write(&self, span: &mut SpanEncoder) {
        span.word("meshtrace.link.kind", self.link.kind());
        if let Some(dialect) = self.dialect {
            span.word("meshtrace.link.dialect", dialect.name());
        }
        match self.link {
            Link::Found(certainty, method) => {
                span.double("meshtrace.link.confidence", certainty.confidence());
                span.word("meshtrace.link.method", method.name());
            }
            Link::Unknown(Some(reason)) => span.word("meshtrace.link.reason", reason.name()),
            Link::Propagated | Link::Provisional | Link::Unknown(None) => {}
        }
        if let Some(provisional) = self.provisional {
            span.text(PROVISIONAL_TRACE_ID, provisional.to_string().as_bytes());
            // for whoever cannot read two traces as one: the place in the other trace that this span had on the wire
            span.link(&SpanContext {
                trace_id: provisional,
                ..self.context
            });
        }
        // a parent that was found here is another span of this process; one that came with the request is not
        let remote = self.link == Link::Propagated;
        span.context(&self.context, self.parent, remote);
    }
}

#[cfg(test)]
mod tests {
    use span::TraceFlags;

    use super::*;

    fn context(trace: u64, span: u64, sampled: bool) -> SpanContext {
        SpanContext {
            trace_id: TraceId::from_u64(trace).unwrap(),
            span_id: SpanId::from_u64(span).unwrap(),
            flags: TraceFlags::default().with_sampled(sampled),
        }
    }

    fn found(sampled: bool) -> Word {
        Ok(causality::Link {
            parent: context(1, 10, sampled),
            certainty: Certainty::Inferred(0.995),
            method: Method::Joint,
        })
    }

    #[test]
    fn a_provisional_root_becomes_the_child_of_its_cause_and_says_which_trace_the_wire_carried() {
        let open = Lineage::root(context(2, 20, true), Link::Provisional);
        let known = open.resolved(found(true));
        assert_eq!(known.context, context(1, 20, true));
        assert_eq!(known.parent, SpanId::from_u64(10));
        assert_eq!(known.provisional, TraceId::from_u64(2));
        assert_eq!(known.link.kind(), "inferred");
    }

    #[test]
    fn a_provisional_root_stays_the_root_where_its_cause_is_unknown_or_not_sampled() {
        let open = Lineage::root(context(2, 20, true), Link::Provisional);
        for (word, reason) in [
            (found(false), "cause_not_sampled"),
            (Err(Unknown::Ambiguous), "ambiguous"),
        ] {
            let known = open.resolved(word);
            assert_eq!(
                (known.context, known.parent, known.provisional),
                (open.context, None, None)
            );
            assert!(matches!(known.link, Link::Unknown(Some(why)) if why.name() == reason));
        }
    }
}
