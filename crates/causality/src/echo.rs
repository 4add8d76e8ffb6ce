//! Values that a request carries, or is given by an answer, and that a call carries on.
//!
//! A value speaks for a request only if no other in flight carries it. How loudly depends on where it stood and where it
//! stands, and on whether it had ever been seen before: a fresh one (a request's own identifier) is believed until it
//! contradicts other evidence; one seen before (a session, something popular, a content type) only as far as values in
//! these two places have agreed with other evidence until now.

use crate::TOKENS_MAX;
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

/// Agreements with which the reliability of a pair of places starts, and disagreements: for fresh values, and for others.
const FRESH_BEFORE: (f64, f64) = (200.0, 0.05);
const OTHERS_BEFORE: (f64, f64) = (3.0, 1.0);

/// The share of wrong echoes below which one is exact, and how many agreements it takes to know that.
const RARE: f64 = 0.001;

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
    right: f64,
    wrong: f64,
}

#[derive(Debug)]
pub(crate) struct Echoes {
    carried: Map<u64, Carried>,
    places: Map<u64, Agreed>,
    requests: Sketch,
    calls: Sketch,
}

impl Echoes {
    pub(crate) fn new() -> Self {
        Self {
            carried: Map::default(),
            places: Map::default(),
            requests: Sketch::new(),
            calls: Sketch::new(),
        }
    }

    /// A request, or an answer, carries these. What it is remembered by is added to `kept`, to be given back.
    pub(crate) fn carry(&mut self, holder: Holder, tokens: &[Token], kept: &mut Vec<u64>) {
        for token in tokens.iter().take(TOKENS_MAX) {
            if kept.contains(&token.value) {
                continue;
            }
            let fresh = self.requests.count(token.value) == 0 && self.calls.count(token.value) == 0;
            self.requests.add(token.value);
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
    }

    /// It is over.
    pub(crate) fn drop(&mut self, holder: Holder, kept: &mut Vec<u64>) {
        for value in kept.drain(..) {
            if let Some(carried) = self.carried.get_mut(&value) {
                carried.holders = carried.holders.saturating_sub(1);
                carried.sum = carried.sum.wrapping_sub(holder.number());
                if carried.holders == 0 {
                    self.carried.remove(&value);
                }
            }
        }
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
                let (factor, exact) = self.trust(places, kind == 1);
                each(Echo {
                    holder,
                    places,
                    factor,
                    exact,
                });
            }
            self.calls.add(token.value);
        }
    }

    /// With this probability, an echo told the truth.
    pub(crate) fn learn(&mut self, places: u64, right: f64) {
        if self.places.len() >= PLACES_MAX && !self.places.contains_key(&places) {
            return;
        }
        let agreed = self.places.entry(places).or_default();
        agreed.right += right;
        agreed.wrong += 1.0 - right;
        if agreed.right + agreed.wrong > 20_000.0 {
            agreed.right *= 0.5;
            agreed.wrong *= 0.5;
        }
    }

    fn trust(&self, places: u64, fresh: bool) -> (f64, bool) {
        let Agreed { right, wrong } = self.places.get(&places).copied().unwrap_or_default();
        let (right_before, wrong_before) = if fresh { FRESH_BEFORE } else { OTHERS_BEFORE };
        let odds = (right + right_before) / (wrong + wrong_before);
        let exact = if fresh {
            wrong / (right + wrong + 500.0) < RARE
        } else {
            (wrong + 1.0) / (right + wrong + 1.0) < RARE
        };
        (odds.ln(), exact)
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
