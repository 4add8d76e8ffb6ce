//! How any of our programs starts, reads its configuration, logs, is measured and stops.
//!
//! Imports nothing of ours, and knows nothing of what the program does.

pub mod config;
pub mod logs;
pub mod metrics;
pub mod stop;
pub mod usage;
