//! Taps: state machines that watch the bytes of one connection pass.
//!
//! A tap does no I/O. It is given what one side sent and says what the other side shall get: nearly always the very
//! same bytes, and for a request head the same bytes with trace headers added or replaced. What it understands on
//! the way it tells an [`Observer`]. Because nothing is ever re-encoded, a tap can turn into a splice at any byte:
//! what it does not understand it passes on, and never again looks at that connection.

pub mod http1;
pub mod http2;

use span::{Edits, Field};

/// Which end of the connection sent the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end that opened the connection and sends requests.
    Client,
    /// The end that accepted it and sends responses.
    Server,
}

/// What the other end is to be sent for the bytes that a tap was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Passed {
    /// The input, as it is. `out` was not touched.
    AsIs,
    /// What the tap appended to `out`, instead of the input. Nothing, when it holds an incomplete head back.
    Edited,
}

/// Why a connection is no longer understood and only passed through. A closed set: it labels a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpliceReason {
    /// The bytes are not what the protocol allows.
    Malformed,
    /// A head, or a header block or its decompression table, is larger than we are willing to hold.
    HeadTooLarge,
    /// The client went on before the server had agreed to the other protocol that it asked for (upgrade, CONNECT).
    Upgraded,
    /// More requests are open on it than we are willing to remember.
    TooManyOpen,
    /// The server sent something that no request had asked for.
    Unsolicited,
}

impl SpliceReason {
    /// As it stands in labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::HeadTooLarge => "head_too_large",
            Self::Upgraded => "upgraded",
            Self::TooManyOpen => "too_many_open",
            Self::Unsolicited => "unsolicited",
        }
    }
}

/// A request head as a tap has read it. Borrowed from the connection's bytes.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method, as sent.
    pub method: &'a [u8],
    /// HTTP/1: the request target, in whatever form it has. HTTP/2: `:path`, or empty for CONNECT.
    pub target: &'a [u8],
    /// HTTP/1: the `Host` field. HTTP/2: `:authority`, else the `host` field.
    pub authority: Option<&'a [u8]>,
    /// The protocol version that the client speaks.
    pub version: Version,
    /// The fields in order, HTTP/2 pseudo-header fields among them. `Edits` refers to them by index.
    pub fields: &'a [Field<'a>],
}

/// Versions of HTTP, as `network.protocol.version` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

impl Version {
    /// As `network.protocol.version` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        }
    }
}

/// Who is told what a tap sees.
pub trait Observer {
    /// One request with its response.
    type Exchange: Exchange;

    /// A request's head is complete. The trace headers that it is to carry go into `edits`, which is empty.
    fn begin(&mut self, head: &RequestHead<'_>, edits: &mut Edits) -> Self::Exchange;

    /// A trace header of this name could not be brought up to date, or added, and the request went on without that.
    fn left_stale(&mut self, name: &[u8]);

    /// A request went on unmarked and unobserved, because more are open on the connection than we are willing to
    /// remember.
    fn left_unseen(&mut self);
}

/// One request with its response, from the request's head to the last byte of both.
///
/// Ends exactly once: by [`Exchange::end`], or by being dropped, which means that the connection went away under it.
pub trait Exchange {
    /// That many more bytes of the request's body have passed.
    fn request_body(&mut self, bytes: u64);

    /// The request is complete.
    fn request_end(&mut self);

    /// A response head has passed, interim ones (1xx) too.
    fn response_head(&mut self, status: u16, fields: &[Field<'_>]);

    /// That many more bytes of the response's body have passed.
    fn response_body(&mut self, bytes: u64);

    /// The response's trailers have passed.
    fn response_trailers(&mut self, fields: &[Field<'_>]);

    /// One more message of a stream of messages (gRPC) has begun to pass.
    fn message(&mut self, from: Side);

    /// It is over.
    fn end(self, end: End);
}

/// How an exchange ended. A closed set: its name is the span's `error.type` where it is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The last byte of the response has passed.
    Complete,
    /// Both ends agreed on another protocol, or a tunnel, and its last byte has passed.
    Upgraded,
    /// The client gave up: it reset the stream or the connection, or closed it and got no whole response.
    ClientReset,
    /// The server gave up: it reset the stream or the connection, or closed it before the response was whole.
    ServerReset,
    /// The server said that it has not looked at the request (HTTP/2 `REFUSED_STREAM`, or GOAWAY below its number).
    Refused,
    /// The connection turned into a splice under it, so that its end cannot be seen.
    Unseen,
}

impl End {
    /// The server has closed the connection before the response was whole. A client that had closed it already
    /// (`client_left`) is why: servers give up a request whose client has gone.
    pub(crate) fn closed(client_left: bool) -> Self {
        if client_left {
            Self::ClientReset
        } else {
            Self::ServerReset
        }
    }

    /// As it stands in labels and in `error.type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Upgraded => "upgraded",
            Self::ClientReset => "client_reset",
            Self::ServerReset => "server_reset",
            Self::Refused => "refused",
            Self::Unseen => "unseen",
        }
    }
}
