//! `meshtrace-operator`: reads what it is told, and serves until it is asked to stop.

use std::process::ExitCode;

use kube::Client;
use operator::config::{self, Config};
use operator::run;

#[tokio::main]
async fn main() -> ExitCode {
    process::exit::code("meshtrace-operator", start().await)
}

async fn start() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::read(&config::command().get_matches())?;
    process::logs::init(&config.log)?;
    let stop = process::stop::listen()?;
    let client = Client::try_default().await?;
    run::run(&config, client, stop).await?;
    Ok(())
}
