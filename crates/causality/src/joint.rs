//! All that may have caused all that was seen: a bounded set of hypotheses, each of which gives every call a parent.
//!
//! Read when a call leaves, the hypotheses' weights say which request it is of, as far as is known by then (online). Read
//! once all requests that can have made it are over, they say it in the light of everything that came after: that a
//! request has to have its answer before it goes on, that its response comes after its last call, that it makes as many
//! calls as its kind makes, and that each call has one parent (deferred). It is one filter, read twice.
//!
//! A hypothesis' weight is the product, over its requests, of the densities of all that they did when they did it
//! ([`Model`]), and of what else speaks for a call's parent; and of the rate of background calls for those that it gives
//! no parent. When a call leaves, each hypothesis splits ([`crate::split`]), and only the best are kept. When a request
//! and all that may be its calls are over, hypotheses that differ in nothing else become one.

use crate::doing::{After, Doing};
use crate::event::{Callee, Nanos, Route};
use crate::gate::Gate;
use crate::hash::pair;
use crate::hypothesis::{GONE, Hypothesis, largest, merge};
use crate::model::{Model, Next};
use crate::order::Order;
use crate::shares::{Hints, REQUESTS, Shares};
use crate::split::{Child, HOPELESS, Situation, Split, requests, split};
use crate::story::{self, Followed, Made, Moment};
use crate::workers::Workers;

/// The most calls that are followed at a time.
pub(crate) const CALLS: usize = 250;

/// The most hypotheses, and the most states of requests that are looked at for one decision.
const HYPOTHESES: usize = 128;
const LOOKS: usize = 260;

/// So many hypotheses there may be however many requests are in flight.
const HYPOTHESES_MIN: usize = 4;

/// Hypotheses with less than this share of the weight teach nothing.
const WORTH_LEARNING: f64 = 0.02;

/// What is said of a call for the last time.
pub(crate) struct Settled {
    pub(crate) call: usize,
    pub(crate) shares: Shares,
}

/// A call that leaves.
pub(crate) struct Leave<'a> {
    pub(crate) now: Nanos,
    pub(crate) callee: Callee,
    /// What else is known of its parent.
    pub(crate) hints: &'a Hints,
    /// How many background calls of its kind there are for each nanosecond.
    pub(crate) background: f64,
    /// Whether it may be of a request that is not followed.
    pub(crate) hidden: bool,
    /// Whether the hints leave no doubt.
    pub(crate) certain: bool,
}

/// What is said of it.
pub(crate) struct Left {
    pub(crate) call: usize,
    /// Whose it is, by what the requests are doing alone, and with the hints.
    pub(crate) blind: Shares,
    pub(crate) shares: Shares,
}

#[derive(Debug)]
pub(crate) struct Joint {
    calls_max: usize,
    requests: Vec<Option<Followed>>,
    calls: Vec<Option<Made>>,
    /// Best first, as of the last time that they were brought up to date. There is always one.
    hypotheses: Vec<Hypothesis>,
    /// To be used again.
    spare: Vec<Hypothesis>,
    children: Vec<Child>,
    order: Order,
    gate: Gate,
    workers: Workers,
    /// The requests that need a worker, in the order in which they came.
    arrivals: Vec<usize>,
    events: u64,
    /// Whether what was learned until now was learned without knowing of a limit.
    unlearn: bool,
}

impl Joint {
    /// Follows so many calls at a time, and [`CALLS`] at most.
    pub(crate) fn new(calls_max: usize) -> Self {
        Self {
            calls_max: calls_max.min(CALLS),
            requests: Vec::new(),
            calls: Vec::new(),
            hypotheses: vec![Hypothesis::default()],
            spare: Vec::new(),
            children: Vec::new(),
            order: Order::new(),
            gate: Gate::new(),
            workers: Workers::new(),
            arrivals: Vec::new(),
            events: 0,
            unlearn: false,
        }
    }

    /// A request to follow; its number, unless there are too many.
    pub(crate) fn begin(&mut self, now: Nanos, route: Route) -> Option<usize> {
        let begun = self.moment(now);
        let crowd = self.set_of(|request| request.ended.is_none()).count_ones();
        let request = vacant(&mut self.requests, REQUESTS)?;
        let followed = Followed::new(begun, route, crowd.saturating_add(1));
        set(&mut self.requests, request, Some(followed));
        for hypothesis in &mut self.hypotheses {
            hypothesis.set_doing(request, Doing::begun(now, route));
        }
        Some(request)
    }

    /// All of a request is there: its program can begin with it, if it has a worker.
    pub(crate) fn body_complete(&mut self, now: Nanos, model: &Model, request: usize) {
        let moment = self.moment(now);
        let workers = self.workers();
        let Some(Some(followed)) = self.requests.get_mut(request) else {
            return;
        };
        if followed.body.is_some() || followed.ended.is_some() {
            return;
        }
        followed.body = Some(moment);
        self.arrivals.push(request);
        followed.waits = self.arrivals.len() > workers;
        self.happens(
            now,
            model,
            |_| request,
            Next::Wait,
            |doing| doing.body_complete(now),
        );
    }

    pub(crate) fn responded(&mut self, now: Nanos, model: &Model, request: usize) {
        let moment = self.moment(now);
        let Some(Some(followed)) = self.requests.get_mut(request) else {
            return;
        };
        if followed.responded.is_some() || followed.ended.is_some() {
            return;
        }
        followed.responded = Some(moment);
        self.happens(
            now,
            model,
            |_| request,
            Next::Finish,
            |doing| {
                doing.responded(now);
            },
        );
        self.free_worker(moment, request);
    }

    pub(crate) fn end(&mut self, now: Nanos, model: &Model, request: usize) {
        let moment = self.moment(now);
        let Some(Some(followed)) = self.requests.get_mut(request) else {
            return;
        };
        followed.ended = Some(moment);
        let responded = followed.responded.is_some();
        // without a response, it was broken off at any moment
        let next = if responded { Next::Finish } else { Next::Wait };
        self.happens(now, model, |_| request, next, |doing| doing.after = After::End);
        self.free_worker(moment, request);
    }

    /// A call leaves. Whose it is, as far as can be known now, unless too many calls are followed.
    pub(crate) fn call(&mut self, model: &Model, leave: &Leave<'_>) -> Option<Left> {
        let at = self.moment(leave.now);
        let call = vacant(&mut self.calls, self.calls_max)?;
        let running = self.set_of(|request| request.ended.is_none());
        let most = LOOKS / (running.count_ones() as usize).max(1);
        let most = most.clamp(HYPOTHESES_MIN, HYPOTHESES);
        self.drop_beyond(most);
        let situation = Situation {
            now: leave.now,
            callee: leave.callee,
            hints: leave.hints,
            background: leave.background,
            opened: self.gate.opened(),
            shut: self.gate.is_shut(),
            running,
            waiting: self.set_of(|request| request.waits),
        };
        let Split {
            blind,
            shares,
            places,
            lost,
            lost_of,
        } = split(
            &mut self.hypotheses,
            &mut self.children,
            most,
            model,
            &self.order,
            &situation,
        );
        self.lose(&lost_of);
        self.grow(call, leave.now, leave.callee);
        self.unlearn |= self.gate.called();
        let active = self.hypotheses.first().map_or(0, Hypothesis::active);
        self.workers.learn(active, self.arrivals.len());
        let made = Made {
            callee: leave.callee,
            at,
            answered: None,
            complete: None,
            settled: false,
            lost,
            suspects: match running.count_ones() {
                _ if leave.hidden => None,
                _ if leave.certain => Some(1),
                suspects => Some(suspects),
            },
            places,
        };
        set(&mut self.calls, call, Some(made));
        Some(Left { call, blind, shares })
    }

    pub(crate) fn answered(&mut self, now: Nanos, model: &Model, call: usize) {
        let moment = self.moment(now);
        let Some(Some(made)) = self.calls.get_mut(call) else {
            return;
        };
        if made.answered.is_some() {
            return;
        }
        made.answered = Some(moment);
        self.happens(
            now,
            model,
            |hypothesis| hypothesis.parent(call),
            Next::Wait,
            |doing| doing.answered(now),
        );
    }

    pub(crate) fn end_call(&mut self, now: Nanos, model: &Model, call: usize) {
        self.answered(now, model, call);
        let moment = self.moment(now);
        let Some(Some(made)) = self.calls.get_mut(call) else {
            return;
        };
        made.complete = Some(moment);
        self.gate.over(now);
        for hypothesis in &mut self.hypotheses {
            let parent = hypothesis.parent(call);
            if let Some(doing) = hypothesis.doing_mut(parent) {
                doing.answer_complete(now);
            }
        }
    }

    /// Something speaks for, or against, a request as a call's parent, by this logarithm of a factor.
    pub(crate) fn hint(&mut self, call: usize, request: usize, factor: f64) {
        for hypothesis in &mut self.hypotheses {
            if hypothesis.parent(call) == request {
                hypothesis.weight += factor;
            }
        }
    }

    /// The request that most probably made a call.
    pub(crate) fn likely_parent(&self, call: usize) -> Option<usize> {
        let best = self.hypotheses.first()?;
        Some(best.parent(call)).filter(|parent| *parent < REQUESTS)
    }

    /// Says the last word on calls of which nothing more can be found out, and learns from requests of whose calls that
    /// is true. Calls made before `late` are settled in any case.
    pub(crate) fn settle(&mut self, now: Nanos, model: &mut Model, late: Nanos) -> Vec<Settled> {
        let running = self.set_of(|request| request.ended.is_none());
        self.bring_up_to(now, model, running);
        let suspects: Vec<u64> = (0..self.calls.len()).map(|call| self.suspects(call)).collect();
        let mut words = Vec::new();
        for (call, suspects) in suspects.iter().enumerate() {
            let Some(Some(made)) = self.calls.get(call) else {
                continue;
            };
            let due = suspects & running == 0 || made.at.at < late;
            if !due || made.settled {
                continue;
            }
            let shares = self.shares(call, made.lost);
            self.order.learn(&made.places, &shares);
            if let Some(Some(made)) = self.calls.get_mut(call) {
                made.settled = true;
            }
            words.push(Settled { call, shares });
        }
        if std::mem::take(&mut self.unlearn) {
            model.unlearn();
            self.order = Order::of_queue();
        }
        for request in 0..self.requests.len() {
            self.learn_from(model, request, &suspects);
        }
        self.forget(&suspects, late);
        words
    }

    fn moment(&mut self, at: Nanos) -> Moment {
        self.events = self.events.wrapping_add(1);
        Moment {
            order: self.events,
            at,
            opened: self.gate.opened(),
        }
    }

    /// The followed requests of which something is true.
    fn set_of(&self, is: impl Fn(&Followed) -> bool) -> u64 {
        let mut set = 0;
        for (request, followed) in self.requests.iter().enumerate() {
            if followed.as_ref().is_some_and(&is) {
                set |= bit(request);
            }
        }
        set
    }

    /// The requests that some hypothesis holds to be a call's parent.
    fn suspects(&self, call: usize) -> u64 {
        if !matches!(self.calls.get(call), Some(Some(_))) {
            return 0;
        }
        let parents = self.hypotheses.iter().map(|hypothesis| hypothesis.parent(call));
        parents.fold(0, |set, parent| set | bit(parent))
    }

    /// Something happens to, or is done by, the request that `which` says.
    fn happens(
        &mut self,
        now: Nanos,
        model: &Model,
        which: impl Fn(&Hypothesis) -> usize,
        next: Next,
        change: impl Fn(&mut Doing),
    ) {
        let mut known: Option<(Doing, f64)> = None;
        let opened = self.gate.opened();
        let shut = self.gate.is_shut();
        let alone = self.hypotheses.len() < 2;
        for hypothesis in &mut self.hypotheses {
            let request = which(hypothesis);
            let Some(doing) = hypothesis.doing_mut(request) else {
                continue;
            };
            if doing.after == After::End {
                continue;
            }
            let factor = match known {
                _ if alone => 0.0,
                Some((same, factor)) if same == *doing => factor,
                _ => {
                    let outlook = model.outlook(&doing.behind(opened), next, now);
                    let factor = match next {
                        Next::Wait if shut || opened > doing.since => 1.0,
                        Next::Wait => outlook.idle,
                        Next::Call(_) | Next::Finish => outlook.density,
                    };
                    factor.max(1e-30).ln()
                }
            };
            known = Some((*doing, factor));
            change(doing);
            hypothesis.weight += factor;
        }
    }

    /// How many requests are worked on at a time. That no more than so many make calls has another reason if no more
    /// calls are let through.
    fn workers(&self) -> usize {
        let count = self.workers.count();
        if self.gate.limit().is_some_and(|limit| count <= limit) {
            usize::MAX
        } else {
            count
        }
    }

    /// A request needs no worker any more: the one that came first of those that wait for one gets it.
    fn free_worker(&mut self, moment: Moment, request: usize) {
        self.arrivals.retain(|arrival| *arrival != request);
        let workers = self.workers();
        for request in self.arrivals.iter().take(workers) {
            let Some(Some(followed)) = self.requests.get_mut(*request) else {
                continue;
            };
            if !followed.waits {
                continue;
            }
            followed.waits = false;
            followed.taken_up = Some(moment);
            for doing in self.hypotheses.iter_mut().filter_map(|h| h.doing_mut(*request)) {
                doing.taken_up(moment.at);
            }
        }
    }

    fn drop_beyond(&mut self, most: usize) {
        while self.hypotheses.len() > most.max(1) {
            self.spare.extend(self.hypotheses.pop());
        }
    }

    /// So much weight of each hypothesis is dropped for want of room: what of that says of a call what those that are kept
    /// do not mostly say is lost to it.
    fn lose(&mut self, lost_of: &[f64]) {
        if lost_of.is_empty() {
            return;
        }
        for (call, made) in self.calls.iter_mut().enumerate() {
            let Some(made) = made.as_mut().filter(|made| !made.settled) else {
                continue;
            };
            let mostly = self
                .children
                .first()
                .and_then(|child| self.hypotheses.get(child.of));
            let mostly = mostly.map_or(usize::from(GONE), |best| best.parent(call));
            let differ = self.hypotheses.iter().zip(lost_of);
            let differ = differ.filter(|(hypothesis, _)| hypothesis.parent(call) != mostly);
            let lost: f64 = differ.map(|(_, lost)| lost).sum();
            made.lost = 1.0 - (1.0 - made.lost) * (1.0 - lost);
        }
    }

    /// Makes hypotheses of the children that were kept.
    fn grow(&mut self, call: usize, now: Nanos, callee: Callee) {
        let norm = self.children.first().map_or(0.0, |child| child.weight);
        let mut children_left = vec![0_u32; self.hypotheses.len()];
        for child in &self.children {
            if let Some(left) = children_left.get_mut(child.of) {
                *left = left.saturating_add(1);
            }
        }
        let mut old = std::mem::take(&mut self.hypotheses);
        for child in &self.children {
            let (Some(from), Some(left)) = (old.get_mut(child.of), children_left.get_mut(child.of)) else {
                continue;
            };
            *left = left.saturating_sub(1);
            let mut next = if *left == 0 {
                std::mem::take(from)
            } else {
                from.copy_to(self.spare.pop().unwrap_or_default())
            };
            next.weight = child.weight - norm;
            next.now = child.now;
            next.set_parent(call, child.parent);
            if let Some(doing) = next.doing_mut(child.parent.into()) {
                doing.called(now, callee);
            }
            self.hypotheses.push(next);
        }
        self.spare.append(&mut old);
        self.spare.truncate(HYPOTHESES);
    }

    /// Brings the weights up to this moment, and drops what has become hopeless.
    fn bring_up_to(&mut self, now: Nanos, model: &Model, running: u64) {
        let opened = self.gate.opened();
        let shut = self.gate.is_shut();
        for hypothesis in &mut self.hypotheses {
            hypothesis.now = hypothesis.weight;
        }
        let several = self.hypotheses.len() > 1;
        for request in requests(running).filter(|_| several && !shut) {
            if matches!(self.requests.get(request), Some(Some(followed)) if followed.waits) {
                continue;
            }
            let mut known: Option<(Doing, f64)> = None;
            for hypothesis in &mut self.hypotheses {
                let Some(doing) = hypothesis.doing(request) else {
                    continue;
                };
                let idle = match known {
                    Some((same, idle)) if same == *doing => idle,
                    _ if opened > doing.since => 0.0,
                    _ => model.outlook(doing, Next::Wait, now).idle.max(1e-9).ln(),
                };
                known = Some((*doing, idle));
                hypothesis.now += idle;
            }
        }
        self.hypotheses.sort_unstable_by(|a, b| b.now.total_cmp(&a.now));
        let best = self.hypotheses.first().map_or(0.0, |best| best.now);
        let worth = self.hypotheses.partition_point(|h| h.now >= best - HOPELESS);
        self.drop_beyond(worth);
        self.spare.truncate(HYPOTHESES);
        let norm = self.hypotheses.first().map_or(0.0, |best| best.weight);
        for hypothesis in &mut self.hypotheses {
            hypothesis.weight -= norm;
            hypothesis.now -= norm;
        }
    }

    /// Whose a call is, as of when the weights were last brought up to date.
    fn shares(&self, call: usize, lost: f64) -> Shares {
        let best = largest(self.hypotheses.iter().map(|hypothesis| hypothesis.now));
        let mut shares = Shares::nothing();
        for hypothesis in &self.hypotheses {
            shares.add(hypothesis.parent(call), (hypothesis.now - best).exp());
        }
        Shares {
            lost,
            ..shares.complete()
        }
    }

    /// Learns from a request that is over, if all that may be its calls are settled.
    fn learn_from(&mut self, model: &mut Model, request: usize, suspects: &[u64]) {
        let Some(Some(followed)) = self.requests.get(request) else {
            return;
        };
        let open = suspects.iter().zip(&self.calls).any(|(suspects, made)| {
            suspects & bit(request) != 0 && made.as_ref().is_some_and(|made| !made.settled)
        });
        if followed.ended.is_none() || followed.learned || open {
            return;
        }
        model.experienced(followed.route);
        // hypotheses that have the same calls for it tell the same story
        let best = largest(self.hypotheses.iter().map(|hypothesis| hypothesis.now));
        let mut stories: Vec<(u64, f64, &Hypothesis)> = Vec::new();
        let mut sum = 0.0;
        for hypothesis in &self.hypotheses {
            let share = (hypothesis.now - best).exp();
            sum += share;
            let calls = hypothesis.calls_of(request);
            let story = calls.fold(0, |story, call| pair(story, call as u64));
            match stories.iter_mut().find(|(known, ..)| *known == story) {
                Some((_, weight, _)) => *weight += share,
                None => stories.push((story, share, hypothesis)),
            }
        }
        for (_, weight, hypothesis) in stories {
            let weight = weight / sum;
            if weight >= WORTH_LEARNING {
                let calls = hypothesis.calls_of(request);
                let calls = calls.filter_map(|call| self.calls.get(call)?.as_ref());
                story::learn(model, followed, calls, weight);
            }
        }
        if let Some(Some(followed)) = self.requests.get_mut(request) {
            followed.learned = true;
        }
    }

    /// Frees what nothing depends on any more, and makes one of hypotheses that have become the same.
    fn forget(&mut self, suspects: &[u64], late: Nanos) {
        let unlearned = self.set_of(|request| !request.learned);
        let mut held = 0;
        let mut freed = false;
        for (call, suspects) in suspects.iter().enumerate() {
            let Some(Some(made)) = self.calls.get(call) else {
                continue;
            };
            let over = made.complete.is_some() || made.at.at < late;
            if !made.settled || !over || suspects & unlearned != 0 {
                held |= suspects;
                continue;
            }
            if made.complete.is_none() {
                self.gate.lose();
            }
            freed = true;
            set(&mut self.calls, call, None);
            for hypothesis in &mut self.hypotheses {
                hypothesis.set_parent(call, GONE);
            }
        }
        let free = self.set_of(|request| request.learned) & !held;
        for request in requests(free) {
            freed = true;
            set(&mut self.requests, request, None);
            for hypothesis in &mut self.hypotheses {
                hypothesis.set_doing(request, Doing::over());
            }
        }
        if freed {
            merge(&mut self.hypotheses, &mut self.spare);
            self.spare.truncate(HYPOTHESES);
        }
    }
}

fn bit(request: usize) -> u64 {
    if request < REQUESTS { 1 << request } else { 0 }
}

fn set<T>(places: &mut [Option<T>], place: usize, value: Option<T>) {
    if let Some(place) = places.get_mut(place) {
        *place = value;
    }
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
