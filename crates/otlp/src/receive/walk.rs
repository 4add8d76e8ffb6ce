//! Walking over the fields of a protobuf message in place, without building anything.

use bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::BadRequest;

/// The length-delimited fields of a message that carry the number `wanted`, each as the bytes it has in the input.
/// All others are skipped. After an error nothing follows.
pub(super) fn fields(message: Bytes, wanted: u32) -> Fields {
    Fields {
        rest: message,
        wanted,
    }
}

pub(super) struct Fields {
    rest: Bytes,
    wanted: u32,
}

impl Iterator for Fields {
    type Item = Result<Bytes, BadRequest>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.rest.has_remaining() {
            match self.field() {
                Ok(None) => {}
                Ok(Some(bytes)) => return Some(Ok(bytes)),
                Err(error) => {
                    self.rest.clear();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl Fields {
    fn field(&mut self) -> Result<Option<Bytes>, BadRequest> {
        let (number, wire_type) = decode_key(&mut self.rest)?;
        if number != self.wanted {
            skip_field(wire_type, number, &mut self.rest, DecodeContext::default())?;
            return Ok(None);
        }
        if wire_type != WireType::LengthDelimited {
            return Err(BadRequest::new(format!("field {number} is no message")));
        }
        let length = decode_varint(&mut self.rest)?;
        match usize::try_from(length) {
            Ok(length) if length <= self.rest.len() => Ok(Some(self.rest.split_to(length))),
            _ => Err(BadRequest::new(format!(
                "field {number} says {length} bytes and {} are left",
                self.rest.len()
            ))),
        }
    }
}

impl From<prost::DecodeError> for BadRequest {
    fn from(error: prost::DecodeError) -> Self {
        Self::new(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_of_other_numbers_and_kinds_are_skipped() {
        // 1: varint 150, 2: "ab", 3: fixed32, 2: ""
        let message = Bytes::from_static(&[0x08, 0x96, 0x01, 0x12, 2, b'a', b'b', 0x1d, 1, 2, 3, 4, 0x12, 0]);
        let found: Result<Vec<_>, _> = fields(message, 2).collect();
        assert_eq!(found.unwrap(), [Bytes::from_static(b"ab"), Bytes::new()]);
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error_and_the_last_item() {
        let found: Vec<_> = fields(Bytes::from_static(&[0x12, 9, b'a']), 2).collect();
        assert_eq!(
            found,
            [Err(BadRequest::new("field 2 says 9 bytes and 1 are left"))]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_finitely_many_fields(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let length = bytes.len();
            prop_assert!(fields(Bytes::from(bytes), 1).count() <= length);
        }
    }
}
