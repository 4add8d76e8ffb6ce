//! Puts contenders, load, origin and sink together, and prints what each contender costs.
//!
//! Every round measures every contender once, in turn, each time as a new process; what is reported are medians over
//! the rounds, so that a noisy minute of the machine touches all of them and decides about none.

mod contender;
mod measure;
mod process;
mod report;

use std::{io, path::PathBuf, process::ExitCode, time::Duration};

use bench::{load::Protocol, pace::Rate};
use clap::Parser;

use crate::{
    contender::{Contender, Programs},
    measure::Bench,
    process::Cores,
    report::Report,
};

/// Measures what contenders cost for each request, side by side on this machine.
///
/// Every contender stands between the same load generator and the same origin. Load, origin and span sink share one
/// core, the contender has another to itself. See docs/benchmarks.md for how to read the table.
#[derive(Parser)]
struct Args {
    /// Who is measured, in this order in every round.
    #[arg(long, env = "BENCH_CONTENDERS", value_enum, value_delimiter = ',', default_values_t = Contender::ALL)]
    contenders: Vec<Contender>,
    /// What the connections carry: 64 keep-alive connections of HTTP/1.1, 8 x 16 streams of HTTP/2.
    #[arg(long, env = "BENCH_PROTOCOLS", value_enum, value_delimiter = ',', default_values_t = [Protocol::H1, Protocol::H2c])]
    protocols: Vec<Protocol>,
    /// How often everything is measured; the median is reported.
    #[arg(long, env = "BENCH_ROUNDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds of each measured window.
    #[arg(long, env = "BENCH_SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Requests per second of the paced runs, which measure added latency and that no span is dropped.
    #[arg(long, env = "BENCH_RATE", default_value = "5000")]
    rate: Rate,
    /// Idle connections whose memory is measured.
    #[arg(long, env = "BENCH_IDLE", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=9_000))]
    idle: u32,
    /// Spans that Envoy gathers before it exports them. Its own default is 5, which costs it more.
    #[arg(long, env = "BENCH_ENVOY_FLUSH_SPANS", default_value_t = 512)]
    envoy_flush_spans: u32,
    /// The Envoy program; by default where `make bench` installs it.
    #[arg(long, env = "BENCH_ENVOY", default_value = "target/bench/envoy")]
    envoy: PathBuf,
    /// Where the results go, and the logs of everything that ran.
    #[arg(long, env = "BENCH_OUT", default_value = "target/bench")]
    out: PathBuf,
}

fn main() -> ExitCode {
    bench::exit_with("bench-run", run(&Args::parse()))
}

fn run(args: &Args) -> io::Result<()> {
    let programs = Programs::find(&args.envoy, args.envoy_flush_spans)?;
    for contender in &args.contenders {
        programs.check(*contender)?;
    }
    let bench = Bench {
        programs,
        cores: Cores::split()?,
        window: Duration::from_secs(args.seconds),
        rate: args.rate,
        idle: args.idle,
        out: args.out.clone(),
    };
    process::raise_open_files()?;

    let cells = args
        .protocols
        .iter()
        .flat_map(|&p| args.contenders.iter().map(move |&c| (p, c)));
    let cells: Vec<(Protocol, Contender)> = cells.collect();
    let mut report = Report::default();
    for round in 1..=args.rounds {
        for &(protocol, contender) in &cells {
            progress(&format!(
                "round {round} of {}: {contender} {protocol}",
                args.rounds
            ));
            report.add_round(contender, protocol, bench.round(contender, protocol)?);
        }
    }
    for &(protocol, contender) in cells
        .iter()
        .filter(|(_, contender)| *contender != Contender::Direct)
    {
        progress(&format!("{} idle connections: {contender} {protocol}", args.idle));
        report.add_idle(
            contender,
            protocol,
            bench.kib_per_idle_connection(contender, protocol)?,
        );
    }

    let rows = report.rows();
    let json = args.out.join("sidecar.json");
    std::fs::write(&json, serde_json::to_string_pretty(&rows)? + "\n")?;
    show(&format!("{}\n{}", report::table(&rows), report::promises(&rows)));
    if let Some(share) = report.disturbed() {
        progress(&format!(
            "warning: a contender waited {:.0} % of a window for its core",
            share * 100.0
        ));
        progress("warning: other work runs on this machine, and these numbers are worth less");
    }
    progress(&format!("written to {}", json.display()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn show(text: &str) {
    println!("{text}");
}

fn progress(text: &str) {
    bench::complain("bench-run", &text);
}
