//! What units mean: requests, responses, and the frames that change how either is read.

use span::Field;

use super::super::{Observer, RequestHead, Side, SpliceReason, Version};
use super::Http2;
use super::block::FieldBlock;
use super::edit::Scratch;
use super::flow::Payload;
use super::frame::{self, HEAD, Head, flag, kind};
use super::passage::Passage;

/// Settings that change what we read, RFC 9113, section 6.5.2.
const HEADER_TABLE_SIZE: u16 = 0x1;
const MAX_FRAME_SIZE: u16 = 0x5;
const MAX_HEADER_LIST_SIZE: u16 = 0x6;

impl<O: Observer> Http2<O> {
    /// Looks at a unit of the client, which is `taken` bytes of the input or ends with them. Says whether it has written
    /// something else in its place.
    pub(super) fn client_unit(
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
        Scratch::lend(|scratch| {
            scratch.read(&compressed, &mut self.client)?;
            if self.streams.opens(head.stream) {
                self.request(head.stream, scratch, observer);
            }
            if head.has(flag::END_STREAM) {
                self.streams.ended(Side::Client, head.stream);
            }
            let table = &mut self.client.table;
            let edited = scratch.edit(&compressed, table, self.max_list, |name| {
                observer.left_stale(name);
            });
            if edited {
                block.write(&scratch.edited, passage.replace(taken));
            }
            Ok(edited)
        })
    }

    /// A request begins.
    fn request(&mut self, stream: u32, scratch: &mut Scratch, observer: &mut O) {
        if self.streams.is_full() {
            observer.left_unseen();
            return;
        }
        scratch.look(|fields, edits| {
            let exchange = observer.begin(&request_head(fields), edits);
            self.streams.begin(stream, exchange, fields);
        });
    }

    /// Looks at a unit of the server, which has passed already.
    pub(super) fn server_unit(&mut self, unit: &[u8]) -> Result<(), SpliceReason> {
        let head = Head::read(unit).ok_or(SpliceReason::Malformed)?;
        if !matches!(head.kind, kind::HEADERS | kind::PUSH_PROMISE) {
            return self.other_unit(Side::Server, head, unit);
        }
        let block = FieldBlock::of(head, unit).ok_or(SpliceReason::Malformed)?;
        Scratch::lend(|scratch| {
            scratch.read(&block.fragment(), &mut self.server)?;
            // A promised request is read only for the sake of the table.
            if head.kind == kind::HEADERS {
                scratch.look(|fields, _| self.streams.response_fields(head.stream, fields));
                if head.has(flag::END_STREAM) {
                    self.streams.ended(Side::Server, head.stream);
                }
            }
            Ok(())
        })
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
    pub(super) fn settings(&mut self, from: Side, settings: &[u8]) {
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
