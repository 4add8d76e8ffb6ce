//! Spans straight into protobuf bytes: each is written once, while it happens, and a batch is a concatenation.
//!
//! Field numbers are those of `opentelemetry/proto/trace/v1/trace.proto` and its companions. Protobuf lets fields come
//! in any order, so a span's attributes are written when they are known and its ids, name and times when it ends.

use std::borrow::Cow;
use std::ops::Range;

use span::{SpanContext, SpanId};

use crate::model::Kind;
use crate::wire::{self, bytes_len, varint_len};

/// Longest attribute value in bytes; more is cut at a character's boundary.
pub const VALUE_BYTES_MAX: usize = 4096;

/// The most bytes of memory that a span keeps for the next one. Only those with long attributes need more.
const KEPT_BYTES_MAX: usize = 2048;

/// One span while it is written.
#[derive(Debug, Default)]
pub struct SpanEncoder {
    buffer: Vec<u8>,
}

impl SpanEncoder {
    /// Forgets what has been written and keeps the usual memory, for another span.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BYTES_MAX);
    }

    /// What has been written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// The span's identity and its parent's. `remote` says whether the parent is known to live in another process.
    pub fn context(&mut self, context: &SpanContext, parent: Option<SpanId>, remote: bool) {
        wire::bytes(&mut self.buffer, 1, context.trace_id.as_bytes());
        wire::bytes(&mut self.buffer, 2, context.span_id.as_bytes());
        if let Some(parent) = parent {
            wire::bytes(&mut self.buffer, 4, parent.as_bytes());
        }
        // SpanFlags: bit 8 says that bit 9 is known, bit 9 that the parent is remote
        let known = 0x100 | if remote { 0x200 } else { 0 };
        wire::fixed32(&mut self.buffer, 16, u32::from(context.flags.0) | known);
    }

    /// The W3C `tracestate` that came with the trace.
    pub fn trace_state(&mut self, state: &str) {
        wire::bytes(&mut self.buffer, 3, state.as_bytes());
    }

    /// The span's name, from a bounded set.
    pub fn name(&mut self, name: &str) {
        wire::bytes(&mut self.buffer, 5, name.as_bytes());
    }

    /// The span's name in two words: `GET /accounts/{id}`.
    pub fn name_of(&mut self, method: &str, route: &str) {
        wire::tag(&mut self.buffer, 5, wire::Wire::Bytes);
        wire::varint(&mut self.buffer, (method.len() + 1 + route.len()) as u64);
        self.buffer.extend_from_slice(method.as_bytes());
        self.buffer.push(b' ');
        self.buffer.extend_from_slice(route.as_bytes());
    }

    /// The span's kind.
    pub fn kind(&mut self, kind: Kind) {
        wire::number(&mut self.buffer, 6, kind as u64);
    }

    /// When it began and ended, in nanoseconds since 1970.
    pub fn times(&mut self, start: u64, end: u64) {
        wire::fixed64(&mut self.buffer, 7, start);
        wire::fixed64(&mut self.buffer, 8, end);
    }

    /// An attribute whose value is text. Bytes that are not UTF-8 are replaced, and long values are cut. Returns where
    /// the value stands, for [`SpanEncoder::written`].
    pub fn text(&mut self, key: &str, value: &[u8]) -> Range<usize> {
        let value = clean(value);
        let any = bytes_len(value.len());
        self.attribute(key, any);
        wire::bytes(&mut self.buffer, 1, value.as_bytes());
        self.buffer.len() - value.len()..self.buffer.len()
    }

    /// An attribute whose value is the text that `parts` make together. As [`SpanEncoder::text`] otherwise.
    pub fn joined(&mut self, key: &str, parts: &[&[u8]]) -> Range<usize> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if length > VALUE_BYTES_MAX || parts.iter().any(|part| !part.is_ascii()) {
            return self.text(key, &parts.concat());
        }
        self.attribute(key, bytes_len(length));
        wire::tag(&mut self.buffer, 1, wire::Wire::Bytes);
        wire::varint(&mut self.buffer, length as u64);
        for part in parts {
            self.buffer.extend_from_slice(part);
        }
        self.buffer.len() - length..self.buffer.len()
    }

    /// An attribute whose value is a word of ours: of bounded length, and not looked at again.
    #[inline]
    pub fn word(&mut self, key: &str, value: &str) {
        self.attribute(key, bytes_len(value.len()));
        wire::bytes(&mut self.buffer, 1, value.as_bytes());
    }

    /// What another span has been given: attributes that many spans share are written once.
    pub fn extend(&mut self, shared: &SpanEncoder) {
        self.buffer.extend_from_slice(&shared.buffer);
    }

    /// What was written there; empty if nothing was.
    pub fn written(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// An attribute whose value is a list of texts.
    pub fn texts<'v>(&mut self, key: &str, values: impl Iterator<Item = &'v [u8]> + Clone) {
        let values = values.map(clean);
        let array: usize = values
            .clone()
            .map(|value| bytes_len(bytes_len(value.len())))
            .sum();
        self.attribute(key, bytes_len(array));
        wire::tag(&mut self.buffer, 5, wire::Wire::Bytes);
        wire::varint(&mut self.buffer, array as u64);
        for value in values {
            wire::tag(&mut self.buffer, 1, wire::Wire::Bytes);
            wire::varint(&mut self.buffer, bytes_len(value.len()) as u64);
            wire::bytes(&mut self.buffer, 1, value.as_bytes());
        }
    }

    /// An attribute whose value is a whole number.
    #[inline]
    pub fn int(&mut self, key: &str, value: i64) {
        let bits = value.cast_unsigned();
        self.attribute(key, 1 + varint_len(bits));
        wire::number(&mut self.buffer, 3, bits);
    }

    /// An attribute whose value is a count. OTLP's whole numbers end at half of ours.
    pub fn count(&mut self, key: &str, value: u64) {
        self.int(key, i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// An attribute whose value is a number.
    pub fn double(&mut self, key: &str, value: f64) {
        self.attribute(key, 9);
        wire::fixed64(&mut self.buffer, 4, value.to_bits());
    }

    /// Another span, of this trace or another, that this one has to do with.
    pub fn link(&mut self, to: &SpanContext) {
        wire::tag(&mut self.buffer, 13, wire::Wire::Bytes);
        // both ids with their heads, and the flags behind a tag of one byte
        wire::varint(&mut self.buffer, (bytes_len(16) + bytes_len(8) + 5) as u64);
        wire::bytes(&mut self.buffer, 1, to.trace_id.as_bytes());
        wire::bytes(&mut self.buffer, 2, to.span_id.as_bytes());
        wire::fixed32(&mut self.buffer, 6, u32::from(to.flags.0));
    }

    /// The span failed. `message` is for people, and may be empty.
    pub fn error(&mut self, message: &str) {
        let code = 2;
        let length = if message.is_empty() {
            0
        } else {
            bytes_len(message.len())
        };
        wire::tag(&mut self.buffer, 15, wire::Wire::Bytes);
        wire::varint(&mut self.buffer, (length + 2) as u64);
        if !message.is_empty() {
            wire::bytes(&mut self.buffer, 2, message.as_bytes());
        }
        wire::number(&mut self.buffer, 3, code);
    }

    /// `KeyValue` and the head of its `AnyValue`, which takes `any` bytes more.
    ///
    /// Keys are constants: where this is called, nearly all of it is known when it is compiled.
    #[inline(always)]
    fn attribute(&mut self, key: &str, any: usize) {
        let pair = bytes_len(key.len()) + bytes_len(any);
        if let (Ok(pair @ ..0x80), Ok(key_len), Ok(any)) =
            (u8::try_from(pair), u8::try_from(key.len()), u8::try_from(any))
        {
            // nearly always: each length takes one byte, because the whole does
            self.buffer
                .extend_from_slice(&[wire::head(9), pair, wire::head(1), key_len]);
            self.buffer.extend_from_slice(key.as_bytes());
            self.buffer.extend_from_slice(&[wire::head(2), any]);
            return;
        }
        wire::tag(&mut self.buffer, 9, wire::Wire::Bytes);
        wire::varint(&mut self.buffer, pair as u64);
        wire::bytes(&mut self.buffer, 1, key.as_bytes());
        wire::tag(&mut self.buffer, 2, wire::Wire::Bytes);
        wire::varint(&mut self.buffer, any as u64);
    }
}

/// Appends a finished span to a batch.
pub fn append(batch: &mut Vec<u8>, span: &SpanEncoder) {
    wire::bytes(batch, 2, &span.buffer);
}

/// What stands before the spans of every request of one sender: its resource and its scope.
#[derive(Clone, Debug)]
pub struct Sender {
    resource: Vec<u8>,
    scope: Vec<u8>,
}

impl Sender {
    /// `resource` holds the resource's attributes; `scope` names the instrumentation and its version.
    pub fn new(resource: &[(String, String)], scope: (&str, &str)) -> Self {
        let mut attributes = Vec::new();
        for (key, value) in resource {
            text_attribute(&mut attributes, 1, key, value);
        }
        let mut resource = Vec::new();
        wire::bytes(&mut resource, 1, &attributes);
        let mut inner = Vec::new();
        wire::bytes(&mut inner, 1, scope.0.as_bytes());
        wire::bytes(&mut inner, 2, scope.1.as_bytes());
        let mut scope = Vec::new();
        wire::bytes(&mut scope, 1, &inner);
        Self { resource, scope }
    }

    /// The head of an `ExportTraceServiceRequest`; `batch`, as [`append`] made it, is its tail. An
    /// `ExportMetricsServiceRequest` has the same, and what [`MetricsEncoder`](crate::metrics::MetricsEncoder) wrote for a tail.
    pub fn head(&self, batch: &[u8]) -> Vec<u8> {
        let scope_spans = self.scope.len() + batch.len();
        let resource_spans = self.resource.len() + bytes_len(scope_spans);
        let mut head = Vec::with_capacity(self.resource.len() + self.scope.len() + 20);
        wire::tag(&mut head, 1, wire::Wire::Bytes);
        wire::varint(&mut head, resource_spans as u64);
        head.extend_from_slice(&self.resource);
        wire::tag(&mut head, 2, wire::Wire::Bytes);
        wire::varint(&mut head, scope_spans as u64);
        head.extend_from_slice(&self.scope);
        head
    }
}

/// An attribute whose value is text, in the field of that number.
pub(crate) fn text_attribute(out: &mut Vec<u8>, field: u32, key: &str, value: &str) {
    let any = bytes_len(value.len());
    wire::tag(out, field, wire::Wire::Bytes);
    wire::varint(out, (bytes_len(key.len()) + bytes_len(any)) as u64);
    wire::bytes(out, 1, key.as_bytes());
    wire::tag(out, 2, wire::Wire::Bytes);
    wire::varint(out, any as u64);
    wire::bytes(out, 1, value.as_bytes());
}

/// Text as protobuf wants it: UTF-8, and of bounded length.
fn clean(value: &[u8]) -> Cow<'_, str> {
    let cut = value.get(..VALUE_BYTES_MAX).unwrap_or(value);
    match str::from_utf8(cut) {
        Ok(text) => Cow::Borrowed(text),
        // the last character was cut in two
        Err(error) if error.error_len().is_none() && cut.len() < value.len() => {
            String::from_utf8_lossy(cut.get(..error.valid_up_to()).unwrap_or_default())
        }
        Err(_) => String::from_utf8_lossy(cut),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message;
    use span::{TraceFlags, TraceId};

    use super::*;

    fn context() -> SpanContext {
        SpanContext {
            trace_id: TraceId::from_random(0x1234),
            span_id: SpanId::from_random(0x56),
            flags: TraceFlags::SAMPLED,
        }
    }

    fn decoded(batch: &[u8], sender: &Sender) -> (ExportTraceServiceRequest, Vec<Span>) {
        let mut request = sender.head(batch);
        request.extend_from_slice(batch);
        let request = ExportTraceServiceRequest::decode(request.as_slice()).unwrap();
        let spans = request.resource_spans[0].scope_spans[0].spans.clone();
        (request, spans)
    }

    #[test]
    fn long_attributes_leave_no_more_than_the_usual_memory_to_the_next_span() {
        let mut span = SpanEncoder::default();
        span.text("http.request.header.cookie", &[b'c'; VALUE_BYTES_MAX]);
        span.clear();
        assert!(span.as_bytes().is_empty());
        assert!(
            span.buffer.capacity() <= KEPT_BYTES_MAX,
            "{}",
            span.buffer.capacity()
        );
    }

    #[test]
    fn another_decoder_reads_what_was_written() {
        let mut span = SpanEncoder::default();
        span.text("url.path", b"/accounts/7");
        span.int("http.response.status_code", 503);
        span.int("negative", -1);
        span.double("meshtrace.link.confidence", 0.5);
        span.texts("http.request.header.accept", [b"a".as_slice(), b"bb"].into_iter());
        span.link(&context());
        span.error("connection reset");
        span.kind(Kind::Client);
        span.times(1, u64::MAX);
        span.name("GET /accounts/{id}");
        span.trace_state("a=1");
        span.context(&context(), SpanId::from_u64(9), true);
        let mut batch = Vec::new();
        append(&mut batch, &span);
        append(&mut batch, &span);

        let sender = Sender::new(&[("service.name".into(), "account".into())], ("meshtrace", "1"));
        let (request, spans) = decoded(&batch, &sender);
        let resource = request.resource_spans[0].resource.as_ref().unwrap();
        assert_eq!(resource.attributes[0].key, "service.name");
        assert_eq!(
            request.resource_spans[0].scope_spans[0]
                .scope
                .as_ref()
                .unwrap()
                .name,
            "meshtrace"
        );
        assert_eq!(spans.len(), 2);
        let span = &spans[1];
        assert_eq!(span.trace_id, context().trace_id.as_bytes());
        assert_eq!(span.parent_span_id, 9u64.to_be_bytes());
        assert_eq!(
            (span.name.as_str(), span.trace_state.as_str()),
            ("GET /accounts/{id}", "a=1")
        );
        assert_eq!((span.kind, span.flags), (3, 0x301));
        assert_eq!(
            (span.start_time_unix_nano, span.end_time_unix_nano),
            (1, u64::MAX)
        );
        let link = &span.links[0];
        assert_eq!(link.trace_id, context().trace_id.as_bytes());
        assert_eq!(link.span_id, context().span_id.as_bytes());
        assert_eq!(link.flags, 1);
        let status = span.status.as_ref().unwrap();
        assert_eq!((status.code, status.message.as_str()), (2, "connection reset"));
        let value = |key: &str| {
            let found = span
                .attributes
                .iter()
                .find(|attribute| attribute.key == key)
                .unwrap();
            found.value.as_ref().unwrap().value.clone().unwrap()
        };
        assert_eq!(value("url.path"), Value::StringValue("/accounts/7".into()));
        assert_eq!(value("http.response.status_code"), Value::IntValue(503));
        assert_eq!(value("negative"), Value::IntValue(-1));
        assert_eq!(value("meshtrace.link.confidence"), Value::DoubleValue(0.5));
        let Value::ArrayValue(list) = value("http.request.header.accept") else {
            panic!("no list")
        };
        let texts: Vec<_> = list
            .values
            .into_iter()
            .map(|value| value.value.unwrap())
            .collect();
        assert_eq!(
            texts,
            [Value::StringValue("a".into()), Value::StringValue("bb".into())]
        );
    }

    #[test]
    fn a_value_that_is_no_text_or_too_long_still_decodes() {
        let mut span = SpanEncoder::default();
        span.text("raw", &[0xff, b'a', 0xc3]);
        span.text("long", "é".repeat(VALUE_BYTES_MAX).as_bytes());
        span.context(&context(), None, false);
        let mut batch = Vec::new();
        append(&mut batch, &span);
        let (_, spans) = decoded(&batch, &Sender::new(&[], ("", "")));
        let text = |index: usize| match spans[0].attributes[index].value.clone().unwrap().value.unwrap() {
            Value::StringValue(text) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(text(0), "\u{fffd}a\u{fffd}");
        assert_eq!(text(1).len(), VALUE_BYTES_MAX);
    }

    #[test]
    fn lengths_are_foretold_as_they_are_written() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            wire::varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value), "{value}");
        }
    }
}
