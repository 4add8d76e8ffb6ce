//! The whole operator: what it knows of the cluster, what it serves, and in which order both begin and end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use inject::decide::Site;
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admin::{self, Admin};
use crate::certificates::due::Lifetimes;
use crate::cluster::certificates::Keeper;
use crate::cluster::leader::Leader;
use crate::cluster::lease::Election;
use crate::cluster::{self, watching};
use crate::config::Config;
use crate::coverage::Coverage;
use crate::metrics::Metrics;
use crate::namespaces::Namespaces;
use crate::policy::known::Known;
use crate::policy::stream;
use crate::webhook::{self, Webhook, serve};

/// How long the webhook goes on after it has been asked to stop: API servers learn of it late, and whoever still asks
/// would get no answer, and the pod no sidecar.
const FAREWELL: Duration = Duration::from_secs(5);

/// How often is counted how all stand.
const COUNT: Duration = Duration::from_secs(5);

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

/// Runs until `stop` resolves. The webhook listens once its certificate is there and all namespaces are known with their
/// limits; until then the API server finds nobody, and goes on without us.
///
/// # Errors
/// The API server does not say its version, or an address cannot be listened on.
pub async fn run(config: &Config, client: Client, stop: impl Future<Output = ()>) -> Result<(), StartError> {
    let native_sidecars = cluster::native_sidecars(&client).await?;
    let metrics = Arc::new(Metrics::new()?);
    let site = Arc::new(Site {
        image: config.image.clone(),
        collector: config.collector.clone(),
        operator: config.settings_url.clone(),
        native_sidecars,
        own_namespace: config.namespace.clone(),
        excluded: config.exclude.clone(),
        ..Site::usual(env!("CARGO_PKG_VERSION"))
    });
    let namespaces = Arc::new(Namespaces::default());
    let coverage = Arc::new(Coverage::new(Arc::clone(&site), Arc::clone(&namespaces)));
    let (ready, is_ready) = watch::channel(false);
    let admin = listen(config.admin, "metrics and probes").await?;
    let told = Admin {
        metrics: Arc::clone(&metrics),
        coverage: Arc::clone(&coverage),
        ready: is_ready,
    };
    // dropped at the end, and all that runs in it with it
    let mut tasks = JoinSet::new();
    tasks.spawn(async {
        if let Err(error) = axum::serve(admin, admin::router(told)).await {
            tracing::error!(%error, "metrics and probes are not served any more");
        }
    });
    let policies = Arc::new(Known::new(&config.namespace));
    let changes = watching::begin(&mut tasks, &client, &namespaces, &coverage, &policies);
    let election = Arc::new(Election::new(
        &client,
        &config.name,
        &config.namespace,
        &config.identity,
    ));
    let (tells_lead, leads) = watch::channel(false);
    let standing = Arc::clone(&election);
    tasks.spawn(async move { standing.stand(tells_lead).await });
    let keeper = Keeper::new(
        &client,
        &config.name,
        &config.namespace,
        Lifetimes::of_leaf(config.certificate_lifetime),
        leads.clone(),
        Arc::clone(&metrics),
    );
    let (stopping, stopped) = watch::channel(false);
    let asked = listen(config.settings, "settings").await?;
    tasks.spawn(stream::serve(
        asked,
        Arc::clone(&policies),
        Arc::clone(&metrics),
        stopped.clone(),
    ));
    let begun = async {
        changes.all_listed().await;
        keeper.first().await
    };
    let mut stop = pin!(stop);
    let shown = tokio::select! {
        shown = begun => shown,
        () = &mut stop => {
            election.resign().await;
            return Ok(());
        }
    };

    let listener = listen(config.webhook, "the webhook").await?;
    let (shows, shown) = watch::channel(shown);
    tasks.spawn(keeper.keep(shows));
    tasks.spawn(count(Arc::clone(&coverage), leads.clone(), Arc::clone(&metrics)));
    let leader = Leader {
        client,
        identity: config.identity.clone(),
        site: Arc::clone(&site),
        namespaces: Arc::clone(&namespaces),
        coverage,
        policies: Arc::clone(&policies),
    };
    tasks.spawn(leader.whenever(leads, changes.counted));
    let router = webhook::router(Webhook {
        site,
        namespaces,
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
    tasks.shutdown().await;
    election.resign().await;
    Ok(())
}

/// Counts how all stand, and whether we lead, for as long as it is polled.
async fn count(coverage: Arc<Coverage>, leads: watch::Receiver<bool>, metrics: Arc<Metrics>) {
    loop {
        metrics.covered(&coverage.summary());
        metrics.leads(*leads.borrow());
        tokio::time::sleep(COUNT).await;
    }
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
