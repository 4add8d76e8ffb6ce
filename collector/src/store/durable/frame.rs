//! Frames: how anything of ours stands in a file so that it can be told from what is torn or flipped.
//!
//! ```text
//! frame    := magic version kind zero length checksum payload
//! magic    := "mtrc"                  4 bytes
//! version  := 3                       1 byte, of everything inside the frame
//! kind     := what the payload is     1 byte
//! zero     := 0 0                     2 bytes
//! length   := of the payload          4 bytes, little-endian, at most MAX_PAYLOAD
//! checksum := CRC-32 of the bytes before it and of the payload, 4 bytes, little-endian
//! ```
//!
//! Version 1 had another frame for spans in the log; until version 2 the index of a segment had the ids of its traces.
//!
//! Pure: bytes in, bytes out.

use std::ops::RangeInclusive;

/// The version that is written.
pub(crate) const VERSION: u8 = 3;
/// The versions that are read.
pub(crate) const READABLE: RangeInclusive<u8> = 1..=VERSION;
/// Bytes before the payload.
pub(crate) const HEADER: usize = 16;
/// No frame is longer than this. A request has at most 16 MiB, and what is kept of it is seldom larger.
pub(crate) const MAX_PAYLOAD: usize = 256 << 20;

const MAGIC: [u8; 4] = *b"mtrc";

/// What stands next in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A whole frame.
    Frame {
        version: u8,
        kind: u8,
        payload: &'a [u8],
    },
    /// That many bytes are no frame; behind them is one.
    Damaged(usize),
    /// That many bytes are left, with no whole frame among them. Zero at a clean end.
    Torn(usize),
}

/// A frame around `payload`, given in pieces. `None` if it is longer than [`MAX_PAYLOAD`].
pub(crate) fn write(kind: u8, payload: &[&[u8]], out: &mut Vec<u8>) -> Option<()> {
    let length: usize = payload.iter().map(|piece| piece.len()).sum();
    let length = u32::try_from(length).ok().filter(|_| length <= MAX_PAYLOAD)?;
    let mut head = [0; HEADER - 4];
    let fields = MAGIC
        .into_iter()
        .chain([VERSION, kind, 0, 0])
        .chain(length.to_le_bytes());
    for (place, byte) in head.iter_mut().zip(fields) {
        *place = byte;
    }
    out.extend_from_slice(&head);
    out.extend_from_slice(&checksum(&head, payload).to_le_bytes());
    for piece in payload {
        out.extend_from_slice(piece);
    }
    Some(())
}

/// What stands at the beginning of `bytes`.
pub(crate) fn next(bytes: &[u8]) -> Next<'_> {
    if let Some(frame) = whole(bytes) {
        return frame;
    }
    let starts = memchr::memmem::find_iter(bytes, &MAGIC).filter(|start| *start > 0);
    for start in starts {
        if bytes.get(start..).and_then(whole).is_some() {
            return Next::Damaged(start);
        }
    }
    Next::Torn(bytes.len())
}

/// The frame at the beginning, if it is whole.
fn whole(bytes: &[u8]) -> Option<Next<'_>> {
    let (head, rest) = bytes.split_at_checked(HEADER - 4)?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let [m0, m1, m2, m3, version, kind, 0, 0, length @ ..] = head else {
        return None;
    };
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    if [*m0, *m1, *m2, *m3] != MAGIC || length > MAX_PAYLOAD {
        return None;
    }
    let payload = rest.get(..length)?;
    (checksum(head, &[payload]) == u32::from_le_bytes(*sum)).then_some(Next::Frame {
        version: *version,
        kind: *kind,
        payload,
    })
}

fn checksum(head: &[u8], payload: &[&[u8]]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(head);
    for piece in payload {
        sum.update(piece);
    }
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The payloads that can be read, and how many bytes cannot.
    fn read(mut bytes: &[u8]) -> (Vec<Vec<u8>>, usize) {
        let (mut payloads, mut lost) = (Vec::new(), 0);
        loop {
            match next(bytes) {
                Next::Frame { payload, .. } => {
                    payloads.push(payload.to_vec());
                    bytes = &bytes[HEADER + payload.len()..];
                }
                Next::Damaged(skipped) => {
                    lost += skipped;
                    bytes = &bytes[skipped..];
                }
                Next::Torn(rest) => return (payloads, lost + rest),
            }
        }
    }

    fn file(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for payload in payloads {
            write(7, &[payload], &mut bytes).unwrap();
        }
        bytes
    }

    fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..6)
    }

    proptest! {
        #[test]
        fn a_file_cut_anywhere_gives_the_whole_frames_before_the_cut(
            payloads in payloads(), cut in any::<prop::sample::Index>()
        ) {
            let bytes = file(&payloads);
            let cut = cut.index(bytes.len());
            let mut end = 0;
            let whole = payloads.iter().take_while(|payload| {
                end += HEADER + payload.len();
                end <= cut
            });
            let whole: Vec<_> = whole.cloned().collect();
            let kept: usize = whole.iter().map(|payload| HEADER + payload.len()).sum();
            prop_assert_eq!(read(&bytes[..cut]), (whole, cut - kept));
        }

        #[test]
        fn a_flipped_byte_costs_the_frame_that_it_is_in_and_no_other(
            payloads in payloads(), place in any::<prop::sample::Index>(), mask in 1u8..
        ) {
            let mut bytes = file(&payloads);
            let place = place.index(bytes.len());
            bytes[place] ^= mask;
            let mut end = 0;
            let others = payloads.iter().filter(|payload| {
                let start = end;
                end += HEADER + payload.len();
                !(start..end).contains(&place)
            });
            let others: Vec<_> = others.cloned().collect();
            prop_assert_eq!(read(&bytes).0, others);
        }

        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes).1 <= bytes.len());
        }
    }
}
