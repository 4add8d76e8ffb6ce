//! Where spans are kept: the contract that every backend keeps, the backend that keeps them in memory, and the one
//! that keeps them on disk.

mod catalogue;
mod durable;
mod form;
mod memory;
#[cfg(test)]
mod suite;

use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;
use otlp::model::{Kind, Span};
use otlp::receive::Packed;
use span::TraceId;

use crate::dependencies::Dependency;
use crate::query::{Query, Summary};

pub use durable::{Durability, Durable, OpenError};
pub use memory::{Limits, Memory};

/// A store of spans. `store::suite` tests, sentence by sentence, what is promised here; every backend must pass it.
///
/// **Writing.** When [`append`](Self::append) has returned, its spans are seen by every reader. Spans come in any
/// order: a child before its parent, a trace in pieces over hours.
///
/// **Reading.** A reader sees each span as it was sent, timestamps too, with one exception: its trace.
///
/// - *Once.* Spans of one trace with the same span id and kind are one span: what a sender repeated after a
///   lost answer is shown once, and the first word stands; except that a span which names a provisional trace
///   replaces one that does not.
/// - *Joined.* A span of trace T1 that names a provisional trace T2 ([`crate::join`]) makes all spans of T2, those
///   stored before as those to come, read as spans of T1. T2 asked for is answered with T1.
/// - *Whole.* A search that matches one span of a trace finds the trace, joined spans included. What it says of the
///   trace is about all of its spans.
///
/// **Searching.** What matches is what [`Query::place`] says of each whole trace, and what is said of it is
/// [`Query::summary`]; a backend may find both in faster ways, never others.
///
/// - *Ordered.* The first [`Query::limit`] of all traces that match, however many there are, in the order of their
///   [`Place`](crate::query::Place)s. Equal measures are ordered by trace id, so that the order is total.
/// - *Paged.* With [`Query::after`], only traces that stand behind that place. So reading on from the last trace of each
///   page shows every trace whose place does not change meanwhile exactly once, whatever is appended or dropped in
///   between. A trace that grows meanwhile is where it stands when a page is read.
///
/// **Forgetting.** What is dropped to stay within the limits is whole traces as they read, oldest first, by the time
/// at which their first span was received; and it is reported. Spans of a dropped trace that come later begin it anew.
/// A backend may drop in larger pieces what was received in the same stretch of time: then a trace is kept until its
/// piece is too old, and one whose spans came in several stretches goes piece by piece.
///
/// **Bounds.** Memory and disk stay within configured limits whatever is sent.
///
/// **Errors.** An append that fails has kept none of its spans, or will recognise them as repeated; either way the
/// sender may send them again.
///
/// Nothing here assumes that the caller is the only one, or that it is in the same process.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Keeps these spans, received at `now` (nanoseconds since the Unix epoch).
    async fn append(&self, spans: Vec<Packed>, now: u64) -> Result<Appended, StoreError>;

    /// Drops what is too old at `now`. To be called every now and then.
    async fn expire(&self, now: u64) -> Result<Dropped, StoreError>;

    /// The traces that these ids read as, in the order asked for, each once. What is not kept is left out.
    async fn traces(&self, ids: &[TraceId]) -> Result<Vec<Trace>, StoreError>;

    /// The traces that match, in the order and up to the limit of the query.
    async fn search(&self, query: &Query) -> Result<Vec<Summary>, StoreError>;

    /// Every service of which a span is kept, in the order of their names.
    async fn services(&self) -> Result<Vec<String>, StoreError>;

    /// Every operation of a service of which a span is kept, in the order of their names.
    async fn operations(&self, service: &str) -> Result<Vec<Operation>, StoreError>;

    /// Who called whom, over the traces that have a span which began in this time (nanoseconds since the Unix epoch).
    async fn dependencies(&self, start: RangeInclusive<u64>) -> Result<Vec<Dependency>, StoreError>;

    /// How much is kept now.
    async fn size(&self) -> Result<Size, StoreError>;
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Appended {
    /// Spans that are new.
    pub stored: u64,
    /// Spans that were recognised as repeated. A backend may also recognise them later, when they are read.
    pub repeated: u64,
    /// What had to go to make room.
    pub dropped: Dropped,
}

/// What was dropped to stay within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Whole traces.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
}

/// How much a store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Size {
    /// Traces, as they read. A backend that keeps a trace in several pieces may count it once for each.
    pub traces: u64,
    /// Spans. Those that were repeated count until they are recognised.
    pub spans: u64,
    /// Bytes, of memory or disk, by the backend's own reckoning; what its limit is compared with.
    pub bytes: u64,
}

/// A trace as it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Its id. Its spans may say another, that of the provisional trace in which they were made.
    pub id: TraceId,
    /// Its spans by start, then by id.
    pub spans: Vec<Arc<Span>>,
}

/// What a service does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// The name of its spans.
    pub name: String,
    /// Their kind.
    pub kind: Kind,
}

/// A store cannot do what it was asked to.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Not now. The same may be asked again later.
    #[error("the store is not available: {0}; try again later")]
    Unavailable(String),
    /// More comes than can be kept, and it would have to grow.
    #[error("the store is behind: {0}; try again later")]
    Behind(String),
}
