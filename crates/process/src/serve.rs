//! Serving HTTP on one address: HTTP/1.1 and HTTP/2 alike, a bounded number of connections, drained at the end.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 128;
/// How often an HTTP/2 client that says nothing is asked whether it is there.
const PING: Duration = Duration::from_secs(10);
/// How long open requests may take once the program has been asked to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// What clients may take of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. Further ones wait in the kernel's queue until one of these ends.
    pub connections: usize,
    /// How long a client may take to send a request's head, and to answer an HTTP/2 ping.
    pub patience: Duration,
}

/// Listens on `address`. On a machine without IPv6, `[::]` is `0.0.0.0`.
///
/// # Errors
/// What the kernel says.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && no_ipv6(&error) => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
}

fn no_ipv6(error: &io::Error) -> bool {
    // EAFNOSUPPORT where the kernel has no IPv6, EADDRNOTAVAIL where it is switched off
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(97)
}

/// Serves until `stop` is true; then takes no more connections and gives open requests 5 s.
///
/// `handshake` makes of a connection what is spoken over: itself, or TLS. It is asked in a task of the connection, so that
/// a slow client holds up nobody else. `None` ends the connection, and it has said why.
pub async fn serve<H, S>(
    listener: TcpListener,
    limits: Limits,
    handshake: impl Fn(TcpStream) -> H,
    router: Router,
    mut stop: watch::Receiver<bool>,
) where
    H: Future<Output = Option<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let server = builder(limits);
    let connections = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Some((stream, permit)) = accepted else {
            continue;
        };
        let handshake = handshake(stream);
        let service = TowerToHyperService::new(router.clone());
        let (server, watcher) = (server.clone(), graceful.watcher());
        tokio::spawn(async move {
            if let Some(stream) = handshake.await {
                let connection = server.serve_connection(TokioIo::new(stream), service);
                if let Err(error) = watcher.watch(connection.into_owned()).await {
                    tracing::debug!(%error, "connection ended");
                }
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            "requests were still open after {} s and were cut off",
            DRAIN.as_secs()
        );
    }
}

fn builder(limits: Limits) -> Builder<TokioExecutor> {
    let mut server = Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.patience);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(Some(PING))
        .keep_alive_timeout(limits.patience);
    server
}

/// The next connection, once there is room for one. `None` if accepting failed, after a moment in which whatever the
/// kernel is short of may come back.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY not set");
            }
            Some((stream, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_default_address_takes_ipv4() {
        let listener = listen("[::]:0".parse().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (client, server) =
            tokio::join!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)), listener.accept());
        assert_eq!(
            client.unwrap().local_addr().unwrap().ip(),
            server.unwrap().1.ip().to_canonical()
        );
    }
}
