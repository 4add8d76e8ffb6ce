//! Heads as nearly everyone writes them, read the quick way.
//!
//! Every line ends in CRLF, every field is one line, and no control character stands in any. What is written otherwise,
//! what is wrong and what is not complete is left to [`parse`](super::parse). So nothing is decided here about what is
//! allowed: a head that this reader takes is one that the parser takes too, and reads the same way. A property test and
//! a fuzz target hold the two together.

use arrayvec::ArrayVec;
use memchr::memchr;
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
    let mut rest = bytes;
    let (start, version) = match line(&mut rest)?.split_last_chunk::<9>()? {
        (start, b" HTTP/1.1") => (start, Version::Http11),
        (start, b" HTTP/1.0") => (start, Version::Http10),
        _ => return None,
    };
    let (method, target) = token(start)?;
    let target = target.strip_prefix(b" ")?;
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let length = bytes.len() - read_fields(rest, fields)?.len();
    is_plain(bytes.get(..length)?).then_some(RequestLine {
        method,
        target,
        version,
        length,
    })
}

/// The response head that `bytes` begin with, if it is complete and plain. Its fields go into `fields`, which is empty.
pub(super) fn response<'b>(
    bytes: &'b [u8],
    fields: &mut ArrayVec<Field<'b>, FIELDS_USUAL>,
) -> Option<StatusLine> {
    let mut rest = bytes;
    let start = line(&mut rest)?;
    let after = start
        .strip_prefix(b"HTTP/1.1 ")
        .or_else(|| start.strip_prefix(b"HTTP/1.0 "))?;
    let (digits, _reason) = after.split_first_chunk::<3>()?;
    if !digits.iter().all(u8::is_ascii_digit) || !after.get(3..)?.starts_with(b" ") {
        return None;
    }
    let status = digits
        .iter()
        .fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
    let length = bytes.len() - read_fields(rest, fields)?.len();
    is_plain(bytes.get(..length)?).then_some(StatusLine { status, length })
}

/// Reads fields to the empty line that ends the head. Returns what is behind it.
fn read_fields<'b>(
    mut rest: &'b [u8],
    fields: &mut ArrayVec<Field<'b>, FIELDS_USUAL>,
) -> Option<&'b [u8]> {
    loop {
        let line = line(&mut rest)?;
        if line.is_empty() {
            return Some(rest);
        }
        let (name, value) = token(line)?;
        let value = value.strip_prefix(b":")?.trim_ascii();
        fields.try_push(Field { name, value }).ok()?;
    }
}

/// Takes the next line, without its CRLF.
fn line<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (line, behind) = rest.split_at_checked(memchr(b'\n', rest)? + 1)?;
    *rest = behind;
    line.strip_suffix(b"\r\n")
}

/// The token that a line begins with, and what is behind it.
fn token(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let in_token = |byte: u8| TOKEN.get(usize::from(byte)).is_some_and(|token| *token);
    let end = line.iter().position(|byte| !in_token(*byte))?;
    line.split_at_checked(end).filter(|(token, _)| !token.is_empty())
}

/// Whether no control character stands in a head but tabs and the ends of its lines, and CR and LF only together.
/// Looks at all of it without a branch, so that many bytes are looked at at once.
fn is_plain(head: &[u8]) -> bool {
    let next = head.get(1..).unwrap_or_default();
    let odd = head.iter().zip(next).fold(false, |odd, (byte, next)| {
        let control = (*byte < b' ') & (*byte != b'\t') & (*byte != b'\r') & (*byte != b'\n') | (*byte == 0x7f);
        odd | control | ((*byte == b'\r') != (*next == b'\n'))
    });
    !odd
}
