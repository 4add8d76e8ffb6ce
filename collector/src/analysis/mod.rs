//! What traces say beyond their spans: how they hang together, what is missing, where the time went.
//!
//! Pure, and fit for a stream of traces as for one: nothing here reads a clock, waits, or changes a span.

pub mod compare;
pub mod critical;
pub mod features;
pub mod gaps;
pub mod link;
pub mod peer;
pub mod reading;
pub mod senders;
pub mod skew;
pub mod spent;
pub mod tree;
