//! The HTTP/2 tap, frame by frame: what it changes, what it leaves, what it tells.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod http2_support;

use fluke_hpack::Decoder;
use http2_support::*;
use sidecar::tap::{End, Side, SpliceReason};

/// A tap that has seen the client's preface and empty SETTINGS from both sides.
fn opened(mark: Mark) -> Tapped {
    let mut tapped = Tapped::new(mark);
    let hello = [PREFACE, &frame(SETTINGS, 0, 0, b"")].concat();
    assert_eq!(tapped.client(&hello), hello);
    tapped.server(&frame(SETTINGS, 0, 0, b""));
    tapped
}

fn headers(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, block)
}

fn decode(decoder: &mut Decoder<'_>, block: &[u8]) -> Vec<Owned> {
    decoder.decode(block).unwrap()
}

fn value<'a>(fields: &'a [Owned], name: &str) -> Option<&'a [u8]> {
    fields
        .iter()
        .find(|(other, _)| other == name.as_bytes())
        .map(|(_, value)| &**value)
}

fn setting(name: u16, value: u32) -> Vec<u8> {
    [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

#[test]
fn a_request_without_edits_and_its_response_pass_as_they_are() {
    let mut tapped = opened(no_marks);
    let block = [GET, &plain(":authority", "bank:80")].concat();
    let request = [headers(0, 1, &block), frame(DATA, END_STREAM, 1, b"hello")].concat();
    assert_eq!(tapped.client(&request), request);
    tapped.server(&headers(0, 1, &[0x48, 3, b'1', b'0', b'3']));
    tapped.server(&[headers(0, 1, OK), frame(DATA, 0, 1, b"12345678")].concat());
    assert_eq!(tapped.tap.open(), 1);
    tapped.server(&headers(END_STREAM, 1, &plain("grpc-status", "0")));
    assert_eq!(tapped.tap.open(), 0);

    let log = tapped.log();
    let [seen] = &log.exchanges[..] else {
        panic!("{log:?}")
    };
    assert_eq!((&*seen.method, &*seen.target), (&b"GET"[..], &b"/"[..]));
    assert_eq!(seen.authority.as_deref(), Some(&b"bank:80"[..]));
    assert_eq!(
        (seen.request_body, seen.request_ends, seen.response_body),
        (5, 1, 8)
    );
    assert_eq!(
        seen.heads.iter().map(|(status, _)| *status).collect::<Vec<_>>(),
        [103, 200]
    );
    assert_eq!(
        seen.trailers.as_deref(),
        Some(&[(b"grpc-status".to_vec(), b"0".to_vec())][..])
    );
    assert_eq!(seen.end, Some(End::Complete));
}

#[test]
fn an_added_header_goes_before_the_padding_and_behind_priority() {
    let mut tapped = opened(mark_traceparent);
    let priority = [0x80, 0, 0, 3, 200];
    let payload = [&[4][..], &priority, GET, &[0; 4]].concat();
    let out = tapped.client(&headers(PADDED | PRIORITIZED | END_STREAM, 5, &payload));
    let added = plain("traceparent", str::from_utf8(&traceparent(0)).unwrap());
    let expected = [&[4][..], &priority, GET, &added, &[0; 4]].concat();
    assert_eq!(out, headers(PADDED | PRIORITIZED | END_STREAM, 5, &expected));
}

#[test]
fn a_block_that_grows_beyond_a_frame_is_continued_in_another() {
    let mut tapped = opened(mark_traceparent);
    let filler = "x".repeat(16_384 - GET.len() - 3 - 4);
    let block = [GET, &plain("a", &filler)].concat();
    let out = frames(&tapped.client(&headers(END_STREAM, 1, &block)));
    let [first, second] = &out[..] else {
        panic!("{} frames", out.len())
    };
    assert_eq!(
        (first.kind, first.flags, first.payload.len()),
        (HEADERS, END_STREAM, 16_384)
    );
    assert_eq!(
        (second.kind, second.flags, second.stream),
        (CONTINUATION, END_HEADERS, 1)
    );
    let fields = decode(&mut Decoder::new(), &[&*first.payload, &second.payload].concat());
    assert_eq!(value(&fields, "traceparent"), Some(&*traceparent(0)));
    assert_eq!(value(&fields, "a"), Some(filler.as_bytes()));
}

#[test]
fn a_block_in_many_continuations_is_held_until_it_is_whole() {
    let mut tapped = opened(mark_traceparent);
    let block = [GET, &plain("a", "b")].concat();
    let mut pieces = block.chunks(1).peekable();
    let mut sent = frame(HEADERS, END_STREAM, 1, pieces.next().unwrap());
    while let Some(piece) = pieces.next() {
        let flags = if pieces.peek().is_none() { END_HEADERS } else { 0 };
        sent.extend(frame(CONTINUATION, flags, 1, piece));
    }
    let (last, before) = sent.split_last().unwrap();
    assert_eq!(tapped.client(before), b"");
    let out = frames(&tapped.client(&[*last]));
    assert_eq!(out.len(), 1);
    let fields = decode(&mut Decoder::new(), &out[0].payload);
    assert_eq!(fields.len(), 5);
    assert_eq!(value(&fields, "traceparent"), Some(&*traceparent(0)));
}

#[test]
fn a_plain_literal_is_replaced_at_any_length() {
    let mut tapped = opened(mark_traceparent);
    for (number, form) in [0x00, 0x10].into_iter().enumerate() {
        let block = [
            GET,
            &[form],
            &string(b"traceparent"),
            &string(b"short"),
            &plain("z", "1"),
        ]
        .concat();
        let out = frames(&tapped.client(&headers(END_STREAM, 2 * number as u32 + 1, &block)));
        let name = [&[form][..], &string(b"traceparent")].concat();
        let expected = [GET, &name, &string(&traceparent(number)), &plain("z", "1")].concat();
        assert_eq!(out[0].payload, expected, "the form of the literal stays");
    }
    assert_eq!(tapped.log().stale, [b""; 0]);
}

#[test]
fn a_client_that_indexes_its_own_traceparent_keeps_its_tables_in_step() {
    let mut tapped = opened(mark_traceparent);
    let mut server = Decoder::new();
    let own = "00-11111111111111111111111111111111-2222222222222222-00";
    let blocks = [
        // An entry of its own, then a second one above it, then references to both, then the name alone.
        [GET, &incremental("traceparent", own)].concat(),
        [GET, &incremental("user-agent", "sdk"), &[0xbf]].concat(),
        [GET, &[0xbe, 0xbf]].concat(),
        [GET, &number(0x40, 6, 63), &string(own.as_bytes()), &[0xbf]].concat(),
        [GET, &[0xbe]].concat(),
    ];
    for (number, block) in blocks.iter().enumerate() {
        let out = frames(&tapped.client(&headers(END_STREAM, 2 * number as u32 + 1, block)));
        let fields = decode(&mut server, &out[0].payload);
        assert_eq!(
            value(&fields, "traceparent"),
            Some(&*traceparent(number)),
            "request {number}"
        );
        if (1..4).contains(&number) {
            assert_eq!(
                value(&fields, "user-agent"),
                Some(&b"sdk"[..]),
                "request {number}"
            );
        }
        let seen = &tapped.log().exchanges[number];
        assert_eq!(
            value(&seen.request, "traceparent"),
            Some(own.as_bytes()),
            "the client's own is what is seen"
        );
    }
    assert_eq!(tapped.log().stale, [b""; 0]);
}

#[test]
fn a_reference_to_a_rewritten_entry_is_spelled_out_even_where_nothing_is_edited() {
    // Only the first request is marked.
    let mut tapped = opened(|number, fields, edits| {
        if number == 0 {
            mark_traceparent(number, fields, edits);
        }
    });
    let mut server = Decoder::new();
    let own = "00-11111111111111111111111111111111-2222222222222222-00";
    // The second field of this block refers to the entry that the first one makes.
    let twice = headers(0, 1, &[GET, &incremental("traceparent", own), &[0xbe]].concat());
    let values = |fields: Vec<Owned>| -> Vec<Vec<u8>> {
        fields
            .into_iter()
            .filter(|(name, _)| name == b"traceparent")
            .map(|(_, value)| value)
            .collect()
    };
    let out = frames(&tapped.client(&twice));
    assert_eq!(
        values(decode(&mut server, &out[0].payload)),
        [traceparent(0), own.into()]
    );
    for (stream, block) in [(3, &[GET, &[0xbe]].concat()[..]), (1, &[0xbe])] {
        let out = frames(&tapped.client(&headers(END_STREAM, stream, block)));
        assert_eq!(
            values(decode(&mut server, &out[0].payload)),
            [own.as_bytes()],
            "stream {stream}"
        );
    }
    assert_eq!(tapped.log().exchanges.len(), 2, "trailers begin nothing");
}

#[test]
fn a_block_full_of_trace_headers_gets_all_of_them_replaced() {
    let mut tapped = opened(|number, fields, edits| {
        for (at, _) in fields.iter().enumerate().skip(4).rev() {
            edits.replace(at, |out| out.extend_from_slice(&traceparent(number)));
        }
    });
    let own = "00-11111111111111111111111111111111-2222222222222222-00";
    let block = [
        GET,
        &incremental("user-agent", "sdk"),
        &incremental("traceparent", own),
        &[0xbe; 9000],
    ]
    .concat();
    let out = tapped.client(&headers(END_STREAM, 1, &block));
    let block: Vec<u8> = frames(&out).into_iter().flat_map(|frame| frame.payload).collect();
    let fields = decode(&mut Decoder::new(), &block);
    assert_eq!(fields.len(), 4 + 9001);
    assert!(
        fields[4..]
            .iter()
            .all(|(name, value)| name == b"traceparent" && *value == traceparent(0))
    );
    assert_eq!(tapped.tap.spliced(), None);
}

#[test]
fn an_indexed_literal_of_another_length_stays_and_is_counted() {
    let mut tapped = opened(mark_traceparent);
    let request = headers(END_STREAM, 1, &[GET, &incremental("traceparent", "odd")].concat());
    assert_eq!(tapped.client(&request), request);
    assert_eq!(tapped.log().stale, [b"traceparent"]);
    // A reference to it can be replaced, since that changes no table.
    let out = frames(&tapped.client(&headers(END_STREAM, 3, &[GET, &[0xbe]].concat())));
    let mut server = Decoder::new();
    decode(&mut server, &incremental("traceparent", "odd"));
    assert_eq!(
        value(&decode(&mut server, &out[0].payload), "traceparent"),
        Some(&*traceparent(1))
    );
}

#[test]
fn a_list_that_would_outgrow_what_the_server_takes_is_not_marked() {
    let mut tapped = opened(mark_traceparent);
    tapped.server(&frame(SETTINGS, 0, 0, &setting(6, 200)));
    let request = headers(END_STREAM, 1, GET);
    assert_eq!(tapped.client(&request), request);
    assert_eq!(tapped.log().stale, [b"traceparent"]);
    tapped.server(&frame(SETTINGS, 0, 0, &setting(6, 300)));
    assert_ne!(
        tapped.client(&headers(END_STREAM, 3, GET)),
        headers(END_STREAM, 3, GET)
    );
}

#[test]
fn every_way_to_end_has_its_name() {
    let code = |code: u32| code.to_be_bytes();
    let whole = [headers(0, 1, OK), frame(DATA, END_STREAM, 1, b"x")].concat();
    let reset = |number| frame(RST_STREAM, 0, 1, &code(number));
    type Case<'a> = (&'a str, &'a [(Side, Vec<u8>)], End);
    let cases: &[Case<'_>] = &[
        ("the client resets", &[(Side::Client, reset(8))], End::ClientReset),
        ("the server resets", &[(Side::Server, reset(2))], End::ServerReset),
        ("the server refuses", &[(Side::Server, reset(7))], End::Refused),
        (
            "the server answers early and wants no more",
            &[(Side::Server, whole.clone()), (Side::Server, reset(0))],
            End::Complete,
        ),
        (
            "the server answers early and the client gives up",
            &[(Side::Server, whole.clone()), (Side::Client, reset(8))],
            End::Complete,
        ),
        (
            "the server answers early and the client ends all the same",
            &[
                (Side::Server, whole.clone()),
                (Side::Client, frame(DATA, END_STREAM, 1, b"")),
            ],
            End::Complete,
        ),
        (
            "the server answers early and fails",
            &[(Side::Server, whole), (Side::Server, reset(2))],
            End::ServerReset,
        ),
        (
            "the server leaves",
            &[(Side::Server, frame(GOAWAY, 0, 0, &[0; 20]))],
            End::Refused,
        ),
        (
            "nonsense follows",
            &[(Side::Server, frame(CONTINUATION, 0, 1, b""))],
            End::Unseen,
        ),
    ];
    for (name, then, end) in cases {
        let mut tapped = opened(no_marks);
        tapped.client(&headers(0, 1, GET));
        for (side, bytes) in *then {
            assert_eq!(tapped.tap.open(), 1, "{name}");
            tapped.pass(*side, bytes);
        }
        assert_eq!(tapped.log().exchanges[0].end, Some(*end), "{name}");
        assert_eq!(tapped.tap.open(), 0, "{name}");
    }
}

#[test]
fn goaway_refuses_what_is_above_it_and_what_comes_later() {
    let mut tapped = opened(no_marks);
    for stream in [1, 3, 5] {
        tapped.client(&headers(END_STREAM, stream, GET));
    }
    tapped.server(&frame(
        GOAWAY,
        0,
        0,
        &[&3_u32.to_be_bytes()[..], &[0; 4], b"bye"].concat(),
    ));
    tapped.client(&headers(END_STREAM, 7, GET));
    tapped.server(&headers(END_STREAM, 1, OK));
    let ends: Vec<_> = tapped.log().exchanges.iter().map(|seen| seen.end).collect();
    assert_eq!(
        ends,
        [Some(End::Complete), None, Some(End::Refused), Some(End::Refused)]
    );
    let mut out = Vec::new();
    tapped.tap.on_end(Side::Server, &mut out);
    assert_eq!(tapped.log().exchanges[1].end, Some(End::ServerReset));
}

#[test]
fn pushed_streams_pass_unobserved_and_keep_the_table_in_step() {
    let mut tapped = opened(no_marks);
    tapped.client(&headers(END_STREAM, 1, GET));
    let promise = [&2_u32.to_be_bytes()[..], GET, &incremental("server", "pushy")].concat();
    tapped.server(&frame(PUSH_PROMISE, END_HEADERS, 1, &promise));
    tapped.server(&headers(END_STREAM, 2, OK));
    tapped.server(&headers(END_STREAM, 1, &[0x88, 0xbe]));
    let log = tapped.log();
    assert_eq!(log.exchanges.len(), 1);
    assert_eq!(value(&log.exchanges[0].heads[0].1, "server"), Some(&b"pushy"[..]));
}

#[test]
fn grpc_messages_are_counted_on_both_sides() {
    let mut tapped = opened(no_marks);
    let grpc = plain("content-type", "application/grpc+proto");
    let message = |length: u8| [&[0, 0, 0, 0, length][..], &vec![1; usize::from(length)]].concat();
    tapped.client(&headers(0, 1, &[&[0x83, 0x86, 0x84], &grpc[..]].concat()));
    tapped.client(&frame(
        DATA,
        PADDED,
        1,
        &[&[2][..], &message(3), &message(0), &[0; 2]].concat(),
    ));
    tapped.server(&headers(0, 1, &[OK, &grpc].concat()));
    let long = message(200);
    let (first, second) = long.split_at(4);
    tapped.server(&[frame(DATA, 0, 1, first), frame(DATA, 0, 1, second)].concat());
    assert_eq!(tapped.log().exchanges[0].messages, (2, 1));
    assert_eq!(tapped.log().exchanges[0].request_body, 13);
}

#[test]
fn after_an_upgrade_the_response_comes_on_stream_1() {
    let mut tapped = Tapped::new(no_marks);
    let exchange = tapped.recorder.begun();
    // SETTINGS_HEADER_TABLE_SIZE 8192, SETTINGS_MAX_FRAME_SIZE 32768
    tapped.tap = sidecar::tap::http2::Http2::after_upgrade(exchange, Some(b"AAEAACAAAAUAAIAA"));
    tapped.server(&frame(SETTINGS, 0, 0, b""));
    let larger_table = [0x3f, 0xe1, 0x3f];
    tapped.server(&headers(0, 1, &[&larger_table, OK].concat()));
    tapped.server(&frame(DATA, END_STREAM, 1, &[7; 20_000]));
    assert_eq!(tapped.tap.spliced(), None);
    let seen = &tapped.log().exchanges[0];
    assert_eq!((seen.response_body, seen.end), (20_000, Some(End::Complete)));
    let next = [PREFACE, &frame(SETTINGS, 0, 0, b""), &headers(END_STREAM, 3, GET)].concat();
    assert_eq!(tapped.client(&next), next);
    assert_eq!(tapped.log().exchanges.len(), 2);
}

#[test]
fn more_requests_than_we_remember_pass_unseen_and_in_step() {
    let mut tapped = opened(mark_traceparent);
    let mut server = Decoder::new();
    for number in 0..4096 {
        let block = [GET, &incremental("n", &format!("{number}"))].concat();
        let out = frames(&tapped.client(&headers(END_STREAM, 2 * number + 1, &block)));
        decode(&mut server, &out[0].payload);
    }
    assert_eq!((tapped.tap.open(), tapped.log().unseen), (4096, 0));
    let beyond = headers(END_STREAM, 9001, &[GET, &[0xbe]].concat());
    assert_eq!(tapped.client(&beyond), beyond);
    assert_eq!((tapped.tap.open(), tapped.log().unseen), (4096, 1));
    tapped.server(&headers(END_STREAM, 4095, OK));
    let out = frames(&tapped.client(&headers(END_STREAM, 9003, &[GET, &[0xbe]].concat())));
    assert_eq!(
        value(&decode(&mut server, &out[0].payload), "n"),
        Some(&b"4095"[..])
    );
    assert_eq!((tapped.tap.open(), tapped.log().unseen), (4096, 1));
}

#[test]
fn what_does_not_parse_passes_as_it_came_and_is_not_looked_at_again() {
    let long = frame(HEADERS, 0, 1, &[0x82; 16_384]);
    let endless = [
        long,
        (0..20)
            .flat_map(|_| frame(CONTINUATION, 0, 1, &[0x82; 16_384]))
            .collect(),
    ]
    .concat();
    let bomb = [GET, &incremental("a", &"b".repeat(4000)), &[0xbe; 4000]].concat();
    let cases: &[(&str, Vec<u8>, SpliceReason)] = &[
        (
            "a frame larger than announced",
            frame(DATA, 0, 1, &[0; 16_385]),
            SpliceReason::Malformed,
        ),
        (
            "a field block that is none",
            headers(0, 1, &[0xff; 9]),
            SpliceReason::Malformed,
        ),
        (
            "a reference to no entry",
            headers(0, 1, &[0xbe]),
            SpliceReason::Malformed,
        ),
        (
            "a table larger than announced",
            headers(0, 1, &[0x3f, 0xe2, 0x1f]),
            SpliceReason::Malformed,
        ),
        (
            "something else within a header block",
            [frame(HEADERS, 0, 1, GET), frame(PING, 0, 0, &[0; 8])].concat(),
            SpliceReason::Malformed,
        ),
        (
            "another stream's continuation",
            [
                frame(HEADERS, 0, 1, GET),
                frame(CONTINUATION, END_HEADERS, 3, b""),
            ]
            .concat(),
            SpliceReason::Malformed,
        ),
        (
            "a continuation of nothing",
            frame(CONTINUATION, END_HEADERS, 1, b""),
            SpliceReason::Malformed,
        ),
        (
            "more padding than payload",
            frame(DATA, PADDED, 1, &[9; 9]),
            SpliceReason::Malformed,
        ),
        (
            "padding without its length",
            frame(DATA, PADDED, 1, b""),
            SpliceReason::Malformed,
        ),
        (
            "a promise by the client",
            frame(PUSH_PROMISE, END_HEADERS, 1, &[0; 4]),
            SpliceReason::Malformed,
        ),
        (
            "a request on stream 2",
            headers(0, 2, GET),
            SpliceReason::Malformed,
        ),
        (
            "a reset without a code",
            frame(RST_STREAM, 0, 1, b""),
            SpliceReason::Malformed,
        ),
        ("an endless header block", endless, SpliceReason::HeadTooLarge),
        (
            "a header list that explodes",
            headers(0, 1, &bomb),
            SpliceReason::HeadTooLarge,
        ),
    ];
    for (name, bytes, reason) in cases {
        for size in [1, 7, 100, bytes.len()] {
            let mut tapped = opened(mark_traceparent);
            let stream = [&bytes[..], &headers(END_STREAM, 11, GET)].concat();
            let out: Vec<u8> = stream
                .chunks(size)
                .flat_map(|piece| tapped.client(piece))
                .collect();
            assert!(out == stream, "{name}, in pieces of {size}");
            assert_eq!(tapped.tap.spliced(), Some(*reason), "{name}, in pieces of {size}");
            assert_eq!(tapped.tap.open(), 0, "{name}");
        }
    }
}

#[test]
fn a_wrong_preface_passes() {
    let mut tapped = Tapped::new(no_marks);
    assert_eq!(tapped.client(b"PRI * HT"), b"PRI * HT");
    assert_eq!(tapped.client(b"MP/1.0"), b"MP/1.0");
    assert_eq!(tapped.tap.spliced(), Some(SpliceReason::Malformed));
}

#[test]
fn a_table_larger_than_we_keep_ends_the_looking() {
    let mut tapped = opened(no_marks);
    tapped.server(&frame(SETTINGS, 0, 0, &setting(1, 1 << 20)));
    let sixty_five_thousand = headers(END_STREAM, 1, &[&number(0x20, 5, 65_536), GET].concat());
    assert_eq!(tapped.client(&sixty_five_thousand), sixty_five_thousand);
    assert_eq!(tapped.tap.spliced(), None);
    tapped.client(&headers(END_STREAM, 3, &[&number(0x20, 5, 65_537), GET].concat()));
    assert_eq!(tapped.tap.spliced(), Some(SpliceReason::HeadTooLarge));
}

#[test]
fn what_the_client_has_half_sent_goes_on_when_the_server_stops_making_sense() {
    let mut tapped = opened(mark_traceparent);
    let request = headers(END_STREAM, 1, GET);
    let (first, second) = request.split_at(10);
    assert_eq!(tapped.client(first), b"");
    tapped.server(&frame(CONTINUATION, 0, 1, b""));
    assert_eq!(tapped.tap.spliced(), None, "something is still held");
    assert_eq!(tapped.client(second), request);
    assert_eq!(tapped.tap.spliced(), Some(SpliceReason::Malformed));
}

#[test]
fn what_is_held_when_the_client_ends_is_handed_back() {
    let mut tapped = opened(mark_traceparent);
    let request = headers(END_STREAM, 1, GET);
    assert_eq!(tapped.client(&request[..11]), b"");
    let mut out = Vec::new();
    tapped.tap.on_end(Side::Client, &mut out);
    assert_eq!(out, &request[..11]);
}

#[test]
fn every_field_of_the_static_table_is_what_another_decoder_says() {
    let mut tapped = opened(no_marks);
    let block: Vec<u8> = (1..=61).map(|index| 0x80 | index).collect();
    tapped.client(&headers(END_STREAM, 1, &block));
    assert_eq!(
        tapped.log().exchanges[0].request,
        decode(&mut Decoder::new(), &block)
    );
}

#[test]
fn an_idle_connection_costs_little() {
    assert!(size_of::<sidecar::tap::http2::Http2<Recorder>>() <= 512);
}
