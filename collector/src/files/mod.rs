//! Traces, and what follows from them, as files: written for other tools and for people, and read from other tools. Pure.

pub mod html;
pub mod import;
pub mod parquet;
pub mod text;
