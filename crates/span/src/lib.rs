//! What a span is: ids, trace context, the dialects that carry it between services.
//!
//! Pure: bytes in, values out. No I/O, no clock, no randomness of its own, and nothing that comes from the wire
//! can make it panic.
//!
//! A request head goes through two functions: [`read`] says what its trace headers mean, [`write()`] makes all of them
//! mean something else.
//!
//! ```
//! use span::{Dialect, DialectSet, Edits, Field, SpanId, read, write};
//!
//! let head = [Field::new("host", "shop"), Field::new("b3", "8448eb211c80319c-b7ad6b7169203331-1")];
//! let seen = read(&head);
//! let parent = seen.parent().ok_or("no parent")?;
//! assert_eq!(parent.dialect, Dialect::B3Single);
//! assert_eq!(parent.sampled, Some(true));
//!
//! let mut ours = parent.context;
//! ours.span_id = SpanId::from_random(0x00f067aa0ba902b7);
//! let mut edits = Edits::default();
//! let configured = DialectSet::from_iter([Dialect::W3c]);
//! write(&seen, &ours, Some(parent.context.span_id), configured, &mut edits);
//!
//! let b3 = b"8448eb211c80319c-00f067aa0ba902b7-1".as_slice();
//! assert!(edits.replaced().eq([(1, b3)]));
//! let traceparent = b"00-00000000000000008448eb211c80319c-00f067aa0ba902b7-01".as_slice();
//! assert!(edits.added().eq([("traceparent", traceparent)]));
//! # Ok::<(), &str>(())
//! ```

pub mod baggage;
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
pub use seen::{Parent, Seen, carries_trace, read, restart, write};
