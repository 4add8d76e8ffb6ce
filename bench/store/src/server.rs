//! A collector as a process of its own, and what it costs.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// A collector that listens.
pub(crate) struct Server {
    child: Child,
    pub(crate) grpc: SocketAddr,
    query: SocketAddr,
    /// How long it took until it listened.
    pub(crate) opened: Duration,
}

impl Server {
    /// Starts the program with its data in a folder. It seals what is older than about a minute.
    pub(crate) async fn start(program: &Path, data: &Path) -> io::Result<Self> {
        let started = Instant::now();
        let flags = ["--otlp-grpc", "--otlp-http", "--zipkin", "--query", "--admin"]
            .map(|flag| format!("{flag}=127.0.0.1:0"));
        let mut child = Command::new(program)
            .args(flags)
            .args([
                "--retention",
                "16m",
                "--durability",
                "batch",
                "--data-max-bytes",
                "64GiB",
                "--data",
            ])
            .arg(data)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let log = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut lines = BufReader::new(log).lines();
        loop {
            let line = lines.next_line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let address = |name: &str| {
                let after = line.split_once(name)?.1;
                after.split_whitespace().next()?.parse().ok()
            };
            if let (true, Some(grpc), Some(query)) =
                (line.contains("listening"), address(" grpc="), address(" query="))
            {
                let opened = started.elapsed();
                tokio::spawn(
                    async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} },
                );
                return Ok(Self {
                    child,
                    grpc,
                    query,
                    opened,
                });
            }
        }
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

/// Bytes of the files in a folder and those below it.
pub(crate) fn disk_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Waits until the log is empty: everything is sealed.
///
/// # Errors
/// It is not after that long.
pub(crate) async fn sealed(data: &Path, at_most: Duration) -> io::Result<()> {
    let log: PathBuf = data.join("log");
    let waiting = Instant::now();
    while disk_bytes(&log) > 0 {
        if waiting.elapsed() > at_most {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the log is never empty"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
