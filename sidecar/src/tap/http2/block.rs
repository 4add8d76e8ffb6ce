//! Field blocks as they lie in frames: taking them out, and writing them back with other compressed fields.

use std::borrow::Cow;

use super::frame::{self, HEAD, Head, Parts, flag, kind};

/// A field block: a HEADERS or PUSH_PROMISE frame, and its CONTINUATION frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldBlock<'a> {
    pub(super) head: Head,
    parts: Parts<'a>,
    continued: &'a [u8],
}

impl<'a> FieldBlock<'a> {
    /// Takes the unit apart that begins with `head`. `None` when a frame is too short for what its flags say.
    pub(super) fn of(head: Head, unit: &'a [u8]) -> Option<Self> {
        let (first, continued) = unit.split_at_checked(HEAD + head.length)?;
        let parts = Parts::of(&head, first.get(HEAD..)?)?;
        Some(Self {
            head,
            parts,
            continued,
        })
    }

    /// The compressed fields in one piece.
    pub(super) fn fragment(&self) -> Cow<'a, [u8]> {
        if self.continued.is_empty() {
            return Cow::Borrowed(self.parts.fragment);
        }
        let mut whole = self.parts.fragment.to_vec();
        let mut rest = self.continued;
        while let Some(head) = Head::read(rest) {
            let (frame, next) = rest.split_at_checked(HEAD + head.length).unwrap_or((rest, &[]));
            whole.extend_from_slice(frame.get(HEAD..).unwrap_or_default());
            rest = next;
        }
        Cow::Owned(whole)
    }

    /// Appends this block with other compressed fields: flags, priority and padding as they were, cut into frames that
    /// are no larger than the one that the client sent, or than every endpoint takes.
    pub(super) fn write(&self, fragment: &[u8], out: &mut Vec<u8>) {
        let Parts { prefix, padding, .. } = self.parts;
        let limit = self.head.length.max(frame::MAX_PAYLOAD);
        let room = limit.saturating_sub(prefix.len() + padding.len());
        let (first, mut rest) = fragment.split_at_checked(room).unwrap_or((fragment, &[]));
        let flags = |before: u8, rest: &[u8]| {
            if rest.is_empty() {
                before | flag::END_HEADERS
            } else {
                before & !flag::END_HEADERS
            }
        };
        let length = prefix.len() + first.len() + padding.len();
        out.reserve(HEAD + length);
        Head {
            length,
            flags: flags(self.head.flags, rest),
            ..self.head
        }
        .write(out);
        for part in [prefix, first, padding] {
            out.extend_from_slice(part);
        }
        while !rest.is_empty() {
            let (part, next) = rest.split_at_checked(limit).unwrap_or((rest, &[]));
            let head = Head {
                length: part.len(),
                kind: kind::CONTINUATION,
                flags: flags(0, next),
                stream: self.head.stream,
            };
            head.write(out);
            out.extend_from_slice(part);
            rest = next;
        }
    }
}
