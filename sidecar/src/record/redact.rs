//! What of a request may stand in a span: no query, no user information, no credentials, unless asked for.

/// What stands where something was taken out (OpenTelemetry semantic conventions, `url.full` and `url.query`).
pub const REDACTED: &[u8] = b"REDACTED";

/// Headers whose values are credentials, whatever is to be captured.
const CREDENTIALS: [&str; 8] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
];

/// Whether the value of that header, in lower case, has to stay out of spans.
pub fn is_credential(header: &str) -> bool {
    CREDENTIALS.contains(&header)
}

/// A request target without what is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The host and port of a target in absolute form or, for CONNECT, in authority form (RFC 9112, section 3.2), without
    /// user information.
    pub authority: Option<&'a [u8]>,
    /// The path. For `OPTIONS *` it is `*`; for CONNECT there is none.
    pub path: &'a [u8],
    /// The query, without its question mark.
    pub query: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// Takes a target apart, in whatever form it came.
    pub fn read(target: &'a [u8]) -> Self {
        let (authority, rest) = if target.is_empty() || target.starts_with(b"/") || target == b"*" {
            (None, target)
        } else if let Some(at) = find(target, b"://") {
            let rest = target.get(at + 3..).unwrap_or_default();
            let end = rest
                .iter()
                .position(|byte| matches!(byte, b'/' | b'?'))
                .unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            (Some(without_user(authority)), rest)
        } else {
            return Self {
                authority: Some(without_user(target)),
                path: b"",
                query: None,
            };
        };
        let mark = memchr::memchr(b'?', rest);
        let path = mark.map_or(rest, |mark| rest.get(..mark).unwrap_or_default());
        Self {
            authority,
            path: if path.is_empty() { b"/" } else { path },
            query: mark.and_then(|mark| rest.get(mark + 1..)),
        }
    }
}

/// An authority without its user information.
pub fn without_user(authority: &[u8]) -> &[u8] {
    let at = memchr::memrchr(b'@', authority);
    at.and_then(|at| authority.get(at + 1..)).unwrap_or(authority)
}

/// Host and port of an authority. The port only where it is written.
pub fn host_and_port(authority: &[u8]) -> (&[u8], Option<u16>) {
    let after_bracket = authority
        .iter()
        .rposition(|byte| *byte == b']')
        .map_or(0, |at| at + 1);
    let tail = authority.get(after_bracket..).unwrap_or_default();
    let Some(colon) = tail.iter().rposition(|byte| *byte == b':') else {
        return (authority, None);
    };
    let (host, port) = authority.split_at(after_bracket + colon);
    let port = port
        .get(1..)
        .and_then(|digits| str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok());
    (host, port)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_taken_apart_in_every_form() {
        let read = |text: &'static str| {
            let target = Target::read(text.as_bytes());
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (
                target.authority.map(text),
                text(target.path),
                target.query.map(text),
            )
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("/a/b?c=d?e"), (None, "/a/b".into(), some("c=d?e")));
        assert_eq!(read("h:443"), (Some("h:443".into()), String::new(), None));
        assert_eq!(read("*"), (None, "*".into(), None));
        assert_eq!(
            read("http://u:p@h:80/a?q"),
            (some("h:80"), "/a".into(), some("q"))
        );
        assert_eq!(read("http://h?q"), (some("h"), "/".into(), some("q")));
        assert_eq!(
            read("/redirect?to=http://x/"),
            (None, "/redirect".into(), some("to=http://x/"))
        );
        assert_eq!(read(""), (None, "/".into(), None));
    }

    #[test]
    fn hosts_and_ports_are_told_apart() {
        assert_eq!(host_and_port(b"bank:8080"), (b"bank".as_slice(), Some(8080)));
        assert_eq!(host_and_port(b"[::1]:80"), (b"[::1]".as_slice(), Some(80)));
        assert_eq!(host_and_port(b"[::1]"), (b"[::1]".as_slice(), None));
        assert_eq!(host_and_port(b"bank"), (b"bank".as_slice(), None));
        assert_eq!(host_and_port(b"bank:http"), (b"bank".as_slice(), None));
    }
}
