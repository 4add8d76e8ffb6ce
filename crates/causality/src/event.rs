//! What one sidecar sees, as the engine is told of it. Names and values come as keyed hashes: nothing here can be read
//! back.

/// A moment, in nanoseconds of any clock that never goes backwards.
pub type Nanos = u64;

/// The kind of an inbound request: its method and route template, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route(pub u64);

/// The kind of an outbound call: whom it goes to, with its method and route template, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Callee(pub u64);

/// A connection, inbound or outbound, by a number of the sidecar's own that is not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Connection(pub u64);

/// The process that holds the application's end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process(pub u32);

/// A trace, by a hash of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Trace(pub u64);

/// A value that a message carries and another may carry on: a header's value, a segment of a path, an argument of a
/// query, an identifier in a body's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    /// Where it stood: the header's name, say, hashed.
    pub place: u32,
    /// What it was, hashed. The same value has the same hash wherever it stands.
    pub value: u64,
}

/// An inbound request, when its head is complete.
#[derive(Clone, Copy, Debug)]
pub struct Inbound<'a> {
    /// What kind it is.
    pub route: Route,
    /// The connection that it came by.
    pub connection: Connection,
    /// The trace that it is part of.
    pub trace: Trace,
    /// What it carries. Those beyond [`crate::TOKENS_MAX`] are not looked at.
    pub tokens: &'a [Token],
}

/// An outbound call, when its head is complete.
#[derive(Clone, Copy, Debug)]
pub struct Outbound<'a> {
    /// What kind it is.
    pub callee: Callee,
    /// The connection that it goes by.
    pub connection: Connection,
    /// The trace that the application itself put it into, if it did. Then there is nothing to decide, and something to
    /// learn.
    pub forwarded: Option<Trace>,
    /// What it carries. Those beyond [`crate::TOKENS_MAX`] are not looked at.
    pub tokens: &'a [Token],
}
