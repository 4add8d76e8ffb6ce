//! Serving HTTPS: a bounded number of connections, each with the certificate of when it began, drained at the end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// Connections at once. API servers have a few each; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 512;
/// How long a client may take to begin a connection or a request, and to answer an HTTP/2 ping. The API server waits
/// 3 s for everything.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long open requests may take once the program has been asked to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves until `stop` is true; then takes no more connections and lets open requests end. A new configuration holds for
/// new connections.
pub async fn serve(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Some((stream, permit)) = accepted else {
            continue;
        };
        let acceptor = TlsAcceptor::from(Arc::clone(&tls.borrow()));
        let (router, watcher) = (router.clone(), graceful.watcher());
        tokio::spawn(async move {
            let stream = match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    return tracing::warn!(%error, "a TLS handshake failed: is our bundle the caBundle?");
                }
                Err(_) => return tracing::debug!("a client did not finish its TLS handshake"),
            };
            let server = builder();
            let service = TowerToHyperService::new(router);
            let connection = server
                .serve_connection(TokioIo::new(stream), service)
                .into_owned();
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%error, "connection ended");
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

fn builder() -> Builder<TokioExecutor> {
    let mut server = Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(PATIENCE * 10))
        .keep_alive_timeout(PATIENCE);
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
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}
