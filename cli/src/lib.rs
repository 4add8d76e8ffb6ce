//! The admin's hand: `meshtrace up` runs a mesh on one machine, `meshtrace traces` and `meshtrace trace` read what
//! it recorded, `meshtrace inject` and `meshtrace uninject` change manifests, `meshtrace check`, `why` and `dashboard` look
//! at a cluster.
//!
//! [`up`] starts processes and holds namespaces; [`query`] only asks a collector over HTTP and writes text;
//! [`manifest`] turns text into text; [`cluster`] runs the admin's kubectl. None knows what the others are for.

pub mod args;
pub mod cluster;
pub mod manifest;
pub mod progress;
pub mod query;
pub mod style;
pub mod up;
