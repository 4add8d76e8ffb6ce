//! Which inbound request caused which outbound call, for applications that forward nothing.
//!
//! Pure: no I/O, no clock, no randomness. The sidecar tells the [`Engine`] what it sees, in the order in which it happens,
//! and asks for the parent of each outbound call. An answer says how it was found and how sure it is; a wrong link is
//! worse than a missing one.
//!
//! # What is exact
//!
//! A call that the application itself put into a trace; one that carries a value that had never been seen before a
//! request brought it, from a place that brings only such values (`echo`); one from a process that, of those that serve
//! requests now, serves only this one (`process`); and one that leaves while one request is in flight, once such calls are
//! known to be made hardly ever without one (`null`). Each of these is measured as it goes, and is exact only as long as
//! it agrees with everything else.
//!
//! # What is inferred
//!
//! Everything else is a question of which story is the most probable. A request in flight is in a state: which calls it
//! has made, how many of them are open, what happened to it last and when (`doing`). From such a state `s`, a request of
//! its kind makes a call to `c` next with the probability `p(c|s)`, after a delay with the density `f(d|c,s)` (`model`).
//! A **hypothesis** gives every call a parent (`hypothesis`). Its weight is
//!
//! ```text
//!   Π over what requests did:   p(what|s) · f(d|what,s)
//! · Π over what befell them:    1 − Σ p(o|s) · F(d|o,s), the probability that they had done nothing until then
//! · Π over calls of no request: rate of background calls of the kind
//! · Π over hints:               how much more often values, processes and the order of calls speak for the parent than
//!                               for others
//! ```
//!
//! When a call leaves, every hypothesis splits into one for each request in flight and one for none, and the best are
//! kept (`split`, `joint`). The share of the weight that has the call with a request, brought up to that moment by what
//! all requests have *not* done meanwhile, is the online answer. Hypotheses live on until all requests that may have made
//! the call are over: what contradicts them by then has made them light. What is left is the deferred answer.
//!
//! Three things that a program may do change what delays mean, and show in what is seen without knowing any parent: calls
//! that leave in the order in which requests were ready (`order`), a pool that makes only so many calls at a time (`gate`),
//! and workers that take up only so many requests (`workers`).
//!
//! # How it learns
//!
//! From every request that is over, with the calls that hypotheses give it, weighted by their shares and by how few others
//! were in flight (`story`): expectation maximisation, one request at a time. Moments with one request in flight count
//! most, and anchor the rest. Everything that was counted fades, so that the model follows what changes.
//!
//! # How sure it is
//!
//! A share of the weight is no confidence: the model is never quite true. Shares become confidences by what such shares,
//! and the weight that was dropped for want of room, were worth in training workloads, and by what is measured on calls
//! whose parents are certain but were kept from the hypotheses (`calibration`).
//!
//! A model that was learned in crowds alone may explain everything and be wrong about all of it, and nothing in the crowd
//! would show it. So how clearly requests of each kind were seen is counted, too: one that was alone, or whose calls are
//! certain, counts fully, one among `n` others hardly. Without such evidence nothing is claimed that only the model says.
//!
//! # What it costs
//!
//! At most 64 requests and 250 calls are followed at a time; what is beyond has exact links or none. A decision looks at a
//! bounded number of states, hypotheses are bounded, and so are all tables. What would take more is given up, and said.
//!
//! # Sources
//!
//! Delays between a request and its calls as evidence: Reynolds, Wiener, Mogul, Aguilera, Vahdat, "WAP5: black-box
//! performance debugging for wide-area systems", WWW 2006. Joint assignment of calls to requests of an unmodified service:
//! Ashok, Harsh, Godfrey, Mittal, Parthasarathy, Shwartz, "TraceWeaver: distributed request tracing for microservices
//! without application modification", SIGCOMM 2024.

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
