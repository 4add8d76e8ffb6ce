//! Bringing a node up and taking it down again.

use std::env::{join_paths, split_paths};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::cgroups::Hierarchies;
use crate::daemon::Daemons;
use crate::failure::{Asked, Failure};
use crate::namespaces::{Life, Namespaces};
use crate::parts::{Site, containerd, control_plane, dns, etcd, images, kubelet, network, proxy, storage};
use crate::place::Place;
use crate::sysctls;

/// What a node is made of.
#[derive(Debug)]
pub struct Plan<'p> {
    /// Where it is to be.
    pub place: &'p Place,
    /// Folders with its programs.
    pub programs: &'p [PathBuf],
    /// Folders with archives of images that its pods may use.
    pub images: &'p [PathBuf],
    /// The search path for programs of the machine.
    pub path: OsString,
    /// How long it shall live.
    pub life: Life,
}

/// Brings a node up, and returns when pods can run on it. What an earlier one left at the same place goes first. `say` is
/// told of each step.
///
/// # Errors
/// A part does not come up. Whoever called takes down what is there.
pub fn up(plan: &Plan<'_>, say: impl Fn(&str)) -> Result<Namespaces, Failure> {
    let place = plan.place;
    down(place)?;
    place.create()?;
    take_in(place, plan.programs)?;
    sysctls::save(place)?;
    hierarchies()?.create(place)?;
    let namespaces = Namespaces::create(place, &place.path("bin/pause"), plan.life)?;

    let path = std::iter::once(place.path("bin")).chain(split_paths(&plan.path));
    let path = join_paths(path).map_err(|error| Failure::Unfit(error.to_string()))?;
    let site = Site {
        place,
        namespaces: &namespaces,
        path: &path,
    };
    let daemons = &mut Daemons::of(place);
    network::lay_out(site)?;
    control_plane::credentials(site)?;
    say("starting etcd, API server, containerd");
    etcd::start(site, daemons)?;
    control_plane::start_api_server(site, daemons)?;
    containerd::start(site, daemons)?;
    containerd::wait_for(site, daemons)?;
    images::import_pause(site)?;
    for folder in plan.images {
        let count = images::import_all(site, folder)?;
        say(&format!("imported {count} images of {}", folder.display()));
    }
    control_plane::wait_for_api_server(site, daemons)?;
    say("starting controllers, scheduler, kubelet, proxy, DNS");
    control_plane::start_controllers(site, daemons)?;
    kubelet::start(site, daemons)?;
    proxy::start(site, daemons)?;
    dns::start(site, daemons)?;
    storage::lay_out(site)?;
    control_plane::wait_for_service_account(site, daemons)?;
    dns::wait_for(site, daemons)?;
    kubelet::wait_for(site, daemons)?;
    Ok(namespaces)
}

/// Takes down whatever there is of a node at this place: running, half begun, or left by one that was killed.
///
/// # Errors
/// Something is left.
pub fn down(place: &Place) -> Result<(), Failure> {
    if !place.root().exists() {
        return Ok(());
    }
    if let Some(namespaces) = Namespaces::of(place) {
        namespaces.end()?;
    }
    hierarchies()?.remove(place)?;
    sysctls::restore(place)?;
    // its mounts went with its namespace: what is here now is its own
    fs::remove_dir_all(place.root()).to(|| format!("remove {}", place.root().display()))
}

fn hierarchies() -> Result<Hierarchies, Failure> {
    Hierarchies::of_this_machine().map_err(|missing| {
        let missing = missing.join(", ");
        Failure::Unfit(format!("no cgroup controller {missing}"))
    })
}

/// Programs as files of the node's own, since it may not see where they are kept.
fn take_in(place: &Place, folders: &[PathBuf]) -> Result<(), Failure> {
    for folder in folders {
        let entries = fs::read_dir(folder).to(|| format!("read {}", folder.display()))?;
        for program in entries.flatten().map(|entry| entry.path()) {
            let own = place.path("bin").join(program.file_name().unwrap_or_default());
            link_or_copy(&program, &own).to(|| format!("take in {}", program.display()))?;
        }
    }
    Ok(())
}

fn link_or_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => fs::copy(from, to).map(drop),
        linked => linked,
    }
}
