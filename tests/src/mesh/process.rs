//! Processes and their namespaces, seen from this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// A process, as /proc shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Clock ticks from boot to its start, which tells it from a later one of the same number.
    started: u64,
    /// Its network namespace.
    pub network: PathBuf,
}

impl Process {
    /// Whether it still runs.
    pub fn lives(&self) -> bool {
        stat(self.pid).is_some_and(|(_, state, started)| started == self.started && state != "Z")
    }
}

/// The network namespaces that any process of this machine is in.
pub fn networks() -> BTreeSet<PathBuf> {
    pids()
        .filter_map(|pid| fs::read_link(format!("/proc/{pid}/ns/net")).ok())
        .collect()
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// A process and everything that it has started, and that these have.
pub(super) fn descendants(parent: u32) -> Vec<Process> {
    let parents: BTreeMap<u32, u32> = pids().filter_map(|pid| Some((pid, stat(pid)?.0))).collect();
    let mut found = vec![parent];
    let mut next = 0;
    while let Some(above) = found.get(next).copied() {
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| **parent == above)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found
        .into_iter()
        .filter_map(|pid| {
            Some(Process {
                pid,
                started: stat(pid)?.2,
                network: fs::read_link(format!("/proc/{pid}/ns/net")).ok()?,
            })
        })
        .collect()
}

/// Parent, state and start of a process (proc_pid_stat(5)).
fn stat(pid: u32) -> Option<(u32, String, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some((
        fields.get(1)?.parse().ok()?,
        (*fields.first()?).to_owned(),
        fields.get(19)?.parse().ok()?,
    ))
}
