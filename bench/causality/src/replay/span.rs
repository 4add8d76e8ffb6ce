//! A recorded span, as far as it matters here.

/// Which side of a call a span says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Kind {
    /// It does not say.
    #[default]
    Unsaid,
    /// Work within a service.
    Internal,
    /// A request, at who gets it.
    Server,
    /// A request, at who makes it.
    Client,
    /// A message, at who sends it. Not HTTP: a sidecar sees nothing.
    Producer,
    /// A message, at who gets it. Not HTTP either.
    Consumer,
}

impl Kind {
    /// From text in any case, with or without OTLP's prefix, or from OTLP's number.
    pub(super) fn named(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        match text.strip_prefix("span_kind_").unwrap_or(&text) {
            "internal" | "local" | "1" => Self::Internal,
            "server" | "2" => Self::Server,
            "client" | "3" => Self::Client,
            "producer" | "4" => Self::Producer,
            "consumer" | "5" => Self::Consumer,
            _ => Self::Unsaid,
        }
    }
}

/// A recorded span. Identifiers are as they stood, in lower case and without leading zeros.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// Its trace.
    pub trace: String,
    /// Itself, unique in its trace but for the two sides of one call in Zipkin's way.
    pub id: String,
    /// What caused it, in the same trace.
    pub parent: Option<String>,
    /// The service that recorded it.
    pub service: String,
    /// Which instance of the service; empty if that is not said.
    pub instance: String,
    /// The operation, with what differs from request to request taken out.
    pub operation: String,
    /// Which side it is.
    pub kind: Kind,
    /// Whom it calls, if it says so.
    pub peer: Option<String>,
    /// When it began, in nanoseconds of the recording service's clock.
    pub start: u64,
    /// When it ended, not before it began.
    pub end: u64,
}

/// An identifier so that 64 and 128 bits of the same are the same.
pub(super) fn identifier(text: &str) -> String {
    text.trim_start_matches('0').to_ascii_lowercase()
}

/// The kind of an operation: without query, and with path segments that have a digit in them made the same. A sidecar
/// groups by route templates in much the same way.
pub(super) fn template(operation: &str) -> String {
    let path = operation.split(['?', '#']).next().unwrap_or_default();
    let segments = path.split('/').map(|segment| {
        // a version is a name: `v1`
        let version = segment.len() <= 3 && segment.starts_with('v');
        let varies = segment.bytes().any(|byte| byte.is_ascii_digit()) && !version;
        if varies { "*" } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Attributes that name an instance of a service, the best first.
pub(super) const INSTANCE: [&str; 6] = [
    "service.instance.id",
    "k8s.pod.name",
    "container.id",
    "hostname",
    "host.name",
    "ip",
];

/// Attributes that name who is called, the best first.
pub(super) const PEER: [&str; 8] = [
    "peer.service",
    "server.address",
    "rpc.service",
    "net.peer.name",
    "http.host",
    "peer.hostname",
    "peer.address",
    "db.system",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_request_to_request_is_taken_out_of_an_operation() {
        assert_eq!(template("GET /users/4711/orders?page=2"), "GET /users/*/orders");
        assert_eq!(template("/api/v1/things"), "/api/v1/things");
        assert_eq!(template("HTTP GET /hotels"), "HTTP GET /hotels");
    }

    #[test]
    fn a_kind_is_read_in_any_spelling() {
        for (text, kind) in [
            ("SERVER", Kind::Server),
            ("SPAN_KIND_CLIENT", Kind::Client),
            ("Client", Kind::Client),
            ("2", Kind::Server),
            ("whatever", Kind::Unsaid),
        ] {
            assert_eq!(Kind::named(text), kind, "{text}");
        }
    }
}
