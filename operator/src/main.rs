//! `meshtrace-operator`: reads what it is told, and serves until it is asked to stop.

use std::process::ExitCode;

use kube::Client;
use operator::config::{self, Config};
use operator::{forget, policy, run};

#[tokio::main]
async fn main() -> ExitCode {
    process::exit::code("meshtrace-operator", start().await)
}

async fn start() -> Result<(), Box<dyn std::error::Error>> {
    let matches = config::command().get_matches();
    if matches.subcommand_name() == Some(config::CRDS) {
        #[expect(clippy::print_stdout, reason = "they were asked for")]
        {
            print!("{}", policy::definitions());
        }
        return Ok(());
    }
    let config = Config::read(&matches)?;
    process::logs::init(&config.log)?;
    let stop = process::stop::listen()?;
    let client = Client::try_default().await?;
    match matches.subcommand() {
        Some((config::FORGET, _)) => forget::forget(client, &config.name).await?,
        Some((config::SWEEP, said)) => forget::sweep(client, said.get_flag(config::DEFINITIONS)).await?,
        _ => run::run(&config, client, stop).await?,
    }
    Ok(())
}
