//! The collector: receive spans, join them, keep them, answer.
//!
//! ```text
//! ingest ─▶ store (join) ◀─ query ◀─ api
//! ```
//!
//! [`ingest`] and [`api`] know the store only through the [`store::Store`] trait. Nothing here changes a timestamp.

pub mod admin;
pub mod analysis;
pub mod api;
pub mod collector;
pub mod config;
pub mod dependencies;
pub mod files;
#[cfg(test)]
mod fixtures;
mod hash;
pub mod ingest;
pub mod join;
pub mod live;
pub mod metrics;
pub mod pages;
pub mod propagation;
pub mod query;
pub mod sources;
pub mod store;
pub mod tags;
pub mod tail;
pub mod time;
