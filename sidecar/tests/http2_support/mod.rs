//! What the tests of the HTTP/2 tap share: an observer that writes everything down, and frames by hand.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part of this"
)]

use std::sync::{Arc, Mutex};

use sidecar::tap::http2::Http2;
use sidecar::tap::{End, Exchange, Observer, Passed, RequestHead, Side};
use span::{Edits, Field};

/// A field, owned.
pub type Owned = (Vec<u8>, Vec<u8>);

/// What is known of one exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    pub authority: Option<Vec<u8>>,
    pub request: Vec<Owned>,
    pub request_body: u64,
    pub request_ends: u32,
    pub heads: Vec<(u16, Vec<Owned>)>,
    pub response_body: u64,
    pub trailers: Option<Vec<Owned>>,
    pub messages: (u64, u64),
    pub end: Option<End>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    pub exchanges: Vec<Seen>,
    pub stale: Vec<Vec<u8>>,
    pub unseen: u64,
}

/// How a test marks requests: given the number of the request and its fields.
pub type Mark = fn(usize, &[Field<'_>], &mut Edits);

/// Writes everything down.
#[derive(Clone)]
pub struct Recorder {
    pub log: Arc<Mutex<Log>>,
    mark: Mark,
}

pub struct Recorded {
    log: Arc<Mutex<Log>>,
    number: usize,
}

impl Recorder {
    pub fn new(mark: Mark) -> Self {
        Self {
            log: Arc::default(),
            mark,
        }
    }

    pub fn log(&self) -> Log {
        self.log.lock().unwrap().clone()
    }

    /// An exchange that began before the tap did.
    pub fn begun(&self) -> Recorded {
        let mut log = self.log.lock().unwrap();
        log.exchanges.push(Seen::default());
        Recorded {
            log: self.log.clone(),
            number: log.exchanges.len() - 1,
        }
    }
}

pub fn owned(fields: &[Field<'_>]) -> Vec<Owned> {
    fields
        .iter()
        .map(|field| (field.name.to_vec(), field.value.to_vec()))
        .collect()
}

impl Observer for Recorder {
    type Exchange = Recorded;

    fn begin(&mut self, head: &RequestHead<'_>, edits: &mut Edits) -> Recorded {
        assert!(edits.is_empty());
        let recorded = self.begun();
        (self.mark)(recorded.number, head.fields, edits);
        recorded.write(|seen| {
            seen.method = head.method.to_vec();
            seen.target = head.target.to_vec();
            seen.authority = head.authority.map(<[u8]>::to_vec);
            seen.request = owned(head.fields);
        });
        recorded
    }

    fn left_stale(&mut self, name: &[u8]) {
        self.log.lock().unwrap().stale.push(name.to_vec());
    }

    fn left_unseen(&mut self) {
        self.log.lock().unwrap().unseen += 1;
    }
}

impl Recorded {
    fn write(&self, write: impl FnOnce(&mut Seen)) {
        let mut log = self.log.lock().unwrap();
        let seen = &mut log.exchanges[self.number];
        assert_eq!(seen.end, None, "it is over");
        write(seen);
    }
}

impl Exchange for Recorded {
    fn request_body(&mut self, bytes: u64) {
        self.write(|seen| seen.request_body += bytes);
    }

    fn request_end(&mut self) {
        self.write(|seen| seen.request_ends += 1);
    }

    fn response_head(&mut self, status: u16, fields: &[Field<'_>]) {
        self.write(|seen| seen.heads.push((status, owned(fields))));
    }

    fn response_body(&mut self, bytes: u64) {
        self.write(|seen| seen.response_body += bytes);
    }

    fn response_trailers(&mut self, fields: &[Field<'_>]) {
        self.write(|seen| seen.trailers = Some(owned(fields)));
    }

    fn message(&mut self, from: Side) {
        self.write(|seen| match from {
            Side::Client => seen.messages.0 += 1,
            Side::Server => seen.messages.1 += 1,
        });
    }

    fn end(self, end: End) {
        self.write(|seen| seen.end = Some(end));
    }
}

/// A tap with its observer.
pub struct Tapped {
    pub tap: Http2<Recorder>,
    pub recorder: Recorder,
}

impl Tapped {
    pub fn new(mark: Mark) -> Self {
        Self {
            tap: Http2::new(),
            recorder: Recorder::new(mark),
        }
    }

    /// What the other side gets for these bytes.
    pub fn pass(&mut self, from: Side, input: &[u8]) -> Vec<u8> {
        let mut out = b"before".to_vec();
        let passed = self.tap.on_bytes(from, input, &mut out, &mut self.recorder);
        let appended = out.strip_prefix(b"before").expect("out is only appended to");
        match passed {
            Passed::AsIs => {
                assert_eq!(appended, b"");
                input.to_vec()
            }
            Passed::Edited => appended.to_vec(),
        }
    }

    pub fn client(&mut self, input: &[u8]) -> Vec<u8> {
        self.pass(Side::Client, input)
    }

    /// Passes bytes of the server, which are never changed.
    pub fn server(&mut self, input: &[u8]) {
        assert_eq!(self.pass(Side::Server, input), input);
    }

    pub fn log(&self) -> Log {
        self.recorder.log()
    }
}

pub fn no_marks(_: usize, _: &[Field<'_>], _: &mut Edits) {}

/// Brings `traceparent` up to date, or adds it: 55 bytes that tell the number of the request.
pub fn mark_traceparent(number: usize, fields: &[Field<'_>], edits: &mut Edits) {
    let write = |out: &mut Vec<u8>| out.extend_from_slice(&traceparent(number));
    match fields.iter().position(|field| field.is("traceparent")) {
        Some(at) => edits.replace(at, write),
        None => edits.add("traceparent", write),
    }
}

/// What [`mark_traceparent`] writes into the request of this number.
pub fn traceparent(number: usize) -> Vec<u8> {
    format!("00-{:032x}-{:016x}-01", number + 1, 0xfeed_0000 + number).into_bytes()
}

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;
pub const PRIORITIZED: u8 = 0x20;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Takes whole frames apart.
pub fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
        frames.push(Frame {
            kind: bytes[3],
            flags: bytes[4],
            stream: u32::from_be_bytes(bytes[5..9].try_into().unwrap()),
            payload: bytes[9..9 + length].to_vec(),
        });
        bytes = &bytes[9 + length..];
    }
    frames
}

/// A string literal without Huffman coding, shorter than 127 bytes or not.
pub fn string(text: &[u8]) -> Vec<u8> {
    [number(0, 7, text.len()), text.to_vec()].concat()
}

pub fn number(pattern: u8, prefix: u32, number: usize) -> Vec<u8> {
    let full = (1 << prefix) - 1;
    if number < full {
        return vec![pattern | number as u8];
    }
    let mut bytes = vec![pattern | full as u8];
    let mut rest = number - full;
    while rest >= 128 {
        bytes.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    bytes.push(rest as u8);
    bytes
}

/// A literal with incremental indexing and a name of its own.
pub fn incremental(name: &str, value: &str) -> Vec<u8> {
    [vec![0x40], string(name.as_bytes()), string(value.as_bytes())].concat()
}

/// A literal without indexing and with a name of its own.
pub fn plain(name: &str, value: &str) -> Vec<u8> {
    [vec![0], string(name.as_bytes()), string(value.as_bytes())].concat()
}

/// `GET`, `http`, `/` from the static table.
pub const GET: &[u8] = &[0x82, 0x86, 0x84];
/// `:status: 200` from the static table.
pub const OK: &[u8] = &[0x88];
