//! Reading the parameters of a request, with all their problems reported together.

use std::ops::RangeInclusive;
use std::time::UNIX_EPOCH;

use span::TraceId;

use super::answer::Refused;
use crate::query::{Condition, Order, Query};
use crate::time;

/// Traces that one search may ask for: what Jaeger UI offers at most.
const MAX_LIMIT: usize = 1500;
/// Traces of a search that does not say how many.
const DEFAULT_LIMIT: usize = 100;
/// Time that dependencies are counted over if the request does not say: what Jaeger takes.
const DEPENDENCY_LOOKBACK: u64 = 24 * 3600 * 1_000_000_000;

/// The parameters of one request. Empty ones are taken as absent, and unknown ones ignored, because Jaeger's clients
/// send both.
pub(super) struct Params {
    pairs: Vec<(String, String)>,
    problems: Vec<(&'static str, String)>,
}

impl Params {
    pub(super) fn new(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self {
            pairs: pairs
                .into_owned()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
            problems: Vec::new(),
        }
    }

    /// All problems that were found.
    pub(super) fn finish(self) -> Result<(), Refused> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Refused::bad_request(self.problems))
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.pairs.iter().find(|(key, _)| key == name)?;
        Some(value.clone())
    }

    pub(super) fn required(&mut self, name: &'static str) -> String {
        self.text(name).unwrap_or_else(|| {
            self.problems.push((name, "is required".to_owned()));
            String::new()
        })
    }

    /// Every trace id under `name`.
    pub(super) fn trace_ids(&mut self, name: &'static str) -> Vec<TraceId> {
        let values: Vec<_> = self.all(name).cloned().collect();
        let mut ids: Vec<_> = values
            .iter()
            .filter_map(|value| self.checked(name, trace_id(value)))
            .collect();
        if ids.len() > MAX_LIMIT {
            self.problems
                .push((name, format!("there are more than {MAX_LIMIT}")));
            ids.clear();
        }
        ids
    }

    /// Jaeger's search parameters, and our `order`. `now` is in nanoseconds since the Unix epoch.
    pub(super) fn search(&mut self, now: u64) -> Query {
        let shortest = self.duration("minDuration").unwrap_or(0);
        let longest = self.duration("maxDuration").unwrap_or(u64::MAX);
        if shortest > longest {
            self.problems
                .push(("minDuration", "is longer than maxDuration".to_owned()));
        }
        Query {
            service: self.text("service"),
            operation: self.text("operation"),
            conditions: self.tags(),
            duration: shortest..=longest,
            start: self.window(now),
            order: self.order(),
            limit: self.limit(&["limit"]),
            ..Query::default()
        }
    }

    /// `endTs` and `lookback`, both in milliseconds, as nanoseconds since the Unix epoch.
    pub(super) fn dependency_window(&mut self, now: u64) -> RangeInclusive<u64> {
        let end = self.number("endTs", 1_000_000).unwrap_or(now);
        let lookback = self.number("lookback", 1_000_000).unwrap_or(DEPENDENCY_LOOKBACK);
        end.saturating_sub(lookback)..=end
    }

    /// From `start` to `end`, both in microseconds. Without `start`, `lookback` says how long before the end; Jaeger UI
    /// sends both, and only the start counts then; its `custom` is no lookback. Without both there is no earliest time.
    fn window(&mut self, now: u64) -> RangeInclusive<u64> {
        let end = self.number("end", 1000);
        let start = self.number("start", 1000).or_else(|| {
            self.text("lookback").filter(|text| text != "custom")?;
            let lookback = self.duration("lookback")?;
            Some(end.unwrap_or(now).saturating_sub(lookback))
        });
        let start = start.unwrap_or(0);
        if end.is_some_and(|end| start > end) {
            self.problems.push(("start", "is after end".to_owned()));
        }
        start..=end.unwrap_or(u64::MAX)
    }

    /// `tags`, a JSON map of text, and any number of `tag=key:value`.
    fn tags(&mut self) -> Vec<Condition> {
        let mut tags = self.map("tags");
        let pairs: Vec<_> = self.all("tag").cloned().collect();
        for pair in pairs {
            match pair.split_once(':') {
                Some((key, value)) => tags.push(Condition::equals(key, value)),
                None => self
                    .problems
                    .push(("tag", format!("`{pair}` has to be key:value"))),
            }
        }
        tags
    }

    /// A JSON map of text.
    pub(super) fn map(&mut self, name: &'static str) -> Vec<Condition> {
        let mut tags = Vec::new();
        let maps: Vec<_> = self.all(name).cloned().collect();
        for map in maps {
            match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&map) {
                Ok(map) => tags.extend(map.into_iter().map(|(key, value)| match value {
                    serde_json::Value::String(text) => Condition::equals(key, text),
                    other => Condition::equals(key, other.to_string()),
                })),
                Err(error) => {
                    let what = format!("has to be a JSON map such as {{\"error\":\"true\"}}: {error}");
                    self.problems.push((name, what));
                }
            }
        }
        tags
    }

    fn order(&mut self) -> Order {
        match self.text("order").as_deref() {
            None | Some("time") => Order::Time,
            Some("duration") => Order::Duration,
            Some("span_duration") => Order::SpanDuration,
            Some("spans") => Order::Spans,
            Some("errors") => Order::Errors,
            Some(other) => {
                let allowed = "time, duration, span_duration, spans or errors";
                self.problems
                    .push(("order", format!("`{other}` is not {allowed}")));
                Order::Time
            }
        }
    }

    /// How many traces, under whichever of these names it stands.
    pub(super) fn limit(&mut self, names: &[&'static str]) -> usize {
        let said = names.iter().find_map(|name| Some((*name, self.text(name)?)));
        let Some((name, text)) = said else {
            return DEFAULT_LIMIT;
        };
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let limit = limit.ok_or_else(|| format!("`{text}` is not a number from 1 to {MAX_LIMIT}"));
        self.checked(name, limit).unwrap_or(DEFAULT_LIMIT)
    }

    /// An instant as RFC 3339 has it, as nanoseconds since the Unix epoch.
    pub(super) fn instant(&mut self, name: &'static str) -> Option<u64> {
        let text = self.text(name)?;
        let since = humantime::parse_rfc3339_weak(&text)
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .ok_or_else(|| format!("`{text}` is not an instant such as 2026-01-02T15:04:05.999Z"));
        self.checked(name, since).map(time::nanos)
    }

    /// A duration in Go's notation, as nanoseconds.
    pub(super) fn duration(&mut self, name: &'static str) -> Option<u64> {
        let text = self.text(name)?;
        let parsed =
            time::parse_duration(&text).ok_or_else(|| format!("`{text}` is not {}", time::DURATION_ALLOWED));
        self.checked(name, parsed).map(time::nanos)
    }

    /// A whole number of `unit` nanoseconds each.
    fn number(&mut self, name: &'static str, unit: u64) -> Option<u64> {
        let text = self.text(name)?;
        let unit_name = if unit == 1000 {
            "microseconds"
        } else {
            "milliseconds"
        };
        let parsed = text
            .parse::<u64>()
            .map_err(|_| format!("`{text}` is not a number of {unit_name}"));
        Some(self.checked(name, parsed)?.saturating_mul(unit))
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a String> {
        self.pairs
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value)
    }

    fn checked<T>(&mut self, name: &'static str, value: Result<T, String>) -> Option<T> {
        value.map_err(|what| self.problems.push((name, what))).ok()
    }
}

/// A trace id as people and Jaeger write it: up to 32 hexadecimal digits, leading zeroes left out if they like.
pub(super) fn trace_id(text: &str) -> Result<TraceId, String> {
    let padded = format!("{text:0>32}");
    TraceId::from_hex(padded.as_bytes())
        .ok_or_else(|| format!("`{text}` is not 1 to 32 hexadecimal digits other than zero"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is asked is a search with sane bounds or a list of problems.
        #[test]
        fn no_question_panics(
            name in "start|end|lookback|limit|minDuration|maxDuration|tag|tags|order|traceID|endTs|spanKind",
            value in "[0-9]{1,22}|.{0,20}|-?[0-9.]{1,6}(ns|us|ms|s|m|h|d)",
            other in "[ -~]{0,40}",
        ) {
            let query = form_urlencoded::Serializer::new(other + "&").append_pair(&name, &value).finish();
            let mut params = Params::new(Some(&query));
            let ids = params.trace_ids("traceID");
            let search = params.search(START);
            params.dependency_window(START);
            prop_assert!(ids.len() <= MAX_LIMIT);
            prop_assert!((1..=MAX_LIMIT).contains(&search.limit));
            if params.finish().is_ok() {
                prop_assert!(search.start.start() <= search.start.end());
                prop_assert!(search.duration.start() <= search.duration.end());
            }
        }
    }

    const START: u64 = crate::fixtures::START;
}
