//! Child processes that stay on their core, write to their own log, and never outlive the bench.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{Signal, kill},
    },
    unistd::Pid,
};

/// How long a program may take until it listens, and until it has ended when told to.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which core does what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    /// Of the contender.
    pub(crate) contender: CpuSet,
    /// Of everything around it.
    pub(crate) rest: CpuSet,
}

impl Cores {
    /// The first core that this process may use for the rest, the second for the contender.
    pub(crate) fn split() -> io::Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut cores = (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false));
        let (Some(rest), Some(contender)) = (cores.next(), cores.next()) else {
            return Err(io::Error::other(
                "needs two CPU cores: the contender has one to itself",
            ));
        };
        Ok(Self {
            contender: only(contender)?,
            rest: only(rest)?,
        })
    }
}

fn only(core: usize) -> io::Result<CpuSet> {
    let mut set = CpuSet::new();
    set.set(core)?;
    Ok(set)
}

/// As many open files as this process may have at all: its children inherit the limit.
pub(crate) fn raise_open_files() -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// An address on the loopback that nobody listens on at the moment.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Where a child's stdout goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdout {
    /// To its log, as its stderr.
    Log,
    /// To us: [`Process::first_line`].
    Here,
}

/// A running child. Dropped, it is told to end, and made to if it does not.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program on its core, its output in `LOGS/NAME.log`. Its stdin ends when it is dropped.
    pub(crate) fn start(
        name: &str,
        mut command: Command,
        core: &CpuSet,
        logs: &Path,
        stdout: Stdout,
    ) -> io::Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let file = File::create(&log)?;
        command
            .stdin(Stdio::piped())
            .stderr(file.try_clone()?)
            .stdout(match stdout {
                Stdout::Log => Stdio::from(file),
                Stdout::Here => Stdio::piped(),
            });
        // a child starts on the cores of the thread that makes it, before its first instruction
        let own = sched_getaffinity(Pid::from_raw(0))?;
        sched_setaffinity(Pid::from_raw(0), core)?;
        let spawned = command.spawn();
        sched_setaffinity(Pid::from_raw(0), &own)?;
        let child = spawned
            .map_err(|error| io::Error::other(format!("{}: {error}", command.get_program().display())))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the address takes connections.
    pub(crate) fn wait_for(&mut self, address: SocketAddr) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failed(&format!("ended at once: {status}")));
            }
            if Instant::now() > deadline {
                return Err(self.failed(&format!("does not listen on {address} after {PATIENCE:?}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The first line that it prints, for programs that print results.
    pub(crate) fn first_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if let Some(stdout) = self.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if line.is_empty() {
            Err(self.failed("printed no result"))
        } else {
            Ok(line)
        }
    }

    /// An error about this process, with the end of its log.
    pub(crate) fn failed(&self, what: &str) -> io::Error {
        let mut log = String::new();
        let read = File::open(&self.log).and_then(|mut file| file.read_to_string(&mut log));
        let last: Vec<_> = log.lines().rev().take(5).collect();
        let last = match read {
            Ok(_) => last.into_iter().rev().collect::<Vec<_>>().join("\n  "),
            Err(error) => format!("no log: {error}"),
        };
        io::Error::other(format!(
            "{}: {what}\n  {last}\n  ({})",
            self.name,
            self.log.display()
        ))
    }

    /// Tells it to end and waits until it has.
    fn end(&mut self) -> io::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).map_err(io::Error::other)?);
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        kill(pid, Signal::SIGTERM)?;
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            bench::complain("bench-run", &format!("could not end {}: {error}", self.name));
        }
    }
}
