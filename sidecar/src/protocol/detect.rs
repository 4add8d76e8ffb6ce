//! The protocol of a connection, from the first bytes that its client sends.

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detected {
    /// A request line of HTTP/1.0 or HTTP/1.1 has begun.
    Http1,
    /// HTTP/2 with prior knowledge: the whole connection preface (RFC 9113, section 3.4) is there.
    Http2,
    /// A TLS handshake record has begun (RFC 8446, section 5.1).
    Tls,
    /// None of these.
    Opaque,
    /// Too few bytes to tell.
    Undecided,
}

/// From this many bytes on the answer is never [`Detected::Undecided`].
pub const MOST_UNDECIDED: usize = 64;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Longer than any registered method (`UPDATEREDIRECTREF`).
const LONGEST_METHOD: usize = 32;

/// Reads `first`, the first bytes of a client, be they many or few. Once it has decided, more bytes of the same client
/// do not change the answer.
///
/// A request line is known by its shape: any method, registered or not, and the beginning of a request target that
/// could belong to it. A line that turns out not to be one is the HTTP/1 tap's to notice.
pub fn detect(first: &[u8]) -> Detected {
    let detected = match first {
        [] | [0x16] | [0x16, 0x03] => Detected::Undecided,
        [0x16, 0x03, 0..=4, ..] => Detected::Tls,
        _ if first.starts_with(PREFACE) => Detected::Http2,
        _ if PREFACE.starts_with(first) => Detected::Undecided,
        _ => request_line(first),
    };
    match detected {
        Detected::Undecided if first.len() >= MOST_UNDECIDED => Detected::Opaque,
        detected => detected,
    }
}

/// Reads `first`, the first bytes of a server that speaks before its client does.
///
/// Of the protocols known here only HTTP/2 lets it: its server may send SETTINGS at once (RFC 9113, section 3.4). The
/// client's preface is still to come then.
pub fn detect_server(first: &[u8]) -> Detected {
    // a frame's length, which is a multiple of 6 here, below 2^16; then its type, 4, no flags, and stream 0
    let (length, rest) = first.split_at_checked(3).unwrap_or((first, &[]));
    let is_length = match *length {
        [first, high, low] => first == 0 && u16::from_be_bytes([high, low]).is_multiple_of(6),
        [first, ..] => first == 0,
        [] => true,
    };
    const TYPE_FLAGS_STREAM: &[u8] = &[4, 0, 0, 0, 0, 0];
    match is_length {
        true if rest.starts_with(TYPE_FLAGS_STREAM) => Detected::Http2,
        true if TYPE_FLAGS_STREAM.starts_with(rest) => Detected::Undecided,
        _ => Detected::Opaque,
    }
}

/// Whether an HTTP/1 request line begins here, after the empty lines that RFC 9112, section 2.2, lets a client send.
fn request_line(first: &[u8]) -> Detected {
    let mut line = first;
    while let [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] = line {
        line = rest;
    }
    if matches!(line, [] | [b'\r']) {
        return Detected::Undecided;
    }
    let length = line.iter().take_while(|byte| is_tchar(**byte)).count();
    match line.split_at_checked(length) {
        Some((method, _)) if method.is_empty() || method.len() > LONGEST_METHOD => Detected::Opaque,
        Some((method, [b' ', target @ ..])) => request_target(method, target),
        Some((_, [])) => Detected::Undecided,
        _ => Detected::Opaque,
    }
}

/// Whether this is how the target of a request begins (RFC 9112, section 3.2), and not the argument of some other
/// line-based protocol: `get key` (memcached), `CONNECT {"verbose":…}` (NATS).
fn request_target(method: &[u8], target: &[u8]) -> Detected {
    match target {
        [] | b"*" => Detected::Undecided,
        [b'/', ..] | [b'*', b' ', ..] => Detected::Http1,
        [b'[' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9', ..] if method == b"CONNECT" => Detected::Http1,
        [b'a'..=b'z' | b'A'..=b'Z', ..] => absolute_form(target),
        _ => Detected::Opaque,
    }
}

/// Whether `target` begins with a scheme and `://`.
fn absolute_form(target: &[u8]) -> Detected {
    let scheme = target
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        .count();
    match target.get(scheme..).unwrap_or_default() {
        [b':', b'/', b'/', ..] => Detected::Http1,
        [] | b":" | b":/" => Detected::Undecided,
        _ => Detected::Opaque,
    }
}

/// The characters of a token (RFC 9110, section 5.6.2).
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
