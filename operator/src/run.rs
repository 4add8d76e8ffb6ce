//! The whole operator: what it knows of the cluster, what it serves, and in which order both begin and end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use inject::decide::Site;
use kube::Client;
use process::admin;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::admin::Admin;
use crate::certificates::due::Lifetimes;
use crate::cluster::certificates::Keeper;
use crate::cluster::{self, namespaces};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::namespaces::Namespaces;
use crate::policy;
use crate::policy::known::Known;
use crate::webhook::{self, Webhook, serve};

/// How long the webhook goes on after it has been asked to stop: API servers learn of it late, and whoever still asks
/// would get no answer, and the pod no sidecar.
const FAREWELL: Duration = Duration::from_secs(5);

/// The operator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for {purpose}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What it is for.
        purpose: &'static str,
        /// What the kernel says.
        error: std::io::Error,
    },
    /// The API server cannot be asked.
    #[error("the API server: {0}")]
    Kubernetes(#[from] kube::Error),
    /// The metrics contradict each other: a mistake in this program.
    #[error("cannot set up metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Runs until `stop` resolves. The webhook listens once its certificate is there and all namespaces are known; until then
/// the API server finds nobody, and goes on without us.
///
/// # Errors
/// The API server does not say its version, or an address cannot be listened on.
pub async fn run(config: &Config, client: Client, stop: impl Future<Output = ()>) -> Result<(), StartError> {
    let native_sidecars = cluster::native_sidecars(&client).await?;
    let metrics = Arc::new(Metrics::new()?);
    let (ready, is_ready) = watch::channel(false);
    let admin = listen(config.admin, "metrics and probes").await?;
    let told = Admin {
        metrics: Arc::clone(&metrics),
        ready: is_ready,
    };
    let admin = axum::serve(admin, admin::router(told)).into_future();
    let admin = tokio::spawn(admin);

    let known = Arc::new(Namespaces::default());
    let (listed, mut is_listed) = watch::channel(false);
    let follower = tokio::spawn(namespaces::follow(client.clone(), Arc::clone(&known), listed));
    let keeper = Keeper::new(
        &client,
        &config.name,
        &config.namespace,
        Lifetimes::USUAL,
        Arc::clone(&metrics),
    );
    let (stopping, stopped) = watch::channel(false);
    let policies = Arc::new(Known::new(&config.namespace));
    let asked = listen(config.settings, "settings").await?;
    let policy = tokio::spawn(policy::run(
        client.clone(),
        Arc::clone(&policies),
        asked,
        Arc::clone(&metrics),
        stopped.clone(),
    ));
    let begun = async {
        let shown = keeper.first().await;
        let listed = is_listed.wait_for(|listed| *listed).await.is_ok();
        (shown, listed)
    };
    let mut stop = std::pin::pin!(stop);
    let (shown, _) = tokio::select! {
        begun = begun => begun,
        () = &mut stop => return Ok(()),
    };

    let listener = listen(config.webhook, "the webhook").await?;
    let (shows, shown) = watch::channel(shown);
    let keeper = tokio::spawn(keeper.keep(shows));
    let router = webhook::router(Webhook {
        site: Arc::new(Site {
            image: config.image.clone(),
            collector: config.collector.clone(),
            operator: config.settings_url.clone(),
            native_sidecars,
            own_namespace: config.namespace.clone(),
            ..Site::usual(env!("CARGO_PKG_VERSION"))
        }),
        namespaces: known,
        policies,
        metrics,
    });
    tracing::info!(webhook = %config.webhook, admin = %config.admin, native_sidecars, "serving");
    ready.send_replace(true);
    let asked = async {
        stop.await;
        ready.send_replace(false);
        tokio::time::sleep(FAREWELL).await;
        stopping.send_replace(true);
    };
    tokio::join!(serve::serve(listener, shown, router, stopped), asked);
    for task in [follower, keeper, policy] {
        task.abort();
    }
    admin.abort();
    Ok(())
}

async fn listen(address: SocketAddr, purpose: &'static str) -> Result<TcpListener, StartError> {
    process::serve::listen(address)
        .await
        .map_err(|error| StartError::Listen {
            address,
            purpose,
            error,
        })
}
