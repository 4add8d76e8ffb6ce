//! `bench-causality`: simulates workloads or replays recorded traces, runs every method, and prints what each finds.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bench_causality::export::{self, Flaw, Form, Tracer};
use bench_causality::log::Recording;
use bench_causality::measure::measure;
use bench_causality::method::engine_bytes;
use bench_causality::promises::promises;
use bench_causality::replay::{self, Found, Span, Unreadable};
use bench_causality::report::{self, Cell};
use bench_causality::sim::applications::Application;
use bench_causality::sim::catalogue::{self, Family, Set};
use bench_causality::sim::workload::Server;
use bench_causality::sim::{in_flight_at_calls, simulate};
use clap::{Parser, Subcommand};

/// Measures which methods find what caused an outbound call, where that is known.
///
/// Without a command it simulates services of many kinds, shows each method what one sidecar beside each service would
/// see, and holds its answers against the truth. `fifo`, `lifo`, `single` and `wap5` are what others do; `online` is our
/// engine when a call leaves, `deferred` when everything has been said. One line for each workload, then each kind of
/// server with all workloads together, then what we promise, kept or BROKEN. The JSON has every method at every
/// threshold.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    simulated: Simulated,
    /// Where the results go, as JSON.
    #[arg(long, global = true, default_value = "target/bench/causality.json")]
    out: PathBuf,
}

#[derive(clap::Args)]
struct Simulated {
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
    #[arg(long, default_value_t = 3_000)]
    requests: u32,
    /// How many workloads are measured at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

#[derive(Subcommand)]
enum Command {
    /// Replays recorded traces with their links hidden, one engine for each service instance.
    ///
    /// Files are JSON of Jaeger or of OTLP, or OTLP requests in protobuf, plain or gzipped. Where only one side of a call
    /// was recorded, its span stands for the other's.
    Replay {
        /// Files, or folders of files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// How many times closer together traces are moved, one or several; within a trace all times stay as they are.
        #[arg(long, value_delimiter = ',', default_values_t = [1.0], value_parser = positive)]
        compress: Vec<f64>,
    },
    /// Writes what tracing tools would have recorded of a simulated application, to be replayed.
    Record {
        /// Which application.
        application: Application,
        /// The file.
        file: PathBuf,
        /// How it is written.
        #[arg(long, value_enum, default_value = "jaeger")]
        form: Form,
        /// What is wrong with it, once or several times.
        #[arg(long, value_enum)]
        flaw: Vec<Flaw>,
        /// How many requests its first service has in flight on average.
        #[arg(long, default_value_t = 2.0, value_parser = positive)]
        in_flight: f64,
        /// Requests from outside.
        #[arg(long, default_value_t = 3_000)]
        requests: u32,
    },
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let fits = number > 0.0 && number.is_finite();
    fits.then_some(number).ok_or("has to be above 0".to_owned())
}

/// What ends this program early.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Read(#[from] Unreadable),
    #[error("{}: {why}; say with --out where the results can go", .out.display())]
    Write { out: PathBuf, why: std::io::Error },
    #[error("{}: {why}; say where the spans can go", .file.display())]
    Record { file: PathBuf, why: std::io::Error },
    #[error("nothing is called that; see --help for how workloads and servers are chosen")]
    Nothing,
    #[error("no calls in there; see --help for what can be read")]
    NoCalls,
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

fn run(args: &Args) -> Result<(), Failure> {
    let memory = memory();
    let cells = match &args.command {
        None => simulated(&args.simulated)?,
        Some(Command::Replay { files, compress }) => replayed(files, compress)?,
        Some(Command::Record {
            application,
            file,
            form,
            flaw,
            in_flight,
            requests,
        }) => {
            let spans = recorded(*application, flaw, *in_flight, *requests);
            let written = File::create(file).and_then(|to| export::write(&spans, *form, BufWriter::new(to)));
            written.map_err(|why| Failure::Record {
                file: file.clone(),
                why,
            })?;
            progress(&format!("{} spans written to {}", spans.len(), file.display()));
            return Ok(());
        }
    };
    show(&report::table(&cells));
    if args.command.is_none() {
        show(&report::table(&by_server(&cells)));
        show(&promises(&cells));
        if let Some(bytes) = memory {
            show(&format!("about {} KiB of memory for each engine", bytes / 1024));
        }
    }
    let out = &args.out;
    write(out, &cells).map_err(|why| Failure::Write {
        out: out.clone(),
        why,
    })?;
    progress(&format!("written to {}", args.out.display()));
    Ok(())
}

/// What an engine holds after a busy time, measured before anything else uses memory.
fn memory() -> Option<usize> {
    let workload = catalogue::workload(Set::HeldOut, Family::Routes, Server::go(), 16.0, 3_000);
    let recordings = simulate(&workload);
    engine_bytes(&recordings.first()?.log)
}

fn write(out: &Path, cells: &[Cell]) -> std::io::Result<()> {
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(out, serde_json::to_string_pretty(&report::rows(cells))? + "\n")
}

/// All workloads together, for each number in flight and kind of server.
fn by_server(cells: &[Cell]) -> Vec<Cell> {
    let all = report::together(cells, |cell| {
        (cell.in_flight.to_bits(), cell.server_model.clone())
    });
    let named = all.into_values().map(|cell| Cell {
        workload: "all".to_owned(),
        ..cell
    });
    named.collect()
}

/// Simulates and measures the wanted workloads, several at a time.
fn simulated(args: &Simulated) -> Result<Vec<Cell>, Failure> {
    let families = Family::ALL
        .into_iter()
        .filter(|family| family.name().contains(&args.workload));
    let mut wanted = Vec::new();
    for family in families {
        for server in Server::ALL
            .into_iter()
            .filter(|server| server.name.contains(&args.server))
        {
            wanted.extend(
                args.in_flight
                    .iter()
                    .map(|in_flight| (family, server, *in_flight)),
            );
        }
    }
    if wanted.is_empty() {
        return Err(Failure::Nothing);
    }
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
                    let measured = measure(&simulate(&workload));
                    let cell = Cell {
                        workload: workload.name.to_owned(),
                        server_model: server.name.to_owned(),
                        in_flight,
                        compress: None,
                        measured,
                    };
                    if let Ok(mut done) = done.lock() {
                        done.push((index, cell));
                        let (name, of) = (workload.name, wanted.len());
                        progress(&format!(
                            "{} of {of}: {name} on {}, {in_flight} in flight",
                            done.len(),
                            server.name
                        ));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, cell)| cell).collect())
}

/// What tracing tools would have recorded of an application, with these flaws.
fn recorded(application: Application, flaws: &[Flaw], in_flight: f64, requests: u32) -> Vec<Span> {
    let workload = application.workload(in_flight, requests);
    let mut spans = Tracer {
        workload: &workload,
        services: application.services(),
        recordings: &simulate(&workload),
    }
    .spans();
    for flaw in flaws {
        export::spoil(&mut spans, *flaw);
    }
    spans
}

/// Measures recorded traces, at each density: all instances together, then each that calls someone.
fn replayed(files: &[PathBuf], compress: &[f64]) -> Result<Vec<Cell>, Failure> {
    let Found { spans, unreadable } = replay::read(files, |file| {
        progress(&format!("reading {}", file.display()));
    })?;
    progress(&format!(
        "{} spans read; {unreadable} left out that had no identifiers or times",
        spans.len()
    ));
    let mut cells = Vec::new();
    for compress in compress {
        progress(&format!("replaying, {compress} times as dense"));
        cells.extend(replayed_at(spans.clone(), *compress)?);
    }
    Ok(cells)
}

fn replayed_at(spans: Vec<Span>, compress: f64) -> Result<Vec<Cell>, Failure> {
    let replay = replay::rebuild(spans, compress);
    let left_out = replay.left_out;
    progress(&format!(
        "left out: {} spans that were there twice, {} calls whose cause was not recorded",
        left_out.repeated, left_out.causeless
    ));
    let cell = |workload: &str, recordings: &[Recording]| Cell {
        workload: workload.to_owned(),
        server_model: match compress {
            1.0 => "recorded".to_owned(),
            times => format!("recorded x{times}"),
        },
        in_flight: in_flight_at_calls(recordings),
        compress: Some(compress),
        measured: measure(recordings),
    };
    let mut cells = vec![cell("all", &replay.recordings)];
    for (name, recording) in replay.names.iter().zip(replay.recordings) {
        if recording.log.calls > 0 {
            cells.push(cell(name, &[recording.alone()]));
        }
    }
    (cells.len() > 1).then_some(cells).ok_or(Failure::NoCalls)
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
