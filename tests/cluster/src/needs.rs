//! What a machine needs to have for a node, looked at before anything is begun.

use std::env::split_paths;
use std::ffi::OsStr;
use std::process::Command;

use nix::unistd::Uid;

use crate::cgroups::Hierarchies;
use crate::failure::{Failure, output};

/// Programs of the machine, and the packages that bring them.
const TOOLS: [(&str, &str); 8] = [
    ("runc", "runc"),
    ("go", "golang-go"),
    ("ip", "iproute2"),
    ("mount", "mount"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("python3", "python3"),
    ("unshare", "util-linux"),
];

/// Checks this machine; `path` is where programs are searched.
///
/// # Errors
/// [`Failure::Unfit`] with all that is missing.
pub fn check(path: &OsStr) -> Result<(), Failure> {
    let mut missing = Vec::new();
    if !Uid::effective().is_root() {
        missing.push("this needs root".to_owned());
    }
    for (program, package) in TOOLS {
        if !split_paths(path).any(|folder| folder.join(program).is_file()) {
            missing.push(format!("there is no {program} (package {package})"));
        }
    }
    let mut namespaces = Command::new("unshare");
    namespaces.args(["--mount", "--net", "--pid", "--fork"]);
    namespaces.args([
        "mount",
        "-t",
        "overlay",
        "overlay",
        "-o",
        "lowerdir=/etc:/usr",
        "/mnt",
    ]);
    if let Err(failure) = output(&mut namespaces) {
        missing.push(format!("no namespaces, or no overlayfs in them: {failure}"));
    }
    if let Err(controllers) = Hierarchies::of_this_machine() {
        missing.push(format!("no cgroup controller {}", controllers.join(", ")));
    }
    match &*missing {
        [] => Ok(()),
        all => Err(Failure::Unfit(all.join("; "))),
    }
}
