//! Where a node keeps everything: one folder, which goes with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::failure::{Asked, Failure};

/// Folders of the machine that a node has its own of. They are bound over inside, in its mount namespace.
pub(crate) const OWN: [&str; 4] = ["/run", "/tmp", "/var/lib", "/var/log"];

/// A node's folder.
#[derive(Clone, Debug)]
pub struct Place(PathBuf);

impl Place {
    /// A place for a node.
    ///
    /// # Errors
    /// The path is not absolute, or lies where it could not be seen from inside.
    pub fn at(path: &Path) -> Result<Self, Failure> {
        let hidden = OWN.iter().any(|own| path.starts_with(own));
        if hidden || !path.is_absolute() || path.parent().is_none() {
            return Err(Failure::Unfit(format!(
                "{} cannot be a node's folder: it has to be absolute and outside of {}",
                path.display(),
                OWN.join(", ")
            )));
        }
        Ok(Self(path.to_owned()))
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, of: &str) -> PathBuf {
        self.0.join(of)
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// What this node is called among the machine's cgroups: two places never share one.
    #[must_use]
    pub fn name(&self) -> String {
        let path = self.0.to_string_lossy();
        path.trim_start_matches('/').replace(['/', '.'], "-")
    }

    /// The log of one of the node's parts.
    #[must_use]
    pub fn log(&self, part: &str) -> PathBuf {
        self.0.join("log").join(format!("{part}.log"))
    }

    /// The kubeconfig of the cluster's administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig/admin")
    }

    /// Where the own one of a folder in [`OWN`] is kept.
    pub(crate) fn own(&self, folder: &str) -> PathBuf {
        self.path("own")
            .join(folder.trim_start_matches('/').replace('/', "-"))
    }

    /// Makes the folder and those in it.
    pub(crate) fn create(&self) -> Result<(), Failure> {
        let within = ["bin", "config", "kubeconfig", "log", "pki"].map(|it| self.path(it));
        let own = OWN.map(|folder| self.own(folder));
        for folder in within.iter().chain(&own) {
            fs::create_dir_all(folder).to(|| format!("make the folder {}", folder.display()))?;
        }
        // others than root put files there as well
        let shared = self.own("/tmp");
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777))
            .to(|| format!("open {} to everybody", shared.display()))
    }

    /// Writes a file of the node.
    pub(crate) fn write(&self, of: &str, content: &str) -> Result<PathBuf, Failure> {
        let path = self.path(of);
        fs::write(&path, content).to(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_not_put_where_it_could_not_see_itself() {
        assert!(Place::at(Path::new("/var/tmp/cluster")).is_ok());
        for wrong in ["/tmp/cluster", "/var/lib/cluster", "here", "/"] {
            assert!(Place::at(Path::new(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_places_have_two_names() {
        let name = |path| Place::at(Path::new(path)).unwrap().name();
        assert_eq!(name("/var/tmp/meshtrace.cluster"), "var-tmp-meshtrace-cluster");
        assert_ne!(name("/var/tmp/one"), name("/var/tmp/two"));
    }
}
