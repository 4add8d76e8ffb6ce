//! Whether a program works on only so many requests at a time, while later ones wait to be accepted or for a thread.
//!
//! The sidecar sees a waiting request as any other, but it makes no calls. So the number of requests that have made calls
//! stops at the number of workers, while the number in flight goes on: a cliff where there would be a slope.

/// The most workers that are looked for.
const WORKERS_MAX: usize = 64;

/// So many calls have to be seen at the cliff's edge, and as many while more requests were in flight.
const KNOWN_AT: f32 = 30.0;

/// The edge has at least this share of the number before it, and all behind it at most this share of the edge.
const SLOPE: f32 = 0.35;
const CLIFF: f32 = 0.2;

/// What was seen counts half once so many calls were.
const FADE_AT: f32 = 4000.0;

#[derive(Debug)]
pub(crate) struct Workers {
    /// How many calls were made while one, two, … requests had made calls.
    active: [f32; WORKERS_MAX],
    /// How many while one, two, … were in flight.
    in_flight: [f32; WORKERS_MAX],
    seen: f32,
    count: Option<usize>,
}

impl Workers {
    pub(crate) fn new() -> Self {
        Self {
            active: [0.0; WORKERS_MAX],
            in_flight: [0.0; WORKERS_MAX],
            seen: 0.0,
            count: None,
        }
    }

    /// How many requests are worked on at a time.
    pub(crate) fn count(&self) -> usize {
        self.count.unwrap_or(usize::MAX)
    }

    /// A call was made; with it, so many requests have made calls, of so many in flight.
    pub(crate) fn learn(&mut self, active: usize, in_flight: usize) {
        for (sums, number) in [(&mut self.active, active), (&mut self.in_flight, in_flight)] {
            if let Some(sum) = sums.get_mut(number.saturating_sub(1).min(WORKERS_MAX.saturating_sub(1))) {
                *sum += 1.0;
            }
        }
        self.seen += 1.0;
        if self.seen > FADE_AT {
            self.seen *= 0.5;
            for sum in self.active.iter_mut().chain(&mut self.in_flight) {
                *sum *= 0.5;
            }
        }
        self.count = self.find();
    }

    fn find(&self) -> Option<usize> {
        let (mut behind, mut more_in_flight) = (0.0, 0.0);
        let mut numbers = self
            .active
            .iter()
            .zip(&self.in_flight)
            .enumerate()
            .rev()
            .peekable();
        while let Some((index, (active, in_flight))) = numbers.next() {
            let before = numbers.peek().map_or(0.0, |(_, (before, _))| **before);
            if *active >= KNOWN_AT
                && more_in_flight >= KNOWN_AT
                && *active >= SLOPE * before
                && behind <= CLIFF * active
            {
                return Some(index.saturating_add(1));
            }
            behind += active;
            more_in_flight += in_flight;
        }
        None
    }
}
