//! The admin's hand: `meshtrace up` runs a mesh on one machine, `meshtrace traces` and `meshtrace trace` read what
//! it recorded, `meshtrace inject` and `meshtrace uninject` change manifests.
//!
//! [`up`] starts processes and holds namespaces; [`query`] only asks a collector over HTTP and writes text;
//! [`manifest`] turns text into text. None knows anything of the others.

pub mod args;
pub mod manifest;
pub mod query;
pub mod style;
pub mod up;
