//! The process that the user started. It stays on the host: reads the file, binds the published ports, hears Ctrl-C.

use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::{Uid, User};
use process::config::Problems;
use tokio::process::Child;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::lifeline::{self, Handed, MAX_LISTENERS, Namespaces, STOP, Users};
use super::plan::{self, Plan, Show};
use super::{enter, spec, tools};

/// Signals that are no further apart than this are one wish.
const SAME_SIGNAL: Duration = Duration::from_millis(300);

/// What the user asked for.
#[derive(Debug)]
pub struct Options {
    /// The file that describes the mesh.
    pub file: PathBuf,
    /// No sidecars and no collector.
    pub untraced: bool,
    /// Only what happens to the services, not what they print.
    pub quiet: bool,
    /// Colours in the output.
    pub colour: bool,
    /// The user's `PATH`.
    pub path: String,
}

/// Why there is no mesh.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there.
    #[error("cannot read {path}: {source}")]
    File {
        /// As the user wrote it.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file does not make sense.
    #[error(transparent)]
    Mesh(#[from] Problems),
    /// A program is missing.
    #[error(transparent)]
    Missing(#[from] tools::Missing),
    /// A published port is taken.
    #[error("cannot publish {what} on {host} ({source}): is another mesh up? `publish` chooses another port")]
    Publish {
        /// The service.
        what: String,
        /// Where.
        host: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// More ports than can be handed over.
    #[error("{0} published ports; a mesh publishes at most {MAX_LISTENERS}")]
    TooManyPorts(usize),
    /// Something that should work on any Linux did not.
    #[error("cannot start the mesh: {0}")]
    Start(#[from] io::Error),
}

/// Runs a mesh until it ends or the user ends it.
///
/// The code is 0 if every service that ended on its own ended well, 1 if not, 130 if a second Ctrl-C cut it short.
/// Has to run on the program's first thread: the mesh dies with the thread that started it.
///
/// # Errors
/// The mesh could not be started; nothing is left of it.
pub async fn up(options: &Options) -> Result<ExitCode, Error> {
    let plan = plan(options)?;
    let listeners = bind(&plan)?;
    let mut stop = [
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    ];

    let (lifeline, inside) = UnixStream::pair()?;
    let mut middle = start(inside)?;
    let Some(made) = lifeline::receive_namespaces(&lifeline)? else {
        // it has said why
        return Ok(code(middle.wait().await?));
    };
    let users = match made {
        Namespaces::Privileged => Users::Many,
        Namespaces::Unprivileged => map_users(&middle).unwrap_or(Users::One),
    };
    lifeline::send_users(&lifeline, users)?;
    lifeline::send_plan(&lifeline, &listeners, &Handed { users, plan })?;
    // from here on they are PID 1's alone
    drop(listeners);

    tokio::select! {
        status = middle.wait() => return Ok(code(status?)),
        () = any(&mut stop) => {}
    }
    // an error means that it is ending already
    drop((&lifeline).write_all(&[STOP]));
    tokio::select! {
        status = middle.wait() => Ok(code(status?)),
        () = again(&mut stop) => Ok(ExitCode::from(130)),
    }
}

fn plan(options: &Options) -> Result<Plan, Error> {
    let file = |source| Error::File {
        path: options.file.display().to_string(),
        source,
    };
    let text = std::fs::read_to_string(&options.file).map_err(file)?;
    let mut mesh = spec::read(&options.file.display().to_string(), &text)?;
    if !Path::new("/proc/net/if_inet6").exists() {
        // on a machine without IPv6 no name can stand for such an address
        mesh.families = spec::Families::Ipv4;
    }
    let directory = options.file.canonicalize().map_err(file)?;
    let directory = directory.parent().unwrap_or(Path::new("/"));
    let needs = tools::Needs {
        sidecar: !options.untraced && mesh.services.iter().any(|service| service.traced),
        collector: !options.untraced && mesh.collector.is_some(),
    };
    let tools = tools::find(&std::env::current_exe()?, &options.path, needs)?;
    let show = Show {
        colour: options.colour && io::stdout().is_terminal(),
        lines: !options.quiet,
    };
    Ok(plan::lay(mesh, directory, tools, options.untraced, show))
}

fn bind(plan: &Plan) -> Result<Vec<TcpListener>, Error> {
    if plan.published.len() > MAX_LISTENERS {
        return Err(Error::TooManyPorts(plan.published.len()));
    }
    plan.published
        .iter()
        .map(|published| {
            TcpListener::bind(published.host).map_err(|source| Error::Publish {
                what: published.what.clone(),
                host: published.host,
                source,
            })
        })
        .collect()
}

/// Starts the process in the middle, in a process group of its own: a Ctrl-C in the terminal is for us to hear.
fn start(inside: UnixStream) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg(enter::COMMAND)
        .stdin(Stdio::from(OwnedFd::from(inside)))
        .process_group(0);
    tokio::process::Command::from(command).kill_on_drop(true).spawn()
}

/// Has newuidmap(1) and newgidmap(1) map us to root and the ids that /etc/subuid gives us to the rest. `None` if they
/// are not there or will not.
fn map_users(middle: &Child) -> Option<Users> {
    let user = Uid::current();
    let name = User::from_uid(user).ok().flatten().map(|user| user.name);
    let pid = middle.id()?.to_string();
    for (tool, table, own) in [
        ("newuidmap", "/etc/subuid", user.as_raw()),
        ("newgidmap", "/etc/subgid", nix::unistd::Gid::current().as_raw()),
    ] {
        let table = std::fs::read_to_string(table).ok()?;
        let (first, count) = subordinate(&table, name.as_deref(), user.as_raw())?;
        let [own, first, count] = [own, first, count].map(|number| number.to_string());
        let done = Command::new(tool)
            .args([&pid, "0", &own, "1", "1", &first, &count])
            .stderr(Stdio::null())
            .status();
        done.ok().filter(std::process::ExitStatus::success)?;
    }
    Some(Users::Many)
}

/// The first range of subuid(5) that is this user's and has room for the sidecar's id.
fn subordinate(table: &str, name: Option<&str>, uid: u32) -> Option<(u32, u32)> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        let mine = name == Some(owner) || owner.parse() == Ok(uid);
        let (first, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (mine && count > contract::SIDECAR_UID).then_some((first, count))
    })
}

/// Waits for another signal. Those that come on the heels of the first are the same one: timeout(1), for one, signals
/// its child and then the group that the child is in.
async fn again(signals: &mut [Signal]) {
    let first = Instant::now();
    loop {
        any(signals).await;
        if first.elapsed() >= SAME_SIGNAL {
            return;
        }
    }
}

async fn any(signals: &mut [Signal]) {
    std::future::poll_fn(|context| {
        if signals
            .iter_mut()
            .any(|signal| signal.poll_recv(context).is_ready())
        {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

fn code(status: std::process::ExitStatus) -> ExitCode {
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subordinate_ids_are_found_by_name_or_number_if_there_are_enough() {
        let table = "other:1:65536\nada:100000:10\nada:200000:65536\n1000:300000:65536\n";
        assert_eq!(subordinate(table, Some("ada"), 7), Some((200_000, 65536)));
        assert_eq!(subordinate(table, None, 1000), Some((300_000, 65536)));
        assert_eq!(subordinate(table, Some("nobody"), 65534), None);
    }
}
