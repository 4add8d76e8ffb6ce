//! One measurement: a contender, fresh, with an origin and a sink of its own, under load that is closed, paced or idle.

use std::{
    fs,
    io::{self, Read},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use bench::{
    cost,
    load::{Outcome, Protocol},
    pace::Rate,
};

use crate::{
    contender::{Contender, Place, Programs},
    process::{Cores, Process, Stdout, free_address},
};

/// How long the last spans may take: more than Envoy's flush interval of 5 s.
const LAST_SPANS: Duration = Duration::from_secs(8);
/// How long a process is left alone before its memory is read.
const SETTLE: Duration = Duration::from_millis(500);
/// How long idle connections are left alone before memory is read: whoever gives buffers back has had time to.
const IDLE: Duration = Duration::from_secs(2);

/// Everything that all measurements have in common.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) programs: Programs,
    pub(crate) cores: Cores,
    pub(crate) window: Duration,
    pub(crate) rate: Rate,
    pub(crate) idle: u32,
    pub(crate) out: PathBuf,
}

/// What one round found about one contender. What does not apply to it is not there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) requests_per_second: f64,
    pub(crate) cpu_us_per_request: Option<f64>,
    pub(crate) spans_per_request: Option<f64>,
    pub(crate) paced_spans_per_request: Option<f64>,
    pub(crate) paced_cpu_us_per_request: Option<f64>,
    pub(crate) latency: Latency,
    pub(crate) rss_idle_mib: Option<f64>,
    pub(crate) waited_share: Option<f64>,
}

/// Latency at the fixed rate, in µs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl Bench {
    /// Measures the contender once: closed for its cost and throughput, then paced for its latency.
    pub(crate) fn round(&self, contender: Contender, protocol: Protocol) -> io::Result<Round> {
        let mut scene = Scene::set(self, contender, protocol)?;
        let rss_idle_mib = scene.resident_kib()?.map(|kib| kib as f64 / 1024.0);

        let closed = scene.load(&format!("--warmup 0.5 --seconds {}", self.window.as_secs()))?;
        let spans = scene.spans_of(&closed)?;
        let paced = scene.load(&format!(
            "--warmup 0.5 --seconds {} --rate {}",
            self.window.as_secs(),
            self.rate
        ))?;
        let paced_spans = scene.spans_of(&paced)?;

        Ok(Round {
            requests_per_second: closed.requests_per_second,
            cpu_us_per_request: closed.cpu_us_per_request,
            spans_per_request: spans,
            paced_spans_per_request: paced_spans,
            paced_cpu_us_per_request: paced.cpu_us_per_request,
            latency: Latency {
                p50_us: paced.p50_us,
                p99_us: paced.p99_us,
            },
            rss_idle_mib,
            waited_share: closed.waited_share,
        })
    }

    /// Resident memory that the contender takes for each idle connection, its upstream side included, in KiB.
    pub(crate) fn kib_per_idle_connection(
        &self,
        contender: Contender,
        protocol: Protocol,
    ) -> io::Result<f64> {
        let scene = Scene::set(self, contender, protocol)?;
        // a few requests first, so that code paged in by the first of all is not taken for the connections' memory
        scene.run(
            "bench-load-first",
            "--connections 1 --warmup 0 --seconds 0.5 --rate 100",
        )?;
        thread::sleep(SETTLE);
        let before = scene.resident_kib()?.unwrap_or_default();
        let mut holder =
            scene.start_load("bench-load-idle", &format!("--connections {} --idle", self.idle))?;
        holder.first_line()?;
        thread::sleep(IDLE);
        let after = scene.resident_kib()?.unwrap_or_default();
        Ok((after as f64 - before as f64) / f64::from(self.idle))
    }
}

/// The processes around one contender, and itself.
struct Scene<'a> {
    bench: &'a Bench,
    contender: Contender,
    protocol: Protocol,
    /// Whom the load asks.
    target: SocketAddr,
    /// Where the sink tells its count.
    count: SocketAddr,
    /// Spans already accounted for.
    seen: u64,
    logs: PathBuf,
    // dropped, and so ended, in this order
    process: Option<Process>,
    _sink: Process,
    _origin: Process,
}

impl<'a> Scene<'a> {
    fn set(bench: &'a Bench, contender: Contender, protocol: Protocol) -> io::Result<Self> {
        let logs = bench
            .out
            .join("logs")
            .join(format!("{contender}-{}", protocol.name()));
        fs::create_dir_all(&logs)?;
        let count = free_address()?;
        let place = Place {
            listen: free_address()?,
            origin: free_address()?,
            sink: free_address()?,
            admin: free_address()?,
            outbound: free_address()?,
        };
        let rest = &bench.cores.rest;

        let mut command = bench.programs.own("bench-origin");
        command
            .arg("--listen")
            .arg(place.origin.to_string())
            .args(["--protocol", protocol.name()]);
        let mut origin = Process::start("bench-origin", command, rest, &logs, Stdout::Log)?;
        origin.wait_for(place.origin)?;

        let mut command = bench.programs.own("bench-otlp-sink");
        command
            .arg("--listen")
            .arg(place.sink.to_string())
            .arg("--count")
            .arg(count.to_string());
        let mut sink = Process::start("bench-otlp-sink", command, rest, &logs, Stdout::Log)?;
        sink.wait_for(count)?;

        let process = match bench.programs.contender(contender, protocol, place, &logs)? {
            None => None,
            Some(command) => {
                let mut process = Process::start(
                    contender.name(),
                    command,
                    &bench.cores.contender,
                    &logs,
                    Stdout::Log,
                )?;
                process.wait_for(place.listen)?;
                Some(process)
            }
        };
        thread::sleep(SETTLE);
        let target = if process.is_some() {
            place.listen
        } else {
            place.origin
        };
        Ok(Self {
            bench,
            contender,
            protocol,
            target,
            count,
            seen: 0,
            logs,
            process,
            _sink: sink,
            _origin: origin,
        })
    }

    /// The load of the comparison: 64 connections, or 8 with 16 streams each.
    fn load(&mut self, how: &str) -> io::Result<Outcome> {
        let shape = match self.protocol {
            Protocol::H1 => "--connections 64",
            Protocol::H2c => "--connections 8 --streams 16",
        };
        let watch = self
            .process
            .as_ref()
            .map(|process| format!(" --watch {}", process.pid()));
        self.run(
            "bench-load",
            &format!("{shape} {how}{}", watch.unwrap_or_default()),
        )
    }

    /// Runs a load to its end. A single failed request fails the bench: numbers of a broken contender mean nothing.
    fn run(&self, name: &str, arguments: &str) -> io::Result<Outcome> {
        let mut process = self.start_load(name, arguments)?;
        let outcome: Outcome = serde_json::from_str(&process.first_line()?)?;
        if outcome.failed > 0 {
            let why = outcome.first_failure.as_deref().unwrap_or("unknown");
            let Self {
                contender,
                protocol,
                logs,
                ..
            } = self;
            return Err(io::Error::other(format!(
                "{contender} {}: {} of {} requests failed, the first by: {why} (logs in {})",
                protocol.name(),
                outcome.failed,
                outcome.failed + outcome.completed,
                logs.display(),
            )));
        }
        if outcome.refused > 0 {
            bench::complain(
                "bench-run",
                &format!(
                    "warning: {} could not carry the fixed rate: {} requests were not begun, {} were",
                    self.contender, outcome.refused, outcome.completed
                ),
            );
        }
        Ok(outcome)
    }

    fn start_load(&self, name: &str, arguments: &str) -> io::Result<Process> {
        let mut command = self.bench.programs.own("bench-load");
        command
            .arg("--target")
            .arg(self.target.to_string())
            .args(["--protocol", self.protocol.name()]);
        command.args(arguments.split_ascii_whitespace());
        Process::start(name, command, &self.bench.cores.rest, &self.logs, Stdout::Here)
    }

    /// Spans that came in for each request of this load; waits for the last ones while some are missing.
    fn spans_of(&mut self, outcome: &Outcome) -> io::Result<Option<f64>> {
        if self.process.is_none() {
            return Ok(None);
        }
        let expected = if self.contender.traces() {
            outcome.completed
        } else {
            0
        };
        let deadline = Instant::now() + LAST_SPANS;
        let mut count = self.count()?;
        while count - self.seen < expected && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
            count = self.count()?;
        }
        let spans = count - self.seen;
        self.seen = count;
        Ok(Some(spans as f64 / outcome.completed as f64))
    }

    fn count(&self) -> io::Result<u64> {
        let mut line = String::new();
        TcpStream::connect(self.count)?.read_to_string(&mut line)?;
        let spans = line
            .split_ascii_whitespace()
            .next()
            .and_then(|spans| spans.parse().ok());
        spans.ok_or_else(|| io::Error::other(format!("the sink tells no count but {line:?}")))
    }

    fn resident_kib(&self) -> io::Result<Option<u64>> {
        self.process
            .as_ref()
            .map(|process| cost::resident_kib(process.pid()))
            .transpose()
    }
}
