//! What the stories share: programs that were built before, started for a test, and gone with it.
//!
//! The stories themselves stand in `tests/`, one file for each subject. They need `cargo build --workspace --bins`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "all of it is test code: a surprise has to be loud"
)]

pub mod conversation;
pub mod grpc;
pub mod http;
pub mod mesh;
pub mod operator;
pub mod program;
pub mod python;
pub mod sidecar;
pub mod sink;
pub mod sockets;
