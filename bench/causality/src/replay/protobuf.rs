//! OTLP export requests in protobuf.

use otlp::model::{self, Attribute, Value};
use otlp::receive::{BadRequest, from_protobuf};

use super::span::{INSTANCE, PEER, identifier, template};
use super::{Kind, Span};

pub(super) fn add(spans: &mut Vec<Span>, bytes: Vec<u8>) -> Result<(), BadRequest> {
    let batch = from_protobuf(bytes.into(), |_, _| {})?;
    spans.extend(batch.unpack().iter().map(span));
    Ok(())
}

fn span(span: &model::Span) -> Span {
    let resource = &span.resource.attributes;
    Span {
        trace: identifier(&span.trace_id.to_string()),
        id: identifier(&span.span_id.to_string()),
        parent: span.parent_id.map(|id| identifier(&id.to_string())),
        service: span.service().to_owned(),
        instance: first(resource, &INSTANCE).unwrap_or_default(),
        operation: template(&span.name),
        kind: match span.kind {
            model::Kind::Unspecified => Kind::Unsaid,
            model::Kind::Internal => Kind::Internal,
            model::Kind::Server => Kind::Server,
            model::Kind::Client => Kind::Client,
            model::Kind::Producer => Kind::Producer,
            model::Kind::Consumer => Kind::Consumer,
        },
        peer: first(&span.attributes, &PEER),
        start: span.start,
        end: span.end.max(span.start),
    }
}

/// The text of the first of these attributes that is there.
fn first(attributes: &[Attribute], names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| {
        let found = attributes.iter().find(|attribute| attribute.key == *name)?;
        match &found.value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        }
    })
}
