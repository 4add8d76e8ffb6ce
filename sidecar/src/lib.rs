//! The sidecar: see a request, mark it, pass it on, remember it.

pub mod intercept;
pub mod protocol;
pub mod redirect;
pub mod tap;
