//! The parts of a TLS handshake that are sent in the clear: whom the client wants to reach, and what both ends offer.
//!
//! A [`HelloReader`] is shown the bytes of one direction as they pass, and answers as soon as the first handshake
//! message is whole. It only reads; certificates and keys are none of its business.

mod hello;
mod reader;

pub use hello::{ClientHello, Hello, MOST_ALPN, ServerHello, TlsVersion};
pub use reader::{HelloReader, LONGEST_HELLO, Reading};
