//! The sidecar: see a request, mark it, pass it on, remember it.

pub mod tap;
