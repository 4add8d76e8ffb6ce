//! The load generator: prints what it found as one line of JSON.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    process::ExitCode,
    time::Duration,
};

use bench::{
    load::{self, Plan, Protocol, Shape},
    pace::Rate,
};
use clap::Parser;

/// Makes requests, checks the answers, and prints what it found as one line of JSON.
#[derive(Parser)]
struct Args {
    /// Whom to ask.
    #[arg(long)]
    target: SocketAddr,
    /// What to speak.
    #[arg(long, value_enum)]
    protocol: Protocol,
    /// How many connections.
    #[arg(long)]
    connections: usize,
    /// How many requests at a time on each, over HTTP/2.
    #[arg(long, default_value_t = 1)]
    streams: usize,
    /// Begin this many requests per second; without it, every client asks as soon as it was answered.
    #[arg(long)]
    rate: Option<Rate>,
    /// Seconds of load before the measured window.
    #[arg(long, default_value = "1", value_parser = seconds)]
    warmup: Duration,
    /// Seconds that are measured.
    #[arg(long, default_value = "3", value_parser = seconds)]
    seconds: Duration,
    /// Read the CPU time of this process at both ends of the window.
    #[arg(long, value_name = "PID")]
    watch: Option<u32>,
    /// Make one request on each connection, print a line, and hold the connections until stdin ends.
    #[arg(long, conflicts_with_all = ["rate", "watch"])]
    idle: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let args = Args::parse();
    let ran = bench::runtime::current_thread().and_then(|runtime| runtime.block_on(run(&args)));
    bench::exit_with("bench-load", ran)
}

async fn run(args: &Args) -> io::Result<()> {
    let shape = Shape {
        target: args.target,
        protocol: args.protocol,
        connections: args.connections,
        streams: args.streams,
    };
    if args.idle {
        return hold(shape).await;
    }
    let plan = Plan {
        warmup: args.warmup,
        window: args.seconds,
        rate: args.rate,
        watch: args.watch,
    };
    let clients = load::open(shape).await.map_err(io::Error::other)?;
    let outcome = load::run(clients, plan).await?;
    say(&serde_json::to_string(&outcome)?)
}

async fn hold(shape: Shape) -> io::Result<()> {
    let mut clients = load::open(Shape { streams: 1, ..shape })
        .await
        .map_err(io::Error::other)?;
    for client in &mut clients {
        client.exchange().await.map_err(io::Error::other)?;
    }
    say(&format!("holding {}", clients.len()))?;
    // on a thread of its own, so that HTTP/2 connections still answer PING and SETTINGS
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
