//! Recorded traces, replayed with their links hidden: what a sidecar beside each service instance would have seen, and
//! what is known to be true.
//!
//! [`read`] takes files and folders as they are published, in OTLP or in Jaeger's JSON, and [`rebuild`] turns spans into
//! recordings. Nothing here judges; the recordings go the same way as simulated ones.

mod files;
mod forest;
mod json;
mod protobuf;
mod rebuild;
mod span;

pub use files::{Found, Unreadable, read};
pub use rebuild::{LeftOut, Replay, rebuild};
pub use span::{Kind, Span};
