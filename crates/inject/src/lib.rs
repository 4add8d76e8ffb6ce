//! Which pods get a sidecar, and how: the decision and the patch that the operator's webhook and `meshtrace inject` share.
//!
//! A document goes in, a patch and a report come out:
//!
//! 1. [`pod`] reads what matters of a pod, [`workload`] finds the pod's template in a Deployment or another kind;
//! 2. [`annotations`] reads what the admin wishes, with everything that is wrong with it;
//! 3. [`decide`] answers yes with a [`plan::Plan`], or no with [`reason`]s;
//! 4. [`patch`] writes a plan as a JSON Patch, and takes it back;
//! 5. [`review`] does these in order for each of its callers, and [`carry`] takes a workload's annotations into its
//!    template.
//!
//! [`version`] says what there is in which Kubernetes. Nothing here does I/O, reads a clock, or asks Kubernetes. Documents stay JSON, so that a field which this version has
//! never heard of survives.

pub mod annotations;
pub mod carry;
pub mod decide;
mod identity;
pub mod limits;
pub mod patch;
pub mod plan;
pub mod pod;
mod probes;
pub mod reason;
pub mod report;
pub mod review;
mod value;
pub mod version;
pub mod workload;
