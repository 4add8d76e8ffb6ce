//! The operator: decides which pods of a cluster get a sidecar, and puts it there.
//!
//! What is decided, and what is written into a pod, is the crate `inject`'s. Here is what makes it happen in a cluster:
//! the [`webhook`] that the API server asks, the [`certificates`] that it trusts, and the [`namespaces`] that pods are in.
//! The operator never keeps a pod from starting: whatever it cannot read or do, it admits as it is.

pub mod certificates;
pub mod metrics;
pub mod namespaces;
pub mod webhook;
