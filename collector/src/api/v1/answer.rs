//! Answers and refusals, and how instants and values are written in them.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use otlp::model::{Attribute, Value};
use serde::{Serialize, Serializer};
use span::TraceId;

use crate::store::StoreError;
use crate::tags;

/// An answer.
pub(super) fn answer<T: Serialize>(data: &T) -> Response {
    respond(StatusCode::OK, data)
}

fn respond<T: Serialize>(status: StatusCode, data: &T) -> Response {
    match serde_json::to_vec(data) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// One thing that is wrong with a question.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    message: String,
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<String>,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: None,
            allowed: None,
        }
    }

    /// The parameter, the field or the place in the body.
    pub(super) fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// What would be right there.
    pub(super) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }
}

/// A question that is not answered.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    problems: Vec<Problem>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, problem: Problem) -> Self {
        Self {
            status,
            problems: vec![problem],
        }
    }

    /// 400, with everything that is wrong.
    pub(super) fn bad_request(problems: Vec<Problem>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            problems,
        }
    }

    /// These are wrong as well.
    pub(super) fn and(mut self, mut problems: Vec<Problem>) -> Self {
        self.problems.append(&mut problems);
        self
    }

    /// All of it is wrong within this part of the question.
    pub(super) fn within(mut self, part: &str) -> Self {
        for place in self
            .problems
            .iter_mut()
            .filter_map(|problem| problem.place.as_mut())
        {
            *place = format!("{part}.{place}");
        }
        self
    }

    pub(super) fn not_an_id(id: &str) -> Self {
        let problem = Problem::new(format!("`{id}` is not a trace id"))
            .at("traceId")
            .allowed(
                "32 hexadecimal digits, not all zero; to look for the beginning of one, search with traceId",
            );
        Self::bad_request(vec![problem])
    }

    pub(super) fn no_such_trace(id: TraceId) -> Self {
        let problem = Problem::new(format!(
            "there is no trace {id}: it was never received here, or retention has dropped it"
        ))
        .at("traceId");
        Self::new(StatusCode::NOT_FOUND, problem)
    }

    pub(super) fn unknown_path() -> Self {
        let problem =
            Problem::new("there is no such path").allowed("the paths in openapi.yaml, which is served here");
        Self::new(StatusCode::NOT_FOUND, problem)
    }

    pub(super) fn unknown_method() -> Self {
        let problem =
            Problem::new("this path does not answer that method").allowed("the methods in openapi.yaml");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, problem)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Problem::new(error.to_string()))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Errors {
            errors: Vec<Problem>,
        }
        respond(
            self.status,
            &Errors {
                errors: self.problems,
            },
        )
    }
}

/// Nanoseconds since the Unix epoch: text, because a JSON number cannot hold them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant(pub(super) u64);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// How often something with a name occurred.
#[derive(Debug, Serialize)]
pub(super) struct Counted<'a> {
    pub(super) name: &'a str,
    pub(super) count: u64,
}

/// A key and a value.
#[derive(Debug, Serialize)]
pub(super) struct AttributeJson<'a> {
    key: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    value: serde_json::Value,
}

/// The largest whole number up to which a double holds all of them.
const EXACT: u64 = 1 << 53;

pub(super) fn attributes(attributes: &[Attribute]) -> Vec<AttributeJson<'_>> {
    attributes.iter().map(attribute).collect()
}

fn attribute(attribute: &Attribute) -> AttributeJson<'_> {
    let (kind, value) = match &attribute.value {
        Value::Empty => ("empty", serde_json::Value::Null),
        Value::String(_) => ("string", tags::as_json(&attribute.value)),
        Value::Bool(_) => ("bool", tags::as_json(&attribute.value)),
        Value::Int(number) if number.unsigned_abs() > EXACT => ("int", number.to_string().into()),
        Value::Int(_) => ("int", tags::as_json(&attribute.value)),
        Value::Double(_) => ("double", tags::as_json(&attribute.value)),
        Value::Bytes(_) => ("bytes", tags::as_json(&attribute.value)),
        Value::Array(_) => ("array", tags::as_json(&attribute.value)),
        Value::Map(_) => ("map", tags::as_json(&attribute.value)),
    };
    AttributeJson {
        key: &attribute.key,
        kind,
        value,
    }
}
