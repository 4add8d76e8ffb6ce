use std::collections::HashMap;
use std::hash::Hash;

use super::series::{Call, SPAN, Series};

/// How often a full table looks for series that have fallen silent, in nanoseconds.
const SWEEP: u64 = 60 * 1_000_000_000;

/// Series by key, at most so many. What comes beyond is counted in one series for all of them.
#[derive(Debug)]
pub(super) struct Table<K> {
    limit: usize,
    series: HashMap<K, Series>,
    other: Series,
    swept: u64,
}

impl<K: Eq + Hash> Table<K> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            series: HashMap::new(),
            other: Series::default(),
            swept: 0,
        }
    }

    pub(super) fn add<'a>(&mut self, key: K, calls: impl IntoIterator<Item = &'a Call>, now: u64) {
        let mut known = self.series.contains_key(&key);
        if self.series.len() >= self.limit && !known {
            self.sweep(now);
        }
        known |= self.series.len() < self.limit;
        let series = match known {
            true => self.series.entry(key).or_default(),
            false => &mut self.other,
        };
        calls.into_iter().for_each(|call| series.add(call, now));
    }

    /// Forgets what has not been counted for as long as anything is kept.
    fn sweep(&mut self, now: u64) {
        if now.saturating_sub(self.swept) >= SWEEP {
            self.swept = now;
            let silent = now.saturating_sub(SPAN);
            self.series.retain(|_, series| series.last > silent);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Series)> {
        self.series.iter()
    }

    pub(super) fn get(&self, key: &K) -> Option<&Series> {
        self.series.get(key)
    }

    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    /// What there was no room for.
    pub(super) fn other(&self) -> &Series {
        &self.other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{START, trace_id};

    fn call() -> Call {
        Call {
            duration: 1,
            error: false,
            trace_id: trace_id(1),
        }
    }

    #[test]
    fn what_there_is_no_room_for_is_counted_together() {
        let mut table = Table::new(2);
        for key in [1, 2, 3, 1, 3] {
            table.add(key, [&call()], START);
        }
        assert_eq!(table.len(), 2);
        assert_eq!(table.get(&1).unwrap().ever.calls, 2);
        assert_eq!(table.other().ever.calls, 2);
    }

    #[test]
    fn what_has_fallen_silent_makes_room() {
        let mut table = Table::new(2);
        table.add(1, [&call()], START);
        table.add(2, [&call()], START + SPAN);
        table.add(3, [&call()], START + SPAN + 1);
        let mut keys: Vec<_> = table.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        assert_eq!((keys, table.other().ever.calls), (vec![2, 3], 0));
    }
}
