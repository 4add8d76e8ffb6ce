//! The exchanges that are open on a connection, by stream, and what happens to them.
//!
//! An exchange is over when its response is whole and its request is too; or, for a server that answers before it has
//! read all, when the stream is reset after the whole response; or when either side gives up. Streams that are not in
//! here (pushed ones, those beyond the bound, those that are over) pass unobserved.

use std::collections::VecDeque;

use span::Field;

use super::super::{End, Exchange, Side};
use super::grpc::{self, Messages};

/// The most exchanges that are observed at a time on one connection. Servers rarely allow more than a few hundred.
const MAX_OPEN: usize = 4096;

/// How many empty slots are let be before they are taken out.
const SLACK: usize = 16;

/// Error codes, RFC 9113, section 7.
const NO_ERROR: u32 = 0x0;
const REFUSED_STREAM: u32 = 0x7;

/// The open exchanges of a connection.
pub(super) struct Streams<E> {
    /// By stream, in rising order, because clients open them so: found by bisection. `None` is one that is over.
    slots: VecDeque<(u32, Option<Box<Open<E>>>)>,
    open: usize,
    /// The last stream that the client opened.
    newest: u32,
    /// The last stream that the server will look at, by its GOAWAY.
    last: u32,
}

struct Open<E> {
    exchange: E,
    request_ended: bool,
    response: Response,
    request_messages: Option<Messages>,
    response_messages: Option<Messages>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Response {
    /// No head yet, or interim ones only.
    Awaited,
    /// Its final head has passed.
    Begun,
    /// It is whole.
    Ended,
}

impl<E: Exchange> Streams<E> {
    pub(super) fn new() -> Self {
        Self {
            slots: VecDeque::new(),
            open: 0,
            newest: 0,
            last: u32::MAX,
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// The exchanges that are open, by stream.
    pub(super) fn exchanges(&self) -> impl Iterator<Item = &E> {
        let open = self.slots.iter().filter_map(|(_, open)| open.as_ref());
        open.map(|open| &open.exchange)
    }

    /// Whether a header block of the client on this stream is a request's head, not its trailers. Remembers the stream.
    pub(super) fn opens(&mut self, stream: u32) -> bool {
        let new = stream > self.newest;
        self.newest = self.newest.max(stream);
        new
    }

    /// Whether there is no room for one more.
    pub(super) fn is_full(&self) -> bool {
        self.open >= MAX_OPEN
    }

    /// A request's head has passed. The stream is the newest.
    pub(super) fn begin(&mut self, stream: u32, exchange: E, fields: &[Field<'_>]) {
        if stream > self.last {
            exchange.end(End::Refused);
            return;
        }
        let open = Open {
            exchange,
            request_ended: false,
            response: Response::Awaited,
            request_messages: grpc::is_grpc(fields).then(Messages::default),
            response_messages: None,
        };
        self.slots.push_back((stream, Some(Box::new(open))));
        self.open += 1;
    }

    /// The request of stream 1 came before HTTP/2 did, and is complete.
    pub(super) fn begin_upgraded(&mut self, exchange: E) {
        const STREAM: u32 = 1;
        self.newest = STREAM;
        self.begin(STREAM, exchange, &[]);
        if let Some(open) = self.get(STREAM) {
            open.request_ended = true;
        }
    }

    /// Content has passed.
    pub(super) fn content(&mut self, from: Side, stream: u32, bytes: &[u8]) {
        let Some(open) = self.get(stream) else { return };
        let messages = match from {
            Side::Client => {
                open.exchange.request_body(bytes.len() as u64);
                &mut open.request_messages
            }
            Side::Server => {
                open.exchange.response_body(bytes.len() as u64);
                &mut open.response_messages
            }
        };
        if let Some(messages) = messages {
            (0..messages.begun_in(bytes)).for_each(|_| open.exchange.message(from));
        }
    }

    /// A header block of the server has passed: an interim head, the final one, or trailers.
    pub(super) fn response_fields(&mut self, stream: u32, fields: &[Field<'_>]) {
        let Some(open) = self.get(stream) else { return };
        match (open.response, status(fields)) {
            (Response::Awaited, Some(status)) => {
                open.exchange.response_head(status, fields);
                if status >= 200 {
                    open.response = Response::Begun;
                    open.response_messages = grpc::is_grpc(fields).then(Messages::default);
                }
            }
            (Response::Begun, _) => open.exchange.response_trailers(fields),
            // No response at all: the client will reset the stream.
            (Response::Awaited, None) | (Response::Ended, _) => {}
        }
    }

    /// The side has sent its last on this stream.
    pub(super) fn ended(&mut self, from: Side, stream: u32) {
        let Some(open) = self.get(stream) else { return };
        match from {
            Side::Client if !open.request_ended => {
                open.request_ended = true;
                open.exchange.request_end();
            }
            Side::Client => {}
            Side::Server => open.response = Response::Ended,
        }
        if open.request_ended && open.response == Response::Ended {
            self.end(stream, End::Complete);
        }
    }

    /// The side has reset the stream.
    pub(super) fn reset(&mut self, from: Side, stream: u32, code: u32) {
        let Some(open) = self.get(stream) else { return };
        let end = match from {
            _ if open.response == Response::Ended && code == NO_ERROR => End::Complete,
            Side::Client if open.response == Response::Ended => End::Complete,
            Side::Client => End::ClientReset,
            Side::Server if code == REFUSED_STREAM => End::Refused,
            Side::Server => End::ServerReset,
        };
        self.end(stream, end);
    }

    /// The server will not look at streams above `last`.
    pub(super) fn go_away(&mut self, last: u32) {
        self.last = self.last.min(last);
        while let Some((stream, _)) = self.slots.back()
            && *stream > last
        {
            if let Some((_, Some(open))) = self.slots.pop_back() {
                self.open -= 1;
                open.exchange.end(End::Refused);
            }
        }
    }

    /// All open exchanges are over.
    pub(super) fn end_all(&mut self, end: End) {
        self.open = 0;
        for (_, open) in std::mem::take(&mut self.slots) {
            if let Some(open) = open {
                open.exchange.end(end);
            }
        }
    }

    fn get(&mut self, stream: u32) -> Option<&mut Open<E>> {
        self.slot(stream)?.as_deref_mut()
    }

    fn slot(&mut self, stream: u32) -> Option<&mut Option<Box<Open<E>>>> {
        // Clients count up in twos, so that mostly the first guess is right.
        let guess = (stream.checked_sub(self.slots.front()?.0)? / 2) as usize;
        let place = match self.slots.get(guess) {
            Some((there, _)) if *there == stream => guess,
            _ => self
                .slots
                .binary_search_by_key(&stream, |(stream, _)| *stream)
                .ok()?,
        };
        self.slots.get_mut(place).map(|(_, slot)| slot)
    }

    fn end(&mut self, stream: u32, end: End) {
        let Some(open) = self.slot(stream).and_then(Option::take) else {
            return;
        };
        self.open -= 1;
        open.exchange.end(end);
        while self.slots.front().is_some_and(|(_, open)| open.is_none()) {
            self.slots.pop_front();
        }
        if self.slots.len() > 2 * self.open + SLACK {
            self.slots.retain(|(_, open)| open.is_some());
        }
        if self.slots.is_empty() && self.slots.capacity() > SLACK {
            self.slots = VecDeque::new();
        }
    }
}

fn status(fields: &[Field<'_>]) -> Option<u16> {
    let status = fields.iter().find(|field| field.name == b":status")?.value;
    let [hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = *status else {
        return None;
    };
    Some(u16::from(hundreds - b'0') * 100 + u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
}
