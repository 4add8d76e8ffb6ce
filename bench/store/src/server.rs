//! A store as a process of its own, and what it costs.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How often a store that starts is asked whether it is there.
const GLANCE: Duration = Duration::from_millis(2);
/// How long a store may take until it is.
const STARTING: Duration = Duration::from_secs(60);

/// A store that answers.
pub(crate) struct Server {
    child: Child,
    pub(crate) grpc: SocketAddr,
    query: SocketAddr,
    /// How long it took until it answered.
    pub(crate) opened: Duration,
}

impl Server {
    /// Starts a program that takes OTLP/gRPC at one address and answers Jaeger's HTTP API at the other.
    ///
    /// # Errors
    /// It cannot be started, or does not answer.
    pub(crate) async fn start(
        program: &Path,
        arguments: &[String],
        grpc: SocketAddr,
        query: SocketAddr,
    ) -> io::Result<Self> {
        let started = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut server = Self {
            child,
            grpc,
            query,
            opened: Duration::ZERO,
        };
        while let Err(error) = server.get("/api/services").await {
            if started.elapsed() > STARTING || server.child.try_wait()?.is_some() {
                return Err(io::Error::other(format!("{}: {error}", program.display())));
            }
            tokio::time::sleep(GLANCE).await;
        }
        server.opened = started.elapsed();
        Ok(server)
    }

    /// Ends it, in order.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            kill(Pid::from_raw(pid), Signal::SIGTERM)?;
        }
        self.child.wait().await.map(|_| ())
    }

    /// Processor time that it has used.
    pub(crate) fn cpu(&self) -> Duration {
        let fields = self.proc("stat");
        let fields = fields.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|text| text.parse::<u64>().ok())
            .sum();
        Duration::from_millis(ticks * 10)
    }

    /// A line of the kernel's about its memory, in MiB: `VmRSS:` what is resident, `VmHWM:` the most that ever was.
    pub(crate) fn memory(&self, line: &str) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|status| status.strip_prefix(line));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or(0.0) / 1024.0
    }

    fn proc(&self, file: &str) -> String {
        let pid = self.child.id().unwrap_or_default();
        std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
    }

    /// Asks for a path, and how long the whole answer took. The answer has to be a success.
    pub(crate) async fn get(&self, path: &str) -> io::Result<(Duration, String)> {
        let asked = Instant::now();
        let mut stream = TcpStream::connect(self.query).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let took = asked.elapsed();
        match answer.starts_with("HTTP/1.1 200") {
            true => Ok((took, answer)),
            false => Err(io::Error::other(format!(
                "{path}: {}",
                answer.lines().next().unwrap_or_default()
            ))),
        }
    }
}
