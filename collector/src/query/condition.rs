use otlp::model::{Scalar, Span, Value, find};
use otlp::receive::{Packed, Said, Scanned};

use crate::tags;

/// What a span has to say somewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Under which key.
    pub key: String,
    /// What.
    pub test: Test,
}

/// What a value has to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Anything: the key is there.
    Exists,
    /// This text, once it is written as [`tags::text`] writes it.
    Equals(String),
    /// A number on this side of another: a value that is a number, or a text that reads as one. NaN compares with
    /// nothing, and whole numbers beyond 2^53 as the nearest double.
    Compares(Comparison, f64),
}

/// On which side of another a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Above.
    Greater,
    /// Above or equal.
    AtLeast,
    /// Below.
    Less,
    /// Below or equal.
    AtMost,
}

impl Condition {
    /// `key` is `value`, as text.
    pub fn equals(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            test: Test::Equals(value.into()),
        }
    }

    /// Whether the span says it anywhere.
    pub fn holds(&self, span: &Span) -> bool {
        tags::any(span, &self.key, |value| self.test.holds(value))
    }

    /// Whether the span may say it anywhere. Only its own texts are compared; of everything else it is enough that it is
    /// there.
    pub(crate) fn may_hold(&self, span: &Packed, scanned: &Scanned<'_>) -> bool {
        let shared = [&span.resource.attributes, &span.scope.attributes];
        scanned.has_more()
            || tags::DERIVED.contains(&self.key.as_str())
            || scanned.attributes.iter().any(|(key, value)| {
                *key == self.key
                    && match (value, &self.test) {
                        (Said::Scalar(Scalar::Text(text)), Test::Equals(wanted)) => text == wanted,
                        _ => true,
                    }
            })
            || shared
                .into_iter()
                .any(|attributes| find(attributes, &self.key).is_some())
    }

    /// A condition as people write it: `key`, `key=value`, `key>=500` and so on. The first of `=`, `<`, `>` ends the
    /// key. `None` if there is no key, or no number where there has to be one.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(['=', '<', '>']).unwrap_or(text.len());
        let (key, rest) = text.split_at_checked(end)?;
        if key.is_empty() {
            return None;
        }
        let operators = [
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            (">", Comparison::Greater),
            ("<", Comparison::Less),
        ];
        let comparison = operators
            .into_iter()
            .find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?)));
        let test = match comparison {
            Some((comparison, number)) => Test::Compares(comparison, number_in(number)?),
            None => match rest.strip_prefix('=') {
                Some(value) => Test::Equals(value.to_owned()),
                None => Test::Exists,
            },
        };
        Some(Self {
            key: key.to_owned(),
            test,
        })
    }
}

impl Test {
    /// Whether a value is what it has to be.
    pub fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Exists => true,
            Self::Equals(wanted) => tags::text(value) == *wanted,
            Self::Compares(comparison, bound) => number(value).is_some_and(|number| match comparison {
                Comparison::Greater => number > *bound,
                Comparison::AtLeast => number >= *bound,
                Comparison::Less => number < *bound,
                Comparison::AtMost => number <= *bound,
            }),
        }
    }
}

/// The finite number that a text is.
pub(crate) fn number_in(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        Value::String(text) => number_in(text),
        Value::Empty | Value::Bool(_) | Value::Bytes(_) | Value::Array(_) | Value::Map(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use otlp::model::{Attribute, Event, Link, Scope, Status};

    use super::*;
    use crate::fixtures::*;

    #[test]
    fn conditions_are_read_as_people_write_them() {
        let compares = |key: &str, comparison, number| Condition {
            key: key.to_owned(),
            test: Test::Compares(comparison, number),
        };
        let exists = Condition {
            key: "user.id".to_owned(),
            test: Test::Exists,
        };
        for (text, expected) in [
            ("user.id", exists),
            ("a=b=c", Condition::equals("a", "b=c")),
            ("a=", Condition::equals("a", "")),
            ("status>=500", compares("status", Comparison::AtLeast, 500.0)),
            ("x<-1.5", compares("x", Comparison::Less, -1.5)),
            ("x<=1e3", compares("x", Comparison::AtMost, 1000.0)),
            ("x> 1", compares("x", Comparison::Greater, 1.0)),
        ] {
            assert_eq!(Condition::parse(text), Some(expected), "{text}");
        }
        for wrong in ["", "=x", ">5", "x>", "x>many", "x<NaN", "x<inf"] {
            assert_eq!(Condition::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_compare_as_numbers_wherever_they_stand() {
        let span = span("a", 1, 1).with(|span| {
            let int = |key: &str, number| Attribute {
                key: key.to_owned(),
                value: Value::Int(number),
            };
            span.attributes.push(int("status", 503));
            span.attributes.push(text("size", "1024"));
            span.scope = std::sync::Arc::new(Scope {
                attributes: vec![int("scoped", 7)],
                ..Scope::default()
            });
            span.events.push(Event {
                time: START,
                name: "retry".to_owned(),
                attributes: vec![int("attempt", 3)],
            });
            span.links.push(Link {
                trace_id: trace_id(9),
                span_id: span_id(9),
                trace_state: String::new(),
                attributes: vec![int("linked", 1)],
            });
            span.status = Status::Error("no".to_owned());
        });
        let holds = |text| Condition::parse(text).unwrap().holds(&span);
        for yes in [
            "status>=503",
            "status>502",
            "size<1025",
            "scoped=7",
            "attempt<=3",
            "linked>0",
            "event=retry",
            "error=true",
            "error",
            "attempt",
            "service.name",
            "otel.status_description=no",
        ] {
            assert!(holds(yes), "{yes}");
        }
        for no in ["status>503", "size>=1025", "nothing", "service.name>1", "error>0"] {
            assert!(!holds(no), "{no}");
        }
    }
}
