//! HTTP/1.x as a tap on the original bytes (RFC 9112).
//!
//! Requests and responses are followed by their framing only, so that the next head is found. A request head is held
//! back until it is complete, and goes on with its trace headers added or replaced; everything else passes as it
//! came. Where the framing could be read in two ways the connection becomes a splice.

mod chunked;
mod head;

use std::collections::VecDeque;

use span::{Edits, Field};

use self::head::{Asked, Framing, HEAD_BYTES_MAX};
use super::{End, Exchange, Observer, Passed, Side, SpliceReason};

/// The most requests that may wait for their responses on one connection (pipelining).
const OPEN_MAX: usize = 256;

/// The tap on one HTTP/1.x connection.
pub struct Http1<O: Observer> {
    request: Phase,
    /// An incomplete request head that has not gone on, but for the first `passed` bytes of it.
    held: Vec<u8>,
    passed: usize,
    response: Phase,
    /// A copy of an incomplete response head; the original has gone on.
    response_head: Vec<u8>,
    /// Requests whose responses are not complete, oldest first.
    open: VecDeque<Open<O::Exchange>>,
    /// The newest request in `open` is still being received.
    receiving: bool,
    /// The client has sent its last byte.
    left: bool,
    edits: Edits,
    spliced: Option<SpliceReason>,
    upgraded: Option<Upgraded<O::Exchange>>,
}

struct Open<E> {
    exchange: E,
    asked: Asked,
    /// The `HTTP2-Settings` field of an `Upgrade: h2c` (RFC 7540, section 3.2.1).
    h2c: Option<Box<[u8]>>,
}

/// A connection that has changed from HTTP/1.1 to HTTP/2.
pub struct Upgraded<E> {
    /// The request that asked for it. Its response comes as HTTP/2, on stream 1.
    pub exchange: E,
    /// The `HTTP2-Settings` that it carried.
    pub settings: Box<[u8]>,
    /// Where in the server's last input HTTP/2 begins.
    pub from: usize,
}

/// Where one direction stands.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// At, or in, a head.
    Head,
    /// In a body.
    Body(Framing),
    /// Behind a request that may turn the connection into something else: what comes next depends on its response.
    Undecided,
    /// In another protocol, or a tunnel, that both ends agreed on.
    Tunnel,
}

impl<O: Observer> Http1<O> {
    /// A tap on a connection whose first `prefix` has been passed on already, while it was not known what it is.
    /// They are the beginning of the first head, and hold no complete line.
    pub fn new(prefix: &[u8]) -> Self {
        Self {
            request: Phase::Head,
            held: prefix.to_vec(),
            passed: prefix.len(),
            response: Phase::Head,
            response_head: Vec::new(),
            open: VecDeque::new(),
            receiving: false,
            left: false,
            edits: Edits::default(),
            spliced: None,
            upgraded: None,
        }
    }

    /// Why the connection is no longer looked at.
    pub fn spliced(&self) -> Option<SpliceReason> {
        self.spliced
    }

    /// The exchanges that are open, oldest first.
    pub fn exchanges(&self) -> impl Iterator<Item = &O::Exchange> {
        self.open.iter().map(|open| &open.exchange)
    }

    /// The change to HTTP/2, if the server's last input agreed to it. This tap is done then.
    pub fn take_upgrade(&mut self) -> Option<Upgraded<O::Exchange>> {
        self.upgraded.take()
    }

    /// The next bytes of one side; what the other one shall get is the result and, if edited, what is added to `out`.
    pub fn on_bytes(&mut self, from: Side, input: &[u8], out: &mut Vec<u8>, observer: &mut O) -> Passed {
        if self.spliced.is_some() {
            return Passed::AsIs;
        }
        match from {
            Side::Client => self.on_client(input, out, observer),
            Side::Server => {
                if let Err(reason) = self.on_server(input) {
                    self.splice(reason);
                }
                Passed::AsIs
            }
        }
    }

    /// The side has sent its last byte. What was held back of it goes to `out`.
    pub fn on_end(&mut self, from: Side, out: &mut Vec<u8>) {
        match from {
            Side::Client => {
                self.left = true;
                self.release(out);
            }
            Side::Server => {
                if matches!(self.response, Phase::Body(Framing::UntilClose)) {
                    self.response_complete();
                }
                self.end_all(End::closed(self.left));
            }
        }
    }

    /// Ends every open exchange: the connection is gone, or no longer looked at.
    pub fn end_all(&mut self, end: End) {
        let end = if matches!(self.response, Phase::Tunnel) {
            End::Upgraded
        } else {
            end
        };
        self.receiving = false;
        for open in self.open.drain(..) {
            open.exchange.end(end);
        }
    }

    fn on_client(&mut self, input: &[u8], out: &mut Vec<u8>, observer: &mut O) -> Passed {
        // input up to `copied` has been dealt with in `out`; behind it, up to `at`, it passes as it is
        let (mut copied, mut at) = (0, 0);
        let mut edited = false;
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            let step = match self.request {
                Phase::Head => {
                    let before = out.len();
                    let run = input.get(copied..at).unwrap_or_default();
                    match self.on_request_bytes(rest, run, out, observer) {
                        Ok(used) => {
                            edited = true;
                            copied = at + used;
                            Ok(used)
                        }
                        Err(reason) => {
                            out.truncate(before);
                            Err(reason)
                        }
                    }
                }
                Phase::Body(framing) => self.on_request_body(framing, rest),
                Phase::Undecided => Err(SpliceReason::Upgraded),
                Phase::Tunnel => {
                    self.tell_last(|exchange| exchange.request_body(rest.len() as u64));
                    Ok(rest.len())
                }
            };
            match step {
                Ok(used) => at += used,
                Err(reason) => {
                    self.splice(reason);
                    if !self.held.is_empty() {
                        edited = true;
                        self.release(out);
                    }
                    break;
                }
            }
        }
        if !edited {
            return Passed::AsIs;
        }
        out.extend_from_slice(input.get(copied..).unwrap_or_default());
        Passed::Edited
    }

    /// Bytes of a request head. Takes those that belong to it, writes `run`, which came before them, and the head,
    /// when it is complete.
    fn on_request_bytes(
        &mut self,
        rest: &[u8],
        run: &[u8],
        out: &mut Vec<u8>,
        observer: &mut O,
    ) -> Result<usize, SpliceReason> {
        if self.held.is_empty()
            && let Some(end) = self.on_request_head(rest, 0, run, out, observer)?
        {
            return Ok(end);
        }
        let before = self.held.len();
        let room = HEAD_BYTES_MAX.saturating_sub(before);
        self.held.extend_from_slice(rest.get(..room).unwrap_or(rest));
        let Some(end) = head::end(&self.held, before) else {
            if head::is_other(&self.held) {
                self.held.truncate(before);
                return Err(SpliceReason::Malformed);
            }
            if rest.len() > room {
                self.held.truncate(before);
                return Err(SpliceReason::HeadTooLarge);
            }
            out.extend_from_slice(run);
            return Ok(rest.len());
        };
        self.held.truncate(end);
        let held = std::mem::take(&mut self.held);
        let passed = std::mem::take(&mut self.passed);
        match self.on_request_head(&held, passed, run, out, observer) {
            Ok(Some(_)) => Ok(end - before),
            // it has its empty line: to the parser it should be complete, or wrong
            refused => {
                (self.held, self.passed) = (held, passed);
                self.held.truncate(before);
                Err(refused.err().unwrap_or(SpliceReason::Malformed))
            }
        }
    }

    /// A request head, if `bytes` begin with a complete one, of which the first `passed` bytes have gone on already.
    /// Writes `run`, which came before it, and the head. Returns its length.
    fn on_request_head(
        &mut self,
        bytes: &[u8],
        passed: usize,
        run: &[u8],
        out: &mut Vec<u8>,
        observer: &mut O,
    ) -> Result<Option<usize>, SpliceReason> {
        if self.open.len() >= OPEN_MAX {
            return Err(SpliceReason::TooManyOpen);
        }
        let edits = &mut self.edits;
        edits.clear();
        let begin = out.len() + run.len();
        let parsed = head::request(bytes, |request| {
            let exchange = observer.begin(request.head, edits);
            out.extend_from_slice(run);
            head::write(request.bytes, request.head.fields, edits, out)?;
            let upgrade = request.asked == Asked::Upgrade;
            let h2c = upgrade.then(|| h2c_settings(request.head.fields)).flatten();
            Ok((
                request.bytes.len(),
                Open {
                    exchange,
                    asked: request.asked,
                    h2c,
                },
                request.framing,
            ))
        })?;
        let Some(parsed) = parsed else { return Ok(None) };
        let (length, open, framing) = parsed?;
        out.drain(begin..begin + passed);
        self.open.push_back(open);
        self.receiving = true;
        match framing {
            Framing::Empty => self.request_complete(),
            framing => self.request = Phase::Body(framing),
        }
        Ok(Some(length))
    }

    fn on_request_body(&mut self, framing: Framing, rest: &[u8]) -> Result<usize, SpliceReason> {
        let step = follow(framing, rest)?;
        if self.receiving {
            self.tell_last(|exchange| exchange.request_body(step.content));
        }
        match step.then {
            Some(framing) => self.request = Phase::Body(framing),
            None => self.request_complete(),
        }
        Ok(step.used)
    }

    fn request_complete(&mut self) {
        self.request = Phase::Head;
        if std::mem::take(&mut self.receiving) {
            self.tell_last(Exchange::request_end);
            if matches!(self.open.back(), Some(open) if matches!(open.asked, Asked::Connect | Asked::Upgrade))
            {
                self.request = Phase::Undecided;
            }
        }
    }

    fn on_server(&mut self, input: &[u8]) -> Result<(), SpliceReason> {
        let mut at = 0;
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            at += match self.response {
                Phase::Head => self.on_response_bytes(rest, at)?,
                Phase::Body(framing) => self.on_response_body(framing, rest)?,
                Phase::Undecided | Phase::Tunnel => {
                    self.tell_first(|exchange| exchange.response_body(rest.len() as u64));
                    rest.len()
                }
            };
            if self.upgraded.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Bytes of a response head, which stand at `at` in the input.
    fn on_response_bytes(&mut self, rest: &[u8], at: usize) -> Result<usize, SpliceReason> {
        if self.open.is_empty() {
            return Err(SpliceReason::Unsolicited);
        }
        if self.response_head.is_empty()
            && let Some(end) = self.on_response_head(rest, at)?
        {
            return Ok(end);
        }
        let before = self.response_head.len();
        // what follows the head may come with it, and may be of any length
        let room = HEAD_BYTES_MAX.saturating_sub(before);
        self.response_head
            .extend_from_slice(rest.get(..room).unwrap_or(rest));
        let Some(end) = head::end(&self.response_head, before) else {
            return if rest.len() > room {
                Err(SpliceReason::HeadTooLarge)
            } else {
                Ok(rest.len())
            };
        };
        let bytes = std::mem::take(&mut self.response_head);
        // it began so many bytes before this input
        self.on_response_head(bytes.get(..end).unwrap_or_default(), at.wrapping_sub(before))?;
        Ok(end - before)
    }

    /// A response head, if `bytes` begin with a complete one. They stand at `at` in the input. Returns its length.
    fn on_response_head(&mut self, bytes: &[u8], at: usize) -> Result<Option<usize>, SpliceReason> {
        let Some(first) = self.open.front_mut() else {
            return Err(SpliceReason::Unsolicited);
        };
        let asked = first.asked;
        let parsed = head::response(bytes, |length, status, fields| {
            first.exchange.response_head(status, fields);
            Ok((length, status, head::response_framing(status, asked, fields)?))
        })?;
        let Some(parsed) = parsed else { return Ok(None) };
        let (length, status, framing) = parsed?;
        match (status, asked, framing) {
            (101, Asked::Upgrade, _) => self.upgrade(at.wrapping_add(length)),
            (100..=199, _, _) => {}
            (200..=299, Asked::Connect, _) => (self.request, self.response) = (Phase::Tunnel, Phase::Tunnel),
            (_, _, Framing::Empty) => self.response_complete(),
            (_, _, framing) => self.response = Phase::Body(framing),
        }
        Ok(Some(length))
    }

    fn upgrade(&mut self, from: usize) {
        let settings = self.open.front_mut().and_then(|open| open.h2c.take());
        match (settings, self.open.len()) {
            (Some(settings), 1) => {
                let exchange = self.open.pop_front().map(|open| open.exchange);
                self.upgraded = exchange.map(|exchange| Upgraded {
                    exchange,
                    settings,
                    from,
                });
            }
            _ => (self.request, self.response) = (Phase::Tunnel, Phase::Tunnel),
        }
    }

    fn on_response_body(&mut self, framing: Framing, rest: &[u8]) -> Result<usize, SpliceReason> {
        let step = follow(framing, rest)?;
        self.tell_first(|exchange| exchange.response_body(step.content));
        match step.then {
            Some(framing) => self.response = Phase::Body(framing),
            None => self.response_complete(),
        }
        Ok(step.used)
    }

    fn response_complete(&mut self) {
        self.response = Phase::Head;
        // an answer may come before its request is whole; what still comes of it belongs to nobody
        self.receiving &= self.open.len() > 1;
        if let Some(open) = self.open.pop_front() {
            open.exchange.end(End::Complete);
        }
        // declined: the connection stays what it was
        if self.open.is_empty() && matches!(self.request, Phase::Undecided) {
            self.request = Phase::Head;
        }
    }

    fn tell_first(&mut self, tell: impl FnOnce(&mut O::Exchange)) {
        if let Some(open) = self.open.front_mut() {
            tell(&mut open.exchange);
        }
    }

    fn tell_last(&mut self, tell: impl FnOnce(&mut O::Exchange)) {
        if let Some(open) = self.open.back_mut() {
            tell(&mut open.exchange);
        }
    }

    fn splice(&mut self, reason: SpliceReason) {
        self.spliced = Some(reason);
        self.end_all(End::Unseen);
        self.response_head = Vec::new();
    }

    /// Hands out what was held back of the client's bytes. To be called when the tap has become a splice on account
    /// of the server's bytes, since the client may not send another one.
    pub fn release(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        out.extend_from_slice(held.get(std::mem::take(&mut self.passed)..).unwrap_or_default());
    }
}

/// How far a body goes in one piece of input.
struct Step {
    used: usize,
    content: u64,
    /// How it goes on; `None` when it is complete.
    then: Option<Framing>,
}

fn follow(framing: Framing, rest: &[u8]) -> Result<Step, SpliceReason> {
    let all = rest.len() as u64;
    Ok(match framing {
        Framing::Empty => Step {
            used: 0,
            content: 0,
            then: None,
        },
        Framing::Length(left) if left > all => Step {
            used: rest.len(),
            content: all,
            then: Some(Framing::Length(left - all)),
        },
        Framing::Length(left) => Step {
            used: usize::try_from(left).unwrap_or(rest.len()),
            content: left,
            then: None,
        },
        Framing::Chunked(mut chunked) => {
            let progress = chunked.advance(rest).map_err(|_| SpliceReason::Malformed)?;
            let then = (!progress.done).then_some(Framing::Chunked(chunked));
            Step {
                used: progress.consumed,
                content: progress.content,
                then,
            }
        }
        Framing::UntilClose => Step {
            used: rest.len(),
            content: all,
            then: Some(framing),
        },
    })
}

/// The settings of a request that asks for `h2c`, and for nothing else.
fn h2c_settings(fields: &[Field<'_>]) -> Option<Box<[u8]>> {
    let mut upgrades = fields.iter().filter(|field| field.is("upgrade"));
    let (Some(upgrade), None) = (upgrades.next(), upgrades.next()) else {
        return None;
    };
    let settings = fields.iter().find(|field| field.is("http2-settings"))?;
    upgrade
        .value
        .trim_ascii()
        .eq_ignore_ascii_case(b"h2c")
        .then(|| settings.value.into())
}

#[cfg(test)]
mod tests;
