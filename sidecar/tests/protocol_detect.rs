//! Telling protocols apart by their first bytes.

#![allow(clippy::indexing_slicing)]

use proptest::prelude::*;
use sidecar::protocol::detect::{Detected, MOST_UNDECIDED, detect, detect_server};

/// What `bytes` are, and how many of them it took to know.
fn decided(bytes: &[u8]) -> (Detected, usize) {
    let known = (0..=bytes.len()).find(|length| detect(&bytes[..*length]) != Detected::Undecided);
    (detect(bytes), known.unwrap_or(bytes.len()))
}

#[test]
fn http_1_is_known_at_the_beginning_of_its_target() {
    for (request, known) in [
        (&b"GET / HTTP/1.1\r\n"[..], 5),
        (b"get /index.html HTTP/1.0\r\n", 5),
        (b"M-SEARCH * HTTP/1.1\r\n", 11),
        (b"OPTIONS * HTTP/1.1\r\n", 10),
        (b"PRI /not/http2 HTTP/1.1\r\n", 5),
        (b"VERSION-CONTROL /a HTTP/1.1\r\n", 17),
        (b"X!#$%&'*+-.^_`|~9 /odd HTTP/1.1\r\n", 19),
        (b"GET http://shop.example/ HTTP/1.1\r\n", 11),
        (b"CONNECT shop.example:443 HTTP/1.1\r\n", 9),
        (b"CONNECT [fd00::1]:443 HTTP/1.1\r\n", 9),
        (b"\r\nGET / HTTP/1.1\r\n", 7),
        (b"\n\r\n\nGET / HTTP/1.1\n", 9),
    ] {
        assert_eq!(
            decided(request),
            (Detected::Http1, known),
            "{}",
            request.escape_ascii()
        );
    }
}

#[test]
fn http_2_is_known_by_its_whole_preface() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    assert_eq!(decided(preface), (Detected::Http2, 24));
}

#[test]
fn tls_is_known_by_its_record_header() {
    assert_eq!(
        decided(include_bytes!("data/tls/tls13.client.bin")),
        (Detected::Tls, 3)
    );
    assert_eq!(decided(b"\x16\x02\x00"), (Detected::Opaque, 2));
    assert_eq!(decided(b"\x16\x03\x09"), (Detected::Opaque, 3));
}

#[test]
fn other_protocols_are_opaque_as_soon_as_they_cannot_be_http() {
    for (name, bytes, known) in [
        ("Redis", &b"*1\r\n$4\r\nPING\r\n"[..], 3),
        ("Redis, inline", b"PING\r\n", 5),
        ("Redis, inline with an argument", b"SET key value\r\n", 8),
        ("memcached", b"get key\r\n", 8),
        ("NATS", b"CONNECT {\"verbose\":false}\r\n", 9),
        ("NATS, publishing", b"PUB orders.new 5\r\nhello\r\n", 15),
        ("SMTP", b"EHLO client.example\r\n", 20),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", 20),
        ("Kafka", b"\x00\x00\x00\x2b\x00\x12\x00\x03", 1),
        ("PostgreSQL", b"\x00\x00\x00\x08\x04\xd2\x16\x2f", 1),
        ("MongoDB", b"\x3f\x00\x00\x00", 1),
        ("AMQP", b"AMQP\x00\x00\x09\x01", 5),
        ("MQTT", b"\x10\x12\x00\x04MQTT", 1),
        ("Cassandra", b"\x04\x00\x00\x00\x05", 1),
        ("PROXY protocol 2", b"\r\n\r\n\0\r\nQUIT\n", 5),
        ("a space first", b" GET / HTTP/1.1", 1),
        ("two spaces", b"GET  / HTTP/1.1", 5),
    ] {
        let expected = if bytes == b"ruok" {
            Detected::Undecided
        } else {
            Detected::Opaque
        };
        assert_eq!(decided(bytes), (expected, known), "{name}");
    }
}

#[test]
fn a_word_without_an_end_is_undecided() {
    assert_eq!(detect(b"ruok"), Detected::Undecided);
    assert_eq!(detect(b""), Detected::Undecided);
}

#[test]
fn a_server_that_speaks_first_speaks_http_2_or_nothing_of_ours() {
    let settings = b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64";
    for length in 0..9 {
        assert_eq!(
            detect_server(&settings[..length]),
            Detected::Undecided,
            "{length}"
        );
    }
    assert_eq!(detect_server(&settings[..9]), Detected::Http2);
    assert_eq!(detect_server(settings), Detected::Http2);
    for (name, bytes) in [
        ("MySQL", &b"\x4a\0\0\0\x0a8.0.36\0"[..]),
        ("SMTP", b"220 mail.example ESMTP\r\n"),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("NATS", b"INFO {}\r\n"),
        ("SETTINGS of an odd length", b"\0\0\x05\x04\0\0\0\0\0"),
        ("SETTINGS that acknowledge", b"\0\0\0\x04\x01\0\0\0\0"),
    ] {
        assert_eq!(detect_server(bytes), Detected::Opaque, "{name}");
    }
}

#[test]
fn nothing_stays_undecided_for_long() {
    for byte in *b"\r\nGzP*!0" {
        let bytes = [byte; MOST_UNDECIDED];
        assert_eq!(detect(&bytes), Detected::Opaque, "{}", byte.escape_ascii());
    }
    let scheme = format!("GET {}", "a".repeat(MOST_UNDECIDED));
    assert_eq!(decided(scheme.as_bytes()), (Detected::Opaque, MOST_UNDECIDED));
}

proptest! {
    #[test]
    fn more_bytes_never_change_a_decision(
        start in prop::sample::select(vec![&b""[..], b"GET ", b"CONNECT ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n", b"\r\n", b"\x16\x03"]),
        rest in prop::collection::vec(prop::sample::select(b"PRI *HTP/2.0\r\nSM\x16\x03aA:[\0".to_vec()), 0..100),
    ) {
        let bytes = [start, &rest].concat();
        let (detected, known) = decided(&bytes);
        for length in known..=bytes.len() {
            prop_assert_eq!(detect(&bytes[..length]), detected);
        }
        prop_assert!(known <= MOST_UNDECIDED);
    }

    #[test]
    fn arbitrary_bytes_are_decided_in_time(bytes in prop::collection::vec(any::<u8>(), MOST_UNDECIDED..200)) {
        prop_assert_ne!(detect(&bytes), Detected::Undecided);
    }
}
