use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use otlp::receive::{Reply, fault_json, fault_protobuf};

use super::{Failure, Ingest, RETRY_AFTER, body};
use crate::metrics::Transport;
use crate::store::StoreError;

/// OTLP over HTTP: `POST /v1/traces`, protobuf or JSON, plain, gzip or zstd.
pub fn router(ingest: Arc<Ingest>) -> Router {
    Router::new().route("/v1/traces", post(traces)).with_state(ingest)
}

async fn traces(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    let encoding = Encoding::of(request.headers());
    match export(&ingest, encoding, request).await {
        Ok(reply) => encoding.unwrap_or(Encoding::Json).reply(&reply),
        Err(failure) => {
            ingest.count(&failure);
            encoding.unwrap_or(Encoding::Json).fault(&failure)
        }
    }
}

async fn export(ingest: &Ingest, encoding: Option<Encoding>, request: Request) -> Result<Reply, Failure> {
    let encoding = encoding.ok_or_else(|| {
        Failure::Unsupported("Content-Type has to be application/x-protobuf or application/json".to_owned())
    })?;
    let _turn = ingest.turn().await?;
    let body = body::read(request).await?;
    let transport = match encoding {
        Encoding::Protobuf => Transport::HttpProtobuf,
        Encoding::Json => Transport::HttpJson,
    };
    ingest.keep(transport, body).await
}

/// How a request's body is written; its answer is written the same way.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let media_type = value.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/x-protobuf") {
            Some(Self::Protobuf)
        } else if media_type.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn reply(self, reply: &Reply) -> Response {
        let body = match self {
            Self::Protobuf => Body::from(reply.to_protobuf()),
            Self::Json => Body::from(reply.to_json()),
        };
        (StatusCode::OK, [(header::CONTENT_TYPE, self.media_type())], body).into_response()
    }

    fn fault(self, failure: &Failure) -> Response {
        let (code, message) = (failure.code() as i32, failure.to_string());
        let body = match self {
            Self::Protobuf => Body::from(fault_protobuf(code, &message)),
            Self::Json => Body::from(fault_json(code, &message)),
        };
        refusal(failure, self.media_type(), body)
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// The answer to a request that failed as a whole. The status says whether trying again helps (OTLP 1.x, "Failures"): after
/// 429, 502, 503 and 504 it does, after others it does not.
pub(super) fn refusal(failure: &Failure, media_type: &'static str, body: impl Into<Body>) -> Response {
    let status = match failure {
        Failure::Malformed(_) => StatusCode::BAD_REQUEST,
        Failure::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Failure::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Failure::Busy | Failure::Store(StoreError::Behind(_)) => StatusCode::TOO_MANY_REQUESTS,
        // 408 would say of slow ones what they are, but OTLP's senders would drop their spans
        Failure::TooSlow | Failure::Store(StoreError::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = (status, [(header::CONTENT_TYPE, media_type)], body.into()).into_response();
    if matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    ) {
        let value = HeaderValue::from(RETRY_AFTER.as_secs());
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_too_fast_is_told_when_to_come_again() {
        let behind = Failure::Store(StoreError::Behind("a reason".to_owned()));
        for failure in [Failure::Busy, behind] {
            let answer = Encoding::Protobuf.fault(&failure);
            assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
        }
    }
}
