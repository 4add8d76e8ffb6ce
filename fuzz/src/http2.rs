//! HTTP/2 connections made of a fuzzer's bytes, and what must hold for each of them.

use fluke_hpack::Decoder;
use sidecar::tap::http2::Http2;
use sidecar::tap::{End, Exchange, Observer, Passed, RequestHead, Side};
use span::{Edits, Field};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const TRACEPARENT: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

type Owned = (Vec<u8>, Vec<u8>);

/// Keeps the last request's fields, and marks requests or does not.
#[derive(Default)]
struct Watcher {
    marks: bool,
    fields: Option<Vec<Owned>>,
}

struct Watched;

impl Observer for Watcher {
    type Exchange = Watched;

    fn begin(&mut self, head: &RequestHead<'_>, edits: &mut Edits) -> Watched {
        let owned = |field: &Field<'_>| (field.name.to_vec(), field.value.to_vec());
        self.fields = Some(head.fields.iter().map(owned).collect());
        if self.marks {
            for (at, _) in head
                .fields
                .iter()
                .enumerate()
                .filter(|(_, field)| field.value.len() % 2 == 1)
            {
                edits.replace(at, |out| out.extend_from_slice(TRACEPARENT));
            }
            edits.add("traceparent", |out| out.extend_from_slice(TRACEPARENT));
        }
        Watched
    }

    fn left_stale(&mut self, _name: &[u8]) {}

    fn left_unseen(&mut self) {}
}

impl Exchange for Watched {
    fn request_body(&mut self, _bytes: u64) {}
    fn request_end(&mut self) {}
    fn response_head(&mut self, status: u16, _fields: &[Field<'_>]) {
        assert!((100..1000).contains(&status));
    }
    fn response_body(&mut self, _bytes: u64) {}
    fn response_trailers(&mut self, _fields: &[Field<'_>]) {}
    fn message(&mut self, _from: Side) {}
    fn end(self, _end: End) {}
}

/// A connection: the first byte says in pieces of which size, the second where the server's bytes begin.
pub fn connection(data: &[u8]) {
    let [size, split, data @ ..] = data else { return };
    let (client, server) = data.split_at(data.len() * usize::from(*split) / 256);
    let client = [PREFACE, client].concat();
    let unmarked = pass(false, &client, server, usize::from(*size).max(1));
    assert_eq!(unmarked, client, "nothing was to be changed");
    let marked = pass(true, &client, server, usize::from(*size).max(1));
    assert_eq!(
        marked,
        pass(true, &client, server, usize::MAX),
        "cuts must not matter"
    );
}

/// What becomes of the client's bytes, when the server's pass first.
fn pass(marks: bool, client: &[u8], server: &[u8], size: usize) -> Vec<u8> {
    let mut tap = Http2::new();
    let mut watcher = Watcher { marks, fields: None };
    let mut all = Vec::new();
    let mut out = Vec::new();
    for (from, bytes) in [(Side::Server, server), (Side::Client, client)] {
        for piece in bytes.chunks(size) {
            out.clear();
            let passed = tap.on_bytes(from, piece, &mut out, &mut watcher);
            match from {
                Side::Server => assert_eq!(passed, Passed::AsIs),
                Side::Client if passed == Passed::AsIs => all.extend_from_slice(piece),
                Side::Client => all.append(&mut out),
            }
        }
    }
    tap.on_end(Side::Client, &mut all);
    all
}

/// Field blocks, each with a byte before it that says how long it is: read as another decoder reads them.
pub fn field_blocks(mut data: &[u8]) {
    let mut tap = Http2::new();
    let mut watcher = Watcher::default();
    let mut other = Decoder::new();
    let mut out = Vec::new();
    let _as_is = tap.on_bytes(Side::Client, PREFACE, &mut out, &mut watcher);
    let mut stream = 1_u32;
    while let Some((length, rest)) = data.split_first() {
        let (block, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        let head = [[0, 0, block.len() as u8, 1, 5].as_slice(), &stream.to_be_bytes()].concat();
        let _as_is = tap.on_bytes(Side::Client, &[&head, block].concat(), &mut out, &mut watcher);
        // The other one panics at some of what we refuse, and refuses a change of the table's size at a block's end.
        let Some(ours) = watcher.fields.take() else { return };
        let Ok(theirs) = other.decode(block) else { return };
        assert_eq!(ours, theirs);
        stream += 2;
        data = rest;
    }
}
