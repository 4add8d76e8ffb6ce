//! A request's body over HTTP, read and decompressed within bounds.

use std::io::{self, Read};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use otlp::receive::BadRequest;

use super::{Failure, READ_TIMEOUT, REQUEST_BYTES};

/// zstd's window is at most two to this many bytes: as much as any request may have.
const WINDOW_LOG: u32 = REQUEST_BYTES.ilog2();

/// The whole of it, decompressed.
pub(super) async fn read(request: Request) -> Result<Bytes, Failure> {
    let compression = compression(request.headers())?;
    let body = tokio::time::timeout(READ_TIMEOUT, whole(request.into_body()))
        .await
        .map_err(|_| Failure::TooSlow)??;
    match compression {
        None => Ok(body),
        Some(compression) => decompress(compression, &body),
    }
}

async fn whole(body: Body) -> Result<Bytes, Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_larger_than_a_request_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(WINDOW_LOG + 1).unwrap();
        io::copy(&mut io::repeat(b'x').take(1 << 20), &mut encoder).unwrap();
        let refused = decompress(Compression::Zstd, &encoder.finish().unwrap());
        assert!(matches!(refused, Err(Failure::Malformed(_))));
    }
}
