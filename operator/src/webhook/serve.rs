//! Serving HTTPS: each connection with the certificate of when it began.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use process::serve::{self, Limits};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// API servers have a few connections each, which they keep for 90 s between requests. Were they closed from here before
/// that, a request might be on its way.
const LIMITS: Limits = Limits {
    connections: 512,
    patience: Duration::from_secs(100),
};
/// How long a handshake may take. API servers wait 3 s for everything.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// Serves until `stop` is true; then takes no more connections and lets open requests end. A new configuration holds for
/// new connections.
pub async fn serve(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    let shake = |stream| handshake(TlsAcceptor::from(Arc::clone(&tls.borrow())), stream);
    serve::serve(listener, LIMITS, shake, router, stop).await;
}

async fn handshake(acceptor: TlsAcceptor, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a TLS handshake failed: is our bundle the caBundle?");
            None
        }
        Err(_) => {
            tracing::debug!("a client did not finish its TLS handshake");
            None
        }
    }
}
