//! HTTP/2 (RFC 9113) as a tap: frames pass end to end, and only the header blocks of requests are ever touched.
//!
//! What the client sends passes as it came, but for two things. The beginning of a frame header, of a header block or
//! of a short control frame is held back until it is whole, at which no endpoint can take offence: it could do nothing
//! with less. And a request's header block gets its trace headers. What the server sends is never held and never
//! changed; it is read alongside.
//!
//! Both directions' header compression is followed, because each block depends on those before. Our edits keep the
//! tables of client and server at the same sizes and places. Only the *value* of an entry may differ, where the client
//! indexes its own trace header: from then on a reference to that entry is replaced by a literal. After a splice nobody
//! does that any more, and a client that still refers to such an entry hands on the context of its earlier request.
//!
//! A stream that becomes a tunnel (CONNECT, RFC 8441) stays a stream: it is observed to its end like any other.

mod block;
mod edit;
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
mod units;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{End, Observer, Passed, Side, SpliceReason};
use flow::{Flow, Gathered, Step};
use passage::Passage;
use streams::Streams;
use table::Table;

/// What a client sends first, RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The tap of one HTTP/2 connection.
pub struct Http2<O: Observer> {
    /// What is still to come of the client's preface.
    preface: &'static [u8],
    client: Flow,
    server: Flow,
    streams: Streams<O::Exchange>,
    /// The largest field list that the server says it takes.
    max_list: usize,
    /// The client has sent its last byte.
    left: bool,
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
            left: false,
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
        if self.spliced.is_some() {
            // Something of the client's may still be held from before.
            if from == Side::Client && self.client.is_amid_unit() {
                passage.replace(0).append(&mut self.client.take_partial());
            }
        } else if let Err(reason) = self.watch(from, &mut passage, observer) {
            self.splice(reason);
        }
        passage.finish()
    }

    /// The side has sent its last byte. Appends what was held back, as it came. When it is the server, all exchanges
    /// that are still open end as given up: their responses can no longer become whole.
    pub fn on_end(&mut self, from: Side, out: &mut Vec<u8>) {
        match from {
            Side::Client => {
                self.left = true;
                out.extend_from_slice(&self.client.take_partial());
            }
            Side::Server => self.end_all(End::closed(self.left)),
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

    /// The exchanges that are open.
    pub fn exchanges(&self) -> impl Iterator<Item = &O::Exchange> {
        self.streams.exchanges()
    }

    /// All open exchanges are over, because the connection is.
    pub fn end_all(&mut self, end: End) {
        self.streams.end_all(end);
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
}
