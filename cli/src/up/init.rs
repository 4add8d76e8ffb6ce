//! PID 1 of the mesh: holds the switch, starts everything, forwards the published ports, and stops everything.
//!
//! When it ends, the kernel kills whatever is left in its PID namespace; with the last process go the namespaces,
//! the interfaces in them, the rules and the mounts.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount, umount};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use tokio::io::AsyncReadExt;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::console::{Console, complain};
use super::lifeline::{self, Handed, STOP};
use super::netns::{self, Netns};
use super::plan::{Plan, Published, Replica};
use super::publish;
use super::reaper::Reaper;
use super::replica::{Manner, live};
use super::supervise::{End, Kit, told};

/// The hidden command that starts this process.
pub const COMMAND: &str = "mesh-init";

/// What the console calls the mesh itself.
const MESH: &str = "mesh";
/// How long the services have to become ready before the addresses are shown anyway.
const SETTLING: Duration = Duration::from_secs(15);
/// How long the services wait for the collector. Their sidecars keep spans for longer than that.
const COLLECTOR_START: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the front is gone: {0}")]
    Lifeline(io::Error),
    #[error("cannot mount {what} in the mesh: {source}")]
    Mount { what: &'static str, source: io::Error },
    #[error(transparent)]
    Links(#[from] netns::Error),
    #[error("cannot start the mesh: {0}")]
    Start(#[from] io::Error),
}

/// Runs PID 1.
pub fn run() -> ExitCode {
    match begin() {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn begin() -> Result<ExitCode, Error> {
    set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from)?;
    let lifeline = lifeline::inside().map_err(Error::Lifeline)?;
    let (listeners, handed) = lifeline::receive_plan(&lifeline).map_err(Error::Lifeline)?;
    mount_own(&handed.plan.hosts)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(mesh(handed, listeners, lifeline))
}

/// Gives the mesh its own /etc/hosts and its own view of processes.
fn mount_own(hosts: &str) -> Result<(), Error> {
    const NOTHING: Option<&str> = None;
    let failed = |what| {
        move |errno: nix::Error| Error::Mount {
            what,
            source: errno.into(),
        }
    };
    mount(
        NOTHING,
        "/",
        NOTHING,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        NOTHING,
    )
    .map_err(failed("/"))?;
    // the file needs somewhere to be: a file system of its own, reachable for a moment under a path that every
    // machine has, and from then on only as /etc/hosts
    mount(
        Some("tmpfs"),
        "/tmp",
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("mode=755"),
    )
    .map_err(failed("a place for /etc/hosts"))?;
    std::fs::write("/tmp/hosts", hosts)?;
    mount(
        Some("/tmp/hosts"),
        "/etc/hosts",
        NOTHING,
        MsFlags::MS_BIND,
        NOTHING,
    )
    .map_err(failed("/etc/hosts"))?;
    umount("/tmp").map_err(failed("/etc/hosts"))?;
    // where a container hides parts of /proc this is refused; the services then see the machine's processes in it
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    match mount(Some("proc"), "/proc", Some("proc"), flags, NOTHING) {
        Ok(()) | Err(Errno::EPERM) => Ok(()),
        Err(errno) => Err(failed("/proc")(errno)),
    }
}

/// From an empty namespace to a running mesh and back.
async fn mesh(handed: Handed, listeners: Vec<TcpListener>, lifeline: UnixStream) -> Result<ExitCode, Error> {
    let Handed { users, plan } = handed;
    let began = Instant::now();
    let mut told_to_stop = hear(lifeline)?;
    let everyone: Vec<Replica> = plan.collector.iter().chain(&plan.replicas).cloned().collect();
    let names = everyone.iter().map(|replica| replica.name.clone()).collect();
    let (console, writer) = Console::start(names, plan.show)?;
    let kit = Kit {
        reaper: Reaper::begin()?,
        console,
    };
    let manner = Manner {
        users,
        search_path: plan.search_path.clone(),
        sidecar: plan.sidecar.display().to_string(),
        collector: plan.collector.as_ref().map(|collector| collector.address),
    };

    let addresses: Vec<_> = everyone.iter().map(|replica| replica.address).collect();
    let mut namespaces = netns::wire(&addresses, &kit.reaper).await?.into_iter();
    let mut collector = Group::new(kit.clone(), manner.clone());
    for (replica, namespace) in plan
        .collector
        .clone()
        .into_iter()
        .zip(namespaces.by_ref().take(1))
    {
        collector.start(replica, namespace);
    }
    // in any case: how the collector does is on the console
    drop(timeout(COLLECTOR_START, collector.settled()).await);
    let mut services = Group::new(kit.clone(), manner);
    for (replica, namespace) in plan.replicas.clone().into_iter().zip(namespaces) {
        services.start(replica, namespace);
    }
    let places = places_to_look(&plan);
    for (listener, published) in listeners.into_iter().zip(plan.published) {
        publish::forward(listener, published)?;
    }

    let settled = services.settled();
    tokio::select! {
        () = services.ended() => {}
        _ = async { timeout(SETTLING, settled).await } => {
            let seconds = began.elapsed().as_secs_f32();
            kit.console.state(MESH, &format!("up after {seconds:.1} s; Ctrl-C stops it")).await;
            for place in places {
                kit.console.state(MESH, &place).await;
            }
        }
        () = told(&mut told_to_stop) => {}
    }
    tokio::select! {
        () = services.ended() => {}
        () = told(&mut told_to_stop) => {
            kit.console.state(MESH, "stopping; Ctrl-C again does not wait").await;
            services.stop().await;
        }
    }
    collector.stop().await;
    kit.console.state(MESH, "down").await;
    let code = if services.failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    };
    kit.console.finish(writer).await;
    Ok(code)
}

/// Listens to the front. What becomes true is the wish that the mesh stop; if the front is gone, so is the mesh.
fn hear(lifeline: UnixStream) -> io::Result<watch::Receiver<bool>> {
    lifeline.set_nonblocking(true)?;
    let mut lifeline = tokio::net::UnixStream::from_std(lifeline)?;
    let (wish, told_to_stop) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok(byte) = lifeline.read_u8().await {
            wish.send_replace(byte == STOP);
        }
        std::process::exit(1);
    });
    Ok(told_to_stop)
}

fn places_to_look(plan: &Plan) -> Vec<String> {
    let collector = plan.collector.as_ref().map(|collector| collector.name.as_str());
    let usual = SocketAddr::from(([127, 0, 0, 1], contract::port::QUERY));
    plan.published
        .iter()
        .map(
            |Published { what, host, .. }| match Some(what.as_str()) == collector {
                true if *host == usual => format!("traces: http://{host}, or meshtrace traces"),
                true => {
                    format!("traces: http://{host}, or meshtrace traces --collector http://{host}")
                }
                false => format!("{what}: http://{host}"),
            },
        )
        .collect()
}

/// Replicas that are stopped together.
struct Group {
    kit: Kit,
    manner: Manner,
    stop: watch::Sender<bool>,
    lives: JoinSet<End>,
    unready: Vec<oneshot::Receiver<()>>,
    /// Whether one of them ended badly.
    failed: bool,
}

impl Group {
    fn new(kit: Kit, manner: Manner) -> Self {
        let (stop, _) = watch::channel(false);
        Self {
            kit,
            manner,
            stop,
            lives: JoinSet::new(),
            unready: Vec::new(),
            failed: false,
        }
    }

    fn start(&mut self, replica: Replica, namespace: Netns) {
        let (ready, unready) = oneshot::channel();
        self.unready.push(unready);
        let stop = self.stop.subscribe();
        self.lives.spawn(live(
            replica,
            namespace,
            self.manner.clone(),
            self.kit.clone(),
            stop,
            ready,
        ));
    }

    /// Waits until each of them is ready or has ended.
    fn settled(&mut self) -> impl Future<Output = ()> + use<> {
        let unready = std::mem::take(&mut self.unready);
        async move {
            for ready in unready {
                // an error means that it ended before
                drop(ready.await);
            }
        }
    }

    /// Waits until all have ended for good. Can be given up and called again.
    async fn ended(&mut self) {
        while let Some(end) = self.lives.join_next().await {
            self.failed |= !matches!(end, Ok(End::Finished | End::Stopped));
        }
    }

    async fn stop(&mut self) {
        self.stop.send_replace(true);
        self.ended().await;
    }
}
