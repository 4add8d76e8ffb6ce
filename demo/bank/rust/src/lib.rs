//! What the bank's Rust services share: a JSON server on hyper.
//!
//! An ordinary service of an ordinary company: no header of a request is read except those it needs, none is passed
//! on, and nothing here has heard of traces.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The largest request or response body that the bank deals with, in bytes.
pub const BODY_LIMIT: usize = 64 * 1024;

/// One request, as far as the bank cares.
pub struct Call {
    /// The request's method.
    pub method: Method,
    /// The request's path, without the query.
    pub path: String,
    /// The request's whole body.
    pub body: Bytes,
}

/// What a service says: a status and a JSON document.
pub type Answer = (StatusCode, Value);

/// A refusal with its reason, in the form that every service of the bank uses.
pub fn refusal(status: StatusCode, reason: &str) -> Answer {
    (status, json!({ "error": reason }))
}

/// The parts of a path: `/accounts/7/balance` is `["accounts", "7", "balance"]`.
pub fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

/// Serves `handler` on all addresses, IPv6 and IPv4, and on `port`, for as long as the process lives; and `/health`.
pub async fn serve<H, F>(port: u16, handler: H) -> io::Result<()>
where
    H: Fn(Call) -> F + Clone + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let listener = match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(both_families) => both_families,
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?,
    };
    loop {
        let (socket, _) = listener.accept().await?;
        let handler = handler.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(handler.clone(), request));
            // a client that goes away in the middle of a request is no concern of the bank
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service)
                    .await,
            );
        });
    }
}

async fn answer<H, F>(handler: H, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible>
where
    H: Fn(Call) -> F,
    F: Future<Output = Answer>,
{
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let (status, document) = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(_) if path == "/health" => (StatusCode::OK, json!({ "open": true })),
        Ok(body) => {
            handler(Call {
                method: head.method,
                path,
                body: body.to_bytes(),
            })
            .await
        }
        Err(_) => refusal(StatusCode::BAD_REQUEST, "the request did not arrive whole"),
    };
    let mut response = Response::new(Full::new(Bytes::from(document.to_string())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_its_parts() {
        assert_eq!(segments("/accounts/7/balance"), ["accounts", "7", "balance"]);
        assert_eq!(segments("//accounts//7/"), ["accounts", "7"]);
        assert!(segments("/").is_empty());
    }
}
