//! What was seen of requests and calls, whoever made which, and what a request's own story teaches the model.

use crate::doing::{After, Doing};
use crate::event::{Callee, Nanos, Route};
use crate::model::{Model, Next};
use crate::order::Places;

/// What is seen with `n` requests in flight is as clear as this power of `1/n`.
const CLEAR: i32 = 3;

/// A moment, and its place among those at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) order: u64,
    pub(crate) at: Nanos,
    /// When calls that had to wait could go on ([`crate::gate`]).
    pub(crate) opened: Nanos,
}

/// A request that is followed.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    pub(crate) route: Route,
    pub(crate) begun: Moment,
    /// How many requests were in flight once it had begun.
    pub(crate) crowd: u32,
    pub(crate) body: Option<Moment>,
    /// Whether it waits for a worker ([`crate::workers`]), and when it got one if it had to wait.
    pub(crate) waits: bool,
    pub(crate) taken_up: Option<Moment>,
    pub(crate) responded: Option<Moment>,
    pub(crate) ended: Option<Moment>,
    /// Whether the model has learned from it.
    pub(crate) learned: bool,
}

impl Followed {
    pub(crate) fn new(begun: Moment, route: Route, crowd: u32) -> Self {
        Self {
            route,
            begun,
            crowd,
            body: None,
            waits: false,
            taken_up: None,
            responded: None,
            ended: None,
            learned: false,
        }
    }
}

/// A call that is followed.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) callee: Callee,
    pub(crate) at: Moment,
    pub(crate) answered: Option<Moment>,
    pub(crate) complete: Option<Moment>,
    /// Whether its last word has been said.
    pub(crate) settled: bool,
    /// The share of weight that was dropped for want of room since it was made.
    pub(crate) lost: f64,
    /// How many requests in flight can have made it; none if there were some that are not followed.
    pub(crate) suspects: Option<u32>,
    /// Where each request stood in the queue when it was made.
    pub(crate) places: Places,
}

/// Has the model learn from a request's story with these calls as its own. It counts less the more requests there were in
/// flight, when it began and when it called, and so the more others there were whose calls these may have been, or who may
/// have made its own; and not at all if one was not followed.
pub(crate) fn learn<'a>(
    model: &mut Model,
    followed: &Followed,
    calls: impl Iterator<Item = &'a Made>,
    probability: f64,
) {
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
    let begun = f64::from(followed.crowd.max(1));
    let (mut crowds, mut clear, mut count) = (begun, begun.powi(-CLEAR), 1.0);
    story.extend(followed.body.map(|moment| (moment, Did::Body)));
    story.extend(followed.taken_up.map(|moment| (moment, Did::TakenUp)));
    story.extend(followed.responded.map(|moment| (moment, Did::Responded)));
    story.extend(followed.ended.map(|moment| (moment, Did::Ended)));
    for made in calls {
        let Some(at_a_time) = made.suspects else {
            return;
        };
        let crowd = f64::from(at_a_time.max(1));
        crowds += crowd;
        clear += crowd.powi(-CLEAR);
        count += 1.0;
        story.push((made.at, Did::Call(made.callee)));
        story.extend(made.answered.map(|moment| (moment, Did::Answered)));
        story.extend(made.complete.map(|moment| (moment, Did::Complete)));
    }
    let weight = (probability * count / crowds) as f32;
    model.seen_clearly(followed.route, probability * clear / count);
    story.sort_unstable_by_key(|(moment, _)| *moment);

    let mut doing = Doing::begun(followed.begun.at, followed.route);
    for (Moment { at, opened, .. }, did) in story {
        let mut learn = |doing: &Doing, next| model.learn(&doing.behind(opened), next, at, weight);
        match did {
            Did::Body => {
                if doing.after == After::Head {
                    learn(&doing, Next::Wait);
                }
                doing.body_complete(at);
            }
            Did::TakenUp => doing.taken_up(at),
            Did::Call(callee) => {
                learn(&doing, Next::Call(callee));
                doing.called(at, callee);
            }
            Did::Answered => {
                learn(&doing, Next::Wait);
                doing.answered(at);
            }
            Did::Complete => doing.answer_complete(at),
            Did::Responded => {
                learn(&doing, Next::Finish);
                doing.responded(at);
            }
            Did::Ended => {
                if doing.responded {
                    learn(&doing, Next::Finish);
                }
                return;
            }
        }
    }
}
