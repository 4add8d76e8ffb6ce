//! Values that a request carries, or is given by an answer, and that a call carries on.
//!
//! A value speaks for a request only if no other in flight carries it. How loudly depends on where it stood and where it
//! stands, and on whether it had ever been seen before: a fresh one (a request's own identifier) is believed until it
//! contradicts other evidence; one seen before (a session, something popular, a content type) only as far as values in
//! these two places have agreed with other evidence until now.

use crate::TOKENS_MAX;
use std::collections::VecDeque;

use crate::event::Token;
use crate::hash::{Map, mix, pair};

/// The most values that are remembered of requests in flight and of answers.
const CARRIED_MAX: usize = 16_384;

/// The most pairs of places that are told apart.
const PLACES_MAX: usize = 1024;

/// Cells of a sketch, in each of its rows.
const CELLS: usize = 8192;
const ROWS: usize = 4;

/// After so many values, what a sketch has counted counts half.
const SKETCH_FADES_AT: u32 = 8192;

/// With what the reliability of a pair of places starts: for values of places that always bring fresh ones, and for others.
const FRESH_BEFORE: Agreed = Agreed {
    right: 200.0,
    wrong: 0.05,
    expected: 60.0,
};
const OTHERS_BEFORE: Agreed = Agreed {
    right: 50.0,
    wrong: 0.2,
    expected: 15.0,
};
/// What answers bring may be meant for all requests.
const ANSWERS_BEFORE: Agreed = Agreed {
    right: 1.2,
    wrong: 0.8,
    expected: 0.6,
};

/// So many requests that are over stand by as decoys: what a call has in common with them it has by chance.
const DECOYS: usize = 64;

/// Calls that are assumed to have been seen before any was, of which this share carried something on.
const CALLS_BEFORE: f64 = 4.0;
const CARRIED_ON_BEFORE: f64 = 0.3;

/// Values in common with decoys that are assumed to have been seen.
const CHANCE_BEFORE: f64 = 0.5;

/// A place is known to bring fresh values once it brought so many, and almost no other.
const PLACE_KNOWN_AT: f64 = 40.0;
const PLACE_EXCEPTIONS: f64 = 0.02;

/// The share of wrong echoes below which one is exact, and how many agreements it takes to know that.
const RARE: f64 = 0.001;

/// What was seen counts half once so many calls had a value in one place.
const FADE_AT: f64 = 5000.0;

/// Whom a value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// A request that carries it, by its place in the engine.
    Request(usize),
    /// A call whose answer brought it, by its place in the engine.
    Call(usize),
}

impl Holder {
    fn number(self) -> u64 {
        match self {
            Self::Request(place) => place as u64,
            Self::Call(place) => (place as u64) | 1 << 32,
        }
    }

    fn of(number: u64) -> Self {
        if number & (1 << 32) == 0 {
            Self::Request(number as usize)
        } else {
            Self::Call((number & 0xffff_ffff) as usize)
        }
    }
}

/// A value of a call that only one request in flight, or one answer, had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Echo {
    pub(crate) holder: Holder,
    /// The places that it stood and stands in, and how it is known.
    pub(crate) places: u64,
    /// The logarithm of the odds that it tells the truth.
    pub(crate) factor: f64,
    /// Whether values in these places almost never lie.
    pub(crate) exact: bool,
}

#[derive(Clone, Copy, Debug)]
struct Carried {
    holders: u32,
    /// The sum of their numbers: with one holder, its number.
    sum: u64,
    place: u32,
    fresh: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Agreed {
    /// How often an echo told the truth, and how often not.
    right: f64,
    wrong: f64,
    /// How often it would have by chance.
    expected: f64,
}

/// How often calls carry something on from one place to another.
#[derive(Clone, Copy, Debug, Default)]
struct Carries {
    /// Calls that had a value that some request in flight had.
    hits: f64,
    /// Values that they had in common with decoys.
    chance: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Brought {
    fresh: f64,
    others: f64,
}

#[derive(Debug)]
pub(crate) struct Echoes {
    carried: Map<u64, Carried>,
    places: Map<u64, Agreed>,
    carries: Map<u64, Carries>,
    /// How many calls had a value in a place.
    calls_with: Map<u32, f64>,
    brought: Map<u32, Brought>,
    /// Values of requests that are over, oldest first, and the place of each and how many have it.
    decoys: VecDeque<Vec<u64>>,
    decoyed: Map<u64, (u32, u32)>,
    requests: Sketch,
    calls: Sketch,
}

impl Echoes {
    pub(crate) fn new() -> Self {
        Self {
            carried: Map::default(),
            places: Map::default(),
            carries: Map::default(),
            calls_with: Map::default(),
            brought: Map::default(),
            decoys: VecDeque::new(),
            decoyed: Map::default(),
            requests: Sketch::new(),
            calls: Sketch::new(),
        }
    }

    /// A request, or an answer, carries these. What it is remembered by is to be given back.
    pub(crate) fn carry(&mut self, holder: Holder, tokens: &[Token]) -> Vec<u64> {
        let mut kept = Vec::new();
        for token in tokens.iter().take(TOKENS_MAX) {
            if kept.contains(&token.value) {
                continue;
            }
            let fresh = self.requests.count(token.value) == 0 && self.calls.count(token.value) == 0;
            self.requests.add(token.value);
            let fresh = fresh & self.brings_fresh(token.place, fresh);
            let answer = matches!(holder, Holder::Call(_));
            if answer && !fresh {
                continue;
            }
            if self.carried.len() >= CARRIED_MAX && !self.carried.contains_key(&token.value) {
                continue;
            }
            kept.push(token.value);
            self.carried
                .entry(token.value)
                .and_modify(|carried| {
                    carried.holders = carried.holders.saturating_add(1);
                    carried.sum = carried.sum.wrapping_add(holder.number());
                    carried.fresh = false;
                })
                .or_insert(Carried {
                    holders: 1,
                    sum: holder.number(),
                    place: token.place,
                    fresh,
                });
        }
        kept
    }

    /// Counts a value that a place brought; whether it brings fresh ones only.
    fn brings_fresh(&mut self, place: u32, fresh: bool) -> bool {
        if self.brought.len() >= PLACES_MAX && !self.brought.contains_key(&place) {
            return false;
        }
        let brought = self.brought.entry(place).or_default();
        let Brought { fresh: known, others } = *brought;
        if fresh {
            brought.fresh += 1.0;
        } else {
            brought.others += 1.0;
        }
        if known + others > 1000.0 {
            brought.fresh *= 0.5;
            brought.others *= 0.5;
        }
        known >= PLACE_KNOWN_AT && others <= PLACE_EXCEPTIONS * known
    }

    /// It is over.
    pub(crate) fn drop(&mut self, holder: Holder, kept: Vec<u64>) {
        let decoy = matches!(holder, Holder::Request(_));
        for value in &kept {
            if let Some(carried) = self.carried.get_mut(value) {
                if decoy {
                    let (_, times) = self.decoyed.entry(*value).or_insert((carried.place, 0));
                    *times = times.saturating_add(1);
                }
                carried.holders = carried.holders.saturating_sub(1);
                carried.sum = carried.sum.wrapping_sub(holder.number());
                if carried.holders == 0 {
                    self.carried.remove(value);
                }
            }
        }
        if decoy {
            self.decoy(kept);
        }
    }

    /// Keeps what a request carried as a decoy, in place of the oldest one.
    fn decoy(&mut self, values: Vec<u64>) {
        self.decoys.push_back(values);
        if self.decoys.len() <= DECOYS {
            return;
        }
        for value in self.decoys.pop_front().unwrap_or_default() {
            if let Some((_, times)) = self.decoyed.get_mut(&value) {
                *times = times.saturating_sub(1);
                if *times == 0 {
                    self.decoyed.remove(&value);
                }
            }
        }
    }

    /// Counts what a call's value has in common with requests in flight, and with decoys.
    fn compare(&mut self, token: &Token) {
        if self.calls_with.len() >= PLACES_MAX && !self.calls_with.contains_key(&token.place) {
            return;
        }
        let calls = self.calls_with.entry(token.place).or_default();
        *calls += 1.0;
        if *calls > FADE_AT {
            for calls in self.calls_with.values_mut() {
                *calls *= 0.5;
            }
            for carries in self.carries.values_mut() {
                carries.hits *= 0.5;
                carries.chance *= 0.5;
            }
        }
        let hit = self
            .carried
            .get(&token.value)
            .map(|carried| (carried.place, 1.0, 0.0));
        let chance = self
            .decoyed
            .get(&token.value)
            .map(|(place, times)| (*place, 0.0, f64::from(*times)));
        for (place, hits, chance) in hit.into_iter().chain(chance) {
            let places = pair(u64::from(place), u64::from(token.place));
            if self.carries.len() < PLACES_MAX || self.carries.contains_key(&places) {
                let carries = self.carries.entry(places).or_default();
                carries.hits += hits;
                carries.chance += chance;
            }
        }
    }

    /// The logarithm of how much more probable it is that a call has this value if its request has it, than by chance.
    fn surprise(&self, from: u32, token: &Token) -> f64 {
        let calls = self.calls_with.get(&token.place).copied().unwrap_or_default() + CALLS_BEFORE;
        let places = pair(u64::from(from), u64::from(token.place));
        let carries = self.carries.get(&places).copied().unwrap_or_default();
        let decoys = self.decoys.len().max(1) as f64;
        let own = self
            .decoyed
            .get(&token.value)
            .map_or(0.0, |(_, times)| f64::from(*times));
        let chance = (carries.chance + CHANCE_BEFORE) / (calls * decoys);
        let chance = chance.max(own / decoys).min(1.0);
        let carried_on = (carries.hits + CALLS_BEFORE * CARRIED_ON_BEFORE) / calls;
        // some of the hits are by chance too
        let meant = (carried_on - chance * 4.0).max(0.0);
        ((meant + chance) / chance).ln()
    }

    /// What a call's values say.
    pub(crate) fn heard(&mut self, tokens: &[Token], mut each: impl FnMut(Echo)) {
        for token in tokens.iter().take(TOKENS_MAX) {
            if let Some(carried) = self.carried.get(&token.value)
                && carried.holders == 1
            {
                let holder = Holder::of(carried.sum);
                let kind = match holder {
                    Holder::Request(_) => u64::from(carried.fresh),
                    Holder::Call(_) => 2,
                };
                let places = pair(u64::from(carried.place) << 2 | kind, u64::from(token.place));
                let (mut factor, exact) = self.trust(places, kind);
                if kind == 0 {
                    factor = self.surprise(carried.place, token).min(factor);
                }
                each(Echo {
                    holder,
                    places,
                    factor,
                    exact,
                });
            }
            self.compare(token);
            self.calls.add(token.value);
        }
    }

    /// With this probability, an echo told the truth; without it, with that one.
    pub(crate) fn learn(&mut self, places: u64, right: f64, expected: f64, weight: f64) {
        if self.places.len() >= PLACES_MAX && !self.places.contains_key(&places) {
            return;
        }
        let agreed = self.places.entry(places).or_default();
        agreed.right += weight * right;
        agreed.wrong += weight * (1.0 - right);
        agreed.expected += weight * expected;
        if agreed.right + agreed.wrong > 20_000.0 {
            agreed.right *= 0.5;
            agreed.wrong *= 0.5;
            agreed.expected *= 0.5;
        }
    }

    /// The logarithm of the factor by which an echo makes its holder more probable than others, and whether it is exact.
    fn trust(&self, places: u64, kind: u64) -> (f64, bool) {
        let seen = self.places.get(&places).copied().unwrap_or_default();
        let before = match kind {
            1 => FRESH_BEFORE,
            0 => OTHERS_BEFORE,
            _ => ANSWERS_BEFORE,
        };
        let right = seen.right + before.right;
        let wrong = seen.wrong + before.wrong;
        let expected = (seen.expected + before.expected).min(0.99 * (right + wrong));
        let factor = (right / expected) / (wrong / (right + wrong - expected));
        let exact = if kind == 1 {
            seen.wrong / (seen.right + seen.wrong + 500.0) < RARE
        } else {
            (seen.wrong + 1.0) / (seen.right + seen.wrong + 1.0) < RARE
        };
        (factor.ln().max(0.0), exact)
    }
}

/// How often values were seen, at least: a count-min sketch (Cormode and Muthukrishnan, 2005).
#[derive(Debug)]
struct Sketch {
    cells: Vec<u8>,
    added: u32,
}

impl Sketch {
    fn new() -> Self {
        Self {
            cells: vec![0; CELLS * ROWS],
            added: 0,
        }
    }

    fn places(value: u64) -> impl Iterator<Item = usize> {
        (0..ROWS).map(move |row| {
            let spread = mix(value.wrapping_add(row as u64)) as usize % CELLS;
            spread.saturating_add(row.saturating_mul(CELLS))
        })
    }

    fn count(&self, value: u64) -> u8 {
        Self::places(value)
            .filter_map(|place| self.cells.get(place))
            .copied()
            .min()
            .unwrap_or_default()
    }

    fn add(&mut self, value: u64) {
        for place in Self::places(value) {
            if let Some(cell) = self.cells.get_mut(place) {
                *cell = cell.saturating_add(1);
            }
        }
        self.added = self.added.saturating_add(1);
        if self.added > SKETCH_FADES_AT {
            self.added = 0;
            for cell in &mut self.cells {
                *cell /= 2;
            }
        }
    }
}
