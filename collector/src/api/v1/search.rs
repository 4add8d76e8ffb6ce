//! A search as it is asked, in a body or in a query string, and what is wrong with it.

use std::ops::RangeInclusive;

use otlp::model::Kind;
use serde::Deserialize;
use serde_json::Value;

use super::answer::{Problem, Refused};
use super::ask::{self, Asked};
use super::cursor;
use crate::analysis::link::LinkKind;
use crate::query::{Comparison, Condition, Order, Outcome, Query, Test, all_ids, ids_beginning, number_in};

/// Traces on one page at most, and where the search does not say.
const LIMITS: (usize, usize) = (1000, 20);
/// Conditions of one search.
const CONDITIONS: usize = 16;
/// Bytes of a key.
const KEY_BYTES: usize = 256;

pub(super) const KINDS: [(&str, Kind); 6] = [
    ("unspecified", Kind::Unspecified),
    ("internal", Kind::Internal),
    ("server", Kind::Server),
    ("client", Kind::Client),
    ("producer", Kind::Producer),
    ("consumer", Kind::Consumer),
];

/// A kind, as our JSON has it.
pub(super) fn kind_name(kind: Kind) -> &'static str {
    let named = KINDS.iter().find(|(_, named)| *named == kind);
    named.map_or("unspecified", |(name, _)| *name)
}

/// What is asked, not yet checked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Search {
    service: Option<String>,
    operation: Option<String>,
    kind: Option<String>,
    status: Option<String>,
    link_kind: Option<String>,
    #[serde(rename = "where")]
    conditions: Vec<Asking>,
    duration: Bounds,
    trace_duration: Bounds,
    start: Option<String>,
    end: Option<String>,
    lookback: Option<String>,
    trace_id: Option<String>,
    order: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
    #[serde(skip)]
    source: Source,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Bounds {
    min: Option<String>,
    max: Option<String>,
}

/// A condition: in fields, or as a text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Asking {
    Text(String),
    Fields(Fields),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    key: String,
    #[serde(default)]
    op: Option<String>,
    #[serde(default)]
    value: Option<Value>,
}

/// Where it was asked: places have other names there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Source {
    #[default]
    Body,
    Parameters,
}

impl Search {
    /// # Errors
    /// It is not JSON, or has other fields.
    pub(super) fn from_body(body: &[u8]) -> Result<Self, Refused> {
        // a list would do as an object otherwise
        let object = serde_json::from_slice::<serde_json::Map<_, _>>(body);
        let search = object.and_then(|object| serde_json::from_value(Value::Object(object)));
        search.map_err(|error| {
            let problem = Problem::new(format!("this is not a search: {error}"))
                .at("body")
                .allowed("a JSON object as `Search` in openapi.yaml describes it");
            Refused::bad_request(vec![problem])
        })
    }

    pub(super) fn from_parameters(asked: &mut Asked) -> Self {
        Self {
            trace_duration: Bounds {
                min: asked.text("minTraceDuration"),
                max: asked.text("maxTraceDuration"),
            },
            start: asked.text("start"),
            end: asked.text("end"),
            lookback: asked.text("lookback"),
            trace_id: asked.text("traceId"),
            order: asked.text("order"),
            limit: asked.number("limit", 1..=LIMITS.0).map(|limit| limit as u64),
            cursor: asked.text("cursor"),
            ..Self::of_spans(asked)
        }
    }

    /// What is said of single spans only.
    pub(super) fn of_spans(asked: &mut Asked) -> Self {
        Self {
            service: asked.text("service"),
            operation: asked.text("operation"),
            kind: asked.text("kind"),
            status: asked.text("status"),
            link_kind: asked.text("linkKind"),
            conditions: asked.all("where").into_iter().map(Asking::Text).collect(),
            duration: Bounds {
                min: asked.text("minDuration"),
                max: asked.text("maxDuration"),
            },
            source: Source::Parameters,
            ..Self::default()
        }
    }

    /// The same for so many traces, from the beginning.
    pub(super) fn all_at_once(&self, limit: u64) -> Self {
        Self {
            limit: Some(self.limit.unwrap_or(limit)),
            cursor: None,
            ..self.clone()
        }
    }

    /// The query, at `now` (nanoseconds since the Unix epoch).
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn query(&self, now: u64) -> Result<Query, Refused> {
        let mut checks = Checks {
            source: self.source,
            problems: Vec::new(),
        };
        let mut query = Query {
            service: self.service.clone(),
            operation: self.operation.clone(),
            kind: checks.choice("kind", self.kind.as_deref(), &KINDS),
            status: checks.choice(
                "status",
                self.status.as_deref(),
                &Outcome::ALL.map(|status| (status.name(), status)),
            ),
            link: checks.choice(
                "linkKind",
                self.link_kind.as_deref(),
                &LinkKind::ALL.map(|kind| (kind.name(), kind)),
            ),
            conditions: checks.conditions(&self.conditions),
            duration: checks.durations("duration", &self.duration),
            trace_duration: checks.durations("traceDuration", &self.trace_duration),
            start: checks.window(self, now),
            ids: checks.ids(self.trace_id.as_deref()),
            order: checks
                .choice(
                    "order",
                    self.order.as_deref(),
                    &Order::ALL.map(|order| (order.name(), order)),
                )
                .unwrap_or_default(),
            after: None,
            limit: checks.limit(self.limit),
        };
        if let Some(text) = &self.cursor {
            match cursor::read(text).filter(|cursor| cursor.belongs_to(&query)) {
                Some(cursor) => {
                    query.after = Some(cursor.after);
                    query.start = cursor.start;
                }
                None => checks.problem(
                    "cursor",
                    "this is not a cursor of this search",
                    "`next` of the page before, with the rest of the search as it was",
                ),
            }
        }
        if checks.problems.is_empty() {
            return Ok(query);
        }
        Err(Refused::bad_request(checks.problems))
    }
}

struct Checks {
    source: Source,
    problems: Vec<Problem>,
}

impl Checks {
    /// The name of a field, or that of the parameter that stands for it.
    fn place(&self, field: &'static str) -> &'static str {
        match (self.source, field) {
            (Source::Body, field) => field,
            (Source::Parameters, "duration.min") => "minDuration",
            (Source::Parameters, "duration.max") => "maxDuration",
            (Source::Parameters, "traceDuration.min") => "minTraceDuration",
            (Source::Parameters, "traceDuration.max") => "maxTraceDuration",
            (Source::Parameters, field) => field,
        }
    }

    fn problem(&mut self, field: &'static str, message: impl Into<String>, allowed: impl Into<String>) {
        let problem = Problem::new(message).at(self.place(field)).allowed(allowed);
        self.problems.push(problem);
    }

    fn check<T>(&mut self, value: Result<T, Problem>) -> Option<T> {
        value.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn choice<T: Copy>(
        &mut self,
        field: &'static str,
        text: Option<&str>,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let chosen = ask::choice(self.place(field), text?, choices);
        self.check(chosen)
    }

    fn durations(&mut self, field: &'static str, bounds: &Bounds) -> RangeInclusive<u64> {
        let (least, most) = match field {
            "duration" => ("duration.min", "duration.max"),
            _ => ("traceDuration.min", "traceDuration.max"),
        };
        let mut bound = |field, text: Option<&String>| {
            let duration = ask::duration(self.place(field), text?);
            self.check(duration)
        };
        let range = bound(least, bounds.min.as_ref()).unwrap_or(0)
            ..=bound(most, bounds.max.as_ref()).unwrap_or(u64::MAX);
        if range.is_empty() {
            self.problem(
                least,
                "the least duration is longer than the most",
                "no more than the most",
            );
        }
        range
    }

    fn window(&mut self, search: &Search, now: u64) -> RangeInclusive<u64> {
        let mut instant = |field, text: Option<&String>| {
            let instant = ask::instant(self.place(field), text?);
            self.check(instant)
        };
        let (start, end) = (
            instant("start", search.start.as_ref()),
            instant("end", search.end.as_ref()),
        );
        let lookback = search.lookback.as_ref().and_then(|text| {
            let lookback = ask::duration(self.place("lookback"), text);
            self.check(lookback)
        });
        if search.start.is_some() && search.lookback.is_some() {
            self.problem(
                "lookback",
                "start and lookback say the same twice",
                "one of the two",
            );
        }
        let before = lookback.map(|lookback| end.unwrap_or(now).saturating_sub(lookback));
        let window = start.or(before).unwrap_or(0)..=end.unwrap_or(u64::MAX);
        if window.is_empty() {
            self.problem("start", "the start is after the end", "a start before the end");
        }
        window
    }

    fn ids(&mut self, digits: Option<&str>) -> RangeInclusive<span::TraceId> {
        let Some(digits) = digits else {
            return all_ids();
        };
        ids_beginning(digits).unwrap_or_else(|| {
            let message = format!("`{digits}` is not the beginning of a trace id");
            self.problem("traceId", message, "1 to 32 hexadecimal digits, not all 32 zero");
            all_ids()
        })
    }

    fn limit(&mut self, limit: Option<u64>) -> usize {
        let (most, usual) = LIMITS;
        let Some(limit) = limit else { return usual };
        let within = usize::try_from(limit)
            .ok()
            .filter(|limit| (1..=most).contains(limit));
        within.unwrap_or_else(|| {
            let message = format!("`{limit}` is not a number in the range");
            self.problem("limit", message, format!("a whole number from 1 to {most}"));
            usual
        })
    }

    fn conditions(&mut self, asked: &[Asking]) -> Vec<Condition> {
        if asked.len() > CONDITIONS {
            self.problem(
                "where",
                "there are too many conditions",
                format!("at most {CONDITIONS}"),
            );
            return Vec::new();
        }
        let read = asked.iter().filter_map(|asking| {
            let condition = match asking {
                Asking::Text(text) => Condition::parse(text),
                Asking::Fields(fields) => condition(fields),
            };
            let condition = condition.filter(|condition| (1..=KEY_BYTES).contains(&condition.key.len()));
            if condition.is_none() {
                let message = match asking {
                    Asking::Text(text) => format!("`{text}` is not a condition"),
                    Asking::Fields(fields) => format!("the condition on `{}` cannot be read", fields.key),
                };
                self.problem(
                    "where",
                    message,
                    "key, key=value, or one of key>1 key>=1 key<1 key<=1 with a number",
                );
            }
            condition
        });
        read.collect()
    }
}

fn condition(fields: &Fields) -> Option<Condition> {
    let text = || match fields.value.as_ref()? {
        Value::String(text) => Some(text.clone()),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let compares = |comparison| Some(Test::Compares(comparison, number_in(&text()?)?));
    let test = match fields.op.as_deref().unwrap_or("=") {
        "=" => Test::Equals(text()?),
        ">" => compares(Comparison::Greater)?,
        ">=" => compares(Comparison::AtLeast)?,
        "<" => compares(Comparison::Less)?,
        "<=" => compares(Comparison::AtMost)?,
        "exists" => Test::Exists,
        _ => return None,
    };
    Some(Condition {
        key: fields.key.clone(),
        test,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = crate::fixtures::START;

    #[test]
    fn a_body_and_a_query_string_ask_the_same() {
        let body = br#"{"service": "edge", "kind": "server", "status": "error", "linkKind": "inferred",
            "where": [{"key": "a", "value": 1}, {"key": "b", "op": ">=", "value": "2"}, {"key": "c", "op": "exists"}],
            "duration": {"min": "1ms"}, "traceDuration": {"max": "2s"}, "lookback": "1h", "traceId": "4b",
            "order": "span-duration", "limit": 7}"#;
        let query = "service=edge&kind=server&status=error&linkKind=inferred&where=a%3D1&where=b%3E%3D2&where=c\
            &minDuration=1ms&maxTraceDuration=2s&lookback=1h&traceId=4b&order=span-duration&limit=7";
        let mut asked = Asked::new(Some(query));
        let by_parameters = Search::from_parameters(&mut asked).query(NOW);
        let by_parameters = asked.finish(by_parameters).unwrap();
        let by_body = Search::from_body(body).unwrap().query(NOW).unwrap();
        assert_eq!(by_parameters, by_body);
        assert_eq!(by_body.start, NOW - 3_600_000_000_000..=u64::MAX);
    }

    proptest! {
        /// Whatever is asked is a query with sane bounds or a list of problems.
        #[test]
        fn no_question_panics(
            name in "service|where|start|end|lookback|limit|minDuration|maxTraceDuration|traceId|order|cursor|kind",
            value in "[0-9]{1,22}|.{0,20}|-?[0-9.]{1,6}(ns|us|ms|s|m|h|d)|[a-z.]{1,9}[<>=]{0,2}[0-9]{0,3}",
            other in "[ -~]{0,40}",
        ) {
            let text = form_urlencoded::Serializer::new(other + "&").append_pair(&name, &value).finish();
            let mut asked = Asked::new(Some(&text));
            let search = Search::from_parameters(&mut asked);
            if let Ok(query) = asked.finish(search.query(NOW)) {
                prop_assert!(!query.start.is_empty() && !query.duration.is_empty());
                prop_assert!((1..=LIMITS.0).contains(&query.limit));
            }
            let body = format!("{{{:?}: {:?}}}", name, value);
            if let Ok(search) = Search::from_body(body.as_bytes()) {
                drop(search.query(NOW));
            }
        }
    }
}
