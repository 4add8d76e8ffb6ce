//! How spans travel: the OpenTelemetry Protocol (OTLP 1.x, traces), out of the sidecar and into the collector.
//!
//! The only crate that names protobuf types; what leaves it are plain values.

pub mod model;
#[cfg(feature = "server")]
pub mod receive;
