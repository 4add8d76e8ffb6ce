//! Looking for what a mesh leaves behind on this machine.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// What a mesh could leave: interfaces, mounts, named namespaces, temporary files and netfilter rules.
pub(crate) struct Leftovers(BTreeSet<String>);

impl Leftovers {
    /// What is there now, by whomever.
    pub(crate) fn now() -> Self {
        let names = |directory: &str| -> Vec<String> {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            entries.map(|entry| entry.path().display().to_string()).collect()
        };
        let mut all: BTreeSet<String> = BTreeSet::new();
        all.extend(names("/sys/class/net"));
        all.extend(names("/run/netns"));
        // other tests make directories for their own files at the same time
        all.extend(
            names("/tmp")
                .into_iter()
                .filter(|path| !path.starts_with("/tmp/.tmp")),
        );
        all.extend(
            fs::read_to_string("/proc/self/mounts")
                .unwrap()
                .lines()
                .map(str::to_owned),
        );
        let rules = Command::new("nft").args(["list", "ruleset"]).output().unwrap();
        all.extend(
            String::from_utf8_lossy(&rules.stdout)
                .lines()
                .map(|line| format!("rule {line}")),
        );
        Self(all)
    }

    /// Waits until nothing is there that was not there before. Other tests may leave such things for a moment.
    pub(crate) fn wait_until_gone(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let new: Vec<_> = Self::now().0.difference(&self.0).cloned().collect();
            if new.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left behind: {new:#?}");
            std::thread::sleep(Duration::from_millis(50));
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
