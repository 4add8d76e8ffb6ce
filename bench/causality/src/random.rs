//! Randomness that is the same for ever: a seed names a workload, so the generator is written out here and no update of
//! a library can change what a seed means.

use causality::Nanos;

/// Xoshiro256++ (Blackman and Vigna 2021), seeded through SplitMix64.
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

impl Random {
    /// The sequence that belongs to a seed.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(state)
        }))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// From 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.number()) * bound as u128) >> 64) as usize
    }

    /// From `low` to below `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True in this share of cases.
    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// The finaliser of SplitMix64: a hash of one number.
pub fn mix(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How long something takes. Scales are in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// Always as long.
    Fixed(f64),
    /// Exponential, by its mean.
    Exponential(f64),
    /// The logarithm is normal: by median, and deviation of the logarithm.
    LogNormal(f64, f64),
    /// Mostly the first median, in the given share of cases the second: a cache that is hit or missed. The last is the
    /// deviation of the logarithm in both.
    Bimodal(f64, f64, f64, f64),
}

impl Span {
    /// One draw.
    pub fn draw(self, random: &mut Random) -> Nanos {
        let nanos = match self {
            Self::Fixed(nanos) => nanos,
            Self::Exponential(mean) => mean * random.exponential(),
            Self::LogNormal(median, sigma) => median * (sigma * random.normal()).exp(),
            Self::Bimodal(fast, slow, share, sigma) => {
                let median = if random.chance(share) { slow } else { fast };
                median * (sigma * random.normal()).exp()
            }
        };
        nanos as Nanos
    }

    /// The same, so many times as long.
    pub fn times(self, factor: f64) -> Self {
        match self {
            Self::Fixed(nanos) => Self::Fixed(nanos * factor),
            Self::Exponential(mean) => Self::Exponential(mean * factor),
            Self::LogNormal(median, sigma) => Self::LogNormal(median * factor, sigma),
            Self::Bimodal(fast, slow, share, sigma) => {
                Self::Bimodal(fast * factor, slow * factor, share, sigma)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_numbers_for_ever() {
        let mut random = Random::new(1);
        let first: Vec<u64> = (0..2).map(|_| random.number()).collect();
        assert_eq!(first, [0xcfc5_d07f_6f03_c29b, 0xbf42_4132_963f_e08d]);
    }

    #[test]
    fn draws_have_the_middle_that_they_are_described_by() {
        let mut random = Random::new(2);
        let mut middle = |span: Span| {
            let mut draws: Vec<Nanos> = (0..10_001).map(|_| span.draw(&mut random)).collect();
            draws.sort_unstable();
            draws[5_000] as f64
        };
        assert_eq!(middle(Span::Fixed(7.0)), 7.0);
        assert!((middle(Span::LogNormal(1e6, 1.0)) / 1e6 - 1.0).abs() < 0.05);
        assert!((middle(Span::Exponential(1e6)) / (1e6 * 2_f64.ln()) - 1.0).abs() < 0.05);
        assert!((middle(Span::Bimodal(1e6, 1e9, 0.1, 0.1)) / 1e6 - 1.0).abs() < 0.05);
    }
}
