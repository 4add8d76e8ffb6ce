//! Network namespaces, held by a file descriptor and nothing else, and what is plugged in between them.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::sched::{CloneFlags, setns, unshare};
use tokio::sync::oneshot;

use super::plan::{Address, HUB, PREFIX};
use super::reaper::{Exit, Reaper};

/// The name that a service sees its interface under.
const INTERFACE: &str = "eth0";
/// The name of the switch that joins them all.
const BRIDGE: &str = "mesh";

/// A network namespace. It lives as long as this, or as a process in it.
#[derive(Clone, Debug)]
pub(super) struct Netns(Arc<File>);

/// A namespace or its links could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot make a network namespace: {0}")]
    Namespace(io::Error),
    #[error("cannot run ip (package iproute2): {0}")]
    Start(io::Error),
    #[error("ip could not set up the links of the mesh: {0}")]
    Links(String),
}

impl Netns {
    /// A new one, empty.
    pub(super) async fn create() -> io::Result<Self> {
        on_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Self::current()
        })
        .await
    }

    /// The one that this thread is in.
    pub(super) fn current() -> io::Result<Self> {
        Ok(Self(Arc::new(File::open("/proc/thread-self/ns/net")?)))
    }

    /// Does `work` inside, on a thread that ends with it: what `work` opens or starts belongs to this namespace.
    pub(super) async fn inside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let namespace = Arc::clone(&self.0);
        on_a_thread(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET)?;
            work()
        })
        .await
    }

    /// A path to it for as long as it lives, for other processes.
    fn path(&self) -> io::Result<String> {
        // in whichever PID namespace this /proc was mounted for
        let own = std::fs::read_link("/proc/self")?;
        Ok(format!("/proc/{}/fd/{}", own.display(), self.0.as_raw_fd()))
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    std::thread::Builder::new().spawn(move || done.send(work()).is_ok())?;
    result
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the thread in a namespace ended early")))
}

/// Makes a namespace for every address and joins them to a switch in ours, the hub.
pub(super) async fn wire(addresses: &[Address], reaper: &Reaper) -> Result<Vec<Netns>, Error> {
    let ipv6 = Path::new("/proc/net/if_inet6").exists();
    let hub = Netns::current().map_err(Error::Namespace)?;
    let mut script = format!("link set lo up\nlink add {BRIDGE} type bridge mcast_snooping 0\n");
    script += &bring_up(BRIDGE, HUB, ipv6);

    let mut namespaces = Vec::new();
    for index in 0..addresses.len() {
        let namespace = Netns::create().await.map_err(Error::Namespace)?;
        let path = namespace.path().map_err(Error::Namespace)?;
        script += &format!(
            "link add port{index} type veth peer name {INTERFACE} netns {path}\nlink set port{index} master {BRIDGE} up\n"
        );
        namespaces.push(namespace);
    }
    ip(&hub, script, reaper).await?;
    for (namespace, address) in namespaces.iter().zip(addresses) {
        ip(
            namespace,
            format!("link set lo up\n{}", bring_up(INTERFACE, *address, ipv6)),
            reaper,
        )
        .await?;
    }
    Ok(namespaces)
}

fn bring_up(interface: &str, address: Address, ipv6: bool) -> String {
    let mut script = format!("addr add {}/{} dev {interface}\n", address.v4, PREFIX.0);
    if ipv6 {
        // nobody else can have it: no need to wait until duplicate address detection says so
        script += &format!("addr add {}/{} dev {interface} nodad\n", address.v6, PREFIX.1);
    }
    script + &format!("link set {interface} up\n")
}

/// Has `ip -batch` do the lines of `script` in a namespace.
async fn ip(namespace: &Netns, script: String, reaper: &Reaper) -> Result<(), Error> {
    let mut command = Command::new("ip");
    command
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = reaper.start(namespace, command).await.map_err(Error::Start)?;
    if let Some(mut input) = child.process.stdin.take() {
        // a script is a few kilobytes at most, which a pipe takes at once; if ip ends early it says why
        drop(input.write_all(script.as_bytes()));
    }
    let complaint = child.process.stderr.take();
    match child.exit().await {
        Exit::Code(0) => Ok(()),
        _ => Err(Error::Links(
            complaint
                .and_then(|pipe| io::read_to_string(pipe).ok())
                .unwrap_or_default(),
        )),
    }
}
