//! The program itself: its help, its complaints, and how it stops.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshtrace-collector"));
    command.env_clear();
    command
}

fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output, String::from_utf8(said).unwrap())
}

#[test]
fn help_names_every_flag_its_variable_and_its_default() {
    let (output, said) = run(program().arg("--help"));
    assert!(output.status.success());
    for word in [
        "--otlp-grpc",
        "MESHTRACE_COLLECTOR_OTLP_GRPC",
        "[::]:4317",
        "--retention",
        "72h",
        "16686",
        "512MiB",
    ] {
        assert!(said.contains(word), "{word} in\n{said}");
    }
}

#[test]
fn all_problems_of_flags_and_environment_are_reported_together() {
    let (output, said) = run(program()
        .args(["--otlp-grpc=4317", "--store-max-bytes=1GB"])
        .env("MESHTRACE_COLLECTOR_RETENTION", "soon"));
    assert!(!output.status.success());
    for place in [
        "3 problems",
        "--otlp-grpc: `4317`",
        "--store-max-bytes: `1GB`",
        "MESHTRACE_COLLECTOR_RETENTION: `soon`",
    ] {
        assert!(said.contains(place), "{place} in\n{said}");
    }
}

#[test]
fn an_address_that_is_taken_is_named_with_its_flag() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (output, said) = run(program().args(["--otlp-grpc", &address]));
    assert!(!output.status.success());
    assert!(said.contains(&address) && said.contains("--otlp-grpc"), "{said}");
}

/// Starts it and waits until it says that it listens.
fn listening() -> (Child, BufReader<impl Read>) {
    let flags = ["--otlp-grpc", "--otlp-http", "--zipkin", "--query", "--admin"]
        .map(|flag| format!("{flag}=[::1]:0"));
    let mut child = program().args(flags).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening") {
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended: {line}");
    }
    (child, log)
}

#[test]
fn it_stops_well_on_sigterm_and_on_sigint() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (mut child, mut log) = listening();
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        assert!(child.wait().unwrap().success(), "{rest}");
        assert!(rest.contains("stopping"), "{rest}");
    }
}
