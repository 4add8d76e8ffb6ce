//! Looking for what a mesh leaves behind.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// What a mesh could leave behind on this machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leftovers {
    interfaces: BTreeSet<String>,
    mounts: BTreeSet<String>,
    named_namespaces: BTreeSet<String>,
    temporary_files: BTreeSet<String>,
    rules: String,
}

impl Leftovers {
    pub(crate) fn now() -> Self {
        let names = |directory: &str| -> BTreeSet<String> {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            entries
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect()
        };
        let rules = Command::new("nft").args(["list", "ruleset"]).output();
        Self {
            interfaces: names("/sys/class/net"),
            mounts: fs::read_to_string("/proc/self/mounts")
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect(),
            named_namespaces: names("/run/netns"),
            // other tests make directories for their own files at the same time
            temporary_files: names("/tmp")
                .into_iter()
                .filter(|name| name.contains("mesh") || name == "hosts")
                .collect(),
            rules: rules
                .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
                .unwrap_or_default(),
        }
    }
}

/// The processes whose command line or environment contains `mark`, except this one.
pub(crate) fn processes(mark: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && *name != own)
        .filter_map(|pid| {
            let read = |what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            let found = command.contains(mark) || String::from_utf8_lossy(&read("environ")).contains(mark);
            found.then(|| format!("{pid}: {command}"))
        })
        .collect()
}

/// Waits until no process carries `mark` any more.
pub(crate) fn wait_until_gone(mark: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !processes(mark).is_empty() {
        assert!(Instant::now() < deadline, "still there: {:#?}", processes(mark));
        std::thread::sleep(Duration::from_millis(20));
    }
}
