//! `meshtrace up`: a mesh on one machine.
//!
//! Every service of a `mesh.yaml` runs in a network namespace of its own, with the same redirect rules and the same
//! sidecar that a pod would have. Three processes stand behind it, each a child of the one before:
//!
//! | process | where | what it does |
//! |---|---|---|
//! | [`front`] | on the host | reads the file, binds the published ports, hears Ctrl-C |
//! | [`enter`] | new namespaces | makes them and waits; it exists because a PID namespace starts with a child |
//! | [`init`] | PID 1 in there | is the switch between the services, starts, watches and stops them |
//!
//! Nothing that the mesh consists of has a name outside: namespaces, interfaces, rules and mounts belong to processes,
//! so when those die, by whatever cause, the kernel takes everything with them. That is the whole cleaning up.

pub mod console;
pub mod enter;
pub mod front;
pub mod init;
mod lifeline;
mod listening;
mod netns;
mod plan;
mod publish;
mod reaper;
mod replica;
mod spec;
mod supervise;
mod tools;

pub use front::{Error, Options, up};
