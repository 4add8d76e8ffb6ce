//! What a node consists of. Each says how it is configured, started, and known to be there; in which order that happens is
//! said in [`crate::node`] alone.

pub(crate) mod containerd;
pub(crate) mod control_plane;
pub(crate) mod dns;
pub(crate) mod etcd;
pub(crate) mod images;
pub(crate) mod kubelet;
pub(crate) mod network;
pub(crate) mod proxy;
pub(crate) mod storage;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Failure, output};
use crate::namespaces::Namespaces;
use crate::place::Place;

/// What every part is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'n> {
    pub(crate) place: &'n Place,
    pub(crate) namespaces: &'n Namespaces,
    /// The machine's own search path, for what is installed on it.
    pub(crate) path: &'n OsString,
}

impl Site<'_> {
    /// One of the node's programs, inside.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = self.namespaces.command(self.place.path("bin").join(name));
        command.env_clear().env("PATH", self.path);
        command
    }

    /// A file of the node, as an option's value.
    pub(crate) fn option(&self, option: &str, file: &str) -> OsString {
        let mut argument = OsString::from(option);
        argument.push("=");
        argument.push(self.place.path(file));
        argument
    }

    /// What the cluster's administrator asks with kubectl.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String, Failure> {
        let mut command = self.program("kubectl");
        output(
            command
                .arg(self.option("--kubeconfig", "kubeconfig/admin"))
                .args(arguments),
        )
    }

    /// A file of the node, as text for a configuration.
    pub(crate) fn text(&self, file: &str) -> String {
        self.place.path(file).display().to_string()
    }

    /// Applies what a document says, as the cluster's administrator.
    pub(crate) fn apply(&self, name: &str, document: &serde_json::Value) -> Result<(), Failure> {
        let file: PathBuf = self
            .place
            .write(&format!("config/{name}"), &format!("{document:#}\n"))?;
        self.kubectl(&["apply", "--filename", &file.display().to_string()])
            .map(drop)
    }
}
