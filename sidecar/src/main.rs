//! The sidecar's command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use contract::env;
use sidecar::config::Settings;
use sidecar::redirect::{self, RedirectArgs};
use sidecar::run;

/// Sees a pod's requests, marks them with their trace context, passes them on and remembers them.
#[derive(Parser)]
#[command(name = "meshtrace-sidecar", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Carry the pod's connections.
    Run(RunArgs),
    Redirect(RedirectArgs),
}

#[derive(Args)]
#[command(after_help = "\
Most keys of the configuration file can also be set by a variable, which wins: `service` by MESHTRACE_SERVICE,
`inbound.listen` by MESHTRACE_INBOUND_LISTEN. `--print-config` shows all keys and what is in effect.

Where no redirect can be installed, give a listener a fixed upstream:

  MESHTRACE_INBOUND_LISTEN=0.0.0.0:8081 MESHTRACE_INBOUND_UPSTREAM=127.0.0.1:8080 \\
  MESHTRACE_COLLECTOR=http://collector:4317 MESHTRACE_SERVICE=account meshtrace-sidecar run")]
struct RunArgs {
    /// The configuration file (YAML). Without one the defaults and the environment hold.
    #[arg(long, env = env::CONFIG, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print the configuration in effect, and do nothing else.
    #[arg(long)]
    print_config: bool,

    /// What to log: error, warn, info, debug or trace, or a list of target=level. Without a word, info.
    #[arg(long, env = env::LOG, value_name = "FILTER")]
    log: Option<String>,
}

#[allow(clippy::print_stdout, reason = "this is where the user is spoken to")]
fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => carry(&args),
        Command::Redirect(args) => redirect::run(&args)
            .map(|done| println!("{done}"))
            .map_err(Into::into),
    };
    process::exit::code("meshtrace-sidecar", done)
}

#[allow(clippy::print_stdout, reason = "the configuration was asked for")]
#[allow(
    clippy::disallowed_methods,
    reason = "here, and only here, the environment is read"
)]
fn carry(args: &RunArgs) -> Result<(), Box<dyn std::error::Error>> {
    let (name, text) = match &args.config {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            (path.display().to_string(), text)
        }
        None => ("environment".to_owned(), String::new()),
    };
    let said = |variable: &str| match variable {
        env::LOG => args.log.clone(),
        variable => std::env::var(variable).ok(),
    };
    let file = (name.as_str(), text.as_str());
    let (settings, left_out) = if std::env::var_os(env::BEST_EFFORT).is_some() {
        Settings::read_what_can_be(file, said)?
    } else {
        (Settings::read(file, said)?, Vec::new())
    };
    if args.print_config {
        print!("{}", settings.effective());
        return Ok(());
    }
    let logs = process::logs::init(&settings.live.log)?;
    for problems in left_out {
        tracing::warn!("a variable is left out: {problems}");
    }
    run::run(settings, logs)?;
    Ok(())
}
