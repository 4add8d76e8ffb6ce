//! `meshtrace up` with real namespaces, in which no test sees another.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod bank;
mod harness;
mod leftovers;
mod mesh;
