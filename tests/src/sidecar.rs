//! One sidecar in explicit mode, as a real process: a listener with a fixed upstream, and an admin port to ask.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::program::built;
use crate::sockets::free_address;

/// How long anything may take that has to happen. Generous: it is waited for only when a test is about to fail.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A sidecar that runs. Dropped, it is gone at once.
#[derive(Debug)]
pub struct Sidecar {
    child: Child,
    folder: TempDir,
    /// Where its inbound listener takes connections.
    pub listen: SocketAddr,
    /// Its admin port.
    pub admin: SocketAddr,
}

impl Sidecar {
    /// A sidecar before `upstream`. `more` is YAML that goes into its configuration, a key a line.
    pub fn before(upstream: SocketAddr, more: &str) -> Self {
        // somebody else may have taken an address meanwhile
        for _ in 0..5 {
            if let Some(sidecar) = Self::start(upstream, more) {
                return sidecar;
            }
        }
        panic!("no sidecar could listen");
    }

    fn start(upstream: SocketAddr, more: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (listen, admin) = (free_address(), free_address());
        let config = folder.path().join("sidecar.yaml");
        let text = format!(
            "service: story\nadmin: {admin}\ninbound: {{ listen: \"{listen}\", upstream: \"{upstream}\" }}\n{more}\n"
        );
        std::fs::write(&config, text).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let child = Command::new(built("meshtrace-sidecar"))
            .arg("run")
            .arg("--config")
            .arg(config)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut sidecar = Self {
            child,
            folder,
            listen,
            admin,
        };
        let deadline = Instant::now() + PATIENCE;
        while !sidecar.log().contains("running") {
            if let Some(status) = sidecar.child.try_wait().unwrap() {
                let log = sidecar.log();
                assert!(
                    log.contains("cannot listen"),
                    "the sidecar ended with {status}:\n{log}"
                );
                return None;
            }
            assert!(
                Instant::now() < deadline,
                "the sidecar does not start:\n{}",
                sidecar.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(sidecar)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What a path of the admin port answers: status line, fields, and body.
    pub fn ask(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// All that it counts.
    pub fn metrics(&self) -> Metrics {
        Metrics(self.ask("/metrics"))
    }

    /// Its counters, once they fit.
    ///
    /// # Panics
    /// They do not, even after [`PATIENCE`].
    pub fn eventually(&self, what: &str, fits: impl Fn(&Metrics) -> bool) -> Metrics {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.metrics();
            if fits(&now) {
                return now;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}:\n{}", now.0);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Bytes of it that are resident.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "the sidecar does not end:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        if self.child.kill().and_then(|()| self.child.wait()).is_err() {
            eprintln!("a sidecar could not be ended");
        }
        if std::thread::panicking() {
            eprintln!("the sidecar's log:\n{}", self.log());
        }
    }
}

/// What a sidecar had counted at one moment, in the text format of Prometheus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics(pub String);

impl Metrics {
    /// One series, by its name and its labels as they are written; 0 if there is none yet.
    pub fn value(&self, series: &str) -> u64 {
        let mut lines = self.0.lines().filter_map(|line| line.rsplit_once(' '));
        lines
            .find(|(name, _)| *name == series)
            .map_or(0, |(_, value)| value.parse().unwrap())
    }

    /// All series of a name, each with its labels as they are written, but for those at zero.
    pub fn all(&self, name: &str) -> Vec<(String, u64)> {
        let of_name = |line: &str| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        };
        let lines = self.0.lines().filter(|line| of_name(line));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, value)| (series[name.len()..].to_owned(), value.parse().unwrap()))
            .filter(|(_, value)| *value > 0)
            .collect()
    }

    /// The sum of all series of a name.
    pub fn sum(&self, name: &str) -> u64 {
        self.all(name).iter().map(|(_, value)| value).sum()
    }

    /// Splices by their labels.
    pub fn splices(&self) -> Vec<(String, u64)> {
        self.all("meshtrace_splices_total")
    }
}
