use std::fmt;

use crate::hex::{decode, encode, number};

/// Identifies a trace: 16 bytes, not all zero (W3C Trace Context level 2, section 3.2.2.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId([u8; 16]);

/// Identifies a span within its trace: 8 bytes, not all zero (W3C Trace Context level 2, section 3.2.2.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId([u8; 8]);

impl TraceId {
    /// From its bytes, most significant first. `None` if all are zero.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// From exactly 32 hexadecimal digits of either case. `None` for anything else, and for zero.
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        Self::from_bytes(decode(digits)?)
    }

    /// From 1 to 32 hexadecimal digits: leading zeroes may be missing. `None` for anything else, and for zero.
    pub fn from_short_hex(digits: &[u8]) -> Option<Self> {
        Self::from_u128(number(digits, 32)?)
    }

    /// From a 64-bit id, as Zipkin, Jaeger and Datadog once made them: padded with zeroes on the left.
    pub fn from_u64(low: u64) -> Option<Self> {
        Self::from_bytes(u128::from(low).to_be_bytes())
    }

    /// From a number. `None` for zero.
    pub fn from_u128(id: u128) -> Option<Self> {
        Self::from_bytes(id.to_be_bytes())
    }

    /// From random bits. A zero, one chance in 2^128, becomes one.
    pub fn from_random(bits: u128) -> Self {
        Self(bits.max(1).to_be_bytes())
    }

    /// The 16 bytes, most significant first, as OTLP carries them.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id as a number.
    pub fn as_u128(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// The lower 64 bits, for dialects that know no more.
    pub fn low(&self) -> u64 {
        (self.as_u128() & u128::from(u64::MAX)) as u64
    }

    /// The upper 64 bits; zero for an id that began as 64 bits.
    pub fn high(&self) -> u64 {
        (self.as_u128() >> 64) as u64
    }

    /// Appends 32 lower-case hexadecimal digits.
    pub fn write_hex(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&encode::<16, 32>(&self.0));
    }
}

impl SpanId {
    /// From its bytes, most significant first. `None` if all are zero.
    pub fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(Self(bytes))
    }

    /// From exactly 16 hexadecimal digits of either case. `None` for anything else, and for zero.
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        Self::from_bytes(decode(digits)?)
    }

    /// From 1 to 16 hexadecimal digits: leading zeroes may be missing. `None` for anything else, and for zero.
    pub fn from_short_hex(digits: &[u8]) -> Option<Self> {
        Self::from_u64(number(digits, 16)?.try_into().ok()?)
    }

    /// From a number. `None` for zero.
    pub fn from_u64(id: u64) -> Option<Self> {
        Self::from_bytes(id.to_be_bytes())
    }

    /// From random bits. A zero, one chance in 2^64, becomes one.
    pub fn from_random(bits: u64) -> Self {
        Self(bits.max(1).to_be_bytes())
    }

    /// The 8 bytes, most significant first, as OTLP carries them.
    pub fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// The id as a number.
    pub fn as_u64(&self) -> u64 {
        u64::from_be_bytes(self.0)
    }

    /// Appends 16 lower-case hexadecimal digits.
    pub fn write_hex(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&encode::<8, 16>(&self.0));
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.as_u128())
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.as_u64())
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_there_and_back() {
        let id = TraceId::from_hex(b"0AF7651916cd43dd8448eb211c80319c").unwrap();
        let mut out = Vec::new();
        id.write_hex(&mut out);
        assert_eq!(out, b"0af7651916cd43dd8448eb211c80319c");
        assert_eq!(id.to_string().as_bytes(), out);
    }

    #[test]
    fn zero_and_other_lengths_are_no_ids() {
        assert_eq!(TraceId::from_hex(&[b'0'; 32]), None);
        assert_eq!(SpanId::from_hex(&[b'0'; 16]), None);
        for length in (0..40).filter(|length| *length != 16) {
            assert_eq!(SpanId::from_hex(&vec![b'1'; length]), None, "{length} digits");
        }
        assert_eq!(SpanId::from_hex(b"00f067aa0ba902bg"), None);
    }

    #[test]
    fn a_64_bit_id_keeps_its_value_in_the_lower_half() {
        let id = TraceId::from_u64(0x1234).unwrap();
        assert_eq!((id.high(), id.low()), (0, 0x1234));
    }
}
