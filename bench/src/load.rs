//! The load: closed (each client asks again as soon as it is answered), paced (at a fixed rate, whatever the answers
//! do), or idle (connections that are only held).
//!
//! A run warms up, then measures a window: latencies, exchanges, and the CPU time that a watched process used in it.
//! Every exchange that was begun is finished before the run ends, so the totals can be compared with a count of spans.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    client::{Client, ClientError, H1, H2},
    cost,
    pace::{Pacer, Rate},
};

/// Requests that may wait for one busy client in a paced run; more are refused, and counted.
const WAITING: usize = 64;

/// What the connections carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1 with keep-alive.
    H1,
    /// HTTP/2 with prior knowledge, in the clear.
    H2c,
}

impl Protocol {
    /// The name in the tables, the JSON and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::H1 => "h1",
            Self::H2c => "h2c",
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How many connections of what kind, to whom.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Whom to dial.
    pub target: SocketAddr,
    /// What to speak.
    pub protocol: Protocol,
    /// How many connections.
    pub connections: usize,
    /// How many requests at a time on each; HTTP/1.1 has one, whatever is said here.
    pub streams: usize,
}

/// How long, how fast, and whose cost to read.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Load that is not measured, before the window.
    pub warmup: Duration,
    /// The measured window.
    pub window: Duration,
    /// Requests begin at this rate; without one, each client asks as soon as it was answered.
    pub rate: Option<Rate>,
    /// The process whose CPU time is read at both ends of the window.
    pub watch: Option<u32>,
}

/// What a run found. Window means without the warm-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Exchanges that succeeded, in the whole run.
    pub completed: u64,
    /// Exchanges that failed, in the whole run.
    pub failed: u64,
    /// Requests that were due but not begun, because too many waited already: the rate is more than can be carried.
    pub refused: u64,
    /// The first failure, in words.
    pub first_failure: Option<String>,
    /// Exchanges completed per second of the window.
    pub requests_per_second: f64,
    /// Median latency in the window, in µs. In a paced run from when a request was due.
    pub p50_us: f64,
    /// 99th percentile of the latency in the window, in µs.
    pub p99_us: f64,
    /// CPU time of the watched process in the window over exchanges completed in it, in µs.
    pub cpu_us_per_request: Option<f64>,
    /// Share of the window in which the watched process could have run but something else had its CPU.
    pub waited_share: Option<f64>,
}

/// Opens the clients of a shape: one for each request that can be in flight.
///
/// # Errors
/// If a connection is refused.
pub async fn open(shape: Shape) -> Result<Vec<Client>, ClientError> {
    let mut clients = Vec::new();
    for _ in 0..shape.connections {
        match shape.protocol {
            Protocol::H1 => clients.push(Client::H1(H1::connect(shape.target).await?)),
            Protocol::H2c => {
                let connection = H2::connect(shape.target).await?;
                clients.extend((0..shape.streams).map(|_| Client::H2(connection.clone())));
            }
        }
    }
    Ok(clients)
}

/// Runs the plan with these clients.
///
/// # Errors
/// If the watched process cannot be read, or no timer is to be had. Failed exchanges are counted instead.
pub async fn run(clients: Vec<Client>, plan: Plan) -> io::Result<Outcome> {
    let tally = Arc::new(Tally::new()?);
    let stop = Arc::new(AtomicBool::new(false));
    let mut work = JoinSet::new();
    match plan.rate {
        None => {
            for client in clients {
                work.spawn(ask_again(client, tally.clone(), stop.clone()));
            }
        }
        Some(rate) => {
            let mut queues = Vec::with_capacity(clients.len());
            for client in clients {
                let (queue, due) = mpsc::channel(WAITING);
                queues.push(queue);
                work.spawn(ask_when_due(client, due, tally.clone()));
            }
            let (pacer, tally, stop) = (Pacer::new(rate, Instant::now()), tally.clone(), stop.clone());
            work.spawn_blocking(move || hand_out(pacer, &queues, &tally, &stop));
        }
    }

    tokio::time::sleep(plan.warmup).await;
    tally.lock().latencies.reset();
    let began = Instant::now();
    let before = plan.watch.map(cost::scheduled).transpose()?;
    tokio::time::sleep(plan.window).await;
    let after = plan.watch.map(cost::scheduled).transpose()?;
    let seconds = began.elapsed().as_secs_f64();
    let latencies = tally.lock().latencies.clone();

    stop.store(true, Ordering::Relaxed);
    while work.join_next().await.is_some() {}

    let measured = latencies.len() as f64;
    let ends = before.zip(after);
    let ran = ends.map(|(before, after)| after.ran.saturating_sub(before.ran));
    let waited = ends.map(|(before, after)| after.waited.saturating_sub(before.waited));
    let counts = tally.lock();
    Ok(Outcome {
        completed: counts.completed,
        failed: counts.failed,
        refused: counts.refused,
        first_failure: counts.first_failure.clone(),
        requests_per_second: measured / seconds,
        p50_us: latencies.value_at_quantile(0.50) as f64 / 1e3,
        p99_us: latencies.value_at_quantile(0.99) as f64 / 1e3,
        cpu_us_per_request: ran.map(|ran| ran.as_secs_f64() * 1e6 / measured.max(1.0)),
        waited_share: waited.map(|waited| waited.as_secs_f64() / seconds),
    })
}

async fn ask_again(mut client: Client, tally: Arc<Tally>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        if !tally.record(began, client.exchange().await) {
            return;
        }
    }
}

async fn ask_when_due(mut client: Client, mut due: mpsc::Receiver<Instant>, tally: Arc<Tally>) {
    while let Some(due) = due.recv().await {
        if !tally.record(due, client.exchange().await) {
            return;
        }
    }
}

/// Gives each request to the next client in turn. A client that has failed, or has too many waiting, refuses.
fn hand_out(pacer: Pacer, queues: &[mpsc::Sender<Instant>], tally: &Tally, stop: &AtomicBool) {
    for (due, queue) in pacer.zip(queues.iter().cycle()) {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if queue.try_send(due).is_err() {
            tally.lock().refused += 1;
        }
    }
}

/// What all clients of a run count together.
#[derive(Debug)]
struct Tally(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    completed: u64,
    failed: u64,
    refused: u64,
    first_failure: Option<String>,
    /// In ns, since the run or its window began.
    latencies: Histogram<u64>,
}

impl Tally {
    fn new() -> io::Result<Self> {
        // from 1 µs to a minute with three digits takes a fixed 200 KiB
        let latencies = Histogram::new_with_bounds(1_000, 60_000_000_000, 3).map_err(io::Error::other)?;
        Ok(Self(Mutex::new(Counts {
            completed: 0,
            failed: 0,
            refused: 0,
            first_failure: None,
            latencies,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an exchange; `false` if its client is not to be used again.
    fn record(&self, began: Instant, outcome: Result<(), ClientError>) -> bool {
        match outcome {
            Ok(()) => {
                let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                let mut counts = self.lock();
                counts.completed += 1;
                counts.latencies.saturating_record(nanos);
                true
            }
            Err(error) => {
                self.fail(error.to_string());
                false
            }
        }
    }

    fn fail(&self, why: String) {
        let mut counts = self.lock();
        counts.failed += 1;
        counts.first_failure.get_or_insert(why);
    }
}
