//! `meshtrace-sidecar run`: threads that carry traffic, one that does everything else, and how all of them stop.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{setsockopt, sockopt};
use otlp::client::{BadAddress, Client};
use otlp::encode::Sender;
use process::logs::Logs;
use rand::SeedableRng;
use rand::rngs::{SmallRng, SysRng};
use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host};
use tokio::runtime::{LocalOptions, LocalRuntime, Runtime};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::admin;
use crate::config::{Listener, Settings};
use crate::connection;
use crate::export::{Exporter, Queue, Reporter};
use crate::live;
use crate::metrics::{Direction, Metrics};
use crate::record::{Pod, Recorder};

/// How long one request to the collector may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long spans may still leave when all else has stopped.
const FLUSH: Duration = Duration::from_secs(2);

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;

/// Why the sidecar cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An address cannot be listened on.
    #[error("{what} cannot listen on {address}: {source}; is another sidecar running here?")]
    Listen {
        /// Which listener.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The operating system refuses something that cannot be done without.
    #[error("starting {what}: {source}")]
    System {
        /// What was being started.
        what: &'static str,
        /// Why it cannot be.
        source: io::Error,
    },
    /// Our own connections cannot be told from those that are redirected.
    #[error("mark {mark}: {source}; marking connections needs the capability NET_ADMIN")]
    Mark {
        /// The mark.
        mark: u32,
        /// Why it cannot be set.
        source: io::Error,
    },
    /// The collector's address is none.
    #[error(transparent)]
    Collector(#[from] BadAddress),
    /// The metrics contradict each other.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// There are no random bytes to begin with.
    #[error("random numbers: {0}")]
    Random(#[from] rand::rngs::SysError),
}

/// Runs until it is asked to stop, then lets connections come to their end, and sends the last spans.
///
/// # Errors
/// It cannot start. Once it runs, nothing stops it but a signal.
pub fn run(settings: Settings, logs: Logs) -> Result<(), RunError> {
    raise_file_limit();
    let runtime = runtime("the control thread")?;
    let done = runtime.block_on(supervise(settings, logs));
    // a name that is still being looked up would be waited for
    runtime.shutdown_background();
    done
}

async fn supervise(settings: Settings, logs: Logs) -> Result<(), RunError> {
    // from here on a signal is not lost, however early it comes
    let stop = process::stop::listen().map_err(system("signal handlers"))?;
    if let Some(mark) = settings.mark {
        try_mark(mark).map_err(|source| RunError::Mark { mark, source })?;
    }
    let metrics = Arc::new(Metrics::new()?);
    let exporter = exporter(&settings, &metrics)?;
    let pod = Arc::new(Pod::new(
        settings,
        Arc::clone(&metrics),
        exporter.as_ref().map(|it| Arc::clone(&it.queue)),
    ));
    let settings = &pod.settings;

    let admin = listen("admin", settings.admin)?;
    let ready = Arc::new(AtomicBool::new(true));
    let admin = tokio::spawn(admin::serve(admin, Arc::clone(&pod), Arc::clone(&ready)));
    let (stop_export, stopping) = watch::channel(None);
    let reporter = exporter
        .as_ref()
        .map(|it| Arc::new(Reporter::new(it.client.clone(), Arc::clone(&metrics))));
    let reporting = reporter
        .clone()
        .map(|reporter| tokio::spawn(async move { reporter.run().await }));
    let export = exporter.map(|exporter| tokio::spawn(async move { exporter.run(stopping).await }));
    pod.look_up_owners();
    let settling = tokio::spawn({
        let pod = Arc::clone(&pod);
        async move { pod.settle().await }
    });
    let random = SmallRng::try_from_rng(&mut SysRng)?;
    let following = tokio::spawn({
        let pod = Arc::clone(&pod);
        async move { live::follow::follow(&pod, &logs, random).await }
    });
    let (stop_workers, stopped) = watch::channel(false);
    let workers = start_workers(&pod, &stopped)?;
    tracing::info!(
        service = settings.service,
        inbound = settings.inbound.map(|listener| tracing::field::display(listener.listen)),
        outbound = settings.outbound.map(|listener| tracing::field::display(listener.listen)),
        admin = %settings.admin,
        collector = settings.collector.as_deref().unwrap_or("none"),
        operator = settings.operator.as_deref().unwrap_or("none"),
        "running"
    );

    stop.await;
    ready.store(false, Ordering::Relaxed);
    drain(&metrics, settings.drain).await;
    stop_workers.send_replace(true);
    let joined = tokio::task::spawn_blocking(move || {
        workers
            .into_iter()
            .map(JoinHandle::join)
            .filter(Result::is_err)
            .count()
    });
    if joined.await.map_or(1, |panicked| panicked) > 0 {
        tracing::error!("a worker had panicked: its spans are lost");
    }
    settling.abort();
    following.abort();
    pod.settle_all();
    let deadline = Instant::now() + FLUSH;
    stop_export.send_replace(Some(deadline));
    if let Some(export) = export
        && export.await.is_err()
    {
        tracing::error!("the exporter had panicked: its spans are lost");
    }
    if let Some(reporting) = reporting {
        reporting.abort();
    }
    if let Some(reporter) = reporter {
        // what became of the last spans is known only now
        let _told_or_too_late = timeout_at(deadline, reporter.tell()).await;
    }
    admin.abort();
    tracing::info!("stopped");
    Ok(())
}

fn exporter(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Option<Exporter>, RunError> {
    let Some(address) = &settings.collector else {
        return Ok(None);
    };
    let mut resource = vec![("service.name".to_owned(), settings.service.clone())];
    resource.extend(
        settings
            .resource
            .iter()
            .filter(|(key, _)| key != "service.name")
            .cloned(),
    );
    let sender = Sender::new(&resource, (contract::told::SCOPE, env!("CARGO_PKG_VERSION")));
    let (export, mark) = (settings.export, settings.mark);
    Ok(Some(Exporter {
        queue: Arc::new(Queue::new(export.queue_bytes, export.batch_bytes)),
        client: Client::new(address, sender, EXPORT_TIMEOUT, move |host, port| {
            dial((host, port), mark)
        })?,
        metrics: Arc::clone(metrics),
        interval: export.interval,
        retry_for: export.retry_for,
    }))
}

/// Better not to start than to reset every connection.
fn try_mark(mark: u32) -> io::Result<()> {
    Ok(setsockopt(&TcpSocket::new_v4()?, sockopt::Mark, &mark)?)
}

/// Connects to the collector, or the operator, past our own redirect.
pub(crate) async fn dial(to: impl ToSocketAddrs, mark: Option<u32>) -> io::Result<TcpStream> {
    let mut problem = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host(to).await? {
        match connection::dial(address, mark).await {
            // the end of a batch must not wait for the collector's delayed acknowledgement of what came before
            Ok(stream) => return stream.set_nodelay(true).map(|()| stream),
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

/// Waits until no connection is open, at most for `longest`. Connections are accepted all the while: the redirect goes
/// on sending them here.
async fn drain(metrics: &Metrics, longest: Duration) {
    let empty = async {
        while metrics.connections_open.get() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(longest, empty).await.is_err() {
        tracing::warn!(
            connections = metrics.connections_open.get(),
            "connections are still open, and are closed now"
        );
    }
}

/// Starts the threads that carry traffic. All of them accept from the same listeners.
fn start_workers(pod: &Arc<Pod>, stop: &watch::Receiver<bool>) -> Result<Vec<JoinHandle<()>>, RunError> {
    let listeners = [
        (Direction::Inbound, pod.settings.inbound),
        (Direction::Outbound, pod.settings.outbound),
    ];
    let mut bound = Vec::new();
    for (direction, listener) in listeners {
        if let Some(listener) = listener {
            let socket = listen(direction.name(), listener.listen)?
                .into_std()
                .map_err(system("a listener"))?;
            bound.push((direction, listener, socket));
        }
    }
    let mut workers = Vec::new();
    for number in 0..pod.settings.workers {
        let mut listeners = Vec::new();
        for (direction, listener, socket) in &bound {
            let socket = socket.try_clone().map_err(system("a listener"))?;
            listeners.push((*direction, *listener, socket));
        }
        let (pod, mut stop) = (Arc::clone(pod), stop.clone());
        let (failed, failure) = mpsc::channel();
        let run = move || match worker(&pod, listeners) {
            Ok(runtime) => {
                drop(failed);
                // the other end goes away only with the process
                let _stop_or_gone = runtime.block_on(stop.wait_for(|stop| *stop));
            }
            Err(error) => {
                let _nobody_waits_any_more = failed.send(error);
            }
        };
        let thread = std::thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(run);
        workers.push(thread.map_err(system("a worker"))?);
        if let Ok(error) = failure.recv() {
            return Err(error);
        }
    }
    Ok(workers)
}

/// What a worker's thread runs. It is made there, because nothing of it can go to another one: that is why its
/// connections need no locks for what they share.
fn worker(
    pod: &Arc<Pod>,
    listeners: Vec<(Direction, Listener, std::net::TcpListener)>,
) -> Result<LocalRuntime, RunError> {
    let recorder = Rc::new(Recorder::new(Arc::clone(pod))?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(system("a worker"))?;
    for (direction, listener, socket) in listeners {
        let _in_runtime = runtime.enter();
        let socket = TcpListener::from_std(socket).map_err(system("a listener"))?;
        drop(runtime.spawn_local(accept(socket, direction, listener, Rc::clone(&recorder))));
    }
    Ok(runtime)
}

async fn accept(socket: TcpListener, direction: Direction, listener: Listener, recorder: Rc<Recorder>) {
    loop {
        match socket.accept().await {
            Ok((stream, from)) => {
                drop(tokio::task::spawn_local(connection::serve(
                    stream,
                    from,
                    direction,
                    listener,
                    Rc::clone(&recorder),
                )));
            }
            Err(error) => {
                tracing::warn!(%error, direction = direction.name(), "a connection could not be accepted");
                // out of file descriptors, most likely: connections wait in the kernel meanwhile
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Listens, on all IPv4 addresses where `[::]` is not to be had.
fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, RunError> {
    let bind = |address: SocketAddr| {
        let socket = connection::socket_for(address)?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let listener = match bind(address) {
        Err(error) if address.ip().is_unspecified() && error.kind() != io::ErrorKind::AddrInUse => {
            bind((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        listener => listener,
    };
    listener.map_err(|source| RunError::Listen {
        what,
        address,
        source,
    })
}

fn runtime(what: &'static str) -> Result<Runtime, RunError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system(what))
}

fn system(what: &'static str) -> impl Fn(io::Error) -> RunError {
    move |source| RunError::System { what, source }
}

/// Two sockets a connection: the usual soft limit of 1,024 files is soon reached.
fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
