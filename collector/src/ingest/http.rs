use std::io::{self, Read};
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

use super::{Failure, Ingest, READ_TIMEOUT, REQUEST_BYTES, RETRY_AFTER};
use crate::metrics::Transport;
use crate::store::StoreError;

/// zstd's window is at most two to this many bytes: as much as any request may have.
const WINDOW_LOG: u32 = REQUEST_BYTES.ilog2();

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
    let compression = compression(request.headers())?;
    let _turn = ingest.turn().await?;
    let mut body = tokio::time::timeout(READ_TIMEOUT, read(request.into_body()))
        .await
        .map_err(|_| Failure::TooSlow)??;
    if let Some(compression) = compression {
        body = decompress(compression, &body)?;
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

/// How a request's body is compressed.
#[derive(Clone, Copy)]
enum Compression {
    Gzip,
    Zstd,
}

fn compression(headers: &HeaderMap) -> Result<Option<Compression>, Failure> {
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None => Ok(None),
        Some(value) if value.is_empty() || value.eq_ignore_ascii_case(b"identity") => Ok(None),
        Some(value) if value.eq_ignore_ascii_case(b"gzip") => Ok(Some(Compression::Gzip)),
        Some(value) if value.eq_ignore_ascii_case(b"zstd") => Ok(Some(Compression::Zstd)),
        Some(_) => Err(Failure::Unsupported(
            "Content-Encoding has to be gzip, zstd or absent".to_owned(),
        )),
    }
}

/// Never holds more than one byte beyond what is allowed, and a window of zstd's, however much the input promises to
/// become.
fn decompress(compression: Compression, body: &[u8]) -> Result<Bytes, Failure> {
    let mut plain = Vec::new();
    let limit = REQUEST_BYTES as u64 + 1;
    let (name, read) = match compression {
        Compression::Gzip => (
            "gzip",
            MultiGzDecoder::new(body).take(limit).read_to_end(&mut plain),
        ),
        Compression::Zstd => ("zstd", unzstd(body, limit, &mut plain)),
    };
    read.map_err(|error| BadRequest::new(format!("not {name}: {error}")))?;
    if plain.len() > REQUEST_BYTES {
        return Err(Failure::TooLarge);
    }
    Ok(Bytes::from(plain))
}

fn unzstd(body: &[u8], limit: u64, plain: &mut Vec<u8>) -> io::Result<usize> {
    let mut decoder = zstd::Decoder::new(body)?;
    decoder.window_log_max(WINDOW_LOG)?;
    decoder.take(limit).read_to_end(plain)
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
        let status = match failure {
            Failure::Malformed(_) => StatusCode::BAD_REQUEST,
            Failure::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Failure::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Failure::Busy | Failure::Store(StoreError::Behind(_)) => StatusCode::TOO_MANY_REQUESTS,
            // 408 would say of slow ones what they are, but OTLP's senders would drop their spans
            Failure::TooSlow | Failure::Store(StoreError::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let (code, message) = (failure.code(), failure.to_string());
        let mut response = match self {
            Self::Protobuf => self.response(status, fault_protobuf(code as i32, &message)),
            Self::Json => self.response(status, fault_json(code as i32, &message)),
        };
        if matches!(
            status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        ) {
            let value = HeaderValue::from(RETRY_AFTER.as_secs());
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

    #[test]
    fn a_window_larger_than_a_request_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(WINDOW_LOG + 1).unwrap();
        io::copy(&mut io::repeat(b'x').take(1 << 20), &mut encoder).unwrap();
        let refused = decompress(Compression::Zstd, &encoder.finish().unwrap());
        assert!(matches!(refused, Err(Failure::Malformed(_))));
    }
}
