use std::fmt;

/// Why a span was refused. A closed set: it labels a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// It does not decode: broken protobuf or JSON, text that is not UTF-8, nesting too deep.
    Malformed,
    /// Its trace id is not 16 bytes, or all zero.
    TraceId,
    /// Its own id is not 8 bytes, or all zero.
    SpanId,
    /// Its parent's id is not 8 bytes, or its own.
    ParentId,
    /// It begins, or has ended, outside [`limits::TIMES`](super::limits::TIMES).
    Time,
    /// It is larger than [`limits::SPAN_BYTES`](super::limits::SPAN_BYTES).
    TooLarge,
    /// Its name is longer than [`limits::NAME_BYTES`](super::limits::NAME_BYTES).
    NameTooLong,
    /// It, or an event or a link of it, has more than [`limits::ATTRIBUTES`](super::limits::ATTRIBUTES).
    TooManyAttributes,
    /// It has more than [`limits::EVENTS`](super::limits::EVENTS).
    TooManyEvents,
    /// It has more than [`limits::LINKS`](super::limits::LINKS).
    TooManyLinks,
    /// Its resource or its scope does not decode, or is too large.
    Resource,
    /// The request has more than [`limits::SPANS`](super::limits::SPANS), and this is one of the rest.
    TooManySpans,
}

impl Reason {
    /// Every reason there is.
    pub const ALL: [Self; 12] = [
        Self::Malformed,
        Self::TraceId,
        Self::SpanId,
        Self::ParentId,
        Self::Time,
        Self::TooLarge,
        Self::NameTooLong,
        Self::TooManyAttributes,
        Self::TooManyEvents,
        Self::TooManyLinks,
        Self::Resource,
        Self::TooManySpans,
    ];

    /// Its name in metrics and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TraceId => "trace_id",
            Self::SpanId => "span_id",
            Self::ParentId => "parent_id",
            Self::Time => "time",
            Self::TooLarge => "too_large",
            Self::NameTooLong => "name_too_long",
            Self::TooManyAttributes => "too_many_attributes",
            Self::TooManyEvents => "too_many_events",
            Self::TooManyLinks => "too_many_links",
            Self::Resource => "resource",
            Self::TooManySpans => "too_many_spans",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Malformed => {
                "does not decode: text has to be UTF-8, nesting at most 100 levels deep; in JSON ids are hexadecimal and enums numbers"
            }
            Self::TraceId => "trace id has to be 16 bytes, not all zero",
            Self::SpanId => "span id has to be 8 bytes, not all zero",
            Self::ParentId => "parent span id has to be empty or 8 bytes, and not the span's own",
            Self::Time => {
                "start has to be in the years 2000 to 2099, in nanoseconds, and the end too unless it is zero"
            }
            Self::TooLarge => "a span has at most 1 MiB",
            Self::NameTooLong => "a name has at most 4 KiB",
            Self::TooManyAttributes => "a span, an event and a link have at most 1024 attributes each",
            Self::TooManyEvents => "a span has at most 1024 events",
            Self::TooManyLinks => "a span has at most 1024 links",
            Self::Resource => "resource and scope have to decode and have at most 64 KiB each",
            Self::TooManySpans => "a request has at most 65536 spans",
        }
    }
}

/// How many spans were refused, by reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Refusals([u64; Reason::ALL.len()]);

impl Refusals {
    /// Counts that many more.
    pub fn add(&mut self, reason: Reason, spans: u64) {
        if let Some(count) = self.0.get_mut(reason as usize) {
            *count = count.saturating_add(spans);
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The reasons that occurred, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL
            .into_iter()
            .zip(self.0)
            .filter(|(_, count)| *count > 0)
    }
}

/// For the sender: `2 trace_id (trace id has to be …), 1 time (…)`.
impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (reason, count)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {} ({})", reason.as_str(), reason.advice())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_under_its_own_name() {
        let mut refused = Refusals::default();
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            refused.add(reason, index as u64 + 1);
        }
        let seen: Vec<_> = refused.iter().collect();
        let expected: Vec<_> = Reason::ALL.into_iter().zip(1..).collect();
        assert_eq!(seen, expected);
        assert_eq!(refused.total(), 78);
    }

    #[test]
    fn the_message_says_how_many_and_what_is_allowed() {
        let mut refused = Refusals::default();
        refused.add(Reason::SpanId, 2);
        assert_eq!(
            refused.to_string(),
            "2 span_id (span id has to be 8 bytes, not all zero)"
        );
    }
}
