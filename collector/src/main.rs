//! `meshtrace-collector`: reads what it is told, listens, and serves until it is asked to stop.

use std::process::ExitCode;
use std::sync::Arc;

use collector::collector::Collector;
use collector::config::{self, Config};
use collector::store::{Limits, Memory};

#[tokio::main]
async fn main() -> ExitCode {
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "logging may not have started")]
            {
                eprintln!("meshtrace-collector: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::read(&config::command().get_matches())?;
    process::logs::init(&config.log)?;
    let asked_to_stop = process::stop::listen()?;
    let store = Arc::new(Memory::new(Limits {
        bytes: config.store_max_bytes,
        age: collector::time::nanos(config.retention),
    }));
    let collector = Collector::bind(&config, store).await?;
    let at = collector.addresses()?;
    tracing::info!(grpc = %at.grpc, http = %at.http, query = %at.query, admin = %at.admin, "listening");
    tracing::info!(
        max_bytes = config.store_max_bytes,
        retention_s = config.retention.as_secs(),
        "keeping spans in memory: they are gone when this process ends"
    );
    let stop = async {
        let signal = asked_to_stop.await;
        tracing::info!(signal, "stopping: finishing open requests");
    };
    collector.run(stop).await;
    Ok(())
}
