//! All that may have caused all that was seen: a bounded set of hypotheses, each of which gives every call a parent.
//!
//! Read when a call leaves, the hypotheses' weights say which request it is of, as far as is known by then (online). Read
//! once all requests that can have made it are over, they say it in the light of everything that came after: that a
//! request has to have its answer before it goes on, that its response comes after its last call, that it makes as many
//! calls as its kind makes, and that each call has one parent (deferred). It is one filter, read twice.
//!
//! A hypothesis' weight is the product, over its requests, of the densities of all that they did when they did it
//! ([`Model`]), and of what else speaks for a call's parent; and of the rate of background calls for those that it gives
//! no parent. When a call leaves, each hypothesis splits into one for each request in flight and one for none; only the
//! best are kept. When a request and all that may be its calls are over, hypotheses that differ in nothing else become one.

use crate::doing::{After, Doing};
use crate::event::{Callee, Nanos, Route};
use crate::gate::Gate;
use crate::hash::{mix, pair};
use crate::model::{Model, Next};
use crate::order::{self, JUMPS, Order};
use crate::workers::Workers;

/// The most requests that are followed at a time.
pub(crate) const REQUESTS: usize = 64;

/// The most calls that are followed at a time.
pub(crate) const CALLS: usize = 250;

/// The most hypotheses, and the most states of requests that are looked at for one decision.
const HYPOTHESES: usize = 128;
const LOOKS: usize = 640;

/// Hypotheses whose weight is less than the best one's by this factor, as a logarithm, are dropped.
const HOPELESS: f64 = 16.0;

/// Hypotheses with less than this share of the weight teach nothing.
const WORTH_LEARNING: f64 = 0.02;

/// A request is ready to make a call if that is what it does next with at least this probability.
const READY: f64 = 0.3;

/// Speaks against a request that waits for a worker: a logarithm of a factor.
const WAITS: f64 = -5.0;

/// In place of a request: the call has no parent, or is not followed any more.
pub(crate) const NONE: u8 = u8::MAX;
const GONE: u8 = u8::MAX - 1;

/// A moment, and its place among those at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    order: u64,
    at: Nanos,
    /// When calls that had to wait could go on.
    opened: Nanos,
}

#[derive(Clone, Debug)]
struct Followed {
    route: Route,
    begun: Moment,
    body: Option<Moment>,
    /// Whether a worker has it.
    started: bool,
    /// When it got one, if it had to wait.
    taken_up: Option<Moment>,
    responded: Option<Moment>,
    ended: Option<Moment>,
    learned: bool,
}

#[derive(Clone, Debug)]
struct Made {
    callee: Callee,
    at: Moment,
    answered: Option<Moment>,
    complete: Option<Moment>,
    over: bool,
    /// Its last word has been said.
    settled: bool,
    /// The share of weight that was dropped for want of room since it was made.
    lost: f64,
    /// Which jump it was, if this request made it.
    jumps: [u8; REQUESTS],
    /// How probable each jump was.
    expected: [f32; JUMPS],
}

#[derive(Clone, Debug, Default)]
struct Hypothesis {
    /// The logarithm of its weight, as of the last things that its requests did.
    weight: f64,
    /// That they have done nothing since, too.
    now: f64,
    /// Since when the request that has waited longest is ready, and how many are.
    first: Nanos,
    ready: u32,
    doing: Vec<Doing>,
    parents: Vec<u8>,
}

/// How probable each request, or none, is as a call's parent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shares {
    pub(crate) of: [f64; REQUESTS],
    pub(crate) none: f64,
    /// The share of weight that was dropped for want of room.
    pub(crate) lost: f64,
}

impl Shares {
    fn nothing() -> Self {
        Self {
            of: [0.0; REQUESTS],
            none: 0.0,
            lost: 0.0,
        }
    }

    fn add(&mut self, parent: u8, share: f64) {
        match self.of.get_mut(usize::from(parent)) {
            Some(of) => *of += share,
            None => self.none += share,
        }
    }

    /// The most probable parent.
    pub(crate) fn best(&self) -> (usize, f64) {
        let mut best = (0, 0.0);
        for (request, share) in self.of.iter().enumerate() {
            if *share > best.1 {
                best = (request, *share);
            }
        }
        best
    }
}

/// What is known of a call's parent besides what the requests are doing: logarithms of factors.
#[derive(Clone, Debug)]
pub(crate) struct Hints {
    pub(crate) of: [f64; REQUESTS],
    pub(crate) none: f64,
    /// It has the same parent as this earlier call, with this factor.
    pub(crate) like: Option<(usize, f64)>,
}

impl Hints {
    pub(crate) fn none() -> Self {
        Self {
            of: [0.0; REQUESTS],
            none: 0.0,
            like: None,
        }
    }
}

/// What is said for the last time.
pub(crate) struct Settled {
    pub(crate) call: usize,
    pub(crate) shares: Shares,
}

#[derive(Debug)]
pub(crate) struct Joint {
    requests: Vec<Option<Followed>>,
    calls: Vec<Option<Made>>,
    hypotheses: Vec<Hypothesis>,
    spare: Vec<Hypothesis>,
    children: Vec<Child>,
    order: Order,
    gate: Gate,
    workers: Workers,
    /// The requests in flight, in the order in which they came.
    arrivals: Vec<u8>,
    events: u64,
}

#[derive(Clone, Copy, Debug)]
struct Child {
    weight: f64,
    now: f64,
    of: usize,
    parent: u8,
    jump: u8,
}

impl Joint {
    pub(crate) fn new() -> Self {
        Self {
            requests: Vec::new(),
            calls: Vec::new(),
            hypotheses: vec![Hypothesis::default()],
            spare: Vec::new(),
            children: Vec::new(),
            order: Order::default(),
            gate: Gate::new(),
            workers: Workers::new(),
            arrivals: Vec::new(),
            events: 0,
        }
    }

    /// A request to follow; its number, unless there are too many.
    pub(crate) fn begin(&mut self, now: Nanos, route: Route) -> Option<usize> {
        let begun = self.moment(now);
        let slot = vacant(&mut self.requests, REQUESTS)?;
        self.set_request(
            slot,
            Some(Followed {
                route,
                begun,
                body: None,
                started: true,
                taken_up: None,
                responded: None,
                ended: None,
                learned: false,
            }),
        );
        for hypothesis in &mut self.hypotheses {
            if hypothesis.doing.len() <= slot {
                hypothesis.doing.resize(slot.saturating_add(1), Doing::over());
            }
            if let Some(doing) = hypothesis.doing.get_mut(slot) {
                *doing = Doing::begun(now, route);
            }
        }
        Some(slot)
    }

    pub(crate) fn body_complete(&mut self, now: Nanos, model: &Model, request: usize) {
        let moment = self.moment(now);
        let Some(Some(followed)) = self.requests.get_mut(request) else {
            return;
        };
        if followed.body.is_none() {
            followed.body = Some(moment);
            self.arrivals.push(request as u8);
            followed.started = self.arrivals.len() <= self.workers.count();
            self.happens(
                now,
                model,
                |_| request,
                Next::Wait,
                |doing| doing.body_complete(now),
            );
        }
    }

    pub(crate) fn responded(&mut self, now: Nanos, model: &Model, request: usize) {
        let moment = self.moment(now);
        let Some(Some(followed)) = self.requests.get_mut(request) else {
            return;
        };
        if followed.responded.is_none() {
            followed.responded = Some(moment);
            self.happens(
                now,
                model,
                |_| request,
                Next::Respond,
                |doing| doing.responded(now),
            );
            self.prune(now, model);
        }
    }

    pub(crate) fn end(&mut self, now: Nanos, request: usize) {
        let moment = self.moment(now);
        if let Some(Some(followed)) = self.requests.get_mut(request) {
            followed.ended = Some(moment);
        }
        for hypothesis in &mut self.hypotheses {
            if let Some(doing) = hypothesis.doing.get_mut(request) {
                doing.after = After::End;
            }
        }
        self.free_worker(moment, request);
    }

    /// A request needs no worker any more: the one that came first of those that wait for one gets it.
    fn free_worker(&mut self, moment: Moment, request: usize) {
        self.arrivals.retain(|slot| usize::from(*slot) != request);
        for slot in self.arrivals.iter().take(self.workers.count()) {
            let slot = usize::from(*slot);
            let Some(Some(followed)) = self.requests.get_mut(slot) else {
                continue;
            };
            if followed.started {
                continue;
            }
            followed.started = true;
            followed.taken_up = Some(moment);
            for doing in self.hypotheses.iter_mut().filter_map(|h| h.doing.get_mut(slot)) {
                if !doing.has_acted() {
                    doing.taken_up(moment.at);
                }
            }
        }
    }

    /// A call leaves. Its number, unless there are too many, and whose it is, as far as can be known now: by what the
    /// requests are doing alone, and with all the hints.
    pub(crate) fn call(
        &mut self,
        now: Nanos,
        model: &Model,
        callee: Callee,
        hints: &Hints,
        background: f64,
    ) -> Option<(usize, Shares, Shares)> {
        let at = self.moment(now);
        let call = vacant(&mut self.calls, CALLS)?;
        self.branch(now, model, callee, hints, background);
        let blind = self.weigh(|child| child.now - hint(hints, child, &self.hypotheses));
        let shares = self.weigh(|child| child.now);
        let (jumps, expected) = self.jumps();
        let lost = self.keep_best(call, now, callee);
        self.gate.called();
        if let Some(best) = self.hypotheses.first() {
            let active = best
                .doing
                .iter()
                .filter(|doing| doing.after != After::End && doing.has_acted());
            self.workers.learn(active.count(), self.arrivals.len());
        }
        for made in self.calls.iter_mut().flatten() {
            made.lost = 1.0 - (1.0 - made.lost) * (1.0 - lost);
        }
        self.set_call(
            call,
            Some(Made {
                callee,
                at,
                answered: None,
                complete: None,
                over: false,
                settled: false,
                lost,
                jumps,
                expected,
            }),
        );
        Some((call, blind, shares))
    }

    pub(crate) fn answered(&mut self, now: Nanos, model: &Model, call: usize) {
        let moment = self.moment(now);
        let Some(Some(made)) = self.calls.get_mut(call) else {
            return;
        };
        if made.answered.is_none() {
            made.answered = Some(moment);
            self.happens(
                now,
                model,
                |parents| parent(parents, call),
                Next::Wait,
                |doing| doing.answered(now),
            );
            self.prune(now, model);
        }
    }

    pub(crate) fn end_call(&mut self, now: Nanos, model: &Model, call: usize) {
        self.answered(now, model, call);
        let moment = self.moment(now);
        self.gate.over(now);
        if let Some(Some(made)) = self.calls.get_mut(call) {
            made.complete = Some(moment);
            made.over = true;
        }
        for hypothesis in &mut self.hypotheses {
            if let Some(doing) = hypothesis.doing.get_mut(parent(&hypothesis.parents, call)) {
                doing.answer_complete(now);
            }
        }
    }

    /// The request that most probably made a call.
    pub(crate) fn likely_parent(&self, call: usize) -> Option<usize> {
        let best = self.hypotheses.first()?;
        Some(parent(&best.parents, call)).filter(|parent| *parent < REQUESTS)
    }

    /// Something speaks for, or against, a request as a call's parent, by this logarithm of a factor.
    pub(crate) fn hint(&mut self, call: usize, request: usize, factor: f64) {
        for hypothesis in &mut self.hypotheses {
            if parent(&hypothesis.parents, call) == request {
                hypothesis.weight += factor;
            }
        }
    }

    /// Says the last word on calls of which nothing more can be found out, and learns from requests of whose calls that
    /// is true. Calls made before `late` are settled in any case.
    pub(crate) fn settle(&mut self, model: &mut Model, late: Nanos, mut say: impl FnMut(Settled)) {
        let suspects: Vec<u64> = (0..self.calls.len()).map(|call| self.suspects(call)).collect();
        let running = self.mask(|request| request.ended.is_none());
        let mut settled = 0;
        for (call, suspects) in suspects.iter().enumerate() {
            let Some(Some(made)) = self.calls.get(call) else {
                continue;
            };
            let over = suspects & running == 0 || made.at.at < late;
            if over && !made.settled {
                let shares = self.shares(call);
                self.learn_order(call, &shares);
                if let Some(Some(made)) = self.calls.get_mut(call) {
                    made.settled = true;
                }
                say(Settled { call, shares });
                settled += 1;
            }
        }
        let mut changed = settled > 0;
        for request in 0..self.requests.len() {
            changed |= self.learn_from(model, request, &suspects);
        }
        if changed {
            self.forget(&suspects);
        }
    }

    /// Whether all there is to follow is over.
    pub(crate) fn is_idle(&self) -> bool {
        self.requests.iter().all(Option::is_none) && self.calls.iter().all(Option::is_none)
    }

    fn moment(&mut self, at: Nanos) -> Moment {
        self.events = self.events.wrapping_add(1);
        Moment {
            order: self.events,
            at,
            opened: self.gate.opened(),
        }
    }

    fn set_request(&mut self, slot: usize, request: Option<Followed>) {
        if let Some(place) = self.requests.get_mut(slot) {
            *place = request;
        }
    }

    fn set_call(&mut self, slot: usize, call: Option<Made>) {
        if let Some(place) = self.calls.get_mut(slot) {
            *place = call;
        }
    }

    fn mask(&self, is: impl Fn(&Followed) -> bool) -> u64 {
        let mut mask = 0;
        for (slot, request) in self.requests.iter().enumerate() {
            if request.as_ref().is_some_and(&is) {
                mask |= bit(slot);
            }
        }
        mask
    }

    /// Which requests some hypothesis holds to be the call's parent.
    fn suspects(&self, call: usize) -> u64 {
        self.hypotheses.iter().fold(0, |mask, hypothesis| {
            mask | bit(parent(&hypothesis.parents, call))
        })
    }

    /// Something happens to, or is done by, the request that `which` says.
    fn happens(
        &mut self,
        now: Nanos,
        model: &Model,
        which: impl Fn(&[u8]) -> usize,
        next: Next,
        change: impl Fn(&mut Doing),
    ) {
        let mut known: Option<(Doing, f64)> = None;
        let opened = self.gate.opened();
        let shut = self.gate.is_shut();
        for hypothesis in &mut self.hypotheses {
            let Some(doing) = hypothesis.doing.get_mut(which(&hypothesis.parents)) else {
                continue;
            };
            let factor = match known {
                Some((same, factor)) if same == *doing => factor,
                _ => {
                    let outlook = model.outlook(&doing.behind(opened), next, now);
                    match next {
                        Next::Wait if shut || opened > doing.since => 1.0,
                        Next::Wait => outlook.idle,
                        Next::Call(_) | Next::Respond => outlook.density,
                    }
                }
            };
            known = Some((*doing, factor));
            if doing.after != After::End {
                hypothesis.weight += factor.max(1e-30).ln();
            }
            change(doing);
        }
    }

    /// Fills `children` with all that may be true once this call has left.
    fn branch(&mut self, now: Nanos, model: &Model, callee: Callee, hints: &Hints, background: f64) {
        self.children.clear();
        let running = self.mask(|request| request.ended.is_none());
        let live = (running.count_ones() as usize).max(1);
        let most = (LOOKS / live).clamp(4, HYPOTHESES);
        for hypothesis in &mut self.hypotheses {
            hypothesis.now = hypothesis.weight;
            hypothesis.first = Nanos::MAX;
            hypothesis.ready = 0;
        }
        let none = background.max(1e-30).ln() + hints.none;
        let opened = self.gate.opened();
        let shut = self.gate.is_shut();
        for slot in slots(running) {
            let waits = matches!(self.requests.get(slot), Some(Some(followed)) if !followed.started);
            let mut known: Option<(Doing, f64, f64, bool)> = None;
            for (index, hypothesis) in self.hypotheses.iter_mut().enumerate().take(most) {
                let Some(doing) = hypothesis.doing.get(slot) else {
                    continue;
                };
                let (density, idle, ready) = match known {
                    Some((same, density, idle, ready)) if same == *doing => (density, idle, ready),
                    _ => {
                        let outlook = model.outlook(&doing.behind(opened), Next::Call(callee), now);
                        let idle = if shut || opened > doing.since {
                            1.0
                        } else {
                            outlook.idle
                        };
                        let density = outlook.density.max(1e-30).ln();
                        if waits && !doing.has_acted() {
                            (WAITS + density, 0.0, false)
                        } else {
                            (density, idle.max(1e-9).ln(), outlook.calls > READY)
                        }
                    }
                };
                known = Some((*doing, density, idle, ready));
                hypothesis.now += idle;
                if ready {
                    hypothesis.first = hypothesis.first.min(doing.ready);
                    hypothesis.ready = hypothesis.ready.saturating_add(1);
                }
                let hint = hints.of.get(slot).copied().unwrap_or_default();
                let like = match hints.like {
                    Some((call, factor)) if parent(&hypothesis.parents, call) == slot => factor,
                    _ => 0.0,
                };
                self.children.push(Child {
                    weight: hypothesis.weight + density + hint + like,
                    now: density + hint + like - idle,
                    of: index,
                    parent: slot as u8,
                    jump: order::none(),
                });
            }
        }
        for (index, hypothesis) in self.hypotheses.iter().enumerate().take(most) {
            self.children.push(Child {
                weight: hypothesis.weight + none,
                now: none,
                of: index,
                parent: NONE,
                jump: order::none(),
            });
        }
        for child in &mut self.children {
            let Some(hypothesis) = self.hypotheses.get(child.of) else {
                continue;
            };
            child.now += hypothesis.now;
            if let Some(doing) = hypothesis.doing.get(usize::from(child.parent))
                && hypothesis.ready > 1
            {
                child.jump = order::jump(doing.ready, hypothesis.first);
                let factor = self.order.factor(child.jump);
                child.weight += factor;
                child.now += factor;
            }
        }
    }

    /// The parents' shares of the children's weights.
    fn weigh(&self, weight: impl Fn(&Child) -> f64) -> Shares {
        let best = self
            .children
            .iter()
            .map(&weight)
            .fold(f64::NEG_INFINITY, f64::max);
        let mut shares = Shares::nothing();
        let mut sum = 0.0;
        for child in &self.children {
            let share = (weight(child) - best).exp();
            sum += share;
            shares.add(child.parent, share);
        }
        scale(&mut shares, sum);
        shares
    }

    /// The jump that each request would make, and how probable each jump is without any order.
    fn jumps(&self) -> ([u8; REQUESTS], [f32; JUMPS]) {
        let weight = |child: &Child| child.now - self.order.factor(child.jump);
        let best = self.children.iter().map(weight).fold(f64::NEG_INFINITY, f64::max);
        let mut jumps = [order::none(); REQUESTS];
        let mut of_jump = [f64::NEG_INFINITY; REQUESTS];
        let mut expected = [0.0; JUMPS];
        let mut sum = 0.0;
        for child in &self.children {
            let share = (weight(child) - best).exp();
            sum += share;
            if let Some(expected) = expected.get_mut(usize::from(child.jump)) {
                *expected += share;
            }
            let slot = usize::from(child.parent);
            if let (Some(jump), Some(of)) = (jumps.get_mut(slot), of_jump.get_mut(slot))
                && child.now > *of
            {
                (*jump, *of) = (child.jump, child.now);
            }
        }
        (jumps, expected.map(|share| (share / sum) as f32))
    }

    /// Learns from a call of which all is known in what order calls leave.
    fn learn_order(&mut self, call: usize, shares: &Shares) {
        let Some(Some(made)) = self.calls.get(call) else {
            return;
        };
        let mut seen = [0.0; JUMPS];
        for (jump, share) in made.jumps.iter().zip(&shares.of) {
            if let Some(seen) = seen.get_mut(usize::from(*jump)) {
                *seen += *share as f32;
            }
        }
        self.order.learn(&seen, &made.expected);
    }

    /// Makes hypotheses of the best children; the share of weight of those for which there was no room.
    fn keep_best(&mut self, call: usize, now: Nanos, callee: Callee) -> f64 {
        let best = self
            .children
            .iter()
            .map(|child| child.now)
            .fold(f64::NEG_INFINITY, f64::max);
        self.children.retain(|child| child.now >= best - HOPELESS);
        let live = (self.mask(|request| request.ended.is_none()).count_ones() as usize).max(1);
        let most = (LOOKS / live).clamp(4, HYPOTHESES);
        self.children.sort_unstable_by(|a, b| b.now.total_cmp(&a.now));
        let weight_of =
            |children: &[Child]| children.iter().map(|child| (child.now - best).exp()).sum::<f64>();
        let all = weight_of(&self.children);
        self.children.truncate(most);
        let kept = weight_of(&self.children);

        let mut old = std::mem::take(&mut self.hypotheses);
        let norm = self.children.first().map_or(0.0, |child| child.weight);
        for child in &self.children {
            let Some(from) = old.get(child.of) else {
                continue;
            };
            let mut next = self.spare.pop().unwrap_or_default();
            next.doing.clone_from(&from.doing);
            next.parents.clone_from(&from.parents);
            next.weight = child.weight - norm;
            next.now = child.now;
            if next.parents.len() <= call {
                next.parents.resize(call.saturating_add(1), GONE);
            }
            if let Some(parent) = next.parents.get_mut(call) {
                *parent = child.parent;
            }
            if let Some(doing) = next.doing.get_mut(usize::from(child.parent)) {
                doing.called(now, callee);
            }
            self.hypotheses.push(next);
        }
        self.spare.append(&mut old);
        self.spare.truncate(HYPOTHESES);
        (1.0 - kept / all).max(0.0)
    }

    /// Brings the weights up to this moment and drops what has become hopeless.
    fn prune(&mut self, now: Nanos, model: &Model) {
        if self.hypotheses.len() < 2 {
            if let Some(only) = self.hypotheses.first_mut() {
                only.weight = 0.0;
                only.now = 0.0;
            }
            return;
        }
        self.bring_up_to(now, model);
        let best = self
            .hypotheses
            .iter()
            .map(|h| h.now)
            .fold(f64::NEG_INFINITY, f64::max);
        let mut index = 0;
        while index < self.hypotheses.len() {
            let hopeless = self
                .hypotheses
                .get(index)
                .is_some_and(|h| h.now < best - HOPELESS);
            if hopeless {
                let dropped = self.hypotheses.swap_remove(index);
                self.spare.push(dropped);
            } else {
                index = index.saturating_add(1);
            }
        }
        self.spare.truncate(HYPOTHESES);
        let norm = self
            .hypotheses
            .iter()
            .map(|h| h.weight)
            .fold(f64::NEG_INFINITY, f64::max);
        for hypothesis in &mut self.hypotheses {
            hypothesis.weight -= norm;
            hypothesis.now -= norm;
        }
    }

    fn bring_up_to(&mut self, now: Nanos, model: &Model) {
        for hypothesis in &mut self.hypotheses {
            hypothesis.now = hypothesis.weight;
        }
        let opened = self.gate.opened();
        let shut = self.gate.is_shut();
        for slot in slots(self.mask(|request| request.ended.is_none() && request.started)) {
            let mut known: Option<(Doing, f64)> = None;
            for hypothesis in &mut self.hypotheses {
                let Some(doing) = hypothesis.doing.get(slot) else {
                    continue;
                };
                let idle = match known {
                    Some((same, idle)) if same == *doing => idle,
                    _ if shut || opened > doing.since => 0.0,
                    _ => model.outlook(doing, Next::Wait, now).idle.max(1e-9).ln(),
                };
                known = Some((*doing, idle));
                hypothesis.now += idle;
            }
        }
    }

    /// Whose a call is, as of the last time that the weights were brought up to date.
    fn shares(&self, call: usize) -> Shares {
        let best = self
            .hypotheses
            .iter()
            .map(|h| h.now)
            .fold(f64::NEG_INFINITY, f64::max);
        let mut shares = Shares::nothing();
        let mut sum = 0.0;
        for hypothesis in &self.hypotheses {
            let share = (hypothesis.now - best).exp();
            sum += share;
            shares.add(hypothesis.parents.get(call).copied().unwrap_or(NONE), share);
        }
        scale(&mut shares, sum);
        if let Some(Some(made)) = self.calls.get(call) {
            shares.lost = made.lost;
        }
        shares
    }

    /// Learns from a request that is over, if all that may be its calls are settled; whether it did.
    fn learn_from(&mut self, model: &mut Model, request: usize, suspects: &[u64]) -> bool {
        let Some(Some(followed)) = self.requests.get(request) else {
            return false;
        };
        let open = suspects.iter().enumerate().any(|(call, suspects)| {
            suspects & bit(request) != 0 && matches!(self.calls.get(call), Some(Some(made)) if !made.settled)
        });
        if followed.ended.is_none() || followed.learned || open {
            return false;
        }
        model.experienced(followed.route);
        let best = self
            .hypotheses
            .iter()
            .map(|h| h.now)
            .fold(f64::NEG_INFINITY, f64::max);
        let mut stories: Vec<(u64, f64, usize)> = Vec::new();
        let mut sum = 0.0;
        for (index, hypothesis) in self.hypotheses.iter().enumerate() {
            let share = (hypothesis.now - best).exp();
            sum += share;
            let story = hypothesis
                .parents
                .iter()
                .enumerate()
                .filter(|(_, parent)| usize::from(**parent) == request)
                .fold(0, |story, (call, _)| pair(story, call as u64));
            match stories.iter_mut().find(|(known, ..)| *known == story) {
                Some((_, weight, _)) => *weight += share,
                None => stories.push((story, share, index)),
            }
        }
        for (_, weight, index) in stories {
            if let Some(hypothesis) = self.hypotheses.get(index)
                && weight / sum >= WORTH_LEARNING
            {
                self.tell(
                    model,
                    followed,
                    request,
                    &hypothesis.parents,
                    (weight / sum) as f32,
                );
            }
        }
        if let Some(Some(followed)) = self.requests.get_mut(request) {
            followed.learned = true;
        }
        true
    }

    /// Goes through what a request did again, in order, and has the model learn it.
    fn tell(&self, model: &mut Model, followed: &Followed, request: usize, parents: &[u8], weight: f32) {
        enum Did {
            Body,
            TakenUp,
            Call(Callee),
            Answered,
            Complete,
            Responded,
            Ended,
        }
        let mut story: Vec<(Moment, Did)> = Vec::new();
        story.extend(followed.body.map(|moment| (moment, Did::Body)));
        story.extend(followed.taken_up.map(|moment| (moment, Did::TakenUp)));
        story.extend(followed.responded.map(|moment| (moment, Did::Responded)));
        story.extend(followed.ended.map(|moment| (moment, Did::Ended)));
        for (made, parent) in self.calls.iter().zip(parents) {
            if let Some(made) = made
                && usize::from(*parent) == request
            {
                story.push((made.at, Did::Call(made.callee)));
                story.extend(made.answered.map(|moment| (moment, Did::Answered)));
                story.extend(made.complete.map(|moment| (moment, Did::Complete)));
            }
        }
        story.sort_unstable_by_key(|(moment, _)| *moment);
        let mut doing = Doing::begun(followed.begun.at, followed.route);
        for (Moment { at, opened, .. }, did) in story {
            let then = doing.behind(opened);
            match did {
                Did::Body => {
                    if doing.after == After::Head {
                        model.learn(&then, Next::Wait, at, weight);
                    }
                    doing.body_complete(at);
                }
                Did::TakenUp if !doing.has_acted() => doing.taken_up(at),
                Did::TakenUp => {}
                Did::Call(callee) => {
                    model.learn(&then, Next::Call(callee), at, weight);
                    doing.called(at, callee);
                }
                Did::Answered => {
                    if doing.after != After::Response {
                        model.learn(&then, Next::Wait, at, weight);
                    }
                    doing.answered(at);
                }
                Did::Complete => doing.answer_complete(at),
                Did::Responded => {
                    model.learn(&then, Next::Respond, at, weight);
                    doing.responded(at);
                }
                Did::Ended => {
                    if doing.after == After::Response {
                        model.learn(&then, Next::Wait, at, weight);
                    }
                    break;
                }
            }
        }
    }

    /// Frees what nothing depends on any more, and makes one of hypotheses that have become the same.
    fn forget(&mut self, suspects: &[u64]) {
        let unlearned = self.mask(|request| !request.learned);
        let mut held = 0;
        for (call, suspects) in suspects.iter().enumerate() {
            let Some(Some(made)) = self.calls.get(call) else {
                continue;
            };
            if made.settled && made.over && suspects & unlearned == 0 {
                self.set_call(call, None);
                for hypothesis in &mut self.hypotheses {
                    if let Some(parent) = hypothesis.parents.get_mut(call) {
                        *parent = GONE;
                    }
                }
            } else {
                held |= suspects;
            }
        }
        for request in 0..self.requests.len() {
            let free = held & bit(request) == 0
                && matches!(self.requests.get(request), Some(Some(followed)) if followed.learned);
            if free {
                self.set_request(request, None);
                for hypothesis in &mut self.hypotheses {
                    if let Some(doing) = hypothesis.doing.get_mut(request) {
                        *doing = Doing::over();
                    }
                }
            }
        }
        self.merge();
    }

    fn merge(&mut self) {
        if self.hypotheses.len() < 2 {
            return;
        }
        let mut marks: Vec<u64> = self.hypotheses.iter().map(Hypothesis::mark).collect();
        let mut index = 0;
        while index < self.hypotheses.len() {
            let mark = marks.get(index).copied().unwrap_or_default();
            let earlier = marks.iter().take(index).position(|known| *known == mark);
            if let Some(earlier) = earlier
                && self.hypotheses.get(earlier).map(|h| (&h.doing, &h.parents))
                    == self.hypotheses.get(index).map(|h| (&h.doing, &h.parents))
            {
                let twin = self.hypotheses.swap_remove(index);
                marks.swap_remove(index);
                if let Some(kept) = self.hypotheses.get_mut(earlier) {
                    kept.weight = sum_of_logarithms(kept.weight, twin.weight);
                    kept.now = sum_of_logarithms(kept.now, twin.now);
                }
                self.spare.push(twin);
            } else {
                index = index.saturating_add(1);
            }
        }
        self.spare.truncate(HYPOTHESES);
    }
}

impl Hypothesis {
    fn mark(&self) -> u64 {
        let mut mark = 0;
        for doing in &self.doing {
            mark = pair(mark, doing.fine() ^ mix(doing.since));
        }
        for parent in &self.parents {
            mark = pair(mark, u64::from(*parent));
        }
        mark
    }
}

fn hint(hints: &Hints, child: &Child, hypotheses: &[Hypothesis]) -> f64 {
    let slot = usize::from(child.parent);
    let Some(hint) = hints.of.get(slot) else {
        return hints.none;
    };
    let like = match (hints.like, hypotheses.get(child.of)) {
        (Some((call, factor)), Some(of)) if parent(&of.parents, call) == slot => factor,
        _ => 0.0,
    };
    hint + like
}

fn scale(shares: &mut Shares, sum: f64) {
    if sum > 0.0 {
        for share in &mut shares.of {
            *share /= sum;
        }
        shares.none /= sum;
    }
}

fn sum_of_logarithms(a: f64, b: f64) -> f64 {
    let (more, less) = if a > b { (a, b) } else { (b, a) };
    more + (less - more).exp().ln_1p()
}

fn parent(parents: &[u8], call: usize) -> usize {
    parents.get(call).copied().unwrap_or(GONE).into()
}

fn bit(slot: usize) -> u64 {
    if slot < REQUESTS { 1 << slot } else { 0 }
}

fn slots(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let slot = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (slot < REQUESTS).then_some(slot)
    })
}

/// A vacant place, made if need be and if there may be so many.
fn vacant<T>(places: &mut Vec<Option<T>>, most: usize) -> Option<usize> {
    if let Some(place) = places.iter().position(Option::is_none) {
        return Some(place);
    }
    if places.len() >= most {
        return None;
    }
    places.push(None);
    Some(places.len().saturating_sub(1))
}
