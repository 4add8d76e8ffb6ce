//! How frames lie in bytes (RFC 9113, sections 4 and 6). Parsing only: what a frame means is decided elsewhere.

/// Bytes of a frame header.
pub(super) const HEAD: usize = 9;

/// The largest payload that every endpoint takes, whatever it announced (`SETTINGS_MAX_FRAME_SIZE`, initial value).
pub(super) const MAX_PAYLOAD: usize = 16_384;

/// The largest payload that an endpoint may announce to take.
pub(super) const MAX_PAYLOAD_ANNOUNCED: usize = (1 << 24) - 1;

/// Frame types, RFC 9113, section 6. All others pass unseen.
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0x0;
    pub(in super::super) const HEADERS: u8 = 0x1;
    pub(in super::super) const RST_STREAM: u8 = 0x3;
    pub(in super::super) const SETTINGS: u8 = 0x4;
    pub(in super::super) const PUSH_PROMISE: u8 = 0x5;
    pub(in super::super) const GOAWAY: u8 = 0x7;
    pub(in super::super) const CONTINUATION: u8 = 0x9;
}

/// Frame flags, RFC 9113, section 6.
pub(super) mod flag {
    pub(in super::super) const END_STREAM: u8 = 0x1;
    pub(in super::super) const END_HEADERS: u8 = 0x4;
    pub(in super::super) const PADDED: u8 = 0x8;
    pub(in super::super) const PRIORITY: u8 = 0x20;
}

/// A frame header, RFC 9113, section 4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Length of the payload.
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// The stream's number, without the reserved bit.
    pub(super) stream: u32,
}

impl Head {
    /// Reads the header that `bytes` begin with. `None` when there are fewer than nine.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let [l2, l1, l0, kind, flags, s3, s2, s1, s0] = *bytes.first_chunk::<HEAD>()?;
        Some(Self {
            length: usize::from(l2) << 16 | usize::from(l1) << 8 | usize::from(l0),
            kind,
            flags,
            stream: u32::from_be_bytes([s3, s2, s1, s0]) & 0x7fff_ffff,
        })
    }

    /// Appends the header. Lengths are below 2^24.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let [_, .., l2, l1, l0] = self.length.to_be_bytes();
        out.extend_from_slice(&[l2, l1, l0, self.kind, self.flags]);
        out.extend_from_slice(&self.stream.to_be_bytes());
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The payload of HEADERS or PUSH_PROMISE in its three parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    /// What stands before the field block: pad length, then priority or the promised stream.
    pub(super) prefix: &'a [u8],
    /// The field block, or its first fragment.
    pub(super) fragment: &'a [u8],
    pub(super) padding: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Takes a payload apart. `None` when it is too short for what its flags say.
    pub(super) fn of(head: &Head, payload: &'a [u8]) -> Option<Self> {
        let padded = head.has(flag::PADDED);
        let padding = if padded { usize::from(*payload.first()?) } else { 0 };
        let fixed = match head.kind {
            kind::PUSH_PROMISE => 4,
            _ if head.has(flag::PRIORITY) => 5,
            _ => 0,
        };
        let (prefix, rest) = payload.split_at_checked(usize::from(padded) + fixed)?;
        let (fragment, padding) = rest.split_at_checked(rest.len().checked_sub(padding)?)?;
        Some(Self {
            prefix,
            fragment,
            padding,
        })
    }
}

/// The settings of a SETTINGS payload, RFC 9113, section 6.5.1, in order. Bytes beyond the last whole one are left.
pub(super) fn settings(payload: &[u8]) -> impl Iterator<Item = (u16, u32)> {
    let (settings, _) = payload.as_chunks::<6>();
    settings.iter().map(|[i1, i0, v3, v2, v1, v0]| {
        (
            u16::from_be_bytes([*i1, *i0]),
            u32::from_be_bytes([*v3, *v2, *v1, *v0]),
        )
    })
}

/// The number that a payload begins with.
pub(super) fn leading_u32(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().copied().map(u32::from_be_bytes)
}
