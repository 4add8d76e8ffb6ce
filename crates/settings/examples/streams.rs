//! What streams of settings cost the operator: opens so many, each on a connection of its own as sidecars do, and says by how
//! much the resident memory of a process has grown.
//!
//! ```text
//! cargo run --profile demo -p settings --features client --example streams -- http://HOST:14271 500 PID
//! ```
#![allow(clippy::print_stdout, reason = "this is for who runs it")]

use std::error::Error;
use std::fs;
use std::time::Duration;

use settings::Who;
use settings::client::{Updates, watch};
use tokio::net::TcpStream;

/// Long enough for every stream's first update.
const SETTLED: Duration = Duration::from_secs(5);
const USAGE: &str = "usage: streams http://HOST:PORT COUNT PID";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, count, pid] = arguments.as_slice() else {
        return Err(USAGE.into());
    };
    let (count, pid): (u32, u32) = (count.parse()?, pid.parse()?);
    let before = resident_kib(pid)?;
    let mut open = Vec::new();
    for number in 0..count {
        open.push(stream(url, number).await?);
    }
    tokio::time::sleep(SETTLED).await;
    let after = resident_kib(pid)?;
    let each = f64::from(after.saturating_sub(before)) / f64::from(count.max(1));
    println!("{before} KiB, with {count} streams {after} KiB: {each:.1} KiB for each");
    drop(open);
    Ok(())
}

async fn stream(url: &str, number: u32) -> Result<Updates, Box<dyn Error>> {
    let host = url.strip_prefix("http://").ok_or(USAGE)?;
    let connection = TcpStream::connect(host).await?;
    let who = Who {
        namespace: "bank".to_owned(),
        pod: format!("account-7d9f8c6b5d-{number}"),
        uid: format!("00000000-0000-0000-0000-{number:012}"),
    };
    Ok(watch(connection, url, who).await?)
}

/// What of a process is in memory, as proc(5) says.
fn resident_kib(pid: u32) -> Result<u32, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.ok_or("no VmRSS")?.parse()?)
}
