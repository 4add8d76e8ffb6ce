//! Durations, counted so that any quantile is at most three percent off.
//!
//! A bucket is a sixteenth of an octave. Only buckets in which something was counted take room.

/// Buckets of one histogram. What comes beyond is counted in the nearest one.
const CELLS: usize = 64;
const SUB_BITS: u32 = 4;

/// A histogram of nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Histogram {
    /// Bucket and count, by bucket.
    cells: Vec<(u16, u32)>,
}

impl Histogram {
    pub(super) fn add(&mut self, nanos: u64) {
        self.add_to(bucket(nanos), 1);
    }

    /// Everything that another has counted.
    pub(super) fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.cells {
            match self.cells.binary_search_by_key(bucket, |cell| cell.0) {
                Ok(place) => self.raise(place, *count),
                Err(place) => self.cells.insert(place, (*bucket, *count)),
            }
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
            (below >= rank).then(|| middle(*bucket))
        })
    }

    fn add_to(&mut self, bucket: u16, count: u32) {
        match self.cells.binary_search_by_key(&bucket, |cell| cell.0) {
            Ok(place) => self.raise(place, count),
            Err(place) if self.cells.len() < CELLS => self.cells.insert(place, (bucket, count)),
            Err(place) => {
                let distance = |place: usize| {
                    let cell = self.cells.get(place);
                    cell.map_or(u16::MAX, |cell| cell.0.abs_diff(bucket))
                };
                let before = place.saturating_sub(1);
                let nearest = if distance(before) <= distance(place) {
                    before
                } else {
                    place
                };
                self.raise(nearest, count);
            }
        }
    }

    fn raise(&mut self, place: usize, by: u32) {
        if let Some((_, count)) = self.cells.get_mut(place) {
            *count = count.saturating_add(by);
        }
    }
}

fn bucket(nanos: u64) -> u16 {
    let octave = u64::BITS - nanos.leading_zeros();
    if octave <= SUB_BITS {
        return nanos as u16;
    }
    let shift = octave - SUB_BITS - 1;
    // the four bits behind the first
    let sub = (nanos >> shift) & 0xf;
    (((shift + 1) << SUB_BITS) as u64 + sub) as u16
}

fn middle(bucket: u16) -> u64 {
    let (octave, sub) = (u32::from(bucket) >> SUB_BITS, u64::from(bucket) & 0xf);
    if octave == 0 {
        return sub;
    }
    let width = 1_u64 << (octave - 1);
    ((16 + sub) << (octave - 1)) + width / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_buckets_middle_is_at_most_three_and_an_eighth_percent_off(nanos in any::<u64>(), shift in 0u32..64) {
            let nanos = nanos >> shift;
            let off = middle(bucket(nanos)).abs_diff(nanos) as f64;
            prop_assert!(off <= nanos as f64 / 32.0, "{nanos} {off}");
        }

        #[test]
        fn quantiles_are_those_of_the_sorted_durations(
            mut durations in proptest::collection::vec(1_000_000u64..8_000_000, 1..200),
            part in 0.01f64..1.0,
        ) {
            let mut whole = Histogram::default();
            let mut halves = [Histogram::default(), Histogram::default()];
            for (index, nanos) in durations.iter().enumerate() {
                whole.add(*nanos);
                halves[index % 2].add(*nanos);
            }
            let [mut merged, other] = halves;
            merged.merge(&other);
            // below the bound on buckets, which keeps those of either half apart
            prop_assert_eq!(merged.quantile(part), whole.quantile(part));
            durations.sort_unstable();
            let rank = (durations.len() as f64 * part).ceil() as usize;
            let exact = durations[rank.max(1) - 1];
            let off = whole.quantile(part).unwrap().abs_diff(exact) as f64;
            prop_assert!(off <= exact as f64 / 32.0, "{exact} {off}");
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
