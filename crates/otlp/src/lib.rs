//! How spans travel between us and anyone who speaks OTLP (OpenTelemetry protocol 1.x, traces).
//!
//! The only crate that names protobuf types or field numbers. Out: [`encode`] writes spans straight into protobuf
//! bytes, and `client` sends batches of them. In: what other crates see are plain types of ours.

#[cfg(feature = "client")]
pub mod client;
pub mod encode;
mod wire;
