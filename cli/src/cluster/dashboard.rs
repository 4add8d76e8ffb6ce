//! `meshtrace dashboard`: the collector's pages, at an address of this machine, until somebody says stop.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::sleep;

use super::forward::{Error, Forward};
use super::kubectl::Kubectl;
use crate::query::http;

/// How long to wait before the way is opened again.
const AGAIN: Duration = Duration::from_secs(2);
/// How often the collector is asked before it is told that it does not answer, and how long between.
const ATTEMPTS: u32 = 60;
const BETWEEN: Duration = Duration::from_millis(500);

/// Opens the way to the collector of the installation in `namespace`, tells `say` where its pages are once they answer, and
/// keeps the way open: where the collector's pod ends, to the next one, at the same address. Ends when the program is
/// asked to.
///
/// # Errors
/// There is no way at first, or nobody answers behind it.
pub async fn dashboard(
    kubectl: &Kubectl,
    namespace: &str,
    port: Option<u16>,
    mut say: impl FnMut(&str),
) -> Result<(), Error> {
    let asked_to_stop = process::stop::listen().map_err(Error::Signals)?;
    let stay = async {
        let mut way = Forward::open(kubectl, namespace, port).await?;
        let port = way.port;
        answers(port, &mut way).await?;
        say(&way.place());
        loop {
            way.closed().await;
            way.close().await;
            way = loop {
                sleep(AGAIN).await;
                if let Ok(way) = Forward::open(kubectl, namespace, Some(port)).await {
                    break way;
                }
            };
        }
    };
    tokio::select! {
        ended = stay => ended,
        () = asked_to_stop => Ok(()),
    }
}

/// Waits until the collector answers.
async fn answers(port: u16, way: &mut Forward) -> Result<(), Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let asking = async {
        for _ in 0..ATTEMPTS {
            if http::get(address, "/")
                .await
                .is_ok_and(|answer| answer.status < 500)
            {
                return Ok(());
            }
            sleep(BETWEEN).await;
        }
        Err(Error::Slow)
    };
    tokio::select! {
        answer = asking => answer,
        () = way.closed() => Err(Error::Slow),
    }
}

/// Opens `place` in the browser of whoever sits here. One that cannot be opened is theirs to open.
pub fn open(place: &str) {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let browser = Command::new(program)
        .arg(place)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    drop(browser);
}
