//! What a connection speaks, read off the bytes that pass anyway.
//!
//! Pure, and only ever looking on: nothing here holds a byte back or waits for one. Being wrong costs detail in a
//! trace, never a connection.

pub mod detect;
pub mod tls;
