//! Durations, counted so that quantiles are known to a few percent.
//!
//! A bucket is a sixteenth of an octave, so a quantile is at most 3.2 percent off. Only buckets in which something was
//! counted take room; where that would be too much, neighbours become one, which doubles the error.

/// Buckets of one histogram: four octaves at the finest.
const CELLS: usize = 64;
const SUB_BITS: u32 = 4;

/// A histogram of nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Histogram {
    /// Two to this many of the finest buckets are one.
    coarseness: u8,
    /// Bucket and count, by bucket.
    cells: Vec<(u16, u32)>,
}

impl Histogram {
    pub(super) fn add(&mut self, nanos: u64) {
        self.count(bucket(nanos) >> self.coarseness, 1);
        while self.cells.len() > CELLS {
            self.coarsen();
        }
    }

    /// Everything that another has counted. However many buckets that are.
    pub(super) fn merge(&mut self, other: &Self) {
        while self.coarseness < other.coarseness {
            self.coarsen();
        }
        let finer = self.coarseness - other.coarseness;
        for (bucket, count) in &other.cells {
            self.count(bucket >> finer, *count);
        }
    }

    /// The duration that so large a part of all is at most as long as: 0.95 for the 95th percentile. None if nothing
    /// was counted.
    pub(super) fn quantile(&self, part: f64) -> Option<u64> {
        let total: u64 = self.cells.iter().map(|(_, count)| u64::from(*count)).sum();
        let rank = ((total as f64 * part).ceil() as u64).clamp(1, total.max(1));
        let mut below = 0;
        self.cells.iter().find_map(|(bucket, count)| {
            below += u64::from(*count);
            (below >= rank).then(|| self.middle(*bucket))
        })
    }

    fn count(&mut self, bucket: u16, count: u32) {
        match self.cells.binary_search_by_key(&bucket, |cell| cell.0) {
            Ok(place) => {
                if let Some((_, known)) = self.cells.get_mut(place) {
                    *known = known.saturating_add(count);
                }
            }
            Err(place) => self.cells.insert(place, (bucket, count)),
        }
    }

    /// Makes one of every two neighbours.
    fn coarsen(&mut self) {
        self.coarseness += 1;
        for (bucket, count) in std::mem::take(&mut self.cells) {
            self.count(bucket >> 1, count);
        }
    }

    fn middle(&self, bucket: u16) -> u64 {
        let start = |bucket: u32| start(bucket << self.coarseness);
        let bucket = u32::from(bucket);
        start(bucket).midpoint(start(bucket + 1).saturating_sub(1))
    }
}

/// The finest bucket of a duration.
fn bucket(nanos: u64) -> u16 {
    let octave = u64::BITS - nanos.leading_zeros();
    if octave <= SUB_BITS {
        return nanos as u16;
    }
    let shift = octave - SUB_BITS - 1;
    // the four bits behind the first
    let sub = (nanos >> shift) & 0xf;
    (u64::from((shift + 1) << SUB_BITS) + sub) as u16
}

/// The least duration in a bucket; the longest there is for one beyond the last.
fn start(bucket: u32) -> u64 {
    let (octave, sub) = (bucket >> SUB_BITS, u64::from(bucket & 0xf));
    match octave {
        0 => sub,
        1..=60 => (16 + sub) << (octave - 1),
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_single_duration_is_known_to_a_32nd(nanos in any::<u64>(), shift in 0u32..64) {
            let nanos = nanos >> shift;
            let mut histogram = Histogram::default();
            histogram.add(nanos);
            let off = histogram.quantile(0.5).unwrap().abs_diff(nanos) as f64;
            prop_assert!(off <= nanos as f64 / 32.0, "{nanos} {off}");
        }

        /// Of durations that differ by no more than eight times to a 32nd, by two hundred times to a 16th.
        #[test]
        fn quantiles_are_those_of_the_sorted_durations(
            spread in prop_oneof![Just((8, 32.0)), Just((200, 16.0))],
            shares in proptest::collection::vec(0.0f64..1.0, 1..200),
            part in 0.01f64..1.0,
        ) {
            let (times, exactness) = spread;
            let mut durations: Vec<_> = shares
                .into_iter()
                .map(|share| (1e6 * f64::from(times).powf(share)) as u64)
                .collect();
            let mut halves = [Histogram::default(), Histogram::default()];
            for (index, nanos) in durations.iter().enumerate() {
                halves[index % 2].add(*nanos);
            }
            let [mut merged, other] = halves;
            merged.merge(&other);
            durations.sort_unstable();
            let rank = (durations.len() as f64 * part).ceil() as usize;
            let exact = durations[rank.max(1) - 1];
            let off = merged.quantile(part).unwrap().abs_diff(exact) as f64;
            // a duration at a bucket's edge and a whole number of nanoseconds
            prop_assert!(off <= exact as f64 / exactness * 1.01, "{exact} {off}");
        }
    }

    #[test]
    fn a_histogram_has_a_bound_and_loses_no_count() {
        let mut histogram = Histogram::default();
        for shift in 0..64 {
            for sub in 0..16 {
                histogram.add((1 << shift) + sub);
            }
        }
        assert!(histogram.cells.len() <= CELLS);
        assert_eq!(histogram.cells.iter().map(|cell| cell.1).sum::<u32>(), 1024);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }
}
