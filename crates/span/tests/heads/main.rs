//! Whole heads through the public door: read, written, read again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod dialects;
mod head;
mod precedence;
mod properties;
mod vectors;
