//! Field blocks as they lie in frames: putting one together, and writing it back with its edits.
//!
//! Edits leave the dynamic tables of both ends as they would have been: what is new is a literal without indexing, and
//! an indexed literal only ever changes its value to one of the same length.

use std::borrow::Cow;

use span::{Edits, Field};

use super::super::SpliceReason;
use super::flow::Flow;
use super::frame::{self, HEAD, Head, Parts, flag, kind};
use super::hpack::{Decoded, Form, write_number, write_string};
use super::table::{ENTRY_OVERHEAD, EntryId, Table};

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

/// What reading and editing a block needs in memory, lent from block to block.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) decoded: Decoded,
    pub(super) edits: Edits,
    /// The compressed fields with the edits made.
    pub(super) edited: Vec<u8>,
    /// The entries that get another value within this block.
    rewritten: Vec<EntryId>,
    fields: Vec<Field<'static>>,
}

impl Scratch {
    /// Reads the compressed fields of a block that this side has sent. There are no edits yet.
    pub(super) fn read(&mut self, compressed: &[u8], flow: &mut Flow) -> Result<(), SpliceReason> {
        self.edits.clear();
        self.decoded.read(compressed, &mut flow.table, flow.allowed_table)
    }

    /// Shows the decoded fields to `look`, and takes its edits.
    pub(super) fn look<T>(&mut self, look: impl FnOnce(&[Field<'_>], &mut Edits) -> T) -> T {
        let mut fields: Vec<Field<'_>> = std::mem::take(&mut self.fields);
        fields.extend(self.decoded.lines.iter().map(|line| self.decoded.field(line)));
        let seen = look(&fields, &mut self.edits);
        fields.clear();
        // The same memory for fields that live longer, of which there are none.
        self.fields = fields
            .into_iter()
            .map(|_| Field {
                name: &[],
                value: &[],
            })
            .collect();
        seen
    }

    /// Makes the edits in the compressed fields. What refers to a value that only the client has is spelled out, with or
    /// without edits. The outcome is in `edited`, unless it says `false`: then nothing needs to be changed.
    ///
    /// `limit` is the largest field list that the server takes. `left` is told the name of each edit that is not made.
    pub(super) fn edit(
        &mut self,
        compressed: &[u8],
        table: &mut Table,
        limit: usize,
        mut left: impl FnMut(&[u8]),
    ) -> bool {
        self.edited.clear();
        self.give_up_beyond(limit, &mut left);
        let copied = self.replace(compressed, table, &mut left);
        if copied == 0 && self.edits.added().next().is_none() {
            return false;
        }
        self.edited
            .extend_from_slice(compressed.get(copied..).unwrap_or_default());
        for (name, value) in self.edits.added() {
            // A literal without indexing whose name is not indexed either, RFC 7541, section 6.2.2.
            self.edited.push(0);
            write_string(name.as_bytes(), &mut self.edited);
            write_string(value, &mut self.edited);
        }
        true
    }

    /// Makes no edits at all if it is they that would make the list larger than the server takes.
    fn give_up_beyond(&mut self, limit: usize, left: &mut impl FnMut(&[u8])) {
        let Self { decoded, edits, .. } = self;
        let added = edits
            .added()
            .map(|(name, value)| name.len() + value.len() + ENTRY_OVERHEAD);
        let grown = edits
            .replaced()
            .map(|(index, value)| value.len().saturating_sub(decoded.field_at(index).value.len()));
        let larger = decoded.size + added.sum::<usize>() + grown.sum::<usize>();
        if larger > limit && decoded.size <= limit {
            edits
                .replaced()
                .for_each(|(index, _)| left(decoded.field_at(index).name));
            edits.added().for_each(|(name, _)| left(name.as_bytes()));
            edits.clear();
        }
    }

    /// Writes the block up to the last replaced field, and says how far in `compressed` that is.
    fn replace(&mut self, compressed: &[u8], table: &mut Table, left: &mut impl FnMut(&[u8])) -> usize {
        let Self {
            decoded,
            edits,
            edited,
            rewritten,
            ..
        } = self;
        let mut copied = 0;
        if edits.replaced().next().is_none() && !decoded.stale {
            return copied;
        }
        rewritten.clear();
        for (index, line) in decoded.lines.iter().enumerate() {
            let field = decoded.field(line);
            let stale = match line.form {
                Form::Indexed { entry, stale, .. } => stale || rewritten.contains(&entry),
                Form::Incremental { .. } | Form::Plain => false,
            };
            let value = match edits.replaced().find(|(at, _)| *at == index) {
                Some((_, value)) if stale || value != field.value => value,
                None if stale => field.value,
                _ => continue,
            };
            let keep = match line.form {
                Form::Indexed { .. } => line.wire.start,
                Form::Plain => line.wire_value,
                Form::Incremental { entry } if value.len() == field.value.len() => {
                    table.mark_rewritten(entry);
                    rewritten.push(entry);
                    line.wire_value
                }
                Form::Incremental { .. } => {
                    left(field.name);
                    continue;
                }
            };
            edited.extend_from_slice(compressed.get(copied..keep).unwrap_or_default());
            if let Form::Indexed { index, .. } = line.form {
                // Both ends know the name by this index still.
                write_number(0, 4, index, edited);
            }
            write_string(value, edited);
            copied = line.wire.end;
        }
        copied
    }

    /// Gives back memory that only an unusually large block needs.
    pub(super) fn rest(&mut self) {
        const USUAL: usize = 16 << 10;
        self.decoded.rest(USUAL);
        self.edited.clear();
        self.edited.shrink_to(USUAL);
        self.fields.shrink_to(USUAL / size_of::<Field<'_>>());
    }
}
