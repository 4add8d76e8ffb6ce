//! Hashing without much ado.

use std::hash::{BuildHasher, Hasher, RandomState};

use twox_hash::XxHash3_64;

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hashes numbers by one multiplication (Knuth, "The Art of Computer Programming" 3, 6.4), bytes by XXH3. By itself for what
/// nobody from outside chooses, or what is a hash already; with a seed for everything.
#[derive(Default)]
pub(crate) struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = XxHash3_64::oneshot_with_seed(self.0, bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(ODD).rotate_left(32);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

/// Hashes ids that come from outside: with a number that nobody there knows.
#[derive(Clone, Debug)]
pub(crate) struct Seeded(u64);

impl Default for Seeded {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seeded {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed(self.0)
    }
}
