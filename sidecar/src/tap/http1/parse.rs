//! Heads in all that the protocol allows, read by `httparse`.

use std::mem::MaybeUninit;

use super::head::{FIELDS_USUAL, Fields, RequestLine, StatusLine};
use crate::tap::{SpliceReason, Version};

/// The most fields that a head may have.
const FIELDS_MAX: usize = 256;

/// Parses the request head that `bytes` begin with. Its fields are added to `fields`. `None` if it is not complete.
pub(super) fn request<'b>(
    bytes: &'b [u8],
    fields: &mut Fields<'b>,
) -> Result<Option<RequestLine<'b>>, SpliceReason> {
    let (mut few, mut many) = ([const { MaybeUninit::uninit() }; FIELDS_USUAL], Vec::new());
    let mut request = httparse::Request::new(&mut []);
    let mut parsed = request.parse_with_uninit_headers(bytes, &mut few);
    if parsed == Err(httparse::Error::TooManyHeaders) {
        many.resize_with(FIELDS_MAX, MaybeUninit::uninit);
        request = httparse::Request::new(&mut []);
        parsed = request.parse_with_uninit_headers(bytes, &mut many);
    }
    let httparse::Status::Complete(length) = parsed.map_err(refused)? else {
        return Ok(None);
    };
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(SpliceReason::Malformed);
    };
    fields.extend(request.headers);
    Ok(Some(RequestLine {
        method: method.as_bytes(),
        target: target.as_bytes(),
        version: if version == 0 {
            Version::Http10
        } else {
            Version::Http11
        },
        length,
    }))
}

/// Parses the response head that `bytes` begin with. Its fields are added to `fields`. `None` if it is not complete.
pub(super) fn response<'b>(
    bytes: &'b [u8],
    fields: &mut Fields<'b>,
) -> Result<Option<StatusLine>, SpliceReason> {
    let (mut few, mut many) = ([const { MaybeUninit::uninit() }; FIELDS_USUAL], Vec::new());
    // nothing is changed in a response, so old folded fields may be read as leniently as clients do
    let mut parser = httparse::ParserConfig::default();
    parser
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true);
    let mut response = httparse::Response::new(&mut []);
    let mut parsed = parser.parse_response_with_uninit_headers(&mut response, bytes, &mut few);
    if parsed == Err(httparse::Error::TooManyHeaders) {
        many.resize_with(FIELDS_MAX, MaybeUninit::uninit);
        response = httparse::Response::new(&mut []);
        parsed = parser.parse_response_with_uninit_headers(&mut response, bytes, &mut many);
    }
    let httparse::Status::Complete(length) = parsed.map_err(refused)? else {
        return Ok(None);
    };
    let status = response.code.ok_or(SpliceReason::Malformed)?;
    fields.extend(response.headers);
    Ok(Some(StatusLine { status, length }))
}

fn refused(error: httparse::Error) -> SpliceReason {
    match error {
        httparse::Error::TooManyHeaders => SpliceReason::HeadTooLarge,
        _ => SpliceReason::Malformed,
    }
}
