//! A span as OTLP describes it, in plain owned types.
//!
//! Times are nanoseconds since the Unix epoch, exactly as the sender wrote them: nothing here corrects a clock.

use std::sync::Arc;

use span::{SpanId, TraceId};

/// One span with what sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Who made it. Shared by all spans of a batch that came from there.
    pub resource: Arc<Resource>,
    /// Which instrumentation made it.
    pub scope: Arc<Scope>,
    /// The trace that it says it is part of.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// Its parent; none for a root.
    pub parent_id: Option<SpanId>,
    /// W3C `tracestate`, as it came.
    pub trace_state: String,
    /// The low byte holds the W3C trace flags; see OTLP's `SpanFlags` for the rest.
    pub flags: u32,
    /// The operation.
    pub name: String,
    /// Which side of a call it is.
    pub kind: Kind,
    /// When it began.
    pub start: u64,
    /// When it ended. Zero, or before the start, if the sender said so.
    pub end: u64,
    /// What is known about it.
    pub attributes: Vec<Attribute>,
    /// What happened meanwhile.
    pub events: Vec<Event>,
    /// Other spans that it has to do with.
    pub links: Vec<Link>,
    /// How it went.
    pub status: Status,
    /// How many attributes, events and links the sender left out.
    pub dropped: Dropped,
}

/// Who made a span: a process, a pod, a host.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Resource {
    /// `service.name` and its like.
    pub attributes: Vec<Attribute>,
}

/// The library or program that made a span.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Scope {
    /// Its name, empty if it gave none.
    pub name: String,
    /// Its version, empty if it gave none.
    pub version: String,
    /// What else it says about itself.
    pub attributes: Vec<Attribute>,
}

/// A name and a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// The name, unique in its list if the sender kept to the standard.
    pub key: String,
    /// The value.
    pub value: Value,
}

/// OTLP's `AnyValue`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value, or one of a kind that we do not know.
    Empty,
    /// Text.
    String(String),
    /// True or false.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating-point number, NaN and the infinities among them.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    Array(Vec<Value>),
    /// A map, in the sender's order.
    Map(Vec<Attribute>),
}

/// Which side of a call a span is. The numbers are those of `Span.SpanKind` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Kind {
    /// Not said, or said in a way that we do not know.
    #[default]
    Unspecified = 0,
    /// Work within one process.
    Internal = 1,
    /// A request as its receiver sees it.
    Server = 2,
    /// A request as its sender sees it.
    Client = 3,
    /// A message as its sender sees it.
    Producer = 4,
    /// A message as its receiver sees it.
    Consumer = 5,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::Internal,
        Self::Server,
        Self::Client,
        Self::Producer,
        Self::Consumer,
    ];
}

/// Something that happened at one moment of a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, in nanoseconds since the Unix epoch.
    pub time: u64,
    /// What.
    pub name: String,
    /// More about it.
    pub attributes: Vec<Attribute>,
}

/// Another span, of this trace or another, that a span has to do with.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Its trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Its W3C `tracestate`.
    pub trace_state: String,
    /// What the two have to do with each other.
    pub attributes: Vec<Attribute>,
}

/// How a span went.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Status {
    /// Not said: no error was seen.
    #[default]
    Unset,
    /// The application says that it went well.
    Ok,
    /// It failed, with a description that may be empty.
    Error(String),
}

/// How a span went, without its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Outcome {
    /// Not said.
    #[default]
    Unset,
    /// Well, says the application.
    Ok,
    /// It failed.
    Error,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unset, Self::Ok, Self::Error];

    /// The outcome of a span with that status.
    pub fn of(status: &Status) -> Self {
        match status {
            Status::Unset => Self::Unset,
            Status::Ok => Self::Ok,
            Status::Error(_) => Self::Error,
        }
    }

    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// A value that stands by itself, wherever it is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// Text.
    Text(&'a str),
    /// True or false.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
}

/// Whatever has attributes: a span, in whichever form.
pub trait Attributes {
    /// The value of one of its own attributes if it is a scalar; the first if the sender repeated it.
    fn scalar(&self, key: &str) -> Option<Scalar<'_>>;

    /// The same if it is text.
    fn text(&self, key: &str) -> Option<&str> {
        match self.scalar(key)? {
            Scalar::Text(text) => Some(text),
            Scalar::Bool(_) | Scalar::Int(_) | Scalar::Double(_) => None,
        }
    }
}

impl Attributes for Span {
    fn scalar(&self, key: &str) -> Option<Scalar<'_>> {
        match self.attribute(key)? {
            Value::String(text) => Some(Scalar::Text(text)),
            Value::Bool(flag) => Some(Scalar::Bool(*flag)),
            Value::Int(number) => Some(Scalar::Int(*number)),
            Value::Double(number) => Some(Scalar::Double(*number)),
            Value::Empty | Value::Bytes(_) | Value::Array(_) | Value::Map(_) => None,
        }
    }
}

impl<A: Attributes> Attributes for Arc<A> {
    fn scalar(&self, key: &str) -> Option<Scalar<'_>> {
        A::scalar(self, key)
    }
}

/// How much of a span its sender left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Attributes.
    pub attributes: u32,
    /// Events.
    pub events: u32,
    /// Links. Links without valid ids count here too.
    pub links: u32,
}

/// The attribute by which a span says that all spans of the trace named there belong to its own trace.
pub const PROVISIONAL_TRACE_ID: &str = "meshtrace.provisional_trace_id";

impl Span {
    /// The value of one of its own attributes; the first if the sender repeated it.
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        find(&self.attributes, key)
    }

    /// The service that made it; see [`Resource::service`].
    pub fn service(&self) -> &str {
        self.resource.service()
    }

    /// Nanoseconds from start to end; zero if it ends before it starts.
    pub fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether its status is an error.
    pub fn is_error(&self) -> bool {
        matches!(self.status, Status::Error(_))
    }

    /// About how many bytes it takes in memory, without its resource and scope.
    pub fn size(&self) -> usize {
        let status = match &self.status {
            Status::Error(message) => heap(message.capacity()),
            Status::Unset | Status::Ok => 0,
        };
        let event = |event: &Event| heap(event.name.capacity()) + attributes_size(&event.attributes);
        let link = |link: &Link| heap(link.trace_state.capacity()) + attributes_size(&link.attributes);
        size_of::<Self>()
            + heap(self.name.capacity())
            + heap(self.trace_state.capacity())
            + attributes_size(&self.attributes)
            + heap(size_of_val(&*self.events))
            + self.events.iter().map(event).sum::<usize>()
            + heap(size_of_val(&*self.links))
            + self.links.iter().map(link).sum::<usize>()
            + status
    }
}

impl Resource {
    /// `service.name`; `unknown_service` where there is none, as the resource conventions have it.
    pub fn service(&self) -> &str {
        match find(&self.attributes, "service.name") {
            Some(Value::String(name)) if !name.is_empty() => name,
            _ => "unknown_service",
        }
    }

    /// About how many bytes it takes in memory.
    pub fn size(&self) -> usize {
        size_of::<Self>() + attributes_size(&self.attributes)
    }
}

impl Scope {
    /// About how many bytes it takes in memory.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.name.capacity() + self.version.capacity() + attributes_size(&self.attributes)
    }
}

impl Value {
    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    fn heap_size(&self) -> usize {
        match self {
            Self::Empty | Self::Bool(_) | Self::Int(_) | Self::Double(_) => 0,
            Self::String(text) => heap(text.capacity()),
            Self::Bytes(bytes) => heap(bytes.capacity()),
            Self::Array(items) => {
                heap(size_of_val(&**items)) + items.iter().map(Self::heap_size).sum::<usize>()
            }
            Self::Map(entries) => attributes_size(entries),
        }
    }
}

/// The first value under `key`.
pub fn find<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a Value> {
    attributes
        .iter()
        .find(|attribute| attribute.key == key)
        .map(|attribute| &attribute.value)
}

fn attributes_size(attributes: &[Attribute]) -> usize {
    let one = |attribute: &Attribute| heap(attribute.key.capacity()) + attribute.value.heap_size();
    heap(size_of_val(attributes)) + attributes.iter().map(one).sum::<usize>()
}

/// What an allocation of that many bytes costs: allocators keep a header and round up.
fn heap(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + 16 }
}
