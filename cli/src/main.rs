//! `meshtrace`: the admin's hand.

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;

use clap::Parser;
use cli::args::{Cli, Command};
use cli::up;

fn main() -> ExitCode {
    match Cli::parse().command {
        // these two have to begin with one thread, so before there is a runtime
        Command::Enter => up::enter::run(),
        Command::Init => up::init::run(),
        command => match run(command) {
            Ok(code) => code,
            Err(error) => {
                up::console::complain(error.as_ref());
                ExitCode::FAILURE
            }
        },
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
fn run(command: Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let variable = |name: &str| environment.get(name).cloned();
    // https://no-color.org: any value but the empty one
    let colour = variable("NO_COLOR").is_none_or(|value| value.is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match command {
        Command::Up {
            file,
            untraced,
            quiet,
        } => {
            let path = variable("PATH").unwrap_or_default();
            let options = up::Options {
                file,
                untraced,
                quiet,
                colour,
                path,
            };
            Ok(runtime.block_on(up::up(&options))?)
        }
        Command::Enter | Command::Init => Err(io::Error::other("not from here").into()),
    }
}
