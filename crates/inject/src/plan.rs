//! What a pod gets: everything decided, nothing left to look up.

use crate::identity::Identity;

/// What a pod gets. Made by [`crate::decide`], written down by [`crate::patch`].
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// How the sidecar runs beside the application.
    pub placement: Placement,
    /// How connections come to the sidecar.
    pub capture: Capture,
    /// How many of the pod's own init containers run before ours.
    pub after: usize,
    /// The image of the sidecar and of the redirect.
    pub image: String,
    /// The CPU that the sidecar asks for, as Kubernetes writes it.
    pub cpu: String,
    /// The memory that the sidecar asks for, as Kubernetes writes it.
    pub memory: String,
    /// Whose spans these are.
    pub(crate) identity: Identity,
    /// The sidecar's further settings: variables and their values.
    pub settings: Vec<(&'static str, String)>,
    /// The redirect's arguments.
    pub redirect: Vec<String>,
    /// The version that is written to the pod.
    pub version: String,
}

/// How the sidecar runs beside the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// As an init container that goes on (Kubernetes 1.29): starts before the application and ends after it.
    Native,
    /// As the first of the ordinary containers, where there are no native sidecars.
    Ordinary,
}

/// How connections come to the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// An init container installs the redirect.
    Init,
    /// Something else does, or nothing.
    None,
}

/// Whether requests are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are traced.
    Trace,
    /// All bytes pass unseen.
    Passthrough,
}

impl Capture {
    /// By its name in annotations.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "init" => Some(Self::Init),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

impl Mode {
    /// By its name in annotations.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Trace, Self::Passthrough]
            .into_iter()
            .find(|mode| mode.name() == name)
    }

    /// Its name in annotations and in the sidecar's configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Passthrough => "passthrough",
        }
    }
}
