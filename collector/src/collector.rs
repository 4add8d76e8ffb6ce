//! The whole collector: five addresses, one store, one sweep of what is too old.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use process::admin;
use process::serve::{self, Limits, listen};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::admin::Admin;
use crate::config::Config;
use crate::ingest::{self, Ingest};
use crate::metrics::{DropCause, Metrics};
use crate::sources::Sources;
use crate::store::Store;
use crate::{api, pages, time};

/// How often what is too old is dropped.
const SWEEP: Duration = Duration::from_secs(5);

/// What each of the five takes.
const LIMITS: Limits = Limits {
    connections: 4096,
    patience: Duration::from_secs(10),
};

/// A collector that listens and does not serve yet.
pub struct Collector {
    sources: Sources,
    grpc: TcpListener,
    http: TcpListener,
    zipkin: TcpListener,
    query: TcpListener,
    admin: TcpListener,
}

/// Where a collector listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// OTLP over gRPC.
    pub grpc: SocketAddr,
    /// OTLP over HTTP.
    pub http: SocketAddr,
    /// Zipkin's spans.
    pub zipkin: SocketAddr,
    /// Jaeger's query API.
    pub query: SocketAddr,
    /// Metrics and probes.
    pub admin: SocketAddr,
}

/// The collector cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for {purpose}: {error}; choose another with {flag}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What it is for.
        purpose: &'static str,
        /// The flag that chooses it.
        flag: &'static str,
        /// What the kernel says.
        error: std::io::Error,
    },
    /// The metrics contradict each other: a mistake in this program.
    #[error("cannot set up metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl Collector {
    /// Listens on every address of `config` and will keep spans in `store`.
    ///
    /// # Errors
    /// An address cannot be listened on.
    pub async fn bind(config: &Config, store: Arc<dyn Store>) -> Result<Self, StartError> {
        Ok(Self {
            sources: Sources::new(store, Arc::new(Metrics::new()?)),
            grpc: bind(config.otlp_grpc, "OTLP over gRPC", "--otlp-grpc").await?,
            http: bind(config.otlp_http, "OTLP over HTTP", "--otlp-http").await?,
            zipkin: bind(config.zipkin, "Zipkin's spans", "--zipkin").await?,
            query: bind(config.query, "the query API", "--query").await?,
            admin: bind(config.admin, "metrics and probes", "--admin").await?,
        })
    }

    /// Where it listens, with the ports that the kernel chose where the configuration says 0.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn addresses(&self) -> std::io::Result<Addresses> {
        Ok(Addresses {
            grpc: self.grpc.local_addr()?,
            http: self.http.local_addr()?,
            zipkin: self.zipkin.local_addr()?,
            query: self.query.local_addr()?,
            admin: self.admin.local_addr()?,
        })
    }

    /// Serves until `stop` resolves, then drains: ingest and queries first, probes and metrics last.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let (drained, all_drained) = watch::channel(false);
        let sources = self.sources;
        let ingest = Arc::new(Ingest::new(sources.clone()));
        let admin = admin::router(Admin {
            sources: sources.clone(),
            stopping: stopped.clone(),
        });
        let admin = tokio::spawn(serve(self.admin, admin, all_drained));
        let sweep = tokio::spawn(sweep(sources.clone()));
        let working = async {
            tokio::join!(
                serve(
                    self.grpc,
                    ingest::grpc_router(Arc::clone(&ingest)),
                    stopped.clone()
                ),
                serve(
                    self.http,
                    ingest::http_router(Arc::clone(&ingest)),
                    stopped.clone()
                ),
                serve(self.zipkin, ingest::zipkin_router(ingest), stopped.clone()),
                serve(self.query, pages::beside(api::router(sources)), stopped),
            );
        };
        let asked = async {
            stop.await;
            stopping.send_replace(true);
        };
        tokio::join!(working, asked);
        sweep.abort();
        drained.send_replace(true);
        if let Err(error) = admin.await {
            tracing::warn!(%error, "the admin port did not end well");
        }
    }
}

async fn serve(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
    serve::serve(listener, LIMITS, async |stream| Some(stream), router, stop).await;
}

async fn bind(
    address: SocketAddr,
    purpose: &'static str,
    flag: &'static str,
) -> Result<TcpListener, StartError> {
    listen(address).await.map_err(|error| StartError::Listen {
        address,
        purpose,
        flag,
        error,
    })
}

async fn sweep(sources: Sources) {
    let Sources { store, metrics, .. } = sources;
    let mut every = tokio::time::interval(SWEEP);
    loop {
        every.tick().await;
        match store.expire(time::now()).await {
            Ok(dropped) => metrics.dropped(DropCause::Age, &dropped),
            Err(error) => tracing::warn!(%error, "what is too old could not be dropped"),
        }
    }
}
