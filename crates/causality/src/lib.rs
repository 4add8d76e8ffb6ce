//! Which inbound request caused which outbound call, for applications that forward nothing.
//!
//! Pure: no I/O, no clock, no randomness. The sidecar tells the [`Engine`] what it sees, and asks for the parent of
//! each outbound call. An answer says how it was found and how sure it is; a wrong link is worse than a missing one.

mod calibration;
mod delay;
mod doing;
mod echo;
mod engine;
mod event;
mod gate;
mod hash;
mod hypothesis;
mod joint;
mod link;
mod model;
mod null;
mod order;
mod process;
mod shares;
mod split;
mod story;
mod workers;

pub use engine::{Call, Engine, Request, Settings, Unseen};
pub use event::{Callee, Connection, Inbound, Nanos, Outbound, Process, Route, Token, Trace};
pub use link::{Certainty, Decision, Link, Method, Resolved, Unknown};

/// The most values of one message that are looked at.
pub const TOKENS_MAX: usize = 32;
