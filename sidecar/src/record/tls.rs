//! A TLS connection as one span: who was asked for, what was agreed on, how much went both ways. Nothing else can be
//! seen of it, and the span says so.
//!
//! Attributes follow the OpenTelemetry semantic conventions for TLS (`tls.*`) and network. A connection has no parent:
//! it may carry many requests.

use std::time::{Instant, SystemTime};

use otlp::encode::SpanEncoder;

use super::clock::{nanos, unix_nanos};
use super::lineage::{Lineage, Link};
use super::{Observed, kind};
use crate::metrics::Unrecorded;
use crate::protocol::tls::{ClientHello, ServerHello};

/// What is known of a TLS connection when it has ended.
pub struct Connection<'c> {
    /// When it was accepted.
    pub began: (SystemTime, Instant),
    /// What the client said.
    pub hello: &'c ClientHello,
    /// What the server said, if it did.
    pub answer: Option<&'c ServerHello>,
    /// Bytes from the client.
    pub from_client: u64,
    /// Bytes from the server.
    pub from_server: u64,
    /// It ended by a reset.
    pub broken: bool,
}

/// Records a TLS connection that has ended.
pub fn record(observed: &Observed, connection: &Connection<'_>) {
    let recorder = &observed.recorder;
    let lineage = Lineage::root(observed.new_root(None, None), Link::Unknown(None));
    let metrics = observed.metrics();
    metrics.begun_otherwise.inc();
    if recorder.pod.queue.is_none() {
        return metrics.unrecorded(Unrecorded::NoCollector);
    }
    if !lineage.context.flags.is_sampled() {
        return metrics.unrecorded(Unrecorded::NotSampled);
    }
    let mut span = SpanEncoder::default();
    span.name("TLS");
    span.kind(kind(observed.direction));
    let took = nanos(connection.began.1.elapsed());
    let start = unix_nanos(connection.began.0);
    span.times(start, start.saturating_add(took));
    span.text("tls.protocol.name", b"tls");
    if let Some(name) = &connection.hello.server_name {
        span.text("tls.client.server_name", name.as_bytes());
        span.text("server.address", name.as_bytes());
    }
    if !connection.hello.alpn.is_empty() {
        span.texts(
            "meshtrace.tls.alpn_offered",
            connection.hello.alpn.iter().map(String::as_bytes),
        );
    }
    if let Some(version) = connection.answer.and_then(|answer| answer.version) {
        span.text("tls.protocol.version", version.name().as_bytes());
    }
    if let Some(protocol) = connection.answer.and_then(|answer| answer.alpn.as_deref()) {
        span.text("tls.next_protocol", protocol.as_bytes());
    }
    span.text("network.transport", b"tcp");
    span.text(
        "network.peer.address",
        observed.peer.ip().to_canonical().to_string().as_bytes(),
    );
    span.int("network.peer.port", i64::from(observed.peer.port()));
    for (key, bytes) in [
        ("meshtrace.client.bytes", connection.from_client),
        ("meshtrace.server.bytes", connection.from_server),
    ] {
        span.count(key, bytes);
    }
    span.text("meshtrace.encrypted", b"true");
    if connection.broken {
        span.text("error.type", b"connection_reset");
        span.error("");
    }
    lineage.write(&mut span);
    recorder.pod.export(&span);
}
