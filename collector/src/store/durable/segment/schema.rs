//! The published schema of segments: one row a span, in Parquet, for whoever wants to read an admin's traces.
//!
//! Attributes that many spans have stand in columns of their own, the others in the map `attributes`. `shape` says in
//! which order they stood in the span and of which types they were, so that a span comes back exactly as it was sent;
//! other readers need not look at it. `resource`, `scope`, `events`, `links` and nested values are written as OTLP's
//! JSON has them.
//!
//! A trace's rows are one run, by start. `parent_row` is the row of a span's parent in that run, counted from its own: -1 is
//! the row above. `other_parent_id` is the parent's id where it has no row there. A root has neither. An id of eight random
//! bytes that stands in the file already would be the largest part of what a span takes.

/// The columns, as Parquet's message type. `{}` stands for [`TEXTS`], [`INTS`] and [`DOUBLES`].
const FIELDS: &str = "message span {
  required fixed_len_byte_array(16) trace_id;
  required fixed_len_byte_array(8) span_id;
  optional int64 parent_row;
  optional fixed_len_byte_array(8) other_parent_id;
  required binary service (STRING);
  required binary name (STRING);
  required binary kind (STRING);
  required int64 start (TIMESTAMP(NANOS,true));
  required int64 duration;
  required binary status (STRING);
  optional binary status_message (STRING);
  required binary resource (STRING);
  required binary scope (STRING);
  optional binary events (STRING);
  optional binary links (STRING);
  optional binary trace_state (STRING);
  required int64 flags;
  required int64 dropped_attributes;
  required int64 dropped_events;
  required int64 dropped_links;
  required binary shape;
{}  optional group attributes (MAP) {
    repeated group key_value {
      required binary key (STRING);
      optional binary value (STRING);
    }
  }
}";

/// In a shape: the attribute stands in the map, and its type is the number above this one. Smaller numbers are those
/// of the columns of frequent attributes, in the order of [`TEXTS`], [`INTS`] and [`DOUBLES`].
pub(super) const IN_MAP: u8 = 128;
/// The type of a text there.
pub(super) const TEXT_IN_MAP: u8 = 1;
/// The column that says where parents stand.
pub(super) const PARENT_ROW: &str = "parent_row";
/// The kind of a span that does not say it.
pub(super) const UNSPECIFIED: &str = "unspecified";

/// Attributes with a column of their own where they are text.
pub(crate) const TEXTS: [&str; 28] = [
    "http.request.method",
    "http.route",
    "url.full",
    "url.path",
    "url.query",
    "url.scheme",
    "server.address",
    "client.address",
    "network.peer.address",
    "network.protocol.name",
    "network.protocol.version",
    "user_agent.original",
    "error.type",
    "rpc.system.name",
    "rpc.system",
    "rpc.service",
    "rpc.method",
    "rpc.response.status_code",
    "db.system.name",
    "db.system",
    "db.operation.name",
    "db.query.text",
    "messaging.system",
    "messaging.destination.name",
    "meshtrace.link.kind",
    "meshtrace.link.method",
    "meshtrace.link.reason",
    "meshtrace.provisional_trace_id",
];

/// Those of them of which most values are different.
pub(super) const DIFFERENT: [&str; 4] = ["url.full", "url.path", "url.query", "db.query.text"];

/// Attributes with a column of their own where they are whole numbers.
pub(crate) const INTS: [&str; 5] = [
    "http.response.status_code",
    "server.port",
    "network.peer.port",
    "http.request.body.size",
    "http.response.body.size",
];

/// Attributes with a column of their own where they are fractions.
pub(crate) const DOUBLES: [&str; 1] = ["meshtrace.link.confidence"];

/// The schema in full.
pub(crate) fn message_type() -> String {
    let columns = |kind: &str, names: &[&str]| -> String {
        names
            .iter()
            .map(|name| format!("  optional {kind};\n").replace("NAME", name))
            .collect()
    };
    let frequent = columns("binary NAME (STRING)", &TEXTS)
        + &columns("int64 NAME", &INTS)
        + &columns("double NAME", &DOUBLES);
    FIELDS.replace("{}", &frequent)
}
