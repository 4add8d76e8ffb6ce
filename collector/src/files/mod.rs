//! Traces as files: written for other tools and for people, and read from other tools. Pure.

pub mod html;
pub mod import;
pub mod text;
