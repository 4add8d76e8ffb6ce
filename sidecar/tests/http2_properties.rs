//! What holds for any HTTP/2 connection: generated ones, cut anywhere, and such as make no sense at all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod http2_support;

use std::collections::VecDeque;

use fluke_hpack::Decoder;
use http2_support::*;
use proptest::collection::vec;
use proptest::prelude::*;
use sidecar::tap::Side;
use span::{Edits, Field};

/// One thing that a side does.
#[derive(Clone, Debug)]
enum Action {
    /// A header block: on a new stream, or on the `nth` that exists. It comes in frames of at most `cut` bytes.
    Block {
        nth: Option<usize>,
        fields: Vec<Choice>,
        padding: Option<u8>,
        priority: bool,
        ends: bool,
        cut: usize,
    },
    Data {
        nth: usize,
        length: usize,
        padding: Option<u8>,
        ends: bool,
    },
    Reset {
        nth: usize,
    },
    /// A frame of any other kind, unknown ones too.
    Other {
        kind: u8,
        flags: u8,
        stream: u32,
        length: usize,
    },
    /// The next block begins with a change of the table's size.
    Resize(usize),
}

/// A field, and how it is to be represented.
#[derive(Clone, Debug)]
struct Choice {
    name: &'static str,
    value: String,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Indexed where the table has it, else incremental.
    Indexed,
    Incremental,
    Plain,
    NeverIndexed,
}

/// What a header block was before and must be after the tap, and which names were left stale.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Expected {
    fields: Vec<Owned>,
    stale: Vec<Vec<u8>>,
}

/// Compresses fields as it is told, by a table kept as naively as can be.
struct Encoder {
    table: VecDeque<(String, String)>,
    max: usize,
    resized: Vec<usize>,
}

impl Encoder {
    fn new() -> Self {
        Self {
            table: VecDeque::new(),
            max: 4096,
            resized: Vec::new(),
        }
    }

    fn resize(&mut self, size: usize) {
        self.resized.push(size);
        self.max = size;
        self.evict(0);
    }

    fn evict(&mut self, more: usize) {
        let size = |table: &VecDeque<(String, String)>| -> usize {
            table
                .iter()
                .map(|(name, value)| name.len() + value.len() + 32)
                .sum()
        };
        while !self.table.is_empty() && size(&self.table) + more > self.max {
            self.table.pop_back();
        }
    }

    /// Appends the field, and says whether it went as an incremental literal.
    fn field(&mut self, choice: &Choice, block: &mut Vec<u8>) -> bool {
        let exact = self
            .table
            .iter()
            .position(|(name, value)| name == choice.name && *value == choice.value);
        if let (Form::Indexed, Some(at)) = (choice.form, exact) {
            block.extend(number(0x80, 7, 62 + at));
            return false;
        }
        let (pattern, prefix) = match choice.form {
            Form::Indexed | Form::Incremental => (0x40, 6),
            Form::Plain => (0x00, 4),
            Form::NeverIndexed => (0x10, 4),
        };
        match self.table.iter().position(|(name, _)| name == choice.name) {
            Some(at) => block.extend(number(pattern, prefix, 62 + at)),
            None => {
                block.push(pattern);
                block.extend(string(choice.name.as_bytes()));
            }
        }
        block.extend(string(choice.value.as_bytes()));
        if pattern == 0x40 {
            let size = choice.name.len() + choice.value.len() + 32;
            self.evict(size);
            if size <= self.max {
                self.table.push_front((choice.name.into(), choice.value.clone()));
            }
        }
        pattern == 0x40
    }
}

/// What [`mark`] makes of a field of the request of this number.
fn marked(number: usize, name: &[u8]) -> Option<Vec<u8>> {
    match name {
        _ if number % 4 == 3 => None,
        b"traceparent" => Some(traceparent(number)),
        b"tracestate" => Some(format!("mesh={number}").into_bytes()),
        _ => None,
    }
}

/// Brings all trace headers up to date and adds one, except in every fourth request.
fn mark(number: usize, fields: &[Field<'_>], edits: &mut Edits) {
    for (at, field) in fields.iter().enumerate() {
        if let Some(value) = marked(number, field.name) {
            edits.replace(at, |out| out.extend_from_slice(&value));
        }
    }
    if number % 4 != 3 {
        edits.add("x-added", |out| {
            out.extend_from_slice(number.to_string().as_bytes());
        });
    }
}

/// The bytes of a side, and what its header blocks are to become if they are the client's.
fn play(side: Side, actions: &[Action]) -> (Vec<u8>, Vec<Expected>) {
    let mut bytes = match side {
        Side::Client => PREFACE.to_vec(),
        Side::Server => Vec::new(),
    };
    let mut encoder = Encoder::new();
    let mut expected = Vec::new();
    let mut opened = 0;
    // The server speaks of the first dozen, whether the client has opened them or not.
    let known = |opened: usize| if side == Side::Client { opened.max(1) } else { 12 };
    let stream_of = |nth: usize, opened: usize| (2 * (nth % known(opened)) + 1) as u32;
    for action in actions {
        match action {
            Action::Block {
                nth,
                fields,
                padding,
                priority,
                ends,
                cut,
            } => {
                let request = side == Side::Client && (nth.is_none() || opened == 0);
                let stream = match nth {
                    Some(nth) if !request => stream_of(*nth, opened),
                    _ => (2 * opened + 1) as u32,
                };
                let mut block = Vec::new();
                // The other decoder takes no block that has nothing else in it.
                if !fields.is_empty() {
                    for size in std::mem::take(&mut encoder.resized) {
                        block.extend(number(0x20, 5, size));
                    }
                }
                let mut now = Expected {
                    fields: Vec::new(),
                    stale: Vec::new(),
                };
                for choice in fields {
                    let incremental = encoder.field(choice, &mut block);
                    let wanted = marked(opened, choice.name.as_bytes()).filter(|_| request);
                    let value = match wanted {
                        Some(value) if incremental && value.len() != choice.value.len() => {
                            now.stale.push(choice.name.into());
                            choice.value.clone().into_bytes()
                        }
                        Some(value) => value,
                        None => choice.value.clone().into_bytes(),
                    };
                    now.fields.push((choice.name.into(), value));
                }
                if request && opened % 4 != 3 {
                    now.fields
                        .push((b"x-added".to_vec(), opened.to_string().into_bytes()));
                }
                opened += usize::from(request);
                expected.push(now);
                bytes.extend(block_frames(stream, &block, *padding, *priority, *ends, *cut));
            }
            Action::Data {
                nth,
                length,
                padding,
                ends,
            } => {
                let (before, after) = padded(*padding);
                let flags = when(*ends, END_STREAM) | when(padding.is_some(), PADDED);
                let payload = [before, vec![0; *length], after].concat();
                bytes.extend(frame(DATA, flags, stream_of(*nth, opened), &payload));
            }
            Action::Reset { nth } => {
                bytes.extend(frame(RST_STREAM, 0, stream_of(*nth, opened), &[0, 0, 0, 8]));
            }
            Action::Other {
                kind,
                flags,
                stream,
                length,
            } => {
                bytes.extend(frame(*kind, *flags, *stream, &vec![0xab; *length]));
            }
            Action::Resize(size) => encoder.resize(*size),
        }
    }
    (bytes, expected)
}

/// The flag, if it is so.
fn when(so: bool, flag: u8) -> u8 {
    if so { flag } else { 0 }
}

fn padded(padding: Option<u8>) -> (Vec<u8>, Vec<u8>) {
    padding.map_or_else(Default::default, |length| (vec![length], vec![0; length.into()]))
}

fn block_frames(
    stream: u32,
    block: &[u8],
    padding: Option<u8>,
    priority: bool,
    ends: bool,
    cut: usize,
) -> Vec<u8> {
    let (before, after) = padded(padding);
    let priority = if priority {
        vec![0, 0, 0, 0, 16]
    } else {
        Vec::new()
    };
    let mut pieces = block.chunks(cut);
    let first = pieces.next().unwrap_or_default();
    let flags = when(padding.is_some(), PADDED)
        | when(!priority.is_empty(), PRIORITIZED)
        | when(ends, END_STREAM)
        | when(pieces.len() == 0, END_HEADERS);
    let mut bytes = frame(
        HEADERS,
        flags,
        stream,
        &[&before, &priority, first, &after].concat(),
    );
    while let Some(piece) = pieces.next() {
        bytes.extend(frame(
            CONTINUATION,
            when(pieces.len() == 0, END_HEADERS),
            stream,
            piece,
        ));
    }
    bytes
}

/// A frame; or a header block as its first frame without the compressed fields, and those.
#[derive(Debug, PartialEq, Eq)]
enum Unit {
    Frame(Frame),
    Block(Frame, Vec<u8>),
}

fn units(bytes: &[u8]) -> Vec<Unit> {
    let mut units = Vec::new();
    for mut frame in frames(bytes) {
        match (frame.kind, units.last_mut()) {
            (HEADERS, _) => {
                let before = usize::from(frame.flags & PADDED != 0)
                    + if frame.flags & PRIORITIZED != 0 { 5 } else { 0 };
                let padding = if frame.flags & PADDED != 0 {
                    usize::from(frame.payload[0])
                } else {
                    0
                };
                let block = frame
                    .payload
                    .drain(before..frame.payload.len() - padding)
                    .collect();
                frame.flags &= !END_HEADERS;
                units.push(Unit::Block(frame, block));
            }
            (CONTINUATION, Some(Unit::Block(_, block))) => block.extend(frame.payload),
            _ => units.push(Unit::Frame(frame)),
        }
    }
    units
}

fn choice() -> impl Strategy<Value = Choice> {
    let trace = prop_oneof![
        (0..3_usize).prop_map(|n| ("traceparent", format!("00-{n:032x}-{n:016x}-00"))),
        Just(("traceparent", "00-broken".to_owned())),
        (0..1200_usize).prop_map(|n| ("tracestate", format!("mesh={n}"))),
    ];
    let other = (
        0..6_usize,
        0..4_usize,
        prop_oneof![9 => 0..40_usize, 1 => 100..5000_usize],
    )
        .prop_map(|(name, n, length)| {
            let name = [":path", "user-agent", "cookie", "x-a", "x-b", "content-type"][name];
            (name, n.to_string().repeat(length))
        });
    let form = prop_oneof![
        4 => Just(Form::Indexed),
        2 => Just(Form::Incremental),
        1 => Just(Form::Plain),
        1 => Just(Form::NeverIndexed),
    ];
    (prop_oneof![trace, other], form).prop_map(|((name, value), form)| Choice { name, value, form })
}

fn action() -> impl Strategy<Value = Action> {
    let padding = || proptest::option::weighted(0.2, any::<u8>());
    let cut = prop_oneof![3 => Just(16_000_usize), 1 => 1..300_usize];
    let nth = proptest::option::weighted(0.2, 0..50_usize);
    let other = (
        prop_oneof![Just(PRIORITY), Just(PING), Just(WINDOW_UPDATE), 10..=255_u8],
        any::<u8>(),
        0..50_u32,
        0..200_usize,
    );
    prop_oneof![
        6 => (nth, vec(choice(), 0..8), padding(), any::<bool>(), any::<bool>(), cut).prop_map(
            |(nth, fields, padding, priority, ends, cut)| Action::Block { nth, fields, padding, priority, ends, cut }
        ),
        3 => (0..50_usize, 0..400_usize, padding(), any::<bool>())
            .prop_map(|(nth, length, padding, ends)| Action::Data { nth, length, padding, ends }),
        1 => (0..50_usize).prop_map(|nth| Action::Reset { nth }),
        2 => other.prop_map(|(kind, flags, stream, length)| Action::Other { kind, flags, stream, length }),
        1 => (0..=4096_usize).prop_map(Action::Resize),
    ]
}

/// Server actions have a status in front of every other block.
fn response(actions: Vec<Action>) -> Vec<Action> {
    let status = |n: usize| Choice {
        name: ":status",
        value: ["103", "200", "404"][n % 3].into(),
        form: Form::Indexed,
    };
    let with_status = |(n, action): (usize, Action)| match action {
        Action::Block {
            nth,
            mut fields,
            padding,
            ends,
            cut,
            ..
        } => {
            if n % 2 == 0 {
                fields.insert(0, status(n / 2));
            }
            Action::Block {
                nth: Some(nth.unwrap_or(n)),
                fields,
                padding,
                priority: false,
                ends,
                cut,
            }
        }
        other => other,
    };
    actions.into_iter().enumerate().map(with_status).collect()
}

/// Passes both streams, in pieces of the given sizes over and over, and says what came of the client's.
fn pass(mark: Mark, client: &[u8], server: &[u8], sizes: &[usize]) -> (Vec<u8>, Log, bool) {
    let mut tapped = Tapped::new(mark);
    let mut out = Vec::new();
    for (side, mut bytes) in [(Side::Client, client), (Side::Server, server)] {
        for size in sizes.iter().cycle() {
            let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
            match side {
                Side::Client => out.extend(tapped.client(piece)),
                Side::Server => tapped.server(piece),
            }
            bytes = rest;
            if bytes.is_empty() {
                break;
            }
        }
        tapped.tap.on_end(side, &mut out);
    }
    let spliced = tapped.tap.spliced().is_some();
    (out, tapped.log(), spliced)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_server_gets_the_same_frames_with_exactly_the_edits(actions in vec(action(), 1..60)) {
        let (sent, expected) = play(Side::Client, &actions);
        let (got, log, spliced) = pass(mark, &sent, b"", &[usize::MAX]);
        prop_assert!(!spliced);
        let (before, after) = (units(&sent[PREFACE.len()..]), units(&got[PREFACE.len()..]));
        prop_assert_eq!(before.len(), after.len());
        let (mut client, mut server) = (Decoder::new(), Decoder::new());
        let mut blocks = expected.iter();
        for (before, after) in before.iter().zip(&after) {
            match (before, after) {
                (Unit::Block(head, sent), Unit::Block(passed, block)) => {
                    prop_assert_eq!(head, passed);
                    client.decode(sent).unwrap();
                    prop_assert_eq!(&server.decode(block).unwrap(), &blocks.next().unwrap().fields);
                }
                (before, after) => prop_assert_eq!(before, after),
            }
        }
        let stale: Vec<_> = expected.iter().flat_map(|block| block.stale.clone()).collect();
        prop_assert_eq!(log.stale, stale);
    }

    #[test]
    fn it_does_not_matter_where_the_bytes_are_cut(
        client in vec(action(), 1..40),
        server in vec(action(), 1..40),
        sizes in vec(prop_oneof![1..12_usize, 1..2000_usize], 1..20),
    ) {
        let (client, _) = play(Side::Client, &client);
        let (server, _) = play(Side::Server, &response(server));
        let whole = pass(mark, &client, &server, &[usize::MAX]);
        prop_assert!(!whole.2);
        prop_assert_eq!(pass(mark, &client, &server, &sizes), whole);
    }

    #[test]
    fn damaged_connections_pass_unaltered_when_nothing_is_marked(
        client in vec(action(), 1..20),
        server in vec(action(), 1..20),
        sizes in vec(1..3000_usize, 1..5),
        damage in vec((any::<bool>(), any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let (mut client, _) = play(Side::Client, &client);
        let (mut server, _) = play(Side::Server, &response(server));
        for (at_client, index, byte) in damage {
            let bytes = if at_client { &mut client } else { &mut server };
            if !bytes.is_empty() {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let (out, ..) = pass(no_marks, &client, &server, &sizes);
        prop_assert_eq!(out, client.clone());
        // With marks it must at least not panic, and do the same wherever it is cut.
        prop_assert_eq!(pass(mark, &client, &server, &sizes).0, pass(mark, &client, &server, &[usize::MAX]).0);
    }

    #[test]
    fn any_bytes_behind_a_preface_pass_unaltered(
        client in vec(any::<u8>(), 0..300),
        server in vec(any::<u8>(), 0..300),
        kind in 0..10_u8,
        sizes in vec(1..40_usize, 1..5),
    ) {
        // A frame header that makes sense, so that not all of it ends at the first length.
        let client = [PREFACE, &frame(kind, 0x4 | client.len() as u8, 1, &client), &server].concat();
        let server = frame(kind, 0x4 | server.len() as u8, 1, &server);
        let (out, ..) = pass(no_marks, &client, &server, &sizes);
        prop_assert_eq!(out, client);
    }
}
