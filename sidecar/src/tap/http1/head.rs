//! Heads of HTTP/1.x messages: where they end, what stands in them, and how the body behind them is framed.

use std::mem::MaybeUninit;

use arrayvec::ArrayVec;
use span::{Edits, Field};

use super::chunked::Chunked;
use crate::tap::{RequestHead, SpliceReason, Version};

/// The largest head, in bytes, that is held back or kept until it is complete.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The most fields that a head may have, and so many that there is room for without asking for memory.
const FIELDS_MAX: usize = 256;
const FIELDS_USUAL: usize = 32;

/// How a message's body is framed (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// That many bytes are still to come; more than none.
    Length(u64),
    /// In chunks.
    Chunked(Chunked),
    /// Up to the end of the connection. Responses only.
    UntilClose,
}

/// What of a request decides how its response is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nothing out of the ordinary.
    Plain,
    /// `HEAD`: its response has no body, whatever its fields say.
    Head,
    /// `CONNECT`: a 2xx response makes the connection a tunnel.
    Connect,
    /// Another protocol, which a 101 response agrees to.
    Upgrade,
}

/// One past the empty line that ends the head at the beginning of `bytes`. Empty lines before a head do not end it
/// (RFC 9112, section 2.2). `searched` bytes have been looked at before and hold no end.
pub(super) fn end(bytes: &[u8], searched: usize) -> Option<usize> {
    let leading = bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    // an end may begin in what has been searched: up to three bytes before
    let from = searched.saturating_sub(3).max(leading);
    memchr::memchr_iter(b'\n', bytes.get(from..)?).find_map(|at| {
        let next = from + at + 1;
        match bytes.get(next..)? {
            [b'\n', ..] => Some(next + 1),
            [b'\r', b'\n', ..] => Some(next + 2),
            _ => None,
        }
    })
}

/// Whether the first line is complete and no request line of HTTP/1.x. Other protocols begin much like it (`get /key`,
/// `OPTIONS rtsp://…`), and their servers answer a line at a time: nothing of them may be held back.
pub(super) fn is_other(bytes: &[u8]) -> bool {
    let leading = bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    let rest = bytes.get(leading..).unwrap_or_default();
    let Some(line) = memchr::memchr(b'\n', rest).and_then(|end| rest.get(..end)) else {
        return false;
    };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    !(line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0"))
}

/// A request head, with all that has to be known of it.
pub(super) struct Request<'r, 'b> {
    pub bytes: &'b [u8],
    pub head: &'r RequestHead<'b>,
    pub framing: Framing,
    pub asked: Asked,
}

/// Parses the request head that `bytes` begin with, and hands it to `then`. `None` if it is not complete.
///
/// Whatever two parsers might read differently is refused here, because a head seen where the server sees a body
/// would be changed where nothing may be.
pub(super) fn request<R>(
    bytes: &[u8],
    then: impl FnOnce(Request<'_, '_>) -> R,
) -> Result<Option<R>, SpliceReason> {
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
    let (Some(method), Some(target), Some(version), Some(bytes)) =
        (request.method, request.path, request.version, bytes.get(..length))
    else {
        return Err(SpliceReason::Malformed);
    };
    if length > HEAD_BYTES_MAX {
        return Err(SpliceReason::HeadTooLarge);
    }
    let (mut few, mut many) = (ArrayVec::new(), Vec::new());
    let fields = fields(request.headers, &mut few, &mut many);
    let version = if version == 0 {
        Version::Http10
    } else {
        Version::Http11
    };
    let known = Known::read(fields);
    let asked = match method {
        "HEAD" => Asked::Head,
        "CONNECT" => Asked::Connect,
        _ if known.upgrade => Asked::Upgrade,
        _ => Asked::Plain,
    };
    let framing = known.request_framing(version)?;
    let authority = known.host;
    let head = RequestHead {
        method: method.as_bytes(),
        target: target.as_bytes(),
        authority,
        version,
        fields,
    };
    Ok(Some(then(Request {
        bytes,
        head: &head,
        framing,
        asked,
    })))
}

/// Parses the response head that `bytes` begin with, and hands its length, status and fields to `then`. `None` if it is
/// not complete.
pub(super) fn response<R>(
    bytes: &[u8],
    then: impl FnOnce(usize, u16, &[Field<'_>]) -> R,
) -> Result<Option<R>, SpliceReason> {
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
    let Some(status) = response.code else {
        return Err(SpliceReason::Malformed);
    };
    let (mut few, mut many) = (ArrayVec::new(), Vec::new());
    Ok(Some(then(
        length,
        status,
        fields(response.headers, &mut few, &mut many),
    )))
}

/// How the body of a response is framed.
pub(super) fn response_framing(
    status: u16,
    asked: Asked,
    fields: &[Field<'_>],
) -> Result<Framing, SpliceReason> {
    if asked == Asked::Head || matches!(status, 100..=199 | 204 | 304) {
        return Ok(Framing::Empty);
    }
    let known = Known::read(fields);
    match (known.chunked, known.length?) {
        (Some(true), _) => Ok(Framing::Chunked(Chunked::new())),
        (Some(false), _) | (None, None) => Ok(Framing::UntilClose),
        (None, Some(0)) => Ok(Framing::Empty),
        (None, Some(length)) => Ok(Framing::Length(length)),
    }
}

/// What the fields say that matters here.
struct Known<'b> {
    host: Option<&'b [u8]>,
    upgrade: bool,
    /// `None` without `Transfer-Encoding`, otherwise whether `chunked` is the last coding.
    chunked: Option<bool>,
    /// The one `Content-Length`; several have to agree (RFC 9110, section 8.6).
    length: Result<Option<u64>, SpliceReason>,
}

impl<'b> Known<'b> {
    fn read(fields: &[Field<'b>]) -> Self {
        let mut known = Self {
            host: None,
            upgrade: false,
            chunked: None,
            length: Ok(None),
        };
        for field in fields {
            match field.name.len() {
                4 if field.is("host") => known.host = known.host.or(Some(field.value)),
                7 if field.is("upgrade") => known.upgrade = true,
                14 if field.is("content-length") => {
                    known.length = known
                        .length
                        .and_then(|agreed| match (agreed, length(field.value)?) {
                            (Some(agreed), length) if agreed != length => Err(SpliceReason::Malformed),
                            (_, length) => Ok(Some(length)),
                        });
                }
                17 if field.is("transfer-encoding") => {
                    let last = field
                        .value
                        .rsplit(|byte| *byte == b',')
                        .next()
                        .unwrap_or_default();
                    known.chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
                }
                _ => {}
            }
        }
        known
    }

    fn request_framing(&self, version: Version) -> Result<Framing, SpliceReason> {
        match (self.chunked, self.length?) {
            (None, None | Some(0)) => Ok(Framing::Empty),
            (None, Some(length)) => Ok(Framing::Length(length)),
            (Some(true), None) if version == Version::Http11 => Ok(Framing::Chunked(Chunked::new())),
            // both framings at once, or a coding that says nothing of the end: request smuggling's home
            _ => Err(SpliceReason::Malformed),
        }
    }
}

fn length(value: &[u8]) -> Result<u64, SpliceReason> {
    let digit = |length: u64, digit: &u8| match digit {
        b'0'..=b'9' => length.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    };
    let length = (!value.is_empty()).then(|| value.iter().try_fold(0, digit));
    length.flatten().ok_or(SpliceReason::Malformed)
}

/// Appends `head` to `out` with `edits` applied: values replaced where they stand, fields added behind the last one.
///
/// # Errors
/// An edit does not fit the head. `out` is as it was.
pub(super) fn write(
    head: &[u8],
    fields: &[Field<'_>],
    edits: &Edits,
    out: &mut Vec<u8>,
) -> Result<(), SpliceReason> {
    let begin = out.len();
    let mut written = 0;
    let mut copy = |out: &mut Vec<u8>, until: usize| {
        out.extend_from_slice(head.get(written..until)?);
        written = until;
        Some(())
    };
    let mut apply = || {
        for (index, value) in edits.replaced() {
            let old = fields.get(index)?.value;
            let at = (old.as_ptr() as usize).checked_sub(head.as_ptr() as usize)?;
            copy(out, at)?;
            out.extend_from_slice(value);
            copy(&mut Vec::new(), at.checked_add(old.len())?)?;
        }
        let blank = if head.ends_with(b"\r\n") { 2 } else { 1 };
        copy(out, head.len().checked_sub(blank)?)?;
        for (name, value) in edits.added() {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        copy(out, head.len())
    };
    let applied = apply();
    applied.ok_or_else(|| {
        out.truncate(begin);
        SpliceReason::Malformed
    })
}

fn fields<'s, 'b>(
    headers: &[httparse::Header<'b>],
    few: &'s mut ArrayVec<Field<'b>, FIELDS_USUAL>,
    many: &'s mut Vec<Field<'b>>,
) -> &'s [Field<'b>] {
    let all = headers.iter().map(|header| Field {
        name: header.name.as_bytes(),
        value: header.value,
    });
    if headers.len() <= FIELDS_USUAL {
        few.extend(all);
        few
    } else {
        many.extend(all);
        many
    }
}

fn refused(error: httparse::Error) -> SpliceReason {
    match error {
        httparse::Error::TooManyHeaders => SpliceReason::HeadTooLarge,
        _ => SpliceReason::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_at_the_first_empty_line_behind_its_first_line() {
        assert_eq!(end(b"GET / HTTP/1.1\r\n\r\nrest", 0), Some(18));
        assert_eq!(end(b"\r\n\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n", 0), Some(28));
        assert_eq!(end(b"GET / HTTP/1.1\n\n", 0), Some(16));
        assert_eq!(end(b"GET / HTTP/1.1\r\nA: b\r\n", 0), None);
        assert_eq!(end(b"\r\n\r\n", 0), None);
    }

    #[test]
    fn searching_on_finds_an_end_that_was_cut_in_two() {
        let head = b"GET / HTTP/1.1\r\nA: b\r\n\r\n";
        for searched in 0..head.len() {
            assert_eq!(end(&head[..searched], 0), None);
            assert_eq!(end(head, searched), Some(head.len()), "searched {searched}");
        }
    }

    #[test]
    fn framings_that_two_parsers_may_read_differently_are_refused() {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: +5",
            "Content-Length: 5, 5",
            "Content-Length: ",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: gzip",
            "Transfer-Encoding: chunked, identity",
        ] {
            let head = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
            assert_eq!(
                request(head.as_bytes(), |_| ()),
                Err(SpliceReason::Malformed),
                "{fields}"
            );
        }
    }

    #[test]
    fn an_edit_changes_its_value_and_nothing_else() {
        let head = b"GET / HTTP/1.1\r\nHoSt:  a \r\ntraceparent:old\r\nX: 1\r\n\r\n";
        let mut edits = Edits::default();
        edits.replace(1, |value| value.extend_from_slice(b"newer"));
        edits.add("b3", |value| value.push(b'1'));
        let mut out = b"before ".to_vec();
        request(head, |request| write(head, request.head.fields, &edits, &mut out))
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(
            out,
            b"before GET / HTTP/1.1\r\nHoSt:  a \r\ntraceparent:newer\r\nX: 1\r\nb3: 1\r\n\r\n"
        );
    }

    #[test]
    fn values_are_replaced_where_they_stand_whatever_the_order_of_the_edits() {
        let head = b"GET / HTTP/1.1\r\nb3: 0\r\nA: b\r\ntraceparent: old\r\n\r\n";
        let mut edits = Edits::default();
        edits.replace(2, |value| value.extend_from_slice(b"new"));
        edits.replace(0, |value| value.extend_from_slice(b"1-2"));
        let mut out = Vec::new();
        request(head, |request| write(head, request.head.fields, &edits, &mut out))
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(
            out,
            b"GET / HTTP/1.1\r\nb3: 1-2\r\nA: b\r\ntraceparent: new\r\n\r\n"
        );
    }
}
