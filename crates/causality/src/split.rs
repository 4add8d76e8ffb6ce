//! A call leaves: each hypothesis splits into one for each request that may have made it, and one for none.

use crate::doing::Doing;
use crate::event::{Callee, Nanos};
use crate::hypothesis::{Hypothesis, NONE, largest};
use crate::model::{Model, Next};
use crate::order::{Jump, Order, Places};
use crate::shares::{Hints, REQUESTS, Shares};

/// Hypotheses whose weight is less than the best one's by this factor, as a logarithm, are dropped.
pub(crate) const HOPELESS: f64 = 11.0;

/// Speaks against a request that waits for a worker: a logarithm of a factor.
const WAITS: f64 = -5.0;

/// A request has to make a call if that is what it does next with at least this probability.
const READY: f64 = 0.5;

/// A call, and all that is known when it leaves.
pub(crate) struct Situation<'a> {
    pub(crate) now: Nanos,
    pub(crate) callee: Callee,
    pub(crate) hints: &'a Hints,
    /// How many background calls of its kind there are for each nanosecond.
    pub(crate) background: f64,
    /// When the gate opened last, and whether it is shut.
    pub(crate) opened: Nanos,
    pub(crate) shut: bool,
    /// The requests in flight, and those of them that wait for a worker.
    pub(crate) running: u64,
    pub(crate) waiting: u64,
}

/// One hypothesis with one parent for the call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child {
    /// As [`Hypothesis::weight`] and [`Hypothesis::now`].
    pub(crate) weight: f64,
    pub(crate) now: f64,
    /// What hints have to do with it.
    hint: f64,
    /// Which hypothesis it comes of.
    pub(crate) of: usize,
    pub(crate) parent: u8,
    /// Since when the parent has had to make a call.
    ready: Nanos,
    jump: Jump,
}

/// What came out.
pub(crate) struct Split {
    /// Whose the call is, by what the requests are doing alone, and with the hints.
    pub(crate) blind: Shares,
    pub(crate) shares: Shares,
    pub(crate) places: Places,
    /// The share of weight of the children for which there was no room.
    pub(crate) lost: f64,
    /// The same for each hypothesis, of its own children; empty if nothing was lost.
    pub(crate) lost_of: Vec<f64>,
}

/// What is looked up once for all hypotheses in which a request is doing the same.
#[derive(Clone, Copy)]
struct Look {
    doing: Doing,
    /// Logarithms: that it makes this call now; that it has done nothing until now.
    density: f64,
    idle: f64,
    ready: bool,
}

impl Look {
    fn at(doing: &Doing, model: &Model, situation: &Situation<'_>, waits: bool) -> Self {
        let outlook = model.outlook(
            &doing.behind(situation.opened),
            Next::Call(situation.callee),
            situation.now,
        );
        let density = outlook.density.max(1e-30).ln();
        let waits = waits && !doing.has_acted();
        let held_up = waits || situation.shut || situation.opened > doing.since;
        Self {
            doing: *doing,
            density: if waits { WAITS + density } else { density },
            idle: if held_up { 0.0 } else { outlook.idle.max(1e-9).ln() },
            ready: outlook.calls > READY && !waits,
        }
    }
}

/// Fills `children` with the best ones that may be true once the call has left, best first and `most` at most.
pub(crate) fn split(
    hypotheses: &mut [Hypothesis],
    children: &mut Vec<Child>,
    most: usize,
    model: &Model,
    order: &Order,
    situation: &Situation<'_>,
) -> Split {
    children.clear();
    let mut queues = Vec::with_capacity(hypotheses.len());
    for hypothesis in hypotheses.iter_mut() {
        hypothesis.now = hypothesis.weight;
        queues.push((Nanos::MAX, 0_u32));
    }
    let mut looks: Vec<Look> = Vec::new();
    for request in requests(situation.running) {
        let waits = situation.waiting & (1 << request) != 0;
        looks.clear();
        let mut last = 0;
        for ((of, hypothesis), queue) in hypotheses.iter_mut().enumerate().zip(&mut queues) {
            let Some(doing) = hypothesis.doing(request) else {
                continue;
            };
            // most hypotheses agree with the one before
            if looks.get(last).is_none_or(|look| look.doing != *doing) {
                let known = looks.iter().position(|look| look.doing == *doing);
                last = known.unwrap_or(looks.len());
                if known.is_none() {
                    looks.push(Look::at(doing, model, situation, waits));
                }
            }
            let Some(look) = looks.get(last) else { continue };
            if look.ready {
                queue.0 = queue.0.min(doing.ready);
                queue.1 = queue.1.saturating_add(1);
            }
            let like = match situation.hints.like {
                Some((call, factor)) if hypothesis.parent(call) == request => factor,
                _ => 0.0,
            };
            let hint = like + situation.hints.of.get(request).copied().unwrap_or_default();
            children.push(Child {
                weight: hypothesis.weight + look.density + hint,
                now: look.density + hint - look.idle,
                hint,
                of,
                parent: request as u8,
                ready: doing.ready,
                jump: Jump::meaningless(),
            });
            hypothesis.now += look.idle;
        }
    }
    let none = situation.background.max(1e-30).ln() + situation.hints.none;
    for (of, hypothesis) in hypotheses.iter().enumerate() {
        children.push(Child {
            weight: hypothesis.weight + none,
            now: none,
            hint: situation.hints.none,
            of,
            parent: NONE,
            ready: 0,
            jump: Jump::meaningless(),
        });
    }
    for child in children.iter_mut() {
        let (Some(hypothesis), Some((first, ready))) = (hypotheses.get(child.of), queues.get(child.of))
        else {
            continue;
        };
        let mut factor = 0.0;
        if child.parent != NONE {
            child.jump = Jump::over(child.ready, *first, *ready);
            factor = order.factor(child.jump);
        }
        child.weight += factor;
        child.now += hypothesis.now + factor;
    }
    keep(children, most, order)
}

/// Keeps the best children, and sums up all of them.
fn keep(children: &mut Vec<Child>, most: usize, order: &Order) -> Split {
    let best = largest(children.iter().map(|child| child.now));
    let best_blind = largest(children.iter().map(|child| child.now - child.hint));
    let mut blind = Shares::nothing();
    let mut shares = Shares::nothing();
    let mut places = Places::new();
    let mut all = 0.0;
    // what is hopeless with the hints may not be so without them
    children.retain(|child| {
        let with = child.now - best;
        let without = child.now - child.hint - best_blind;
        let hinted = child.hint != 0.0 || best != best_blind;
        if hinted && without > -HOPELESS {
            blind.add(child.parent.into(), without.exp());
        }
        if with < -HOPELESS {
            return false;
        }
        let share = with.exp();
        if !hinted {
            blind.add(child.parent.into(), share);
        }
        all += share;
        shares.add(child.parent.into(), share);
        places.expect(child.jump, share / order.odds(child.jump));
        true
    });
    let mut lost = 0.0;
    let mut lost_of = Vec::new();
    if children.len() > most {
        children.select_nth_unstable_by(most, |a, b| b.now.total_cmp(&a.now));
        for child in children.drain(most..) {
            let share = (child.now - best).exp() / all;
            if lost_of.len() <= child.of {
                lost_of.resize(child.of.saturating_add(1), 0.0);
            }
            if let Some(of) = lost_of.get_mut(child.of) {
                *of += share;
            }
            lost += share;
        }
    }
    children.sort_unstable_by(|a, b| b.now.total_cmp(&a.now));
    for child in children.iter().rev() {
        places.stood(child.parent.into(), child.jump);
    }
    Split {
        blind: blind.complete(),
        shares: shares.complete(),
        places,
        lost,
        lost_of,
    }
}

/// The requests of a set, one bit each.
pub(crate) fn requests(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let request = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (request < REQUESTS).then_some(request)
    })
}
