//! A Bloom filter: says of a thing either that it may be there, or that it is not.

use super::tokens::Token;

/// Bits for each thing, and how many of them it sets: one thing in about 120 is taken for one that is there. A filter is a
/// sixth of what a span takes on disk, and what is wrongly read is the columns of one row group.
const BITS: usize = 10;
const PROBES: u64 = 8;

/// A filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter(pub(crate) Vec<u8>);

impl Filter {
    pub(crate) fn new(tokens: &[Token]) -> Self {
        let mut filter = Self(vec![0; (tokens.len() * BITS).div_ceil(8).max(8)]);
        for token in tokens {
            for probe in probes(*token, filter.bits()) {
                if let Some(byte) = filter.0.get_mut(probe / 8) {
                    *byte |= 1 << (probe % 8);
                }
            }
        }
        filter
    }

    pub(crate) fn may_have(&self, token: Token) -> bool {
        may_have(&self.0, token)
    }

    fn bits(&self) -> u64 {
        self.0.len() as u64 * 8
    }
}

/// What [`Filter::may_have`] says, of the filter's bytes.
pub(crate) fn may_have(filter: &[u8], token: Token) -> bool {
    let set = |probe: usize| {
        filter
            .get(probe / 8)
            .is_none_or(|byte| byte & (1 << (probe % 8)) != 0)
    };
    probes(token, filter.len() as u64 * 8).all(set)
}

/// Kirsch and Mitzenmacher, "Less hashing, same performance": two hashes make all of them.
fn probes(token: Token, bits: u64) -> impl Iterator<Item = usize> {
    let step = token.rotate_left(32) | 1;
    (0..PROBES).map(move |probe| {
        let mixed = token.wrapping_add(probe.wrapping_mul(step));
        ((u128::from(mixed) * u128::from(bits)) >> 64) as usize
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use twox_hash::XxHash3_64;

    use super::*;

    proptest! {
        #[test]
        fn what_was_put_in_may_be_there(tokens in proptest::collection::vec(any::<u64>(), 0..500)) {
            let filter = Filter::new(&tokens);
            prop_assert!(tokens.iter().all(|token| filter.may_have(*token)));
        }
    }

    #[test]
    fn few_things_that_were_not_put_in_may_be_there() {
        let id = |number: u64| XxHash3_64::oneshot(&number.to_le_bytes());
        let filter = Filter::new(&(0..10_000).map(id).collect::<Vec<_>>());
        let wrong = (10_000..110_000)
            .filter(|number| filter.may_have(id(*number)))
            .count();
        assert!(wrong < 1_200, "{wrong} of 100,000");
    }
}
