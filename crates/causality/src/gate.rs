//! Whether a program makes only so many calls at a time: a pool of threads, or of connections, with a queue before it.
//!
//! Then a call that has to wait leaves when an earlier one is over, and how long its request has been ready says little.
//! Such a limit shows in how many calls are open when one leaves: without one, each number is rarer than the one below;
//! with one, the calls pile up at it.

use crate::event::Nanos;

/// The largest limit that is looked for.
const LIMIT_MAX: usize = 64;

/// So many calls make a limit known; after as many again, all that was seen counts half.
const KNOWN_AT: f32 = 100.0;
const FADE_AT: f32 = 1000.0;

/// The share of calls above a limit that is tolerated: limits change.
const ABOVE: f32 = 0.005;

/// How much more calls have to be seen at the limit than below.
const PILE: f32 = 1.2;

#[derive(Debug)]
pub(crate) struct Gate {
    open: usize,
    /// How many calls left as the only one, the second one, … that is open.
    levels: [f32; LIMIT_MAX],
    limit: Option<usize>,
    /// Whether there ever was one.
    known: bool,
    /// When it opened last.
    opened: Nanos,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            open: 0,
            levels: [0.0; LIMIT_MAX],
            limit: None,
            known: false,
            opened: 0,
        }
    }

    /// When the gate opened last, having been closed; 0 if there is none.
    pub(crate) fn opened(&self) -> Nanos {
        self.opened
    }

    /// How many calls may be open at a time.
    pub(crate) fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// Whether as many calls are open as there may be.
    pub(crate) fn is_shut(&self) -> bool {
        self.limit.is_some_and(|limit| self.open >= limit)
    }

    /// A call left; whether that showed for the first time that there is a limit.
    pub(crate) fn called(&mut self) -> bool {
        if let Some(level) = self.levels.get_mut(self.open) {
            *level += 1.0;
        }
        self.open = self.open.saturating_add(1);
        let all: f32 = self.levels.iter().sum();
        if all > FADE_AT {
            for level in &mut self.levels {
                *level *= 0.5;
            }
        }
        self.limit = self.find(all);
        if self.limit.is_none() {
            self.opened = 0;
        }
        let first = self.limit.is_some() && !self.known;
        self.known |= first;
        first
    }

    /// It will not be known when a call is over.
    pub(crate) fn lose(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// A call is over.
    pub(crate) fn over(&mut self, now: Nanos) {
        if self.is_shut() {
            self.opened = now;
        }
        self.open = self.open.saturating_sub(1);
    }

    fn find(&self, all: f32) -> Option<usize> {
        let mut above = 0.0;
        let mut levels = self.levels.iter().enumerate().rev();
        let (top, at_top) = levels.find(|(_, level)| {
            above += **level;
            above > ABOVE * all
        })?;
        let below = levels.next().map_or(0.0, |(_, level)| *level);
        (all > KNOWN_AT && *at_top > PILE * below && top > 0).then(|| top.saturating_add(1))
    }
}
