//! The admin's hand: `meshtrace up` runs a mesh on one machine, `meshtrace traces` and `meshtrace trace` read what
//! it recorded.
//!
//! [`up`] starts processes and holds namespaces; [`query`] only asks a collector over HTTP and writes text. Neither
//! knows anything of the other.

pub mod args;
pub mod query;
pub mod style;
pub mod up;
