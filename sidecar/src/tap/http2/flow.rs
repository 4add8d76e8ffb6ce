//! What one side sends, cut into pieces that can be looked at: *units*, which must be in one piece, and the payload
//! behind them, which passes as it comes.
//!
//! A unit is a header block from its HEADERS or PUSH_PROMISE frame to the last CONTINUATION, a short control frame, or
//! just the header of a frame. Nothing here knows what frames mean.

use std::borrow::Cow;

use super::super::SpliceReason;
use super::frame::{self, HEAD, Head, flag, kind};
use super::table::{self, Table};

/// The largest header block, with its frame headers, that is held back or copied aside.
const MAX_UNIT: usize = 256 << 10;

/// One side of a connection.
#[derive(Debug)]
pub(super) struct Flow {
    /// The beginning of a unit whose end has not come yet.
    partial: Vec<u8>,
    /// How much of the unit is known to be whole frames of an unfinished header block.
    scanned: usize,
    /// What is to pass before the next unit begins.
    payload: Payload,
    /// The largest frame that the other side has ever announced to take.
    pub(super) max_frame: usize,
    /// This side's header compression,
    pub(super) table: Table,
    /// and the largest table that the other side has ever announced to keep for it.
    pub(super) allowed_table: usize,
}

/// What of a frame is still to pass: content of a stream first, then bytes that mean nothing to us.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Payload {
    pub(super) stream: u32,
    pub(super) content: usize,
    pub(super) rest: usize,
    /// Whether the stream ends with it.
    pub(super) last: bool,
}

/// What became of bytes that were to be gathered to a unit.
#[derive(Debug)]
pub(super) struct Gathered<'a> {
    /// How many of the bytes belong to it: all of them if it is not whole yet.
    pub(super) taken: usize,
    /// The unit, if it is whole. Borrowed when it lies in the bytes entirely, owned when it began earlier.
    pub(super) unit: Result<Option<Cow<'a, [u8]>>, SpliceReason>,
}

/// Something happened while payload passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A piece of a stream's content.
    Content(u32, &'a [u8]),
    /// That many bytes of no interest.
    Skipped(usize),
    /// The stream's last byte has passed.
    Last(u32),
}

impl Flow {
    pub(super) fn new() -> Self {
        Self {
            partial: Vec::new(),
            scanned: 0,
            payload: Payload::default(),
            max_frame: frame::MAX_PAYLOAD,
            table: Table::new(),
            allowed_table: table::INITIAL_SIZE,
        }
    }

    /// Lets the payload pass of which a unit was the head.
    pub(super) fn expect(&mut self, payload: Payload) {
        self.payload = payload;
    }

    /// The next step of the payload that `bytes` begin with. `None` when it is over, or `bytes` are.
    pub(super) fn step<'a>(&mut self, bytes: &'a [u8]) -> Option<Step<'a>> {
        let payload = &mut self.payload;
        if payload.content > 0 {
            let (piece, _) = bytes.split_at_checked(payload.content).unwrap_or((bytes, &[]));
            payload.content -= piece.len();
            (!piece.is_empty()).then_some(Step::Content(payload.stream, piece))
        } else if payload.rest > 0 {
            let skipped = payload.rest.min(bytes.len());
            payload.rest -= skipped;
            (skipped > 0).then_some(Step::Skipped(skipped))
        } else if payload.last {
            payload.last = false;
            Some(Step::Last(payload.stream))
        } else {
            None
        }
    }

    /// Gathers the next unit. After an error, what was kept of it can be had from [`Flow::take_partial`].
    pub(super) fn gather<'a>(&mut self, bytes: &'a [u8]) -> Gathered<'a> {
        if self.partial.is_empty() {
            let (taken, unit) = match measure(bytes, &mut self.scanned, self.max_frame) {
                Ok(Measured::Whole(length)) => (length, Ok(bytes.get(..length).map(Cow::Borrowed))),
                Ok(Measured::Needs(_)) => {
                    self.partial.extend_from_slice(bytes);
                    (bytes.len(), Ok(None))
                }
                Err(reason) => (0, Err(reason)),
            };
            return Gathered { taken, unit };
        }
        let mut taken = 0;
        let unit = loop {
            match measure(&self.partial, &mut self.scanned, self.max_frame) {
                Ok(Measured::Whole(_)) => break Ok(Some(Cow::Owned(self.take_partial()))),
                Ok(Measured::Needs(length)) => {
                    let rest = bytes.get(taken..).unwrap_or_default();
                    let missing = length.saturating_sub(self.partial.len());
                    let (more, _) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
                    if more.is_empty() {
                        break Ok(None);
                    }
                    self.partial.extend_from_slice(more);
                    taken += more.len();
                }
                Err(reason) => break Err(reason),
            }
        };
        Gathered { taken, unit }
    }

    /// What came of a unit whose end has not come.
    pub(super) fn take_partial(&mut self) -> Vec<u8> {
        self.scanned = 0;
        std::mem::take(&mut self.partial)
    }

    /// Whether the beginning of a unit is kept.
    pub(super) fn is_amid_unit(&self) -> bool {
        !self.partial.is_empty()
    }
}

enum Measured {
    /// The unit is that long.
    Whole(usize),
    /// That many bytes are needed before more can be said.
    Needs(usize),
}

/// How long the unit is that `bytes` begin with. `scanned` is where to go on, and is ours to keep.
fn measure(bytes: &[u8], scanned: &mut usize, max_frame: usize) -> Result<Measured, SpliceReason> {
    loop {
        let Some(head) = bytes.get(*scanned..).and_then(Head::read) else {
            return Ok(Measured::Needs(*scanned + HEAD));
        };
        if head.length > max_frame {
            return Err(SpliceReason::Malformed);
        }
        let continued = *scanned > 0;
        let (wanted, block) = match head.kind {
            kind::CONTINUATION
                if continued && Head::read(bytes).is_some_and(|first| first.stream == head.stream) =>
            {
                (head.length, true)
            }
            _ if continued => return Err(SpliceReason::Malformed),
            kind::CONTINUATION => return Err(SpliceReason::Malformed),
            kind::HEADERS | kind::PUSH_PROMISE => (head.length, true),
            kind::SETTINGS | kind::RST_STREAM => (head.length, false),
            kind::GOAWAY => (head.length.min(8), false),
            kind::DATA => (usize::from(head.has(flag::PADDED)).min(head.length), false),
            _ => (0, false),
        };
        let length = *scanned + HEAD + wanted;
        if length > MAX_UNIT {
            return Err(SpliceReason::HeadTooLarge);
        }
        if bytes.len() < length {
            return Ok(Measured::Needs(length));
        }
        if !block || head.has(flag::END_HEADERS) {
            *scanned = 0;
            return Ok(Measured::Whole(length));
        }
        *scanned = length;
    }
}
