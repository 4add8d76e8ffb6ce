//! OpenCensus' binary format, version 0, in base64 as gRPC writes it: `grpc-trace-bin`.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::carried::{Carried, Outgoing};
use super::header::Header;
use super::headers::Headers;
use crate::{Edits, SpanId, TraceId};

/// gRPC has receivers take both, with padding and without it.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const PADDED: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const UNPADDED: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT.with_encode_padding(false));

/// Version, and three fields, each a number and its bytes: trace id, span id, options.
const LENGTH: usize = 1 + (1 + 16) + (1 + 8) + (1 + 1);

/// The longest value, in decoded bytes, that is looked at. Fields of later revisions stand behind ours.
const LONGEST: usize = 96;

const SAMPLED: u8 = 1;

/// What `grpc-trace-bin` says. `None`: it is not well-formed.
pub(crate) fn read(headers: &Headers<'_>) -> Option<Carried> {
    let value = headers.value(Header::GrpcTraceBin)?;
    let mut buffer = [0; LONGEST];
    let length = PADDED.decode_slice(value, &mut buffer).ok()?;
    let bytes = buffer.get(..length)?;

    let (trace_id, rest) = bytes.strip_prefix(&[0, 0])?.split_first_chunk()?;
    let (span_id, rest) = rest.strip_prefix(&[1])?.split_first_chunk()?;
    let sampled = match rest {
        [2, options, ..] => Some(options & SAMPLED != 0),
        [2] => return None,
        _ => None,
    };
    Some(Carried::context(
        TraceId::from_bytes(*trace_id)?,
        SpanId::from_bytes(*span_id)?,
        sampled,
    ))
}

/// Puts our context, with padding if what came in was padded.
pub(crate) fn write(headers: &Headers<'_>, outgoing: &Outgoing, edits: &mut Edits) {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(outgoing.context.trace_id.as_bytes());
    bytes.push(1);
    bytes.extend_from_slice(outgoing.context.span_id.as_bytes());
    bytes.extend_from_slice(&[2, if outgoing.sampled() { SAMPLED } else { 0 }]);

    let was_padded = headers
        .value(Header::GrpcTraceBin)
        .is_some_and(|value| value.ends_with(b"="));
    let engine = if was_padded { PADDED } else { UNPADDED };
    headers.put(Header::GrpcTraceBin, edits, |out| {
        out.extend_from_slice(engine.encode(&bytes).as_bytes());
    });
}
