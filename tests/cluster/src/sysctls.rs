//! Settings of the whole machine that a kubelet changes without being asked. They are noted before and put back after.

use std::fs;
use std::path::PathBuf;

use crate::failure::{Asked, Failure};
use crate::place::Place;

/// What a kubelet sets, whether it is what the machine had or not.
const CHANGED: [&str; 5] = [
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
];

/// Notes what they are now.
pub(crate) fn save(place: &Place) -> Result<(), Failure> {
    let notes = CHANGED.iter().filter_map(|name| {
        // not every kernel has all of them
        let value = fs::read_to_string(file(name)).ok()?;
        Some(format!("{name} {}\n", value.trim()))
    });
    place.write("sysctls", &notes.collect::<String>()).map(drop)
}

/// Puts back what was noted, where there is such a note.
pub(crate) fn restore(place: &Place) -> Result<(), Failure> {
    let notes = fs::read_to_string(place.path("sysctls")).unwrap_or_default();
    for (name, value) in notes.lines().filter_map(|line| line.split_once(' ')) {
        let file = file(name);
        fs::write(&file, value).to(|| format!("set {} back to {value}", file.display()))?;
    }
    Ok(())
}

fn file(name: &str) -> PathBuf {
    PathBuf::from("/proc/sys").join(name)
}
