//! Hashing numbers that nobody from outside chooses, or that are hashes already.

use std::hash::Hasher;

use twox_hash::XxHash3_64;

/// Hashes a number by one multiplication (Knuth, "The Art of Computer Programming" 3, 6.4).
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
        self.0 = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}
