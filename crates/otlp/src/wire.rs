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

/// A field's value as it stands in a message.
#[cfg(feature = "server")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// The fields of a message with their numbers. `None` where it is broken, or where a group stands; nothing follows.
#[cfg(feature = "server")]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

#[cfg(feature = "server")]
impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u32, Field<'a>)>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(feature = "server")]
impl<'a> Fields<'a> {
    #[inline]
    fn field(&mut self) -> Option<(u32, Field<'a>)> {
        let tag = u32::try_from(self.varint()?).ok()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Field::Bytes(bytes)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return None,
        };
        (tag >> 3 > 0).then_some((tag >> 3, field))
    }

    #[inline]
    fn varint(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        if *first < 0x80 {
            self.0 = rest;
            return Some(u64::from(*first));
        }
        let mut value = 0;
        for (place, byte) in self.0.iter().enumerate().take(10) {
            let part = u64::from(byte & 0x7f);
            if place == 9 && part > 1 {
                return None;
            }
            value |= part << (7 * place);
            if *byte < 0x80 {
                self.0 = self.0.get(place + 1..)?;
                return Some(value);
            }
        }
        None
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }
}
