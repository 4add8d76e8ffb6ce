//! Hexadecimal digits and the numbers they stand for. Reads either case, writes lower case.

/// Exactly `N` bytes from exactly `2 * N` digits.
pub(crate) fn decode<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let mut bytes = [0; N];
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

/// `2 * N` digits, which is `DIGITS`, of `N` bytes.
pub(crate) fn encode<const N: usize, const DIGITS: usize>(bytes: &[u8; N]) -> [u8; DIGITS] {
    let mut digits = [0; DIGITS];
    for ([high, low], byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *high = digit(byte >> 4);
        *low = digit(byte & 0xf);
    }
    digits
}

/// The number that 1 to `longest` digits stand for. `longest` is at most 32.
pub(crate) fn number(digits: &[u8], longest: usize) -> Option<u128> {
    if digits.is_empty() || digits.len() > longest.min(32) {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |number, digit| Some(number << 4 | u128::from(nibble(*digit)?)))
}

/// How many digits a number has without leading zeroes; one for zero.
pub(crate) fn digits_of(number: u128) -> usize {
    (128 - number.leading_zeros()).div_ceil(4).max(1) as usize
}

/// Appends a number, padded with zeroes on the left to `width` digits.
pub(crate) fn write_number(out: &mut Vec<u8>, number: u128, width: usize) {
    for place in (0..width.max(digits_of(number))).rev() {
        let shifted = u32::try_from(4 * place)
            .ok()
            .and_then(|bits| number.checked_shr(bits));
        out.push(digit((shifted.unwrap_or(0) & 0xf) as u8));
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn digit(nibble: u8) -> u8 {
    if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + nibble - 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_the_width_it_is_given_and_grows_where_it_must() {
        let written = |number, width| {
            let mut out = Vec::new();
            write_number(&mut out, number, width);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(0, 0), "0");
        assert_eq!(written(0x2a, 5), "0002a");
        assert_eq!(written(0xabc, 1), "abc");
        assert_eq!(written(u128::MAX, 40), format!("{:040x}", u128::MAX));
    }

    #[test]
    fn numbers_are_read_within_their_bounds_only() {
        assert_eq!(number(b"00fF", 16), Some(0xff));
        assert_eq!(number(b"", 16), None);
        assert_eq!(number(&[b'1'; 17], 16), None);
        assert_eq!(number(b"0x1", 16), None);
        assert_eq!(number(&[b'f'; 32], 32), Some(u128::MAX));
    }
}
