use std::io::Read;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use otlp::receive::{BadRequest, Reply, fault_json, fault_protobuf};
use tonic::Code;

use super::{Failure, Ingest, READ_TIMEOUT, REQUEST_BYTES};
use crate::metrics::Transport;

/// OTLP over HTTP: `POST /v1/traces`, protobuf or JSON, plain or gzip.
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
    let gzip = is_gzip(request.headers())?;
    let _turn = ingest.turn().await?;
    let mut body = tokio::time::timeout(READ_TIMEOUT, read(request.into_body()))
        .await
        .map_err(|_| Failure::TooSlow)??;
    if gzip {
        body = gunzip(&body)?;
    }
    let transport = match encoding {
        Encoding::Protobuf => Transport::HttpProtobuf,
        Encoding::Json => Transport::HttpJson,
    };
    ingest.keep(transport, body).await
}

async fn read(body: Body) -> Result<Bytes, Failure> {
    match Limited::new(body, REQUEST_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::TooLarge),
        Err(_) => Err(Failure::TooSlow),
    }
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Failure> {
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None => Ok(false),
        Some(value) if value.is_empty() || value.eq_ignore_ascii_case(b"identity") => Ok(false),
        Some(value) if value.eq_ignore_ascii_case(b"gzip") => Ok(true),
        Some(_) => Err(Failure::Unsupported(
            "Content-Encoding has to be gzip or absent".to_owned(),
        )),
    }
}

/// Never holds more than one byte beyond what is allowed, however much the input promises to become.
fn gunzip(body: &[u8]) -> Result<Bytes, Failure> {
    let mut plain = Vec::new();
    let mut limited = MultiGzDecoder::new(body).take(REQUEST_BYTES as u64 + 1);
    limited
        .read_to_end(&mut plain)
        .map_err(|error| BadRequest::new(format!("not gzip: {error}")))?;
    if plain.len() > REQUEST_BYTES {
        return Err(Failure::TooLarge);
    }
    Ok(Bytes::from(plain))
}

/// How a request's body is written; its answer is written the same way.
#[derive(Clone, Copy)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
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
        match self {
            Self::Protobuf => self.response(StatusCode::OK, reply.to_protobuf()),
            Self::Json => self.response(StatusCode::OK, reply.to_json()),
        }
    }

    /// The status says whether trying again helps (OTLP 1.x, "Failures"): 429, 502, 503 and 504 do, others do not.
    fn fault(self, failure: &Failure) -> Response {
        let (status, code) = match failure {
            Failure::Malformed(_) => (StatusCode::BAD_REQUEST, Code::InvalidArgument),
            Failure::Unsupported(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument),
            Failure::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidArgument),
            // 408 would say the same, but OTLP's senders would drop their spans
            Failure::TooSlow | Failure::Busy | Failure::Store(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
            }
        };
        let message = failure.to_string();
        let mut response = match self {
            Self::Protobuf => self.response(status, fault_protobuf(code as i32, &message)),
            Self::Json => self.response(status, fault_json(code as i32, &message)),
        };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let value = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }

    fn response(self, status: StatusCode, body: impl Into<Body>) -> Response {
        let media_type = match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        };
        (status, [(header::CONTENT_TYPE, media_type)], body.into()).into_response()
    }
}
