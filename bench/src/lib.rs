//! The same work done by us and by the peers, side by side.
//!
//! The programs under `bin/` are small and separate, so that each can be used by itself and the cost of one is never
//! counted as the cost of another: a load generator, an origin, an OTLP sink, and `tcp-copy`, the floor that the
//! sidecar is compared with. `bench-run` puts them together. What they share stands here: the one exchange that is
//! measured, the clients that make it, and how a process's cost is read.
//!
//! Nothing here knows how any contender works: all of them are processes with an address and a pid.

pub mod client;
pub mod cost;
pub mod exchange;
pub mod load;
pub mod pace;
pub mod runtime;

use std::{fmt::Display, process::ExitCode};

/// Ends `main` with what went wrong, if anything did.
pub fn exit_with<T>(program: &str, outcome: Result<T, impl Display>) -> ExitCode {
    match outcome {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            complain(program, &error);
            ExitCode::FAILURE
        }
    }
}

/// Says on stderr what went wrong: these are programs for a terminal, and stdout is theirs for results.
#[expect(
    clippy::print_stderr,
    reason = "the one place where the programs of the bench complain"
)]
pub fn complain(program: &str, error: &dyn Display) {
    eprintln!("{program}: {error}");
}
