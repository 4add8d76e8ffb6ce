//! Reading the hellos of TLS: real ones of OpenSSL (`data/tls/capture.py`), odd ones made here, and arbitrary bytes.

#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use sidecar::protocol::tls::{
    ClientHello, Hello, HelloReader, LONGEST_HELLO, MOST_ALPN, Reading, ServerHello, TlsVersion,
};

const TLS13_CLIENT: &[u8] = include_bytes!("data/tls/tls13.client.bin");
const TLS13_SERVER: &[u8] = include_bytes!("data/tls/tls13.server.bin");
const TLS12_CLIENT: &[u8] = include_bytes!("data/tls/tls12.client.bin");
const TLS12_SERVER: &[u8] = include_bytes!("data/tls/tls12.server.bin");
const PLAIN_CLIENT: &[u8] = include_bytes!("data/tls/plain.client.bin");
const PLAIN_SERVER: &[u8] = include_bytes!("data/tls/plain.server.bin");

fn read<H: Hello>(bytes: &[u8]) -> Reading<H> {
    HelloReader::default().read(bytes)
}

fn client(server_name: Option<&str>, alpn: &[&str], versions: &[TlsVersion]) -> Reading<ClientHello> {
    Reading::Hello(ClientHello {
        server_name: server_name.map(str::to_owned),
        alpn: alpn.iter().map(ToString::to_string).collect(),
        versions: versions.to_vec(),
    })
}

fn server(version: TlsVersion, alpn: Option<&str>) -> Reading<ServerHello> {
    Reading::Hello(ServerHello {
        version: Some(version),
        alpn: alpn.map(str::to_owned),
    })
}

#[test]
fn a_client_of_tls_1_3_shows_its_server_name_protocols_and_versions() {
    let both = [TlsVersion::Tls13, TlsVersion::Tls12];
    assert_eq!(
        read(TLS13_CLIENT),
        client(Some("shop.example"), &["h2", "http/1.1"], &both)
    );
    assert_eq!(read(PLAIN_CLIENT), client(None, &[], &both));
}

#[test]
fn a_client_of_tls_1_2_shows_its_latest_version() {
    assert_eq!(
        read(TLS12_CLIENT),
        client(Some("shop.example"), &["http/1.1"], &[TlsVersion::Tls12])
    );
}

#[test]
fn a_server_of_tls_1_3_shows_its_version_and_hides_the_protocol() {
    assert_eq!(read(TLS13_SERVER), server(TlsVersion::Tls13, None));
    assert_eq!(read(PLAIN_SERVER), server(TlsVersion::Tls13, None));
}

#[test]
fn a_server_of_tls_1_2_shows_the_protocol_that_it_has_chosen() {
    assert_eq!(read(TLS12_SERVER), server(TlsVersion::Tls12, Some("http/1.1")));
}

#[test]
fn versions_are_named_as_the_semantic_conventions_name_them() {
    use TlsVersion::{Tls10, Tls11, Tls12, Tls13};
    assert_eq!(
        [Tls10, Tls11, Tls12, Tls13].map(TlsVersion::name),
        ["1.0", "1.1", "1.2", "1.3"]
    );
}

#[test]
fn a_hello_is_told_once_and_bytes_behind_it_are_not_looked_at() {
    let mut reader = HelloReader::<ClientHello>::default();
    let (start, end) = TLS13_CLIENT.split_at(100);
    assert_eq!(reader.read(start), Reading::More);
    assert!(matches!(
        reader.read(&[end, b"early data"].concat()),
        Reading::Hello(_)
    ));
    assert_eq!(reader.read(TLS13_CLIENT), Reading::None);
}

#[test]
fn what_is_not_a_hello_is_told_from_one() {
    let alert = [21, 3, 3, 0, 2, 2, 40];
    for other in [
        &b"GET / HTTP/1.1\r\n"[..],
        &alert,
        TLS13_SERVER,
        &[22, 3, 1, 0, 0],
        &[22, 3, 1, 0x40, 1],
    ] {
        assert_eq!(read::<ClientHello>(other), Reading::None, "{other:02x?}");
    }
    assert_eq!(read::<ServerHello>(TLS13_CLIENT), Reading::None);
}

#[test]
fn a_hello_that_is_too_long_is_given_up_at_its_header() {
    let longest = u32::try_from(LONGEST_HELLO - 4).unwrap();
    let claim = |length: u32| [&[22, 3, 1, 0x40, 0, 1][..], &length.to_be_bytes()[1..]].concat();
    assert_eq!(read::<ClientHello>(&claim(longest)), Reading::More);
    assert_eq!(read::<ClientHello>(&claim(longest + 1)), Reading::None);
}

/// A ClientHello with these extensions, in records of at most `size` bytes.
fn made(extensions: &[(u16, Vec<u8>)], size: usize) -> Vec<u8> {
    let list = extensions
        .iter()
        .flat_map(|(kind, data)| [&kind.to_be_bytes()[..], &vec16(data)].concat());
    let fixed = [&[3, 3][..], &[7; 32], &[0], &vec16(&[0x13, 0x01]), &[1, 0]].concat();
    let body = [fixed, vec16(&list.collect::<Vec<u8>>())].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[1, length[1], length[2], length[3]], &body[..]].concat();
    message
        .chunks(size)
        .flat_map(|content| [&[22, 3, 1][..], &vec16(content)].concat())
        .collect()
}

fn vec8(content: &[u8]) -> Vec<u8> {
    [&[u8::try_from(content.len()).unwrap()], content].concat()
}

fn vec16(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

fn alpn(protocols: &[&[u8]]) -> (u16, Vec<u8>) {
    (
        16,
        vec16(&protocols.iter().flat_map(|name| vec8(name)).collect::<Vec<u8>>()),
    )
}

fn server_name(kind: u8, name: &[u8]) -> (u16, Vec<u8>) {
    (0, vec16(&[&[kind], &vec16(name)[..]].concat()))
}

#[test]
fn values_that_clients_make_up_are_passed_over() {
    let extensions = [
        (0x1a1a, vec![]),
        (43, vec8(&[0x3a, 0x3a, 3, 4, 3, 4, 3, 3, 0x7f, 0x1c])),
        alpn(&[b"ZZ", b"\x0a\x0a", b"h2", b"\xff\xfe", b"", b"jj", b"http/1.1"]),
        server_name(0, b"shop.example"),
        (0xfafa, vec![0]),
    ];
    let expected = client(
        Some("shop.example"),
        &["h2", "http/1.1"],
        &[TlsVersion::Tls13, TlsVersion::Tls12],
    );
    assert_eq!(read(&made(&extensions, 9000)), expected);
}

#[test]
fn names_that_could_not_be_shown_are_left_out() {
    for name in [
        &b""[..],
        b"shop\r\nexample",
        "läden.example".as_bytes(),
        &[b'a'; 256],
    ] {
        assert_eq!(
            read(&made(&[server_name(0, name)], 9000)),
            client(None, &[], &[TlsVersion::Tls12])
        );
    }
    assert_eq!(
        read(&made(&[server_name(9, b"x")], 9000)),
        client(None, &[], &[TlsVersion::Tls12])
    );
    let longest = "a".repeat(255);
    let expected = client(Some(&longest), &[], &[TlsVersion::Tls12]);
    assert_eq!(read(&made(&[server_name(0, longest.as_bytes())], 9000)), expected);
}

#[test]
fn only_so_many_protocols_are_kept() {
    let many: Vec<String> = (0..1000).map(|number| format!("p{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let offered: Vec<&[u8]> = many.iter().map(|name| name.as_bytes()).collect();
    let expected = client(None, &many[..MOST_ALPN], &[TlsVersion::Tls12]);
    assert_eq!(read(&made(&[alpn(&offered)], 9000)), expected);
}

#[test]
fn a_hello_in_which_a_length_lies_is_none() {
    for (kind, data) in [
        (16, vec![0, 9, 2, b'h', b'2']),
        (0, vec![0, 4, 0, 0, 9, b'x']),
        (43, vec![3, 3, 4, 3]),
    ] {
        assert_eq!(
            read::<ClientHello>(&made(&[(kind, data)], 9000)),
            Reading::None,
            "extension {kind}"
        );
    }
}

/// Reads `bytes` in pieces of these sizes, over and over, until there is an answer.
fn read_in_pieces<H: Hello>(mut bytes: &[u8], sizes: &[usize]) -> Reading<H> {
    let mut reader = HelloReader::default();
    for size in sizes.iter().cycle() {
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        bytes = rest;
        match reader.read(piece) {
            Reading::More if !bytes.is_empty() => {}
            reading => return reading,
        }
    }
    Reading::More
}

proptest! {
    #[test]
    fn neither_records_nor_reads_matter(record in 1..600_usize, sizes in prop::collection::vec(1..700_usize, 1..9)) {
        let extensions = [server_name(0, b"shop.example"), alpn(&[b"h2"]), (21, vec![0; 900])];
        let expected = client(Some("shop.example"), &["h2"], &[TlsVersion::Tls12]);
        prop_assert_eq!(read_in_pieces(&made(&extensions, record), &sizes), expected);
    }

    #[test]
    fn arbitrary_bytes_are_survived(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        sizes in prop::collection::vec(1..50_usize, 1..5),
    ) {
        prop_assert_eq!(read_in_pieces::<ClientHello>(&bytes, &sizes), read(&bytes));
        prop_assert_eq!(read_in_pieces::<ServerHello>(&bytes, &sizes), read(&bytes));
    }

    #[test]
    fn arbitrary_extensions_are_survived_and_what_is_kept_of_them_is_bounded(
        extensions in prop::collection::vec(
            (prop::sample::select(vec![0, 16, 43, 21]), prop::collection::vec(0..9_u8, 0..40)), 0..6,
        ),
    ) {
        if let Reading::Hello(ClientHello { server_name, alpn, versions }) = read(&made(&extensions, 9000)) {
            prop_assert!(server_name.is_none_or(|name| !name.is_empty()));
            prop_assert!(alpn.len() <= MOST_ALPN && versions.len() <= 4);
        }
    }

    #[test]
    fn a_real_hello_with_bytes_changed_is_survived_however_it_comes(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        sizes in prop::collection::vec(1..300_usize, 1..5),
    ) {
        for original in [TLS13_CLIENT, TLS12_SERVER] {
            let mut bytes = original.to_vec();
            for (index, byte) in &changes {
                let place = index.index(bytes.len());
                bytes[place] = *byte;
            }
            prop_assert_eq!(read_in_pieces::<ClientHello>(&bytes, &sizes), read(&bytes));
            prop_assert_eq!(read_in_pieces::<ServerHello>(&bytes, &sizes), read(&bytes));
        }
    }

    #[test]
    fn a_part_of_a_real_hello_is_not_taken_for_the_whole(length in 0..TLS13_CLIENT.len()) {
        prop_assert_eq!(read::<ClientHello>(&TLS13_CLIENT[..length]), Reading::More);
    }
}
