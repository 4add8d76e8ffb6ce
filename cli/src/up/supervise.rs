//! One program from its start to its end for good: started, watched until it is ready, started again, stopped.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use nix::unistd::sethostname;
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set,
    set_capabilities, set_capabilities_secure_bits,
};
use tokio::net::unix::pipe;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::console::Console;
use super::listening::listens;
use super::netns::Netns;
use super::reaper::{Exit, Reaper, Started};
use super::spec::Restart;
use crate::query::http;

/// How long a program has to end after SIGTERM, before SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// The pause before a program is started again doubles from the first to the last, and is the first again after a
/// run of at least the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// How often a program is asked whether it is ready, and when the user is told that it is still not.
const ASK_EVERY: Duration = Duration::from_millis(50);
const OVERDUE: Duration = Duration::from_secs(10);

/// How long to wait for what a program said before it ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A program and where it runs.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// What the console calls it.
    pub(super) name: String,
    pub(super) command: Vec<String>,
    pub(super) workdir: PathBuf,
    pub(super) env: Vec<(String, String)>,
    /// User and group id, if not the mesh's own.
    pub(super) user: Option<u32>,
    /// Of root's rights, those that it keeps as that user.
    pub(super) keeps: CapabilitySet,
    pub(super) namespace: Netns,
    pub(super) hostname: String,
    pub(super) ready: Ready,
    /// Whether the user cares when it is ready and when it stops. Troubles are reported in any case.
    pub(super) reported: bool,
}

/// When a program counts as ready.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ready {
    /// Once it runs.
    Running,
    /// Once it listens on this port.
    Listening(u16),
    /// Once `GET /ready` is answered here with 200.
    Answering(SocketAddr),
}

/// How a program ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, well.
    Finished,
    /// By itself, not well, or it never began.
    Failed,
    /// Because it was told to.
    Stopped,
}

/// What everything that runs programs needs.
#[derive(Clone, Debug)]
pub(super) struct Kit {
    pub(super) reaper: Reaper,
    pub(super) console: Console,
}

/// Keeps `program` running as `restart` says until `stop` becomes true. `ready` is told when it is ready for the
/// first time.
pub(super) async fn keep(
    program: &Program,
    restart: Restart,
    kit: &Kit,
    mut stop: watch::Receiver<bool>,
    mut ready: Option<oneshot::Sender<()>>,
) -> End {
    let console = &kit.console;
    let mut pause = PAUSES.0;
    loop {
        let began = Instant::now();
        let (mut started, output) = match start(program, kit).await {
            Ok(running) => running,
            Err(error) => {
                console
                    .trouble(
                        &program.name,
                        &format!("cannot start {}: {error}", program.what()),
                    )
                    .await;
                return End::Failed;
            }
        };
        let exit = tokio::select! {
            exit = started.exit() => exit,
            () = told(&mut stop) => {
                terminate(&mut started).await;
                hear_out(output).await;
                program.report(console, "stopped").await;
                return End::Stopped;
            }
            never = announce(program, console, began, &mut ready) => match never {},
        };
        // what it started does not outlive it: it would keep the port, say
        started.signal(Signal::SIGKILL);
        hear_out(output).await;

        let well = exit == Exit::Code(0);
        let again = match restart {
            Restart::Never => false,
            Restart::OnFailure => !well,
            Restart::Always => true,
            Restart::OnceReady => ready.is_none(),
        };
        if !again {
            if well {
                console.state(&program.name, &exit.to_string()).await;
                return End::Finished;
            }
            console.trouble(&program.name, &exit.to_string()).await;
            return End::Failed;
        }
        if began.elapsed() >= PAUSES.1 {
            pause = PAUSES.0;
        }
        console
            .trouble(
                &program.name,
                &format!("{exit}, starting again in {:.1} s", pause.as_secs_f32()),
            )
            .await;
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(PAUSES.1),
            () = told(&mut stop) => return End::Stopped,
        }
    }
}

/// Waits until `stop` becomes true; whoever could say so being gone counts too.
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

async fn start(program: &Program, kit: &Kit) -> io::Result<(Started, JoinSet<()>)> {
    let [name, arguments @ ..] = program.command.as_slice() else {
        return Err(io::Error::other("the command is empty"));
    };
    let mut command = Command::new(name);
    command
        .args(arguments)
        .current_dir(&program.workdir)
        .envs(program.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(user) = program.user {
        command.uid(user).gid(user);
    }
    let (hostname, keeps) = (program.hostname.clone(), program.keeps);
    let prepare = move || {
        unshare(CloneFlags::CLONE_NEWUTS)?;
        sethostname(hostname)?;
        keep_rights(keeps)
    };
    let mut started = kit
        .reaper
        .start_after(&program.namespace, command, prepare)
        .await?;
    let pipes = [
        started.process.stdout.take().map(OwnedFd::from),
        started.process.stderr.take().map(OwnedFd::from),
    ];
    let mut output = JoinSet::new();
    for pipe in pipes.into_iter().flatten() {
        let pipe = pipe::Receiver::from_owned_fd(pipe)?;
        let (console, name) = (kit.console.clone(), program.name.clone());
        output.spawn(async move { console.relay(&name, pipe).await });
    }
    Ok((started, output))
}

/// What this thread starts as another user gets these capabilities (capabilities(7), ambient), and no others. None, where
/// this machine does not let us hand them on: a container may lack them.
fn keep_rights(rights: CapabilitySet) -> io::Result<()> {
    let own = capabilities(None)?;
    if rights.is_empty() || !own.effective.contains(rights | CapabilitySet::SETPCAP) {
        return Ok(());
    }
    let sets = CapabilitySets {
        inheritable: own.inheritable | rights,
        ..own
    };
    set_capabilities(None, sets)?;
    for right in rights.iter() {
        configure_capability_in_ambient_set(right, true)?;
    }
    // becoming another user would clear them
    set_capabilities_secure_bits(CapabilitiesSecureBits::NO_SETUID_FIXUP)?;
    Ok(())
}

/// Shows the last words of a program that has ended. Whoever else holds its pipes open is not waited for.
async fn hear_out(mut output: JoinSet<()>) {
    drop(timeout(LAST_WORDS, async { while output.join_next().await.is_some() {} }).await);
    output.detach_all();
}

/// Tells the user and `ready` when the program is ready, then waits for nothing.
async fn announce(
    program: &Program,
    console: &Console,
    began: Instant,
    ready: &mut Option<oneshot::Sender<()>>,
) -> Infallible {
    let mut overdue = false;
    while !program.is_ready().await {
        if !overdue && began.elapsed() > OVERDUE {
            overdue = true;
            let seconds = OVERDUE.as_secs();
            console
                .trouble(
                    &program.name,
                    &format!("after {seconds} s still not {}", program.ready),
                )
                .await;
        }
        sleep(ASK_EVERY).await;
    }
    let seconds = began.elapsed().as_secs_f32();
    program
        .report(console, &format!("{} after {seconds:.2} s", program.ready))
        .await;
    if let Some(ready) = ready.take() {
        // the one who asked may have been told to stop meanwhile
        ready.send(()).unwrap_or_default();
    }
    pending().await
}

async fn terminate(started: &mut Started) {
    started.signal(Signal::SIGTERM);
    if timeout(GRACE, started.exit()).await.is_err() {
        started.signal(Signal::SIGKILL);
        started.exit().await;
    }
    started.signal(Signal::SIGKILL);
}

impl Program {
    async fn is_ready(&self) -> bool {
        match self.ready {
            Ready::Running => true,
            Ready::Listening(port) => listens(&self.namespace, port).await.unwrap_or(false),
            Ready::Answering(address) => http::get(address, "/ready")
                .await
                .is_ok_and(|response| response.status == 200),
        }
    }

    async fn report(&self, console: &Console, what: &str) {
        if self.reported {
            console.state(&self.name, what).await;
        }
    }

    fn what(&self) -> String {
        format!("`{}` in {}", self.command.join(" "), self.workdir.display())
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Listening(port) => write!(f, "listening on port {port}"),
            Self::Answering(_) => f.write_str("ready"),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(0) => f.write_str("ended"),
            Self::Code(code) => write!(f, "ended with code {code}"),
            Self::Signal(signal) => write!(f, "killed by {signal}"),
        }
    }
}
