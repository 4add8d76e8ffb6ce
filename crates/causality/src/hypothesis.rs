//! One way in which everything that was seen may have come about.

use crate::doing::{After, Doing};
use crate::hash::{mix, pair};
use crate::shares::REQUESTS;

/// In place of a request: a call has no parent.
pub(crate) const NONE: u8 = u8::MAX;

/// In place of a request: a call is not followed any more.
pub(crate) const GONE: u8 = u8::MAX - 1;

/// Who made which call, and what follows from it: what each request is doing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hypothesis {
    /// The logarithm of its weight, as of the last thing that each of its requests did.
    pub(crate) weight: f64,
    /// That they have done nothing since, too, as of when it was last brought up to date.
    pub(crate) now: f64,
    /// By request.
    doing: Vec<Doing>,
    /// The request that made each call.
    parents: Vec<u8>,
}

impl Hypothesis {
    /// Another that differs in weight, made of a spare one.
    pub(crate) fn copy_to(&self, mut spare: Self) -> Self {
        spare.doing.clone_from(&self.doing);
        spare.parents.clone_from(&self.parents);
        spare
    }

    pub(crate) fn doing(&self, request: usize) -> Option<&Doing> {
        self.doing.get(request)
    }

    pub(crate) fn doing_mut(&mut self, request: usize) -> Option<&mut Doing> {
        self.doing.get_mut(request)
    }

    pub(crate) fn set_doing(&mut self, request: usize, doing: Doing) {
        if request < REQUESTS && self.doing.len() <= request {
            self.doing.resize(request.saturating_add(1), Doing::over());
        }
        if let Some(place) = self.doing.get_mut(request) {
            *place = doing;
        }
    }

    /// The request that made a call; beyond all requests if there is none.
    pub(crate) fn parent(&self, call: usize) -> usize {
        self.parents.get(call).copied().unwrap_or(GONE).into()
    }

    pub(crate) fn set_parent(&mut self, call: usize, parent: u8) {
        if self.parents.len() <= call {
            self.parents.resize(call.saturating_add(1), GONE);
        }
        if let Some(place) = self.parents.get_mut(call) {
            *place = parent;
        }
    }

    /// The calls that a request made.
    pub(crate) fn calls_of(&self, request: usize) -> impl Iterator<Item = usize> + '_ {
        let parents = self.parents.iter().enumerate();
        parents.filter_map(move |(call, parent)| (usize::from(*parent) == request).then_some(call))
    }

    /// How many requests have made a call and have not responded.
    pub(crate) fn active(&self) -> usize {
        let active = |doing: &&Doing| doing.after != After::End && doing.has_acted();
        self.doing.iter().filter(active).count()
    }

    /// Whether they say the same, however much they weigh.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.parents == other.parents && self.doing == other.doing
    }

    /// The same for those that say the same, and for others most probably not.
    pub(crate) fn mark(&self) -> u64 {
        let parents = self.parents.iter();
        let mark = parents.fold(0, |mark, parent| pair(mark, u64::from(*parent)));
        let doings = self.doing.iter();
        doings.fold(mark, |mark, doing| pair(mark, doing.fine() ^ mix(doing.since)))
    }
}

/// Of the weights of some hypotheses, as logarithms: the largest.
pub(crate) fn largest(weights: impl Iterator<Item = f64>) -> f64 {
    weights.fold(f64::NEG_INFINITY, f64::max)
}

/// Makes one of those that say the same; the others are left in `spare`.
pub(crate) fn merge(hypotheses: &mut Vec<Hypothesis>, spare: &mut Vec<Hypothesis>) {
    if hypotheses.len() < 2 {
        return;
    }
    let mut marks: Vec<u64> = hypotheses.iter().map(Hypothesis::mark).collect();
    let mut index = 0;
    while index < hypotheses.len() {
        let mark = marks.get(index);
        let earlier = marks.iter().take(index).position(|known| Some(known) == mark);
        let same = match (
            earlier.and_then(|earlier| hypotheses.get(earlier)),
            hypotheses.get(index),
        ) {
            (Some(earlier), Some(this)) => earlier.is_same(this),
            _ => false,
        };
        if !same {
            index = index.saturating_add(1);
            continue;
        }
        let twin = hypotheses.swap_remove(index);
        marks.swap_remove(index);
        if let Some(kept) = earlier.and_then(|earlier| hypotheses.get_mut(earlier)) {
            kept.weight = sum_of_logarithms(kept.weight, twin.weight);
            kept.now = sum_of_logarithms(kept.now, twin.now);
        }
        spare.push(twin);
    }
}

fn sum_of_logarithms(a: f64, b: f64) -> f64 {
    let (more, less) = if a > b { (a, b) } else { (b, a) };
    more + (less - more).exp().ln_1p()
}
