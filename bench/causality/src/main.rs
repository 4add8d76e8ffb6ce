//! Simulates workloads, runs every method on them, and prints how many causes each finds.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bench_causality::measure::measure;
use bench_causality::report::{self, Cell};
use bench_causality::sim::catalogue::{self, Family, Set};
use bench_causality::sim::simulate;
use bench_causality::sim::workload::Server;
use clap::Parser;

/// Measures which methods find what caused an outbound call, on workloads whose causes are known.
#[derive(Parser)]
struct Args {
    /// Which workloads: the engine may be tuned on one set and is reported on the other.
    #[arg(long, value_enum, default_value = "held-out")]
    set: Set,
    /// Only workloads whose name contains this.
    #[arg(long, default_value = "")]
    workload: String,
    /// Only servers whose name contains this.
    #[arg(long, default_value = "")]
    server: String,
    /// How many requests are in flight on average.
    #[arg(long, value_delimiter = ',', default_values_t = [0.1, 1.0, 4.0, 16.0])]
    in_flight: Vec<f64>,
    /// Requests from outside of each workload.
    #[arg(long, default_value_t = 5_000)]
    requests: u32,
    /// How many workloads are measured at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Where the results go.
    #[arg(long, default_value = "target/bench/causality.json")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<()> {
    let mut wanted = Vec::new();
    for family in Family::ALL {
        for server in Server::ALL {
            for &in_flight in &args.in_flight {
                if family.name().contains(&args.workload) && server.name.contains(&args.server) {
                    wanted.push((family, server, in_flight));
                }
            }
        }
    }
    let cells = measure_all(args, &wanted);
    show(&report::table(&cells));
    let pooled = report::together(&cells, |cell| {
        (cell.in_flight.to_bits(), cell.server_model.clone())
    });
    let pooled: Vec<Cell> = pooled
        .into_values()
        .map(|cell| Cell {
            workload: "all".to_owned(),
            ..cell
        })
        .collect();
    show(&report::table(&pooled));
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(
        &args.out,
        serde_json::to_string_pretty(&report::rows(&cells))? + "\n",
    )?;
    progress(&format!("written to {}", args.out.display()));
    Ok(())
}

/// Measures the wanted workloads, several at a time; in their order.
fn measure_all(args: &Args, wanted: &[(Family, Server, f64)]) -> Vec<Cell> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&(family, server, in_flight)) = wanted.get(index) else {
                        return;
                    };
                    let workload = catalogue::workload(args.set, family, server, in_flight, args.requests);
                    let cell = Cell {
                        workload: workload.name.to_owned(),
                        server_model: server.name.to_owned(),
                        in_flight,
                        measured: measure(&simulate(&workload)),
                    };
                    if let Ok(mut done) = done.lock() {
                        done.push((index, cell));
                        progress(&format!("{} of {}", done.len(), wanted.len()));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, cell)| cell).collect()
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn show(text: &str) {
    println!("{text}");
}

#[expect(
    clippy::print_stderr,
    reason = "progress and complaints of a program for a terminal"
)]
fn progress(text: &str) {
    eprintln!("bench-causality: {text}");
}
