//! A real Kubernetes of one node on a bare Linux machine: no container engine, no registry of images, nothing installed.
//!
//! All that it consists of is built from published Go modules ([`programs`]) and runs in a network, a mount and a PID
//! namespace of its own ([`namespaces`]). The network namespace is joined to no other, so no packet leaves it. When
//! process 1 of the PID namespace ends, the kernel ends every other process and container, and with them go all mounts
//! and links: what [`node`] has to take back itself is a folder, some cgroups and a few settings of the machine.
//!
//! The tests in `tests/` are written against the `KUBECONFIG` they find and know nothing of this.

pub mod admin;
mod cgroups;
pub mod credentials;
pub mod daemon;
pub mod failure;
pub mod installed;
pub mod namespaces;
pub mod needs;
pub mod node;
mod parts;
pub mod place;
pub mod programs;
mod sysctls;
