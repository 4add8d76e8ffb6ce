//! What one request is doing, as far as can be told from outside.

use crate::event::{Callee, Nanos, Route};
use crate::hash::{mix, pair};

/// What happened to a request last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Its head came in, its body has not.
    Head,
    /// All of it came in.
    Body,
    /// It made a call.
    Call,
    /// A call was answered.
    Answer,
    /// Its response's head was sent.
    Response,
    /// It is over.
    End,
}

/// A request's state under the assumption that certain calls were its own. What it does next, and after how long, is
/// taken to depend on this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doing {
    pub(crate) route: Route,
    /// Which calls it has made, each as often as it was made, in any order.
    path: u64,
    /// The latest of them.
    last: u64,
    /// How many of them have not been answered.
    pub(crate) open: u16,
    pub(crate) after: After,
    /// Since when.
    pub(crate) since: Nanos,
    /// Since when it has had to make a call, if it has to: none of its calls was open before.
    pub(crate) ready: Nanos,
    /// Whether it could not go on until then because of other requests.
    held_up: bool,
}

impl Doing {
    pub(crate) fn begun(now: Nanos, route: Route) -> Self {
        Self {
            route,
            path: mix(route.0),
            last: 0,
            open: 0,
            after: After::Head,
            since: now,
            ready: now,
            held_up: false,
        }
    }

    /// What all requests that are over have in common: nothing else is remembered of them.
    pub(crate) fn over() -> Self {
        Self {
            route: Route(0),
            path: 0,
            last: 0,
            open: 0,
            after: After::End,
            since: 0,
            ready: 0,
            held_up: false,
        }
    }

    pub(crate) fn body_complete(&mut self, now: Nanos) {
        if self.after == After::Head {
            self.then(After::Body, now);
        }
    }

    /// It had to wait for a worker, and now has one.
    pub(crate) fn taken_up(&mut self, now: Nanos) {
        if !self.has_acted() {
            self.then(self.after, now);
            self.held_up = true;
        }
    }

    /// Whether it has made a call, or responded.
    pub(crate) fn has_acted(&self) -> bool {
        self.last != 0 || matches!(self.after, After::Response | After::End)
    }

    pub(crate) fn called(&mut self, now: Nanos, callee: Callee) {
        self.path = self.path.wrapping_add(mix(callee.0));
        self.last = mix(callee.0);
        self.open = self.open.saturating_add(1);
        if self.after != After::Response {
            self.then(After::Call, now);
        }
    }

    pub(crate) fn answered(&mut self, now: Nanos) {
        self.open = self.open.saturating_sub(1);
        if self.after != After::Response {
            self.then(After::Answer, now);
        }
    }

    /// The answer's last byte has come, which is what most programs wait for.
    pub(crate) fn answer_complete(&mut self, now: Nanos) {
        if self.after == After::Answer {
            self.then(After::Answer, now);
        }
    }

    pub(crate) fn responded(&mut self, now: Nanos) {
        self.then(After::Response, now);
    }

    fn then(&mut self, after: After, now: Nanos) {
        self.after = after;
        self.since = now;
        self.held_up = false;
        if self.open == 0 {
            self.ready = now;
        }
    }

    /// The same, if it could not go on until a gate opened.
    pub(crate) fn behind(&self, opened: Nanos) -> Self {
        let held_up = self.held_up || opened > self.since;
        Self {
            since: self.since.max(opened),
            held_up,
            ..*self
        }
    }

    /// What is learned for exactly this state.
    pub(crate) fn fine(&self) -> u64 {
        pair(self.path ^ self.last, self.situation(3))
    }

    /// What is learned for states of the same route after the same call.
    pub(crate) fn coarse(&self) -> u64 {
        pair(
            mix(self.route.0) ^ self.last.rotate_left(1),
            self.situation(1) | 0x100,
        )
    }

    /// What is learned for all routes together.
    pub(crate) fn general(&self) -> u64 {
        pair(0, self.situation(1) | 0x200)
    }

    fn situation(&self, open_max: u16) -> u64 {
        let open = u64::from(self.open.min(open_max));
        (self.after as u64) | (open << 4) | (u64::from(self.held_up) << 12)
    }
}
