//! TracePolicies: what admins say of many pods at once, and how it reaches sidecars that run.
//!
//! [`spec`] is the custom resource, [`key`] what it can say, [`precedence`] whose word counts, [`document`] how a sidecar is
//! told, [`status`] what admins are told. All of these are pure. [`known`] is what is known of the cluster, which
//! [`crate::cluster`] keeps up to date, and [`stream`] tells sidecars.

pub mod document;
pub mod key;
pub mod known;
pub mod precedence;
pub mod spec;
pub mod status;
pub mod stream;

use kube::CustomResourceExt;

/// The definitions of our custom resources, as YAML to be applied.
pub fn definitions() -> String {
    process::config::render(&spec::TracePolicy::crd())
}
