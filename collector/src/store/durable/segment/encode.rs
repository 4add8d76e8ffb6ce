//! Parquet's encodings, as its format document describes them (github.com/apache/parquet-format, `Encodings.md`): only
//! how they are written. Reading is the library's.
//!
//! The library encodes too, value by value and each with a count of who shares it. Here a whole page is encoded at once
//! from what a column has collected, which takes a fraction of that.
//!
//! Pure: numbers in, bytes out.

use crate::store::durable::bytes::put;

/// Values of a block of deltas, and of each of its parts, which have a width of their own.
const BLOCK: usize = 128;
const MINIBLOCK: usize = 32;
/// A run is written as one when packed it would take at least so many bits.
const RUN_BITS: usize = 32;

/// How many bits the numbers up to `greatest` take.
pub(super) fn width(greatest: u64) -> u32 {
    u64::BITS - greatest.leading_zeros()
}

/// Numbers of that many bits in the hybrid of runs and packed bits (`RLE`).
pub(super) fn hybrid<T: Copy + PartialEq + Into<u64>>(values: &[T], width: u32, out: &mut Vec<u8>) {
    let (mut packed, mut rest) = (0, values);
    while let Some(first) = rest.first() {
        let run = rest.iter().take_while(|value| *value == first).count();
        let (from, at) = (values.len() - rest.len() - packed, values.len() - rest.len());
        if run > 1 && run * width.max(1) as usize >= RUN_BITS || run == rest.len() && packed == 0 {
            pack_groups(values.get(from..at).unwrap_or_default(), width, out);
            put(out, (run as u64) << 1);
            let bytes = (*first).into().to_le_bytes();
            out.extend_from_slice(bytes.get(..width.div_ceil(8) as usize).unwrap_or_default());
            (packed, rest) = (0, rest.get(run..).unwrap_or_default());
        } else {
            // only whole groups of eight can be packed before something else follows
            let group = rest.len().min(8);
            (packed, rest) = (packed + group, rest.get(group..).unwrap_or_default());
        }
    }
    pack_groups(
        values.get(values.len() - packed..).unwrap_or_default(),
        width,
        out,
    );
}

fn pack_groups<T: Copy + Into<u64>>(values: &[T], width: u32, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(8);
    put(out, (groups as u64) << 1 | 1);
    pack(values.iter().map(|value| (*value).into()), groups * 8, width, out);
}

/// Packs numbers of that many bits, the lowest first, filled up with zeros to `count` of them, which are whole bytes.
fn pack(values: impl Iterator<Item = u64>, count: usize, width: u32, out: &mut Vec<u8>) {
    let end = out.len() + count * width as usize / 8;
    let (mut room, mut filled) = (0u128, 0);
    for value in values {
        room |= u128::from(value) << filled;
        filled += width;
        if filled >= u64::BITS {
            out.extend_from_slice(&(room as u64).to_le_bytes());
            room >>= u64::BITS;
            filled -= u64::BITS;
        }
    }
    let left = room.to_le_bytes();
    out.extend_from_slice(left.get(..filled.div_ceil(8) as usize).unwrap_or_default());
    out.resize(end, 0);
}

/// Numbers as differences of neighbours (`DELTA_BINARY_PACKED`).
pub(super) fn deltas(values: impl ExactSizeIterator<Item = i64>, out: &mut Vec<u8>) {
    let mut values = values;
    put(out, BLOCK as u64);
    put(out, (BLOCK / MINIBLOCK) as u64);
    put(out, values.len() as u64);
    let mut last = values.next().unwrap_or(0);
    put(out, zigzag(last));
    let mut block = Vec::with_capacity(BLOCK);
    loop {
        block.clear();
        block.extend(values.by_ref().take(BLOCK).map(|value| {
            let delta = value.wrapping_sub(last);
            last = value;
            delta
        }));
        let Some(least) = block.iter().min().copied() else {
            return;
        };
        put(out, zigzag(least));
        let above = |delta: &i64| delta.wrapping_sub(least).cast_unsigned();
        let parts = || block.chunks(MINIBLOCK);
        let widths: Vec<_> = parts()
            .map(|part| width(part.iter().map(above).max().unwrap_or(0)))
            .collect();
        let written = widths.iter().map(|width| *width as u8);
        out.extend(written.chain([0; BLOCK / MINIBLOCK]).take(BLOCK / MINIBLOCK));
        for (part, width) in parts().zip(widths) {
            pack(part.iter().map(above), MINIBLOCK, width, out);
        }
    }
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}
