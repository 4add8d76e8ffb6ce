//! HTTP/2 (RFC 9113) as a tap: frames pass end to end, and only the header blocks of requests are ever touched.
//!
//! What the client sends passes as it came, but for two things. The beginning of a frame header, of a header block or
//! of a short control frame is held back until it is whole, at which no endpoint can take offence: it could do nothing
//! with less. And a request's header block gets its trace headers. What the server sends is never held and never
//! changed; it is read alongside.
//!
//! Both directions' header compression is followed, because each block depends on those before. Our edits keep the
//! tables of client and server at the same sizes and places. Only the *value* of an entry may differ, where the client
//! indexes its own trace header: from then on a reference to that entry is replaced by a literal.
//!
//! A stream that becomes a tunnel (CONNECT, RFC 8441) stays a stream: it is observed to its end like any other.

mod block;
mod flow;
mod frame;
mod grpc;
mod hpack;
#[cfg(test)]
mod hpack_vectors;
mod huffman;
mod passage;
mod static_table;
mod streams;
mod table;

use std::borrow::Cow;
use std::cell::Cell;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use span::Field;

use super::{End, Observer, Passed, RequestHead, Side, SpliceReason, Version};
use block::{FieldBlock, Scratch};
use flow::{Flow, Gathered, Payload, Step};
use frame::{HEAD, Head, flag, kind};
use passage::Passage;
use streams::Streams;
use table::Table;

/// What a client sends first, RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Settings that change what we read, RFC 9113, section 6.5.2.
const HEADER_TABLE_SIZE: u16 = 0x1;
const MAX_FRAME_SIZE: u16 = 0x5;
const MAX_HEADER_LIST_SIZE: u16 = 0x6;

thread_local! {
    /// Memory for one header block, lent to whichever connection reads one, so that idle ones keep none.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// The tap of one HTTP/2 connection.
pub struct Http2<O: Observer> {
    /// What is still to come of the client's preface.
    preface: &'static [u8],
    client: Flow,
    server: Flow,
    streams: Streams<O::Exchange>,
    /// The largest field list that the server says it takes.
    max_list: usize,
    spliced: Option<SpliceReason>,
}

impl<O: Observer> Default for Http2<O> {
    fn default() -> Self {
        Self::new()
    }
}

impl<O: Observer> Http2<O> {
    /// The tap of a connection on which nothing has been sent yet: the client's preface comes first.
    pub fn new() -> Self {
        Self {
            preface: PREFACE,
            client: Flow::new(),
            server: Flow::new(),
            streams: Streams::new(),
            max_list: usize::MAX,
            spliced: None,
        }
    }

    /// The tap of a connection that changed from HTTP/1.1 (`Upgrade: h2c`, RFC 7540, section 3.2), from the byte behind
    /// the `101` on. The request that asked for it is `exchange`: it is complete, and its response comes on stream 1.
    /// `settings` is the value of its `HTTP2-Settings` field, which is ignored where it does not parse.
    pub fn after_upgrade(exchange: O::Exchange, settings: Option<&[u8]>) -> Self {
        let mut tap = Self::new();
        tap.streams.begin_upgraded(exchange);
        if let Some(Ok(settings)) = settings.map(|coded| URL_SAFE_NO_PAD.decode(coded)) {
            tap.settings(Side::Client, &settings);
        }
        tap
    }

    /// Takes the next bytes of `from`, and says what the other side is to be sent for them. `out` is only appended to.
    ///
    /// Once [`Http2::spliced`] says so, the answer is always [`Passed::AsIs`].
    pub fn on_bytes(&mut self, from: Side, input: &[u8], out: &mut Vec<u8>, observer: &mut O) -> Passed {
        let mut passage = Passage::new(input, out);
        if self.is_blind() {
            if from == Side::Client && self.client.is_amid_unit() {
                passage.replace(0).append(&mut self.client.take_partial());
            }
        } else if let Err(reason) = self.watch(from, &mut passage, observer) {
            self.splice(reason);
        }
        passage.finish()
    }

    /// The side has sent its last byte. Appends what was held back, as it came. When it is the server, all exchanges
    /// that are still open end as reset by it: their responses can no longer become whole.
    pub fn on_end(&mut self, from: Side, out: &mut Vec<u8>) {
        match from {
            Side::Client => out.extend_from_slice(&self.client.take_partial()),
            Side::Server => self.end_all(End::ServerReset),
        }
    }

    /// Why this connection is no longer looked at. From then on nothing is held back either, so that its bytes can take
    /// a shorter way.
    pub fn spliced(&self) -> Option<SpliceReason> {
        self.spliced.filter(|_| !self.client.is_amid_unit())
    }

    /// How many exchanges are open.
    pub fn open(&self) -> usize {
        self.streams.open()
    }

    /// All open exchanges are over, because the connection is.
    pub fn end_all(&mut self, end: End) {
        self.streams.end_all(end);
    }

    /// Nothing is looked at any more, although something may still be held back.
    fn is_blind(&self) -> bool {
        self.spliced.is_some()
    }

    fn splice(&mut self, reason: SpliceReason) {
        self.spliced = Some(reason);
        self.end_all(End::Unseen);
        // What is held of the client's goes on with its next bytes.
        self.client.table = Table::new();
        self.server = Flow::new();
    }

    fn flow(&mut self, side: Side) -> &mut Flow {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Looks at all of the input, unit by unit.
    fn watch(&mut self, from: Side, passage: &mut Passage<'_>, observer: &mut O) -> Result<(), SpliceReason> {
        if from == Side::Client && !self.preface.is_empty() {
            self.preface = passage.expect(self.preface).ok_or(SpliceReason::Malformed)?;
        }
        loop {
            while let Some(step) = self.flow(from).step(passage.rest()) {
                match step {
                    Step::Content(stream, bytes) => {
                        self.streams.content(from, stream, bytes);
                        passage.pass(bytes.len());
                    }
                    Step::Skipped(bytes) => passage.pass(bytes),
                    Step::Last(stream) => self.streams.ended(from, stream),
                }
            }
            if passage.rest().is_empty() {
                return Ok(());
            }
            let Gathered { taken, unit } = self.flow(from).gather(passage.rest());
            match from {
                Side::Server => {
                    passage.pass(taken);
                    let Some(unit) = unit? else { return Ok(()) };
                    self.server_unit(&unit)?;
                }
                Side::Client => {
                    let unit = unit.inspect_err(|_| {
                        passage.replace(taken).append(&mut self.client.take_partial());
                    })?;
                    let Some(unit) = unit else {
                        passage.replace(taken);
                        return Ok(());
                    };
                    let written = self.client_unit(&unit, taken, passage, observer);
                    if !matches!(written, Ok(true)) {
                        match unit {
                            Cow::Borrowed(_) => passage.pass(taken),
                            Cow::Owned(mut held) => passage.replace(taken).append(&mut held),
                        }
                    }
                    written?;
                }
            }
        }
    }

    /// Looks at a unit of the client, which is `taken` bytes of the input or ends with them. Says whether it has written
    /// something else in its place.
    fn client_unit(
        &mut self,
        unit: &[u8],
        taken: usize,
        passage: &mut Passage<'_>,
        observer: &mut O,
    ) -> Result<bool, SpliceReason> {
        let head = Head::read(unit).ok_or(SpliceReason::Malformed)?;
        if head.kind != kind::HEADERS {
            self.other_unit(Side::Client, head, unit)?;
            return Ok(false);
        }
        if head.stream.is_multiple_of(2) {
            return Err(SpliceReason::Malformed);
        }
        let block = FieldBlock::of(head, unit).ok_or(SpliceReason::Malformed)?;
        let compressed = block.fragment();
        let mut scratch = SCRATCH.take().unwrap_or_default();
        scratch.read(&compressed, &mut self.client)?;
        if self.streams.opens(head.stream) {
            if self.streams.is_full() {
                observer.left_unseen();
            } else {
                let streams = &mut self.streams;
                scratch.look(|fields, edits| {
                    streams.begin(head.stream, observer.begin(&request_head(fields), edits), fields);
                });
            }
        }
        if head.has(flag::END_STREAM) {
            self.streams.ended(Side::Client, head.stream);
        }
        let edited = scratch.edit(&compressed, &mut self.client.table, self.max_list, |name| {
            observer.left_stale(name);
        });
        if edited {
            block.write(&scratch.edited, passage.replace(taken));
        }
        scratch.rest();
        SCRATCH.set(Some(scratch));
        Ok(edited)
    }

    /// Looks at a unit of the server, which has passed already.
    fn server_unit(&mut self, unit: &[u8]) -> Result<(), SpliceReason> {
        let head = Head::read(unit).ok_or(SpliceReason::Malformed)?;
        if !matches!(head.kind, kind::HEADERS | kind::PUSH_PROMISE) {
            return self.other_unit(Side::Server, head, unit);
        }
        let block = FieldBlock::of(head, unit).ok_or(SpliceReason::Malformed)?;
        let mut scratch = SCRATCH.take().unwrap_or_default();
        scratch.read(&block.fragment(), &mut self.server)?;
        // A promised request is read only for the sake of the table.
        if head.kind == kind::HEADERS {
            scratch.look(|fields, _| self.streams.response_fields(head.stream, fields));
            if head.has(flag::END_STREAM) {
                self.streams.ended(Side::Server, head.stream);
            }
        }
        scratch.rest();
        SCRATCH.set(Some(scratch));
        Ok(())
    }

    /// Looks at a unit that is no header block.
    fn other_unit(&mut self, from: Side, head: Head, unit: &[u8]) -> Result<(), SpliceReason> {
        let content = unit.get(HEAD..).unwrap_or_default();
        let rest = head.length.saturating_sub(content.len());
        let mut payload = Payload {
            rest,
            ..Payload::default()
        };
        match head.kind {
            kind::DATA => {
                let padding = match content.first() {
                    Some(length) => usize::from(*length),
                    None if head.has(flag::PADDED) => return Err(SpliceReason::Malformed),
                    None => 0,
                };
                payload = Payload {
                    stream: head.stream,
                    content: rest.checked_sub(padding).ok_or(SpliceReason::Malformed)?,
                    rest: padding,
                    last: head.has(flag::END_STREAM),
                };
            }
            kind::RST_STREAM if head.length == 4 => {
                let code = frame::leading_u32(content).ok_or(SpliceReason::Malformed)?;
                self.streams.reset(from, head.stream, code);
            }
            kind::SETTINGS if head.length.is_multiple_of(6) => self.settings(from, content),
            kind::GOAWAY if head.length >= 8 => {
                if let (Side::Server, Some(last)) = (from, frame::leading_u32(content)) {
                    self.streams.go_away(last & 0x7fff_ffff);
                }
            }
            // Of the wrong length; and clients promise nothing.
            kind::RST_STREAM | kind::SETTINGS | kind::GOAWAY | kind::PUSH_PROMISE => {
                return Err(SpliceReason::Malformed);
            }
            _ => {}
        }
        self.flow(from).expect(payload);
        Ok(())
    }

    /// The side says what it is willing to receive, so the other may send more than it could before. It may do so from
    /// when it has read this, so nothing is ever forbidden again that was once allowed.
    fn settings(&mut self, from: Side, settings: &[u8]) {
        let sender = match from {
            Side::Client => &mut self.server,
            Side::Server => &mut self.client,
        };
        for (name, value) in frame::settings(settings) {
            let value = value as usize;
            match name {
                HEADER_TABLE_SIZE => sender.allowed_table = sender.allowed_table.max(value),
                MAX_FRAME_SIZE => {
                    sender.max_frame = sender.max_frame.max(value.min(frame::MAX_PAYLOAD_ANNOUNCED));
                }
                MAX_HEADER_LIST_SIZE if from == Side::Server => self.max_list = value,
                _ => {}
            }
        }
    }
}

fn request_head<'a>(fields: &'a [Field<'a>]) -> RequestHead<'a> {
    let find = |name: &[u8]| {
        fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.value)
    };
    RequestHead {
        method: find(b":method").unwrap_or_default(),
        target: find(b":path").unwrap_or_default(),
        authority: find(b":authority").or_else(|| find(b"host")),
        version: Version::Http2,
        fields,
    }
}
