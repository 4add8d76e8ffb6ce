//! `meshtrace-operator`: reads what it is told, and serves until it is asked to stop.

use std::process::ExitCode;

use kube::Client;
use operator::config::{self, Config};
use operator::{policy, run};

#[tokio::main]
async fn main() -> ExitCode {
    process::exit::code("meshtrace-operator", start().await)
}

async fn start() -> Result<(), Box<dyn std::error::Error>> {
    let said = config::command().get_matches();
    if said.subcommand_name() == Some(config::CRDS) {
        #[expect(clippy::print_stdout, reason = "they were asked for")]
        {
            print!("{}", policy::definitions());
        }
        return Ok(());
    }
    let config = Config::read(&said)?;
    process::logs::init(&config.log)?;
    let stop = process::stop::listen()?;
    let client = Client::try_default().await?;
    run::run(&config, client, stop).await?;
    Ok(())
}
