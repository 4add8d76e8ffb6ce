//! The sidecar's side: one connection, one call, and its updates until either ends. Coming back is the caller's.

use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::{LONGEST_DOCUMENT, Update, WATCH, Who};

/// How long the operator may take to answer the call. Its first update may take longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the operator is asked whether it is still there, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(10);

/// The most bytes of a message: a document with its origins.
const LONGEST_MESSAGE: usize = LONGEST_DOCUMENT + (64 << 10);

/// The stream of settings ended, or never began.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The operator's address makes no URI.
    #[error("operator `{0}`: not an address; use http://host:port")]
    Address(String),
    /// No HTTP/2 connection came about.
    #[error("the operator speaks no HTTP/2: {0}")]
    Connection(#[from] hyper::Error),
    /// The call was refused or cut off.
    #[error("the operator: {}", .0.message())]
    Call(Box<Status>),
    /// Nothing came in time.
    #[error("the operator did not answer within {} s", PATIENCE.as_secs())]
    Silence,
    /// More than anyone may say.
    #[error("the operator sent a document of {0} bytes; {LONGEST_DOCUMENT} are the most")]
    TooLong(usize),
}

/// Updates as they come in. The call ends when this is dropped.
#[derive(Debug)]
pub struct Updates(Streaming<Update>);

/// Asks on a connection of one's own, to the operator at `origin` (`http://host:port`).
///
/// # Errors
/// No answer, or not one of ours.
pub async fn watch(stream: TcpStream, origin: &str, who: Who) -> Result<Updates, WatchError> {
    let origin: Uri = origin
        .parse()
        .map_err(|_| WatchError::Address(origin.to_owned()))?;
    timeout(PATIENCE, call(stream, origin, who))
        .await
        .map_err(|_| WatchError::Silence)?
}

async fn call(stream: TcpStream, origin: Uri, who: Who) -> Result<Updates, WatchError> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .handshake(TokioIo::new(stream))
        .await?;
    // ends when neither the sender nor the stream of updates is left
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to the operator broke");
        }
    });
    let service = tower::service_fn(move |request| sender.clone().send_request(request));
    let mut grpc =
        tonic::client::Grpc::with_origin(service, origin).max_decoding_message_size(LONGEST_MESSAGE);
    let path = PathAndQuery::from_static(WATCH);
    let codec = ProstCodec::<Who, Update>::default();
    let answer = grpc.server_streaming(Request::new(who), path, codec).await;
    Ok(Updates(answer.map_err(cut_off)?.into_inner()))
}

fn cut_off(status: Status) -> WatchError {
    WatchError::Call(Box::new(status))
}

impl Updates {
    /// The next one; `None` once the operator has nothing more to say on this call.
    ///
    /// # Errors
    /// The call was cut off.
    pub async fn next(&mut self) -> Result<Option<Update>, WatchError> {
        match self.0.message().await.map_err(cut_off)? {
            Some(update) if update.document.len() > LONGEST_DOCUMENT => {
                Err(WatchError::TooLong(update.document.len()))
            }
            update => Ok(update),
        }
    }
}
