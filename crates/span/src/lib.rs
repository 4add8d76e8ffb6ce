//! What a span is: ids, trace context, the dialects that carry it between services.
//!
//! Pure: bytes in, values out. No I/O, no clock, no randomness of its own, and nothing that comes from the wire
//! can make it panic.

mod context;
mod dialect;
mod edits;
mod field;
mod hex;
mod ids;
mod sampling;
mod seen;

pub use context::{SpanContext, TraceFlags};
pub use dialect::{Dialect, DialectSet, Tracestate, UnknownDialect};
pub use edits::Edits;
pub use field::Field;
pub use ids::{SpanId, TraceId};
pub use sampling::{NotARatio, Ratio};
pub use seen::{Parent, Seen, read, write};
