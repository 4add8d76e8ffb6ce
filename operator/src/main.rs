//! `meshtrace-operator`: reads what it is told, and serves until it is asked to stop.

use std::process::ExitCode;

use kube::Client;
use operator::config::{self, Config};
use operator::run;

#[tokio::main]
async fn main() -> ExitCode {
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "logging may not have started")]
            {
                eprintln!("meshtrace-operator: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::read(&config::command().get_matches())?;
    process::logs::init(&config.log)?;
    let asked_to_stop = process::stop::listen()?;
    let client = Client::try_default().await?;
    let stop = async {
        let signal = asked_to_stop.await;
        tracing::info!(signal, "stopping: finishing open requests");
    };
    run::run(&config, client, stop).await?;
    Ok(())
}
