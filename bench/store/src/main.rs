//! What keeping and finding spans costs: ingest by OTLP/gRPC, disk, memory, and the time that questions take.

mod server;
mod store;
mod traces;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use clap::Parser;
use otlp::client::Client;
use otlp::encode::Sender;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use self::server::Server;
use self::store::Store;
use self::traces::{Random, Request, SERVICES, Shop, resource, service};

/// Spans of a trace, about.
const TRACE: u64 = 12;
/// Questions of each kind, at most.
const QUESTIONS: usize = 200;
/// No more are asked of a kind once they have taken so long, however few they were.
const ASKING: Duration = Duration::from_secs(20);
/// How long it is left alone before anything is sent.
const IDLE: Duration = Duration::from_secs(2);
/// Requests that are on their way at once.
const FLIGHT: usize = 8;

/// What to measure.
#[derive(Debug, Parser)]
struct Arguments {
    /// Spans to send, about.
    #[arg(long, default_value_t = 2_000_000)]
    spans: u64,
    /// The collector to measure.
    #[arg(long, default_value = "target/release/meshtrace-collector")]
    collector: PathBuf,
    /// A Jaeger to measure beside it; left out where there is none.
    #[arg(long, default_value = "target/bench/jaeger")]
    jaeger: PathBuf,
    /// Where each keeps its data; emptied before and removed after.
    #[arg(long, default_value = "target/bench/store-data")]
    data: PathBuf,
    /// Where the result goes.
    #[arg(long, default_value = "target/bench/store.json")]
    report: PathBuf,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut rows = vec![measure(Store::Meshtrace, &arguments.collector, &arguments).await?];
    if arguments.jaeger.exists() {
        rows.push(measure(Store::Jaeger, &arguments.jaeger, &arguments).await?);
    } else {
        say(&format!("no Jaeger at {}: left out", arguments.jaeger.display()));
    }
    print(&rows);
    std::fs::write(&arguments.report, serde_json::to_string_pretty(&json!(rows))?)?;
    Ok(())
}

/// What one store costs.
async fn measure(store: Store, program: &Path, arguments: &Arguments) -> Result<Value, Box<dyn Error>> {
    let data = &arguments.data;
    if data.exists() {
        std::fs::remove_dir_all(data)?;
    }
    std::fs::create_dir_all(data)?;
    let server = store.start(program, data).await?;
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?;
    let count = arguments.spans / TRACE;
    let mut shop = Shop::new(7, now - 3_600_000_000_000, now, count);

    tokio::time::sleep(IDLE).await;
    let idle = server.memory("VmRSS:");
    say(&format!("{store}: sending"));
    let began = Instant::now();
    let spans = send(&server, &mut shop, count).await?;
    let took = began.elapsed();
    say(&format!(
        "{store}: {spans} spans are sent; waiting until they are put away"
    ));
    store.settle(&server, data).await?;
    let cpu = server.cpu();
    let loaded = server.memory("VmHWM:");
    let samples = shop.samples();
    let mut random = Random::new(11);
    let mut sample = || samples.get(random.below(samples.len() as u64) as usize);

    say(&format!("{store}: asking"));
    let mut by_id = Times::default();
    while by_id.wants_more() {
        let Some(sample) = sample() else { break };
        let path = format!("/api/traces/{}", sample.trace);
        by_id.ask(&server, &path, 1).await?;
    }
    let mut by_attribute = Times::default();
    while by_attribute.wants_more() {
        let Some(sample) = sample() else { break };
        by_attribute.ask(&server, &store.by_attribute(sample), 1).await?;
    }
    let mut slowest = Times::default();
    while let Some(path) = store.slowest().filter(|_| slowest.wants_more()) {
        slowest.ask(&server, path, 20).await?;
    }
    let peak = server.memory("VmHWM:");
    server.stop().await?;
    let bytes = store.bytes(data);
    let reopened = store.start(program, data).await?;
    let opened = reopened.opened;
    reopened.stop().await?;
    std::fs::remove_dir_all(data)?;

    let per_second = |time: Duration| (spans as f64 / time.as_secs_f64()).round();
    Ok(json!({
        "store": store.to_string(),
        "spans": spans,
        "ingest_spans_per_second": per_second(took),
        "spans_per_cpu_second": per_second(cpu),
        "bytes_per_span": (bytes as f64 / spans as f64 * 10.0).round() / 10.0,
        "rss_mib": loaded.round(),
        "rss_asking_mib": peak.round(),
        "rss_idle_mib": idle.round(),
        "trace_by_id_p50_ms": by_id.quantile(50),
        "trace_by_id_p95_ms": by_id.quantile(95),
        "trace_by_id_p99_ms": by_id.quantile(99),
        "trace_by_id_cpu_ms": by_id.cpu(),
        "attribute_search_p50_ms": by_attribute.quantile(50),
        "attribute_search_p95_ms": by_attribute.quantile(95),
        "attribute_search_cpu_ms": by_attribute.cpu(),
        "slowest_p50_ms": slowest.quantile(50),
        "slowest_p95_ms": slowest.quantile(95),
        "slowest_cpu_ms": slowest.cpu(),
        "open_ms": millis(opened),
    }))
}

/// Sends that many traces, each service over a connection of its own, and answers how many spans they had. What is not
/// taken is sent again.
async fn send(server: &Server, shop: &mut Shop, traces: u64) -> Result<u64, Box<dyn Error>> {
    let mut clients = Vec::new();
    for number in 0..SERVICES {
        let sender = Sender::new(&resource(number), (service(number).as_str(), "1.0"));
        let dial = |host: String, port| async move { TcpStream::connect((host, port)).await };
        clients.push(Client::new(
            &format!("http://{}", server.grpc),
            sender,
            Duration::from_secs(30),
            dial,
        )?);
    }
    let (full, mut waiting) = mpsc::channel::<Request>(64);
    let sending = tokio::spawn(async move {
        let mut flying = tokio::task::JoinSet::new();
        let mut spans = 0;
        while let Some(request) = waiting.recv().await {
            spans += request.count as u64;
            let Some(client) = clients.get(request.service).cloned() else {
                continue;
            };
            if flying.len() >= FLIGHT {
                flying.join_next().await;
            }
            flying.spawn(async move {
                let batch = Bytes::from(request.spans);
                while client.export(batch.clone()).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
        }
        while flying.join_next().await.is_some() {}
        spans
    });
    let mut ready = Vec::new();
    for _ in 0..traces {
        shop.trace(&mut |request| ready.push(request));
        for request in ready.drain(..) {
            full.send(request).await?;
        }
    }
    shop.rest(&mut |request| ready.push(request));
    for request in ready.drain(..) {
        full.send(request).await?;
    }
    drop(full);
    Ok(sending.await?)
}

/// How long answers took, and how much processor time all of them together.
#[derive(Default)]
struct Times {
    answers: Vec<Duration>,
    cpu: Duration,
}

impl Times {
    /// Whether another question of this kind is to be asked.
    fn wants_more(&self) -> bool {
        self.answers.len() < QUESTIONS && self.answers.iter().sum::<Duration>() < ASKING
    }

    /// Asks, and makes sure that so many traces are in the answer.
    async fn ask(&mut self, server: &Server, path: &str, traces: usize) -> Result<(), Box<dyn Error>> {
        let before = server.cpu();
        let (took, answer) = server.get(path).await?;
        self.cpu += server.cpu().saturating_sub(before);
        let found = answer.matches("\"processes\":").count();
        if found != traces {
            return Err(format!("{path}: {found} traces instead of {traces}").into());
        }
        self.answers.push(took);
        Ok(())
    }

    /// In milliseconds; `None` where nothing was asked.
    fn quantile(&mut self, percent: usize) -> Option<f64> {
        self.answers.sort_unstable();
        let place = self.answers.len() * percent / 100;
        let place = place.min(self.answers.len().saturating_sub(1));
        self.answers.get(place).copied().map(millis)
    }

    /// Of processor time, a question on average, in milliseconds; `None` where nothing was asked.
    fn cpu(&self) -> Option<f64> {
        let questions = u32::try_from(self.answers.len()).unwrap_or(u32::MAX);
        self.cpu.checked_div(questions).map(millis)
    }
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 100.0
}

/// What is being done, for whoever waits.
#[expect(clippy::print_stderr, reason = "standard output is for the table")]
fn say(what: &str) {
    eprintln!("{what}");
}

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
fn print(rows: &[Value]) {
    // all have the same keys
    let keys = rows
        .first()
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::keys);
    let (name, figures): (Vec<&String>, Vec<_>) = keys.partition(|key| *key == "store");
    for key in name.into_iter().chain(figures) {
        let cells = rows.iter().map(|row| match row.get(key) {
            Some(Value::String(text)) => format!("{text:>16}"),
            Some(Value::Null) | None => format!("{:>16}", "cannot"),
            Some(value) => format!("{:>16}", value.to_string()),
        });
        println!("{key:<26}{}", cells.collect::<String>());
    }
}
