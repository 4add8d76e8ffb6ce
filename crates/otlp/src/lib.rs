//! How spans travel between us and anyone who speaks OTLP (OpenTelemetry protocol 1.x), and what sidecars tell of themselves.
//!
//! The only crate that names protobuf types or field numbers. Out: [`encode`] writes spans straight into protobuf
//! bytes and [`metrics`] what a program counts of itself, `client` sends both, and `json` writes files of spans. In: `receive`
//! takes requests apart. What other crates see are the plain types of [`model`].

#[cfg(feature = "client")]
pub mod client;
pub mod encode;
#[cfg(feature = "client")]
mod gather;
#[cfg(feature = "server")]
pub mod json;
pub mod metrics;
pub mod model;
#[cfg(feature = "server")]
pub mod receive;
mod wire;
