use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ::span::{SpanId, TraceId};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use super::{Annotation, Endpoint, Reported, Taken};
use crate::model::Kind;
use crate::receive::json::each;
use crate::receive::{BadRequest, Batch, Packed, Reason, Scanned, limits};

// As the `Span` of zipkin2-api.yaml, without `debug` and `shared`: the kind says as much as they do. Unknown keys are ignored,
// and `null` is as good as nothing.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ZipkinSpan {
    trace_id: Option<String>,
    id: Option<String>,
    parent_id: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    timestamp: Option<u64>,
    duration: Option<u64>,
    local_endpoint: Option<ZipkinEndpoint>,
    remote_endpoint: Option<ZipkinEndpoint>,
    annotations: Option<Vec<ZipkinAnnotation>>,
    tags: Option<BTreeMap<String, Text>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ZipkinEndpoint {
    service_name: Option<String>,
    ipv4: Option<String>,
    ipv6: Option<String>,
    port: Option<i64>,
}

#[derive(Deserialize)]
struct ZipkinAnnotation {
    timestamp: Option<u64>,
    value: Option<String>,
}

/// The value of a tag. It has to be text, but tracers write what they have.
struct Text(String);

/// Takes a list of Zipkin's spans in JSON apart, span by span. `see` is shown each that is kept.
///
/// # Errors
/// It is not JSON, or not a list.
pub fn from_zipkin_json(
    request: &[u8],
    mut see: impl FnMut(&Packed, &Scanned<'_>),
) -> Result<Batch, BadRequest> {
    let mut taken = Taken::default();
    let list = serde_json::from_slice(request).map_err(BadRequest::from);
    let walked = list.and_then(|list: &RawValue| {
        each(Some(list), |span: &RawValue| {
            taken.add(read(span.get()), &mut see);
            Ok(())
        })
    });
    walked.map_err(BadRequest::of_zipkin)?;
    Ok(taken.batch)
}

fn read(text: &str) -> Result<Reported, Reason> {
    if text.len() > limits::SPAN_BYTES {
        return Err(Reason::TooLarge);
    }
    let span: ZipkinSpan = serde_json::from_str(text).map_err(|_| Reason::Malformed)?;
    let span_id = |digits: &str| SpanId::from_short_hex(digits.as_bytes());
    let annotation = |annotation: ZipkinAnnotation| Annotation {
        timestamp: annotation.timestamp.unwrap_or(0),
        value: annotation.value.unwrap_or_default(),
    };
    let tags = span.tags.unwrap_or_default().into_iter();
    Ok(Reported {
        trace_id: TraceId::from_short_hex(span.trace_id.unwrap_or_default().as_bytes())
            .ok_or(Reason::TraceId)?,
        span_id: span_id(&span.id.unwrap_or_default()).ok_or(Reason::SpanId)?,
        parent_id: match &*span.parent_id.unwrap_or_default() {
            "" | "0000000000000000" => None,
            digits => Some(span_id(digits).ok_or(Reason::ParentId)?),
        },
        kind: match span.kind.as_deref() {
            Some("CLIENT") => Kind::Client,
            Some("SERVER") => Kind::Server,
            Some("PRODUCER") => Kind::Producer,
            Some("CONSUMER") => Kind::Consumer,
            _ => Kind::Internal,
        },
        name: span.name.unwrap_or_default(),
        timestamp: span.timestamp.unwrap_or(0),
        duration: span.duration.unwrap_or(0),
        local: span.local_endpoint.map(endpoint).unwrap_or_default(),
        remote: span.remote_endpoint.map(endpoint).unwrap_or_default(),
        annotations: span.annotations.into_iter().flatten().map(annotation).collect(),
        tags: tags.map(|(key, Text(value))| (key, value)).collect(),
    })
}

/// An address or a port that is none is not known, and no reason to lose the span.
fn endpoint(from: ZipkinEndpoint) -> Endpoint {
    let address = |text: Option<String>| text?.parse::<IpAddr>().ok();
    Endpoint {
        service: from.service_name.unwrap_or_default(),
        address: address(from.ipv4).or_else(|| address(from.ipv6)),
        port: from.port.and_then(|port| port.try_into().ok()).unwrap_or(0),
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyScalar)
    }
}

struct AnyScalar;

impl Visitor<'_> for AnyScalar {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Text, E> {
        Ok(Text(flag.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Text, E> {
        Ok(Text(String::new()))
    }
}
