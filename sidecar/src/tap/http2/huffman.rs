//! Huffman-coded strings (RFC 7541, section 5.2 and appendix B), reading only: what we write is never compressed.
//!
//! The code is canonical: among codes of one length the order is that of the symbols, and each length continues where
//! the one before ended. So the lengths alone are the whole table, and all else is worked out by the compiler.

/// The code lengths of the 256 octets. EOS is the one code left over: thirty ones.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

const LONGEST: usize = 30;

/// A decoded symbol, and the length of its code in bits.
type Symbol = (u8, u8);

/// All codes of one length: consecutive numbers for consecutive places in `ORDER`.
#[derive(Clone, Copy)]
struct Rank {
    first_code: u32,
    first_place: u32,
    count: u32,
}

const NO_CODES: Rank = Rank {
    first_code: 0,
    first_place: 0,
    count: 0,
};

/// The octets by length of code, then by value.
static ORDER: [u8; 256] = TABLES.0;
/// Where the codes of each length are.
static RANKS: [Rank; LONGEST + 1] = TABLES.1;
/// What the next eight bits begin with, if that is a code of at most eight bits: length 0 says that it is not.
static SHORT: [Symbol; 256] = TABLES.2;

const TABLES: ([u8; 256], [Rank; LONGEST + 1], [Symbol; 256]) = tables();

#[expect(
    clippy::indexing_slicing,
    reason = "run by the compiler: a wrong index does not build"
)]
const fn tables() -> ([u8; 256], [Rank; LONGEST + 1], [Symbol; 256]) {
    let mut order = [0; 256];
    let mut ranks = [NO_CODES; LONGEST + 1];
    let mut short = [(0, 0); 256];
    let (mut code, mut place, mut length) = (0, 0, 1);
    while length <= LONGEST {
        code <<= 1;
        ranks[length] = Rank {
            first_code: code,
            first_place: place,
            count: 0,
        };
        let mut symbol = 0;
        while symbol < 256 {
            if LENGTHS[symbol] as usize == length {
                order[place as usize] = symbol as u8;
                if length <= 8 {
                    let mut tail = 0;
                    while tail < 1 << (8 - length) {
                        short[(code as usize) << (8 - length) | tail] = (symbol as u8, length as u8);
                        tail += 1;
                    }
                }
                ranks[length].count += 1;
                place += 1;
                code += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    (order, ranks, short)
}

/// Appends what `coded` stands for.
///
/// `None` when it holds EOS, or does not end with at most seven ones (RFC 7541, section 5.2); `out` may then have grown.
pub(super) fn decode(mut coded: &[u8], out: &mut Vec<u8>) -> Option<()> {
    // no code is shorter than five bits, so that there is a place for each symbol
    let start = out.len();
    out.resize(start.saturating_add(coded.len().saturating_mul(8) / 5), 0);
    let mut places = out.get_mut(start..)?.iter_mut();
    // The bits not yet understood, at the top; below them zeroes.
    let (mut bits, mut have) = (0_u64, 0_u32);
    loop {
        if have <= 32 {
            if let Some((four, rest)) = coded.split_first_chunk() {
                bits |= u64::from(u32::from_be_bytes(*four)) << (32 - have);
                have += 32;
                coded = rest;
            } else {
                while let Some((byte, rest)) = coded.split_first().filter(|_| have <= 56) {
                    bits |= u64::from(*byte) << (56 - have);
                    have += 8;
                    coded = rest;
                }
            }
        }
        // a short code is there as a whole
        while have >= 8 {
            let Some((symbol, length @ 1..)) = SHORT.get((bits >> 56) as usize) else {
                break;
            };
            bits <<= length;
            have -= u32::from(*length);
            *places.next()? = *symbol;
        }
        if have <= 32 && !coded.is_empty() {
            continue;
        }
        // a longer one, or the last
        let (symbol, length) = match SHORT.get((bits >> 56) as usize) {
            Some((symbol, length)) if *length > 0 => (*symbol, *length),
            _ => long(bits).unwrap_or((0, u8::MAX)),
        };
        if u32::from(length) > have {
            let ones = !bits.checked_shr(64 - have).unwrap_or(0) & ((1 << have.min(8)) - 1) == 0;
            let free = places.len();
            out.truncate(out.len() - free);
            return (have < 8 && ones).then_some(());
        }
        bits <<= length;
        have -= u32::from(length);
        *places.next()? = symbol;
    }
}

/// A code of more than eight bits.
#[cold]
fn long(bits: u64) -> Option<Symbol> {
    (9..=LONGEST).find_map(|length| {
        let rank = RANKS.get(length)?;
        let code = (bits >> (64 - length)) as u32;
        let nth = code
            .checked_sub(rank.first_code)
            .filter(|nth| *nth < rank.count)?;
        Some((*ORDER.get((rank.first_place + nth) as usize)?, length as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(symbol: u8) -> (u32, usize) {
        let length = usize::from(LENGTHS[usize::from(symbol)]);
        let rank = RANKS[length];
        let place = ORDER.iter().position(|other| *other == symbol).unwrap() as u32;
        (rank.first_code + place - rank.first_place, length)
    }

    fn encode(text: &[u8]) -> Vec<u8> {
        let mut bits: Vec<u8> = Vec::new();
        for symbol in text {
            let (code, length) = code_of(*symbol);
            bits.extend((0..length).rev().map(|bit| (code >> bit & 1) as u8));
        }
        bits.resize(bits.len().next_multiple_of(8), 1);
        bits.chunks(8)
            .map(|byte| byte.iter().fold(0, |all, bit| all << 1 | bit))
            .collect()
    }

    fn decoded(coded: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(coded, &mut out).map(|()| out)
    }

    #[test]
    fn the_codes_are_those_of_appendix_b() {
        assert_eq!(code_of(b'0'), (0x0, 5));
        assert_eq!(code_of(b'Z'), (0xfd, 8));
        assert_eq!(code_of(b'!'), (0x3f8, 10));
        assert_eq!(code_of(b'\\'), (0x7fff0, 19));
        assert_eq!(code_of(0), (0x1ff8, 13));
        assert_eq!(code_of(22), (0x3fff_fffe, 30));
        assert_eq!(code_of(249), (0xfff_fffe, 28));
    }

    #[test]
    fn every_octet_at_every_bit_offset_goes_there_and_back() {
        for symbol in 0..=255 {
            for before in 0..8 {
                let mut text = vec![b'0'; before];
                text.extend([symbol, b'a', symbol]);
                assert_eq!(
                    decoded(&encode(&text)).as_deref(),
                    Some(&*text),
                    "{symbol} after {before}"
                );
            }
        }
    }

    #[test]
    fn padding_is_fewer_than_eight_ones() {
        assert_eq!(decoded(b"").as_deref(), Some(&b""[..]));
        assert_eq!(decoded(&[0b0000_0111]).as_deref(), Some(&b"0"[..]));
        assert_eq!(decoded(&[0b0000_0110]), None, "a zero in the padding");
        assert_eq!(decoded(&[0b0000_0111, 0xff]), None, "eleven ones");
        assert_eq!(decoded(&[0xff]), None, "eight ones");
        assert_eq!(decoded(&[0xff; 4]), None, "EOS");
        assert_eq!(decoded(&[0xff; 12]), None, "EOS inside");
    }
}
