//! Protobuf's wire format, the part that writing needs (protobuf.dev/programming-guides/encoding).

/// Wire types: what follows a field's tag.
#[derive(Clone, Copy)]
pub(crate) enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    Fixed32 = 5,
}

#[inline]
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub(crate) fn tag(out: &mut Vec<u8>, field: u32, wire: Wire) {
    varint(out, u64::from(field << 3 | wire as u32));
}

/// The tag of a field below 16 that holds bytes.
pub(crate) const fn head(field: u8) -> u8 {
    field << 3 | Wire::Bytes as u8
}

/// Ids and words of ours are most of what is written: their lengths are known where this is called.
#[inline(always)]
pub(crate) fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    match u8::try_from(value.len()) {
        Ok(length @ ..0x80) => out.extend_from_slice(&[head(field), length]),
        _ => {
            out.push(head(field));
            varint(out, value.len() as u64);
        }
    }
    out.extend_from_slice(value);
}

pub(crate) fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, Wire::Fixed64);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    tag(out, field, Wire::Fixed32);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, Wire::Varint);
    varint(out, value);
}

/// Bytes that [`varint`] takes for `value`.
pub(crate) const fn varint_len(value: u64) -> usize {
    match value {
        0 => 1,
        _ => (value.ilog2() / 7 + 1) as usize,
    }
}

/// Bytes that [`bytes`] takes for a value of `len` bytes under a field below 16.
pub(crate) const fn bytes_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}
