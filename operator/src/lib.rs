//! The operator: decides which pods of a cluster get a sidecar, and puts it there.
//!
//! What is decided, and what is written into a pod, is the crate `inject`'s. Here is what makes it happen in a cluster:
//! the [`webhook`] that the API server asks, the [`certificates`] that it trusts, the [`namespaces`] that pods are in and
//! their label ([`mirror`]), the [`coverage`] of pods that asked, who of several replicas is [`leading`], and the
//! [`cluster`] itself, which alone speaks with the API server.
//! The operator never keeps a pod from starting: whatever it cannot read or do, it admits as it is.

pub mod admin;
pub mod certificates;
pub mod cluster;
pub mod config;
pub mod coverage;
pub mod forget;
pub mod leading;
pub mod metrics;
pub mod mirror;
pub mod namespaces;
pub mod policy;
pub mod run;
pub mod webhook;
