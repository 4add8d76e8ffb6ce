//! How any of our programs reads its configuration, logs, is measured and probed, serves, stops and ends.
//!
//! Imports nothing of ours, and knows nothing of what the program does.

#[cfg(feature = "serve")]
pub mod admin;
pub mod config;
pub mod exit;
pub mod logs;
pub mod metrics;
#[cfg(feature = "serve")]
pub mod serve;
pub mod stop;
pub mod usage;
