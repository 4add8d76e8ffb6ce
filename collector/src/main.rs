//! `meshtrace-collector`: reads what it is told, listens, and serves until it is asked to stop.

use std::process::ExitCode;
use std::sync::Arc;

use collector::collector::Collector;
use collector::config::{self, Config};
use collector::store::{Durable, Limits, Memory, Store};

#[tokio::main]
async fn main() -> ExitCode {
    process::exit::code("meshtrace-collector", start().await)
}

async fn start() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::read(&config::command().get_matches())?;
    process::logs::init(&config.log)?;
    let stop = process::stop::listen()?;
    let store = open(&config).await?;
    let collector = Collector::bind(&config, store).await?;
    let at = collector.addresses()?;
    tracing::info!(grpc = %at.grpc, http = %at.http, zipkin = %at.zipkin, query = %at.query, admin = %at.admin, "listening");
    collector.run(stop).await;
    Ok(())
}

/// The store that the configuration asks for. Reading a large log takes a while, and holds nobody up.
async fn open(config: &Config) -> Result<Arc<dyn Store>, Box<dyn std::error::Error>> {
    let limits = |bytes| Limits {
        bytes,
        age: collector::time::nanos(config.retention),
    };
    let retention_s = config.retention.as_secs();
    let Some(folder) = config.data.clone() else {
        let limits = limits(config.store_max_bytes);
        tracing::info!(
            max_bytes = limits.bytes,
            retention_s,
            "keeping spans in memory: they are gone when this process ends"
        );
        return Ok(Arc::new(Memory::new(limits)));
    };
    let (limits, durability) = (limits(config.data_max_bytes), config.durability);
    tracing::info!(
        folder = %folder.display(),
        max_bytes = limits.bytes,
        retention_s,
        ?durability,
        "keeping spans on disk"
    );
    let opening = tokio::task::spawn_blocking(move || Durable::open(&folder, durability, limits));
    Ok(Arc::new(opening.await??))
}
