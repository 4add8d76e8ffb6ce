//! What waits to be met, found by a key and given up in the order in which it came.
//!
//! Most of what is looked for is not there, and most of what is there is never looked for. So what is looked through is a
//! small table of numbers, and what waits is written behind each other and read once.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hash};

use crate::hash::{Mixed, Seeded};

/// What waits, the oldest first.
#[derive(Debug)]
pub(super) struct Waiting<K, T> {
    line: VecDeque<Waiter<K, T>>,
    /// How many have left the line.
    gone: u64,
    /// How many had come before each, by its key's hash. Of two keys with the same hash only the later is found.
    places: HashMap<u64, u64, BuildHasherDefault<Mixed>>,
    seed: Seeded,
}

#[derive(Debug)]
struct Waiter<K, T> {
    since: u64,
    key: K,
    what: T,
}

impl<K, T> Default for Waiting<K, T> {
    fn default() -> Self {
        Self {
            line: VecDeque::new(),
            gone: 0,
            places: HashMap::default(),
            seed: Seeded::default(),
        }
    }
}

impl<K: Eq + Hash, T> Waiting<K, T> {
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut T> {
        let place = self.places.get(&self.seed.hash_one(key))?;
        let waiter = self.line.get_mut(place.checked_sub(self.gone)? as usize)?;
        (waiter.key == *key).then_some(&mut waiter.what)
    }

    /// Goes to the end of the line.
    pub(super) fn push(&mut self, key: K, what: T, now: u64) {
        let place = self.gone + self.line.len() as u64;
        self.places.insert(self.seed.hash_one(&key), place);
        self.line.push_back(Waiter {
            since: now,
            key,
            what,
        });
    }

    /// The first one, if it has waited since that time or longer.
    pub(super) fn pop_since(&mut self, time: u64) -> Option<T> {
        self.line.front().filter(|first| first.since <= time)?;
        self.pop()
    }

    /// The first one.
    pub(super) fn pop(&mut self) -> Option<T> {
        let Waiter { key, what, .. } = self.line.pop_front()?;
        let hash = self.seed.hash_one(&key);
        if self.places.get(&hash) == Some(&self.gone) {
            self.places.remove(&hash);
        }
        self.gone += 1;
        Some(what)
    }

    pub(super) fn len(&self) -> usize {
        self.line.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_found_until_its_time_is_over() {
        let mut waiting = Waiting::default();
        for number in 0..10 {
            waiting.push(number, number * 2, number);
        }
        assert_eq!(waiting.pop(), Some(0));
        assert_eq!(waiting.get_mut(&0), None);
        *waiting.get_mut(&5).unwrap() += 100;
        let given_up: Vec<_> = std::iter::from_fn(|| waiting.pop_since(5)).collect();
        assert_eq!(given_up, [2, 4, 6, 8, 110]);
        assert_eq!(waiting.get_mut(&5), None);
        assert_eq!(waiting.get_mut(&6), Some(&mut 12));
        assert_eq!((waiting.len(), waiting.places.len()), (4, 4));
    }
}
