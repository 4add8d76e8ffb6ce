//! The sidecar: see a request, mark it, pass it on, remember it.
//!
//! A connection's life is told in [`connection`], a request's in [`record`]; what comes between, byte by byte, in
//! [`tap`]. ARCHITECTURE.md has the picture.

pub mod admin;
pub mod config;
pub mod connection;
pub mod export;
pub mod grpc;
pub mod intercept;
pub mod live;
pub mod metrics;
pub mod owners;
pub mod protocol;
pub mod record;
pub mod redirect;
pub mod run;
pub mod tap;
