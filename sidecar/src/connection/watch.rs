//! What one connection is known to speak, and who follows it.
//!
//! Which protocol it is shows in the first bytes, which have passed before anyone knows. Whatever cannot be followed,
//! or no longer, is spliced: its bytes pass unseen.

use crate::protocol::detect::{Detected, detect, detect_server};
use crate::protocol::tls::{ClientHello, Hello, HelloReader, Reading, ServerHello};
use crate::record::{Observed, Recorded};
use crate::tap::http1::Http1;
use crate::tap::http2::Http2;
use crate::tap::{End, Passed, Side};

/// The most that a server may say before its client does, if its protocol is to be known by the client's first bytes.
const SERVER_FIRST_MAX: usize = 16 * 1024;

/// One connection's protocol, followed or not.
pub(super) enum Watch {
    /// Not known yet. What has passed so far is remembered.
    Undecided { client: Vec<u8>, server: Vec<u8> },
    /// HTTP/1.x.
    Http1(Box<Http1<Observed>>),
    /// HTTP/2.
    Http2(Box<Http2<Observed>>),
    /// TLS: only its handshake is read.
    Tls(Box<Handshake>),
    /// Passed unseen.
    Splice(&'static str),
}

/// What is seen of a TLS handshake.
#[derive(Default)]
pub(super) struct Handshake {
    client: Heard<ClientHello>,
    server: Heard<ServerHello>,
}

/// A hello that is awaited, or was heard, or was not.
enum Heard<H: Hello> {
    Reading(HelloReader<H>),
    Hello(H),
    Nothing,
}

impl Watch {
    /// A connection on which nothing has been sent.
    pub(super) fn new() -> Self {
        Self::Undecided {
            client: Vec::new(),
            server: Vec::new(),
        }
    }

    /// A connection that is not to be looked at.
    pub(super) fn splice() -> Self {
        Self::Splice("opaque")
    }

    /// As `meshtrace_connections_total` has it.
    pub(super) fn protocol(&self) -> &'static str {
        match self {
            Self::Undecided { .. } => "undecided",
            Self::Http1(_) => "http1",
            Self::Http2(_) => "http2",
            Self::Tls(_) => "tls",
            Self::Splice(protocol) => protocol,
        }
    }

    /// The requests that are open on it.
    pub(super) fn requests(&self) -> impl Iterator<Item = &Recorded> {
        let (http1, http2) = match self {
            Self::Http1(tap) => (Some(tap.exchanges()), None),
            Self::Http2(tap) => (None, Some(tap.exchanges())),
            Self::Undecided { .. } | Self::Tls(_) | Self::Splice(_) => (None, None),
        };
        let both = http1.into_iter().flatten().chain(http2.into_iter().flatten());
        both.map(|exchange| &**exchange)
    }

    /// What has been heard of a TLS handshake, if it is one that a client has begun.
    pub(super) fn hellos(&self) -> Option<(&ClientHello, Option<&ServerHello>)> {
        let Self::Tls(handshake) = self else { return None };
        Some((handshake.client.hello()?, handshake.server.hello()))
    }

    /// The next bytes of one side; what the other one shall get is the result and, if edited, what is added to `out`.
    pub(super) fn on_bytes(
        &mut self,
        from: Side,
        input: &[u8],
        out: &mut Vec<u8>,
        observed: &mut Observed,
    ) -> Passed {
        match self {
            Self::Undecided { .. } => self.decide(from, input, out, observed),
            Self::Http1(tap) => {
                let passed = tap.on_bytes(from, input, out, observed);
                if let Some(upgraded) = tap.take_upgrade() {
                    let mut next = Http2::after_upgrade(upgraded.exchange, Some(&upgraded.settings));
                    let frames = input.get(upgraded.from..).unwrap_or_default();
                    // what a server sends is never changed, so that it does not matter who says so
                    let _as_is = next.on_bytes(Side::Server, frames, &mut Vec::new(), observed);
                    *self = Self::Http2(Box::new(next));
                }
                passed
            }
            Self::Http2(tap) => tap.on_bytes(from, input, out, observed),
            Self::Tls(handshake) => {
                handshake.read(from, input);
                Passed::AsIs
            }
            Self::Splice(_) => Passed::AsIs,
        }
    }

    /// A side has sent its last byte. What was held back of it goes to `out`.
    pub(super) fn on_end(&mut self, from: Side, out: &mut Vec<u8>) {
        match self {
            Self::Http1(tap) => tap.on_end(from, out),
            Self::Http2(tap) => tap.on_end(from, out),
            Self::Undecided { .. } | Self::Tls(_) | Self::Splice(_) => {}
        }
    }

    /// Gives a tap up that can follow no longer. What it had held back of the client's bytes goes to `out`.
    pub(super) fn give_up(&mut self, out: &mut Vec<u8>, observed: &mut Observed) {
        let (protocol, reason) = match self {
            Self::Http1(tap) => ("http1", tap.spliced()),
            Self::Http2(tap) => ("http2", tap.spliced()),
            _ => return,
        };
        let Some(reason) = reason else { return };
        self.on_end(Side::Client, out);
        observed.metrics().spliced(protocol, reason);
        observed.sees_nothing();
        *self = Self::Splice(protocol);
    }

    /// The connection is gone.
    pub(super) fn end_all(&mut self, end: End) {
        match self {
            Self::Http1(tap) => tap.end_all(end),
            Self::Http2(tap) => tap.end_all(end),
            Self::Undecided { .. } | Self::Tls(_) | Self::Splice(_) => {}
        }
    }

    fn decide(&mut self, from: Side, input: &[u8], out: &mut Vec<u8>, observed: &mut Observed) -> Passed {
        let Self::Undecided { client, server } = self else {
            return Passed::AsIs;
        };
        let detected = match from {
            Side::Client if client.is_empty() => detect(input),
            Side::Client => detect(&[client, input].concat()),
            Side::Server => {
                server.extend_from_slice(input);
                match detect_server(server) {
                    Detected::Opaque => Detected::Opaque,
                    _ if server.len() > SERVER_FIRST_MAX => Detected::Opaque,
                    _ => Detected::Undecided,
                }
            }
        };
        let mut next = match detected {
            Detected::Undecided => {
                if from == Side::Client {
                    client.extend_from_slice(input);
                }
                return Passed::AsIs;
            }
            // only an HTTP/2 server speaks before it is spoken to
            Detected::Http1 if server.is_empty() => Self::Http1(Box::new(Http1::new(client))),
            Detected::Tls if server.is_empty() => {
                let mut handshake = Handshake::default();
                handshake.read(Side::Client, client);
                Self::Tls(Box::new(handshake))
            }
            Detected::Http2 => {
                let mut tap = Http2::new();
                // both have passed: the tap only has to know of them
                let _as_is = tap.on_bytes(Side::Client, client, &mut Vec::new(), observed);
                let _as_is = tap.on_bytes(Side::Server, server, &mut Vec::new(), observed);
                Self::Http2(Box::new(tap))
            }
            Detected::Http1 | Detected::Tls | Detected::Opaque => Self::splice(),
        };
        if matches!(next, Self::Tls(_) | Self::Splice(_)) {
            observed.sees_nothing();
        }
        let passed = next.on_bytes(from, input, out, observed);
        *self = next;
        passed
    }
}

impl Handshake {
    fn read(&mut self, from: Side, input: &[u8]) {
        match from {
            Side::Client => self.client.read(input),
            Side::Server => self.server.read(input),
        }
    }
}

impl<H: Hello> Default for Heard<H> {
    fn default() -> Self {
        Self::Reading(HelloReader::default())
    }
}

impl<H: Hello> Heard<H> {
    fn read(&mut self, input: &[u8]) {
        let Self::Reading(reader) = self else { return };
        match reader.read(input) {
            Reading::More => {}
            Reading::Hello(hello) => *self = Self::Hello(hello),
            Reading::None => *self = Self::Nothing,
        }
    }

    fn hello(&self) -> Option<&H> {
        match self {
            Self::Hello(hello) => Some(hello),
            Self::Reading(_) | Self::Nothing => None,
        }
    }
}
