//! What the spans of one connection have in common. A client sends nearly every request of a connection to the same
//! host under the same name, so these attributes are written once and copied.

use std::net::SocketAddr;

use otlp::encode::SpanEncoder;

use super::kind;
use super::redact::host_and_port;
use crate::metrics::Direction;
use crate::tap::Version;

/// The longest host and client name that are remembered to be compared with the next.
const REMEMBERED_MAX: usize = 256;

/// The port of `http://` (RFC 9110, section 4.2.1).
const HTTP_PORT: u16 = 80;

/// The attributes, and what they were made of.
#[derive(Default)]
pub(super) struct Shared {
    attributes: SpanEncoder,
    version: Option<Version>,
    authority: Box<[u8]>,
    agent: Box<[u8]>,
}

impl Shared {
    /// Brings the attributes up to date for the next request.
    pub(super) fn update(
        &mut self,
        direction: Direction,
        peer: SocketAddr,
        version: Version,
        authority: &[u8],
        agent: Option<&[u8]>,
    ) {
        let agent = agent.unwrap_or_default();
        if self.version == Some(version) && *self.authority == *authority && *self.agent == *agent {
            return;
        }
        let mut attributes = SpanEncoder::default();
        attributes.kind(kind(direction));
        attributes.word("network.protocol.version", version.name());
        attributes.text(
            "network.peer.address",
            peer.ip().to_canonical().to_string().as_bytes(),
        );
        attributes.int("network.peer.port", i64::from(peer.port()));
        let (host, port) = host_and_port(authority);
        if !host.is_empty() {
            attributes.text("server.address", host);
        }
        // a client that names no port means the scheme's own; a server may have been asked through another
        let usual = (direction == Direction::Outbound && !host.is_empty()).then_some(HTTP_PORT);
        if let Some(port) = port.or(usual) {
            attributes.int("server.port", i64::from(port));
        }
        if !agent.is_empty() {
            attributes.text("user_agent.original", agent);
        }
        self.attributes = attributes;
        let short = authority.len() <= REMEMBERED_MAX && agent.len() <= REMEMBERED_MAX;
        self.version = short.then_some(version);
        (self.authority, self.agent) = if short {
            (authority.into(), agent.into())
        } else {
            Default::default()
        };
    }

    /// The attributes, as they were last brought up to date.
    pub(super) fn attributes(&self) -> &SpanEncoder {
        &self.attributes
    }
}
