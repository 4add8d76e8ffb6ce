//! Heads as nearly everyone writes them, read the quick way.
//!
//! Every line ends in CRLF, every field is one line, and no control character stands in any, tabs among them. What is
//! written otherwise, what is wrong and what is not complete is left to [`parse`](super::parse). So nothing is decided here about what is
//! allowed: a head that this reader takes is one that the parser takes too, and reads the same way. A property test and
//! a fuzz target hold the two together.

use arrayvec::ArrayVec;
use span::Field;

use super::head::{FIELDS_USUAL, RequestLine, StatusLine};
use crate::tap::Version;

/// Whether a byte may stand in a token (RFC 9110, section 5.6.2).
#[expect(clippy::indexing_slicing, reason = "done when this is compiled")]
const TOKEN: [bool; 256] = {
    let mut token = [false; 256];
    let mut rest: &[u8] = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    while let [byte, tail @ ..] = rest {
        token[*byte as usize] = true;
        rest = tail;
    }
    token
};

/// The request head that `bytes` begin with, if it is complete and plain. Its fields go into `fields`, which is empty.
pub(super) fn request<'b>(
    bytes: &'b [u8],
    fields: &mut ArrayVec<Field<'b>, FIELDS_USUAL>,
) -> Option<RequestLine<'b>> {
    let (method, rest) = token(bytes)?;
    let (start, rest) = line(rest.strip_prefix(b" ")?)?;
    let (target, version) = match start.split_last_chunk::<9>()? {
        (target, b" HTTP/1.1") => (target, Version::Http11),
        (target, b" HTTP/1.0") => (target, Version::Http10),
        _ => return None,
    };
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    Some(RequestLine {
        method,
        target,
        version,
        length: bytes.len() - read_fields(rest, fields)?.len(),
    })
}

/// The response head that `bytes` begin with, if it is complete and plain. Its fields go into `fields`, which is empty.
pub(super) fn response<'b>(
    bytes: &'b [u8],
    fields: &mut ArrayVec<Field<'b>, FIELDS_USUAL>,
) -> Option<StatusLine> {
    let rest = bytes
        .strip_prefix(b"HTTP/1.1 ")
        .or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    let (digits, rest) = rest.split_first_chunk::<3>()?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let status = digits
        .iter()
        .fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
    let (_reason, rest) = line(rest.strip_prefix(b" ")?)?;
    Some(StatusLine {
        status,
        length: bytes.len() - read_fields(rest, fields)?.len(),
    })
}

/// Reads fields to the empty line that ends the head. Returns what is behind it.
fn read_fields<'b>(
    mut rest: &'b [u8],
    fields: &mut ArrayVec<Field<'b>, FIELDS_USUAL>,
) -> Option<&'b [u8]> {
    while !rest.starts_with(b"\r\n") {
        let (name, behind) = token(rest)?;
        let (value, next) = line(behind.strip_prefix(b":")?)?;
        let value = value.trim_ascii();
        fields.try_push(Field { name, value }).ok()?;
        rest = next;
    }
    rest.get(2..)
}

/// The token that `bytes` begin with, and what is behind it.
fn token(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let in_token = |byte: u8| TOKEN.get(usize::from(byte)).is_some_and(|token| *token);
    let end = bytes.iter().position(|byte| !in_token(*byte))?;
    bytes.split_at_checked(end).filter(|(token, _)| !token.is_empty())
}

/// The rest of the line, and what is behind its CRLF.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, behind) = bytes.split_at_checked(first_control(bytes)?)?;
    Some((line, behind.strip_prefix(b"\r\n")?))
}

/// Where the first control character stands.
fn first_control(bytes: &[u8]) -> Option<usize> {
    let (eights, rest) = bytes.as_chunks::<8>();
    for (place, eight) in eights.iter().enumerate() {
        let found = controls(*eight);
        if found != 0 {
            // the first byte is the lowest one
            return Some(8 * place + found.trailing_zeros() as usize / 8);
        }
    }
    let found = rest.iter().position(u8::is_ascii_control)?;
    Some(bytes.len() - rest.len() + found)
}

/// Marks the control characters among eight bytes with their highest bit.
fn controls(eight: [u8; 8]) -> u64 {
    const EACH: u64 = u64::MAX / 0xff;
    let eight = u64::from_le_bytes(eight);
    let low = eight & (EACH * 0x7f);
    // no sum is carried into the next byte
    let (from_space, delete) = (low + EACH * 0x60, low + EACH);
    (!from_space | delete) & !eight & (EACH * 0x80)
}
