//! What gRPC says over HTTP/2 (grpc.io, "gRPC over HTTP2"; grpc/statuscodes).

/// The server does not know the method.
pub const UNIMPLEMENTED: u16 = 12;

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

const CONTENT_TYPE: &[u8] = b"application/grpc";

/// Whether a `content-type` is gRPC's: `application/grpc`, that with a `+` suffix, or either with parameters, before which
/// there may be blanks (RFC 9110, section 8.3.1). gRPC-Web frames its trailers like messages, and is another protocol.
pub fn is(content_type: &[u8]) -> bool {
    match content_type.split_at_checked(CONTENT_TYPE.len()) {
        Some((kind, rest)) if kind.eq_ignore_ascii_case(CONTENT_TYPE) => {
            rest.starts_with(b"+") || matches!(rest.trim_ascii_start().first(), None | Some(b';'))
        }
        _ => false,
    }
}

/// The status in `grpc-status`.
pub fn status(value: &[u8]) -> Option<u16> {
    str::from_utf8(value).ok()?.trim().parse().ok()
}

/// Its name, as `rpc.response.status_code` has it; the number of one that has none.
pub fn status_name(status: u16) -> String {
    NAMES
        .get(usize::from(status))
        .map_or_else(|| status.to_string(), |name| (*name).to_owned())
}

/// Whether a status is an error of the span. For a server only those that are its own doing
/// (OpenTelemetry semantic conventions for gRPC).
pub fn is_error(status: u16, server: bool) -> bool {
    if server {
        matches!(status, 2 | 4 | 12 | 13 | 14 | 15) || status > 16
    } else {
        status != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_grpc_is_grpc() {
        assert!(is(b"application/grpc") && is(b"application/grpc+proto") && is(b"application/grpc;x=y"));
        assert!(!is(b"application/grpc-web") && !is(b"application/json"));
        assert!(!is(b"application/grpc-web ;x=y") && !is(b"application/grp") && !is(b""));
    }

    #[test]
    fn blanks_before_parameters_and_capitals_change_nothing() {
        assert!(is(b"application/grpc ;x=y") && is(b"application/grpc\t; x=y") && is(b"application/grpc "));
        assert!(is(b"Application/gRPC+proto ; x=y"));
    }

    #[test]
    fn a_not_found_is_the_clients_error_only() {
        assert!(is_error(5, false) && !is_error(5, true));
        assert!(is_error(14, false) && is_error(14, true));
        assert!(!is_error(0, false) && !is_error(0, true));
        assert_eq!(
            (status_name(5), status_name(99)),
            ("NOT_FOUND".to_owned(), "99".to_owned())
        );
        assert_eq!((status(b"14"), status(b"x")), (Some(14), None));
    }
}
