//! What an admin asks of a cluster: is meshtrace installed as it should be ([`check`]), why has this workload a sidecar or
//! none ([`why`]), where is the collector ([`forward`], [`dashboard`]).
//!
//! All of it goes through the admin's own `kubectl` ([`kubectl`]), so it may do what the admin may do, and nothing else.
//! What comes back stays JSON; what is decided about it is pure, and about pods it is the crate `inject`'s, the same as in
//! the operator's webhook. Nothing here changes anything in a cluster.

pub mod check;
pub mod dashboard;
mod facts;
pub mod forward;
pub mod kubectl;
mod pods;
pub mod why;
