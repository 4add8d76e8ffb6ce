//! What a mesh is busy with, for whoever waits in vain: what each sidecar has open, and the state of every process and
//! connection.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use contract::port;
use nix::sched::{CloneFlags, setns};

use super::Process;
use super::ask::{read, send};

/// How long a sidecar may take to say what it has open.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the kernel writes that a socket listens (proc_net_tcp(5)).
const LISTENING: &str = "0A";

/// All of it, one network namespace after the other. What cannot be found out is said in its place.
pub(super) fn told(processes: &[Process]) -> String {
    let mut networks: BTreeMap<_, Vec<&Process>> = BTreeMap::new();
    for process in processes {
        networks.entry(&process.network).or_default().push(process);
    }
    let mut text = String::new();
    for (network, members) in networks {
        writeln!(text, "{}", network.display()).unwrap();
        for process in &members {
            let of =
                |what: &str| fs::read_to_string(format!("/proc/{}/{what}", process.pid)).unwrap_or_default();
            let (name, stack) = (of("comm"), of("wchan"));
            writeln!(text, "  {} {}, waits in {stack}", process.pid, name.trim()).unwrap();
            if name.starts_with("meshtrace-sidec") {
                writeln!(text, "  open: {}", open(process.pid)).unwrap();
            }
        }
        for connection in members.first().map(connections).unwrap_or_default() {
            writeln!(text, "  {connection}").unwrap();
        }
    }
    text
}

/// What the sidecar in a process' network has open.
fn open(pid: u32) -> String {
    // a namespace is entered by a thread, which ends with it
    let asked = thread::spawn(move || {
        setns(
            File::open(format!("/proc/{pid}/ns/net"))?,
            CloneFlags::CLONE_NEWNET,
        )?;
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, port::ADMIN));
        read(&mut send(admin, "GET", "/open", &[], b"")?, PATIENCE)
    });
    match asked.join() {
        Ok(Ok(answer)) => answer.body,
        Ok(Err(error)) => format!("not known: {error}"),
        Err(_) => "not known: its answer is none".to_owned(),
    }
}

/// The connections of a process' network, as the kernel lists them: ends, state, and what waits to be sent and read.
fn connections(process: &&Process) -> Vec<String> {
    let list = |version: &str| {
        fs::read_to_string(format!("/proc/{}/net/{version}", process.pid)).unwrap_or_default()
    };
    let connection = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().skip(1).take(4).collect();
        (fields.get(2) != Some(&LISTENING)).then(|| fields.join(" "))
    };
    let lists = [list("tcp"), list("tcp6")];
    let lines = lists.iter().flat_map(|list| list.lines().skip(1));
    lines.filter_map(connection).collect()
}
