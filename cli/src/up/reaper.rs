//! Starting processes and learning how they end, as PID 1 has to: it is also told of the end of processes that it
//! never started, orphans of its services, and must take note of those for the kernel to forget them.

use std::collections::HashMap;
use std::io;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::netns::Netns;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// It said so.
    Code(i32),
    /// It was made to.
    Signal(Signal),
}

/// The one who waits for every process. There is one in PID 1, and nothing else there may wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Reaper {
    awaited: Arc<Mutex<HashMap<i32, oneshot::Sender<Exit>>>>,
}

/// A process that was started, and leads a process group of its own.
#[derive(Debug)]
pub(super) struct Started {
    /// For its pipes; how it ends is known to [`Started::exit`] only.
    pub(super) process: Child,
    exit: oneshot::Receiver<Exit>,
    ended: Option<Exit>,
}

impl Reaper {
    /// Begins to wait, for as long as the runtime lives.
    pub(super) fn begin() -> io::Result<Self> {
        let reaper = Self::default();
        let mut child_ended = signal(SignalKind::child())?;
        let own = reaper.clone();
        tokio::spawn(async move {
            while child_ended.recv().await.is_some() {
                own.reap();
            }
        });
        Ok(reaper)
    }

    /// Starts `command` inside a namespace.
    pub(super) async fn start(&self, namespace: &Netns, command: Command) -> io::Result<Started> {
        self.start_after(namespace, command, || Ok(())).await
    }

    /// Starts `command` inside a namespace after `prepare`, which is done on the same thread.
    pub(super) async fn start_after(
        &self,
        namespace: &Netns,
        mut command: Command,
        prepare: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<Started> {
        use std::os::unix::process::CommandExt;

        let reaper = self.clone();
        command.process_group(0);
        let start = move || {
            prepare()?;
            // held from before it lives until it is known: it cannot be reaped unknown in between, and a child whose
            // program does not exist is left to the spawn that waits for it
            let mut awaited = reaper.awaited();
            let process = command.spawn()?;
            let (ended, exit) = oneshot::channel();
            awaited.insert(pid(&process).as_raw(), ended);
            Ok(Started {
                process,
                exit,
                ended: None,
            })
        };
        namespace.inside(start).await
    }

    fn reap(&self) {
        loop {
            let mut awaited = self.awaited();
            let (pid, exit) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Exit::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Exit::Signal(signal)),
                Err(Errno::EINTR) => continue,
                // nobody has ended, or nobody is there
                _ => return,
            };
            if let Some(ended) = awaited.remove(&pid.as_raw()) {
                // nobody may want to know any more
                ended.send(exit).unwrap_or_default();
            }
        }
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<i32, oneshot::Sender<Exit>>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Started {
    /// Waits for its end. Can be given up and called again.
    pub(super) async fn exit(&mut self) -> Exit {
        if let Some(ended) = self.ended {
            return ended;
        }
        // the sender is only dropped by sending
        let ended = (&mut self.exit).await.unwrap_or(Exit::Signal(Signal::SIGKILL));
        self.ended = Some(ended);
        ended
    }

    /// Signals it and everything that it started in its process group.
    pub(super) fn signal(&self, signal: Signal) {
        // an error means that none of them is left
        killpg(pid(&self.process), signal).unwrap_or_default();
    }
}

fn pid(process: &Child) -> Pid {
    Pid::from_raw(i32::try_from(process.id()).unwrap_or(i32::MAX))
}
