//! Reading field blocks (RFC 7541). Nothing is ever encoded anew, so this is a decoder only.
//!
//! Besides the fields it says where each stands in the block and in which form, so that single ones can be replaced.

use std::ops::Range;

use span::Field;

use super::super::SpliceReason;
use super::huffman;
use super::static_table;
use super::table::{ENTRY_OVERHEAD, Entry, EntryId, LARGEST_SIZE, Table};

/// The largest field list that we look at, counted as `SETTINGS_MAX_HEADER_LIST_SIZE` counts it. A few bytes on the wire
/// can stand for any length, so the list needs a bound of its own.
const MAX_LIST_SIZE: usize = 1 << 20;

/// A decoded field block. Kept and reused, so that decoding allocates nothing once it has grown to the usual size.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    text: Vec<u8>,
    /// The fields, in order.
    pub(super) lines: Vec<Line>,
    /// The size of the list as `SETTINGS_MAX_HEADER_LIST_SIZE` counts it.
    pub(super) size: usize,
    /// Whether a field refers to an entry that has another value at the other end.
    pub(super) stale: bool,
}

/// One field: its text, and how it stood in the block.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Where its text begins, and how long its name and value are.
    start: usize,
    name: usize,
    value: usize,
    /// Where its representation stands in the block,
    pub(super) wire: Range<usize>,
    /// and where in there the value begins, with its length. The end for an indexed field.
    pub(super) wire_value: usize,
    pub(super) form: Form,
}

/// How a field is represented, RFC 7541, section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As an index into the tables: which, and the dynamic entry that it means.
    Indexed {
        index: usize,
        entry: EntryId,
        stale: bool,
    },
    /// As a literal that became this entry.
    Incremental { entry: EntryId },
    /// As a literal that leaves the table alone (without indexing, or never indexed).
    Plain,
}

impl Decoded {
    /// Name and value of a line of this block.
    pub(super) fn field(&self, line: &Line) -> Field<'_> {
        let text = self
            .text
            .get(line.start..line.start + line.name + line.value)
            .unwrap_or_default();
        let (name, value) = text.split_at_checked(line.name).unwrap_or_default();
        Field { name, value }
    }

    /// Name and value of the line at `index`; empty when there is none.
    pub(super) fn field_at(&self, index: usize) -> Field<'_> {
        self.lines.get(index).map_or(
            Field {
                name: &[],
                value: &[],
            },
            |line| self.field(line),
        )
    }

    /// Reads a whole field block, and brings the table up to date with it. `allowed` is the largest table that the
    /// decoding end has ever announced.
    ///
    /// After an error the table is of no use any more: nothing later on this connection can be decoded.
    pub(super) fn read(
        &mut self,
        block: &[u8],
        table: &mut Table,
        allowed: usize,
    ) -> Result<(), SpliceReason> {
        self.text.clear();
        self.lines.clear();
        self.size = 0;
        self.stale = false;
        let mut reader = Reader { block, at: 0 };
        while let Some(first) = reader.peek() {
            let wire_start = reader.at;
            let start = self.text.len();
            let (form, wire_value, name) = if first & 0x80 != 0 {
                self.indexed(&mut reader, table)?
            } else if first & 0xe0 == 0x20 {
                resize(table, reader.number(5)?, allowed)?;
                continue;
            } else {
                let incremental = first & 0x40 != 0;
                let name = self.name(&mut reader, table, if incremental { 6 } else { 4 })?;
                let wire_value = reader.at;
                reader.string(&mut self.text)?;
                let form = if incremental {
                    let text = self.text.get(start..).unwrap_or_default();
                    Form::Incremental {
                        entry: table.insert(text, name),
                    }
                } else {
                    Form::Plain
                };
                (form, wire_value, name)
            };
            let length = self.text.len() - start;
            self.size += length + ENTRY_OVERHEAD;
            if self.size > MAX_LIST_SIZE {
                return Err(SpliceReason::HeadTooLarge);
            }
            self.lines.push(Line {
                start,
                name,
                value: length - name,
                wire: wire_start..reader.at,
                wire_value,
                form,
            });
        }
        Ok(())
    }

    /// An indexed field, RFC 7541, section 6.1: how it is referred to, where it ends, and how long its name is.
    fn indexed(
        &mut self,
        reader: &mut Reader<'_>,
        table: &Table,
    ) -> Result<(Form, usize, usize), SpliceReason> {
        let index = reader.number(7)?;
        let (entry, stale, name) = if let Some((name, value)) = static_table::get(index) {
            self.text.extend_from_slice(name);
            self.text.extend_from_slice(value);
            (EntryId::NONE, false, name.len())
        } else {
            let entry = dynamic(table, index)?;
            self.text.extend_from_slice(entry.text);
            (entry.id, entry.rewritten, entry.name)
        };
        self.stale |= stale;
        let form = Form::Indexed { index, entry, stale };
        Ok((form, reader.at, name))
    }

    /// The name of a literal field, by index or as a string: appends it and says how long it is.
    fn name(&mut self, reader: &mut Reader<'_>, table: &Table, prefix: u32) -> Result<usize, SpliceReason> {
        let start = self.text.len();
        match reader.number(prefix)? {
            0 => reader.string(&mut self.text)?,
            index => match static_table::get(index) {
                Some((name, _)) => self.text.extend_from_slice(name),
                None => {
                    let entry = dynamic(table, index)?;
                    self.text
                        .extend_from_slice(entry.text.get(..entry.name).unwrap_or_default());
                }
            },
        }
        Ok(self.text.len() - start)
    }

    /// Forgets the block and keeps no more than `usual` bytes of memory for its text, or its lines.
    pub(super) fn rest(&mut self, usual: usize) {
        self.text.clear();
        self.text.shrink_to(usual);
        self.lines.clear();
        self.lines.shrink_to(usual / size_of::<Line>());
    }
}

fn dynamic(table: &Table, index: usize) -> Result<Entry<'_>, SpliceReason> {
    index
        .checked_sub(static_table::LAST + 1)
        .and_then(|index| table.get(index))
        .ok_or(SpliceReason::Malformed)
}

fn resize(table: &mut Table, size: usize, allowed: usize) -> Result<(), SpliceReason> {
    if size > allowed {
        return Err(SpliceReason::Malformed);
    }
    if size > LARGEST_SIZE {
        return Err(SpliceReason::HeadTooLarge);
    }
    table.resize(size);
    Ok(())
}

struct Reader<'a> {
    block: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.block.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, SpliceReason> {
        let byte = self.peek().ok_or(SpliceReason::Malformed)?;
        self.at += 1;
        Ok(byte)
    }

    /// An integer behind a prefix of 4 to 7 bits, RFC 7541, section 5.1. Below 2^29: nothing larger means anything.
    fn number(&mut self, prefix: u32) -> Result<usize, SpliceReason> {
        let full = (1 << prefix) - 1;
        let mut number = usize::from(self.next()?) & full;
        if number < full {
            return Ok(number);
        }
        for shift in [0, 7, 14, 21] {
            let byte = self.next()?;
            number += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(SpliceReason::Malformed)
    }

    /// A string literal, RFC 7541, section 5.2: appends what it stands for.
    fn string(&mut self, out: &mut Vec<u8>) -> Result<(), SpliceReason> {
        let huffman = self.peek().is_some_and(|byte| byte & 0x80 != 0);
        let length = self.number(7)?;
        let coded = self
            .block
            .get(self.at..self.at + length)
            .ok_or(SpliceReason::Malformed)?;
        self.at += length;
        if huffman {
            huffman::decode(coded, out).ok_or(SpliceReason::Malformed)
        } else {
            out.extend_from_slice(coded);
            Ok(())
        }
    }
}

/// Appends an integer behind a prefix of 1 to 8 bits whose higher bits are `pattern`, RFC 7541, section 5.1.
pub(super) fn write_number(pattern: u8, prefix: u32, number: usize, out: &mut Vec<u8>) {
    let full = (1 << prefix) - 1;
    if number < full {
        out.push(pattern | number as u8);
        return;
    }
    out.push(pattern | full as u8);
    let mut rest = number - full;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends a string literal as it is, without Huffman coding.
pub(super) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    write_number(0, 7, text.len(), out);
    out.extend_from_slice(text);
}
