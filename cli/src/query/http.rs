//! One HTTP/1.1 request at a time, which is all that we ask of anybody.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::time::timeout;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 64 * 1024 * 1024;
/// How long an answer may take, whole.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there.
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    /// The connection broke, or what came was not HTTP.
    #[error("not a whole answer: {0}")]
    Exchange(#[from] hyper::Error),
    /// The body was too large or broke off.
    #[error("not a whole answer: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Slow,
    /// The path, or a header, cannot stand in a request.
    #[error("not what can be asked for: {0}")]
    Request(#[from] hyper::http::Error),
}

/// Asks `address` for `target`, a path with its query.
///
/// # Errors
/// There was no whole answer within 30 s. An answer with any status is one.
pub async fn get(address: SocketAddr, target: &str) -> Result<Response, Error> {
    get_from(address, &address.to_string(), target).await
}

/// As [`get`], from a host that is known by the name `host`.
///
/// # Errors
/// As [`get`].
pub async fn get_from(address: impl ToSocketAddrs, host: &str, target: &str) -> Result<Response, Error> {
    read_from(address, host, target, |_| {}).await
}

/// As [`get_from`]; `far` is told how many bytes of the body have come.
///
/// # Errors
/// As [`get`].
pub async fn read_from(
    address: impl ToSocketAddrs,
    host: &str,
    target: &str,
    far: impl FnMut(usize),
) -> Result<Response, Error> {
    let request = request(Method::GET, host, target, Bytes::new())?;
    timeout(PATIENCE, exchange(address, request, far))
        .await
        .unwrap_or(Err(Error::Slow))
}

/// As [`get_from`], as part of the trace that `traceparent` (W3C Trace Context) names.
///
/// # Errors
/// As [`get`].
pub async fn get_traced(
    address: impl ToSocketAddrs,
    host: &str,
    target: &str,
    traceparent: &str,
) -> Result<Response, Error> {
    let mut request = request(Method::GET, host, target, Bytes::new())?;
    let value = HeaderValue::from_str(traceparent).map_err(hyper::http::Error::from)?;
    request.headers_mut().insert("traceparent", value);
    timeout(PATIENCE, exchange(address, request, |_| {}))
        .await
        .unwrap_or(Err(Error::Slow))
}

/// Sends `body` to `target`, and reads the answer; `far` is told how many bytes of it have come.
///
/// # Errors
/// As [`get`].
pub async fn post_to(
    address: impl ToSocketAddrs,
    host: &str,
    target: &str,
    body: Bytes,
    far: impl FnMut(usize),
) -> Result<Response, Error> {
    let request = request(Method::POST, host, target, body)?;
    timeout(PATIENCE, exchange(address, request, far))
        .await
        .unwrap_or(Err(Error::Slow))
}

/// Asks for an answer that does not end, and gives each of its lines to `take` until that says to stop.
///
/// # Errors
/// Nobody answered within 30 s, or the answer broke off. An answer that is refused comes back whole.
pub async fn follow(
    address: impl ToSocketAddrs,
    host: &str,
    target: &str,
    mut take: impl FnMut(&str) -> ControlFlow<()>,
) -> Result<Option<Response>, Error> {
    let request = request(Method::GET, host, target, Bytes::new())?;
    let opened = timeout(PATIENCE, open(address, request));
    let (response, connection) = opened.await.unwrap_or(Err(Error::Slow))?;
    let answer = async {
        let status = response.status().as_u16();
        let mut body = response.into_body();
        if status != 200 {
            return Ok(Some(whole(status, body, |_| {}).await?));
        }
        let mut rest = Vec::new();
        while let Some(frame) = body.frame().await {
            rest.extend_from_slice(&frame?.into_data().unwrap_or_default());
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                if take(String::from_utf8_lossy(&line).trim_end()).is_break() {
                    return Ok(None);
                }
            }
            if rest.len() > LARGEST {
                return Ok(None);
            }
        }
        Ok(None)
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}

fn request(method: Method, host: &str, target: &str, body: Bytes) -> Result<Request<Full<Bytes>>, Error> {
    let request = Request::builder().method(method).uri(target);
    Ok(request
        .header(HOST, host)
        .header(ACCEPT, "application/json, text/event-stream")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body))?)
}

type Connection = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// The head of the answer, and the connection on which the rest comes.
async fn open(
    address: impl ToSocketAddrs,
    request: Request<Full<Bytes>>,
) -> Result<(hyper::Response<Incoming>, Connection), Error> {
    let socket = TcpStream::connect(address).await.map_err(Error::Connect)?;
    let (mut sender, mut connection) = http1::handshake(TokioIo::new(socket)).await?;
    let answer = sender.send_request(request);
    tokio::pin!(answer);
    let response = tokio::select! {
        answer = &mut answer => answer?,
        // it only moves the bytes: the answer says what became of them
        _ = &mut connection => answer.await?,
    };
    Ok((response, connection))
}

async fn exchange(
    address: impl ToSocketAddrs,
    request: Request<Full<Bytes>>,
    far: impl FnMut(usize),
) -> Result<Response, Error> {
    let (response, connection) = open(address, request).await?;
    let answer = whole(response.status().as_u16(), response.into_body(), far);
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}

async fn whole(status: u16, body: Incoming, mut far: impl FnMut(usize)) -> Result<Response, Error> {
    let mut come = 0;
    let body = Limited::new(body, LARGEST).map_frame(|frame| {
        come += frame.data_ref().map_or(0, Bytes::len);
        far(come);
        frame
    });
    let body = body.collect().await.map_err(Error::Body)?;
    Ok(Response {
        status,
        body: body.to_bytes(),
    })
}
