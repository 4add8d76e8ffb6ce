//! Field blocks decoded, shown, and edited.
//!
//! Edits leave the dynamic tables of both ends as they would have been: what is new is a literal without indexing, and
//! an indexed literal only ever changes its value to one of the same length.

use std::cell::Cell;

use span::{Edits, Field};

use super::super::SpliceReason;
use super::flow::Flow;
use super::hpack::{Decoded, Form, write_number, write_string};
use super::table::{ENTRY_OVERHEAD, EntryId, Table};

thread_local! {
    /// Whichever connection reads a header block is lent this, so that idle ones keep none.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// What reading and editing a block needs in memory.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    decoded: Decoded,
    edits: Edits,
    /// The compressed fields with the edits made.
    pub(super) edited: Vec<u8>,
    /// The entries that get another value within this block, in rising order.
    rewritten: Vec<EntryId>,
    fields: Vec<Field<'static>>,
}

impl Scratch {
    /// Lends it to `work`.
    pub(super) fn lend<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        let mut scratch = SCRATCH.take().unwrap_or_default();
        let done = work(&mut scratch);
        scratch.rest();
        SCRATCH.set(Some(scratch));
        done
    }

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
        // In order, so that not even thousands of them take long. Nothing is allocated for none.
        let mut wanted: Vec<_> = edits.replaced().collect();
        if wanted.is_empty() && !decoded.stale {
            return copied;
        }
        wanted.sort_by_key(|(at, _)| *at);
        wanted.dedup_by_key(|(at, _)| *at);
        let mut wanted = wanted.into_iter().peekable();
        rewritten.clear();
        for (index, line) in decoded.lines.iter().enumerate() {
            let field = decoded.field(line);
            let stale = match line.form {
                Form::Indexed { entry, stale, .. } => stale || rewritten.binary_search(&entry).is_ok(),
                Form::Incremental { .. } | Form::Plain => false,
            };
            let value = match wanted.next_if(|(at, _)| *at == index) {
                Some((_, value)) if stale || value != field.value => value,
                None if stale => field.value,
                _ => continue,
            };
            let keep = match line.form {
                Form::Indexed { .. } => line.wire.start,
                Form::Plain => line.wire_value,
                Form::Incremental { entry } if value.len() == field.value.len() => {
                    table.mark_rewritten(entry);
                    // One that was too large for the table cannot be referred to.
                    if entry != EntryId::NONE {
                        rewritten.push(entry);
                    }
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
    fn rest(&mut self) {
        const USUAL: usize = 16 << 10;
        self.decoded.rest(USUAL);
        self.edited.clear();
        self.edited.shrink_to(USUAL);
        self.fields.shrink_to(USUAL / size_of::<Field<'_>>());
    }
}
