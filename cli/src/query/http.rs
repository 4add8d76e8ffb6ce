//! One HTTP/1.1 GET, which is all that we ask of anybody.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST};
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
    /// The path cannot stand in a request.
    #[error("not a path that can be asked for: {0}")]
    Path(#[from] hyper::http::Error),
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
    timeout(PATIENCE, exchange(address, host, target))
        .await
        .unwrap_or(Err(Error::Slow))
}

async fn exchange(address: impl ToSocketAddrs, host: &str, target: &str) -> Result<Response, Error> {
    let socket = TcpStream::connect(address).await.map_err(Error::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let request = Request::get(target)
        .header(HOST, host)
        .header(ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), LARGEST)
            .collect()
            .await
            .map_err(Error::Body)?
            .to_bytes();
        Ok(Response { status, body })
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // it only moves the bytes: the answer says what became of them
        _ = connection => answer.await,
    }
}
