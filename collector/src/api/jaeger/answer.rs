//! The envelope of every answer, as Jaeger has it.

use std::fmt;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use span::TraceId;

use crate::store::StoreError;

#[derive(Serialize)]
struct Envelope<'a, T: Serialize> {
    data: Option<&'a [T]>,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Option<&'a [Problem]>,
}

/// What is wrong, in Jaeger's shape: the place and what is allowed are part of the message.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    code: u16,
    msg: String,
    #[serde(rename = "traceID", skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

/// A request that is not answered with data.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    problems: Vec<Problem>,
}

/// An answer with everything that there is.
pub(super) fn answer<T: Serialize>(data: &[T]) -> Response {
    respond(StatusCode::OK, &whole(data))
}

/// The same as text.
pub(super) fn text<T: Serialize>(data: &[T]) -> String {
    serde_json::to_string(&whole(data)).unwrap_or_default()
}

fn whole<T: Serialize>(data: &[T]) -> Envelope<'_, T> {
    Envelope {
        data: Some(data),
        total: data.len(),
        limit: 0,
        offset: 0,
        errors: None,
    }
}

fn respond<T: Serialize>(status: StatusCode, envelope: &Envelope<'_, T>) -> Response {
    match serde_json::to_vec(envelope) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

impl Problem {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            code: 0,
            msg: what.into(),
            trace_id: None,
        }
    }

    pub(super) fn of_trace(mut self, id: TraceId) -> Self {
        self.trace_id = Some(id.to_string());
        self
    }
}

impl Refused {
    pub(super) fn new(status: StatusCode, problem: Problem) -> Self {
        Self {
            status,
            problems: vec![problem],
        }
    }

    /// 400, with every problem: where it is and what it is.
    pub(super) fn bad_request<'a>(problems: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let problem = |(place, what): (&str, String)| Problem::new(format!("{place}: {what}"));
        Self {
            status: StatusCode::BAD_REQUEST,
            problems: problems.into_iter().map(problem).collect(),
        }
    }
}

/// All problems in a line.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(f, "{comma}{}", problem.msg)?;
        }
        Ok(())
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Problem::new(error.to_string()))
    }
}

impl IntoResponse for Refused {
    fn into_response(mut self) -> Response {
        for problem in &mut self.problems {
            problem.code = self.status.as_u16();
        }
        let envelope = Envelope::<()> {
            data: None,
            total: 0,
            limit: 0,
            offset: 0,
            errors: Some(&self.problems),
        };
        respond(self.status, &envelope)
    }
}
