//! The other side of a call, as the caller's span names it.

use std::net::IpAddr;

use otlp::model::{Attributes, Scalar};

/// What is at the other end of a call when no span of it is seen. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeerKind {
    /// A service in the cluster that sends no spans.
    Silent,
    /// A host outside of the cluster.
    External,
    /// Whatever is behind a TLS connection.
    Encrypted,
    /// A database.
    Database,
    /// A message broker.
    Queue,
}

/// The other side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer<'a> {
    /// Its name, or its address where it has none.
    pub name: &'a str,
    /// What it is.
    pub kind: PeerKind,
}

/// What an outbound span says of its other end: a name before an address. None if it says nothing.
pub fn peer(span: &impl Attributes) -> Option<Peer<'_>> {
    let text = |key: &str| {
        let name = span.text(key)?;
        (!name.is_empty()).then_some(name)
    };
    let name = [
        "peer.service",
        "service.peer.name",
        "messaging.system",
        "db.system.name",
        "db.system",
        "server.address",
        "network.peer.address",
    ]
    .into_iter()
    .find_map(text)?;
    let address = text("network.peer.address").or(text("server.address"));
    let kind = if is_encrypted(span) {
        PeerKind::Encrypted
    } else if text("messaging.system").is_some() {
        PeerKind::Queue
    } else if text("db.system.name").or(text("db.system")).is_some() {
        PeerKind::Database
    } else if is_external(name, address) {
        PeerKind::External
    } else {
        PeerKind::Silent
    };
    Some(Peer { name, kind })
}

/// Whether the span is a TLS connection of which nothing else could be seen.
pub fn is_encrypted(span: &impl Attributes) -> bool {
    match span.scalar("meshtrace.encrypted") {
        Some(Scalar::Bool(encrypted)) => encrypted,
        Some(Scalar::Text(encrypted)) => encrypted == "true",
        _ => false,
    }
}

/// By its address if it is known: public ones are outside. By its name otherwise: of Kubernetes' names and of those
/// without a dot we know that they are inside.
fn is_external(name: &str, address: Option<&str>) -> bool {
    if let Some(address) = address.and_then(|address| address.parse().ok()) {
        return is_public(address);
    }
    let inside = ["local", "localhost", "internal", "svc"];
    let last = name.trim_end_matches('.').rsplit_once('.').map(|(_, last)| last);
    last.is_some_and(|last| !inside.contains(&last))
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            // 100.64.0.0/10 is shared address space (RFC 6598), which clusters use for pods
            let shared = address.octets().starts_with(&[100]) && address.to_bits() >> 22 & 0x3ff == 0x191;
            !(address.is_private() || address.is_loopback() || address.is_link_local() || shared)
        }
        IpAddr::V6(address) => {
            !(address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::*;

    fn kind(attributes: &[(&str, &str)]) -> Option<PeerKind> {
        let span = span("a", 1, 1).with(|span| {
            let attributes = attributes.iter().map(|(key, value)| text(key, value));
            span.attributes.extend(attributes);
        });
        peer(&span).map(|peer| peer.kind)
    }

    #[test]
    fn a_peer_is_what_its_span_says_it_is() {
        let address = |address| kind(&[("server.address", address)]);
        assert_eq!(address("ledger"), Some(PeerKind::Silent));
        assert_eq!(address("ledger.bank.svc.cluster.local"), Some(PeerKind::Silent));
        assert_eq!(address("api.example.com"), Some(PeerKind::External));
        assert_eq!(address("10.1.2.3"), Some(PeerKind::Silent));
        assert_eq!(address("100.100.0.9"), Some(PeerKind::Silent));
        assert_eq!(address("::ffff:192.168.0.1"), Some(PeerKind::Silent));
        assert_eq!(address("fd00::1"), Some(PeerKind::Silent));
        assert_eq!(address("93.184.216.34"), Some(PeerKind::External));
        assert_eq!(address("2606:2800::1"), Some(PeerKind::External));
        assert_eq!(address(""), None);
        let both = [
            ("server.address", "ledger.bank"),
            ("network.peer.address", "10.0.0.1"),
        ];
        assert_eq!(kind(&both), Some(PeerKind::Silent));
        let tls = [("server.address", "ledger"), ("meshtrace.encrypted", "true")];
        assert_eq!(kind(&tls), Some(PeerKind::Encrypted));
        assert_eq!(kind(&[("db.system", "redis")]), Some(PeerKind::Database));
        assert_eq!(kind(&[("messaging.system", "kafka")]), Some(PeerKind::Queue));
    }
}
