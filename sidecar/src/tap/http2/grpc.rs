//! Counting the messages of a gRPC stream as they pass (gRPC over HTTP/2: length-prefixed messages in DATA).

use span::Field;

use crate::grpc;

/// Where in its messages one direction of a stream is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Messages {
    /// How many bytes of the prefix have passed, 0 to 4.
    prefix: u8,
    /// The message's length, as far as the prefix has passed.
    length: u32,
    /// How many bytes of the message are still to come.
    left: u32,
}

impl Messages {
    /// How many messages begin in the next bytes of the stream.
    pub(super) fn begun_in(&mut self, mut bytes: &[u8]) -> u64 {
        let mut begun = 0;
        loop {
            let passing = (self.left as usize).min(bytes.len());
            self.left -= passing as u32;
            let Some((byte, rest)) = bytes.get(passing..).and_then(<[u8]>::split_first) else {
                return begun;
            };
            // One byte of flags, four of length.
            if self.prefix == 0 {
                begun += 1;
                self.length = 0;
            } else {
                self.length = self.length << 8 | u32::from(*byte);
            }
            self.prefix += 1;
            if self.prefix == 5 {
                self.prefix = 0;
                self.left = self.length;
            }
            bytes = rest;
        }
    }
}

/// Whether a message with these fields is a stream of gRPC messages, by [`grpc::is`].
pub(super) fn is_grpc(fields: &[Field<'_>]) -> bool {
    fields
        .iter()
        .find(|field| field.name == b"content-type")
        .is_some_and(|field| grpc::is(field.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_wherever_the_bytes_are_cut() {
        let stream = [
            &[0, 0, 0, 0, 3][..],
            b"abc",
            &[1, 0, 0, 0, 0],
            &[0, 0, 0, 1, 1],
            &[7; 257],
            &[0],
        ]
        .concat();
        for size in 1..=stream.len() {
            let mut messages = Messages::default();
            let begun: u64 = stream.chunks(size).map(|piece| messages.begun_in(piece)).sum();
            assert_eq!(begun, 4, "in pieces of {size}");
        }
    }

    #[test]
    fn grpc_is_told_by_its_content_type() {
        let is = |value: &str| is_grpc(&[Field::new("content-type", value)]);
        assert!(
            is("application/grpc") && is("application/grpc+proto") && is("application/grpc;charset=utf-8")
        );
        assert!(is("application/grpc ; charset=utf-8"));
        assert!(!is("application/grpc-web") && !is("application/json"));
        assert!(!is_grpc(&[]));
    }
}
