//! Images get into containerd from archives: there is no registry to pull them from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Asked, Failure, output};
use crate::parts::Site;

/// The image that holds a pod's namespaces.
pub(crate) const PAUSE: &str = concat!("docker.io/meshtrace/pause:", env!("CARGO_PKG_VERSION"));

/// Makes that image of the program that does the same for the node.
pub(crate) fn import_pause(site: Site<'_>) -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut make = Command::new(root.join("tools/images"));
    make.arg("--programs").arg(site.place.path("bin"));
    output(make.arg(site.place.path("images")).arg("pause"))?;
    import(site, &site.place.path("images/pause.tar"))
}

/// Imports every archive in a folder and returns how many there are.
pub(crate) fn import_all(site: Site<'_>, folder: &Path) -> Result<usize, Failure> {
    let entries = fs::read_dir(folder).to(|| format!("read the folder of images {}", folder.display()))?;
    let mut archives: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    archives.retain(|path| path.extension().is_some_and(|it| it == "tar"));
    archives.sort();
    for archive in &archives {
        import(site, archive)?;
    }
    Ok(archives.len())
}

/// The archive is read by ctr outside, where it is, and written through containerd's socket.
fn import(site: Site<'_>, archive: &Path) -> Result<(), Failure> {
    let mut ctr = Command::new(site.place.path("bin/ctr"));
    ctr.arg("--address")
        .arg(site.place.own("/run").join("containerd/containerd.sock"))
        .args(["--namespace=k8s.io", "images", "import", "--local"])
        .arg(archive);
    output(&mut ctr).map(drop)
}
