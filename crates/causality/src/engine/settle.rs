//! The last words: what is said of a call once all that speaks for one or the other has been seen, and what is learned from
//! it.

use super::Engine;
use super::decide::PLAIN;
use super::places::Follow;
use crate::calibration::{doubt, unfamiliar};
use crate::event::Nanos;
use crate::joint::Settled;
use crate::link::{Certainty, Link, Method, Resolved, Unknown};
use crate::shares::Shares;

/// A call is settled at the latest after so long, in nanoseconds.
const WINDOW_MAX: Nanos = 10_000_000_000;

/// A response that has been under way for longer than this, in nanoseconds, is a stream.
const STREAM: Nanos = 10_000_000_000;

/// The most last words that wait to be asked for.
const RESOLVED_MAX: usize = 8192;

/// With a larger share of the weight dropped for want of room, nothing can be said.
const LOST_MAX: f64 = 0.5;

impl<P: Copy, C> Engine<P, C> {
    /// Takes requests whose responses have been under way for long for streams that make no calls any more.
    pub(super) fn let_go(&mut self, now: Nanos) {
        for held in self.requests.iter_mut().flatten() {
            let stream = held.responded.is_some_and(|at| now.saturating_sub(at) > STREAM);
            match held.followed {
                Follow::As(followed) if stream => self.joint.end(now, &self.model, followed),
                Follow::Not if stream => self.unfollowed = self.unfollowed.saturating_sub(1),
                _ => continue,
            }
            held.followed = Follow::NoLonger;
        }
    }

    /// Says the last words that are due, and learns from what they are about.
    pub(super) fn settle(&mut self, now: Nanos) {
        let late = now.saturating_sub(WINDOW_MAX);
        for Settled { call, shares } in self.joint.settle(now, &mut self.model, late) {
            let Some(Some(asked)) = self.asked.get_mut(call) else {
                continue;
            };
            let open = asked.open.take();
            let same_process = asked.owned.only();
            self.learn(call, &shares);
            if let Some(known_by) = open
                && self.resolved.len() < RESOLVED_MAX
            {
                let link = self.last_word(&shares, same_process);
                self.resolved.push_back(Resolved { call: known_by, link });
            }
        }
    }

    fn learn(&mut self, call: usize, shares: &Shares) {
        let Some(Some(asked)) = self.asked.get(call) else {
            return;
        };
        if asked.in_flight > 0 {
            self.background.orphan(asked.callee, shares.none);
        }
        // in a crowd, what the hypotheses say is a weak witness
        let crowd = asked.in_flight.saturating_sub(1).max(1) as f64;
        for said in &asked.said {
            self.echoes
                .learn(said.places, shares.share(said.of), said.blind, crowd.powi(-2));
        }
        if let Some(same) = asked.owned.only().filter(|_| !asked.withheld) {
            self.owners.learn(shares.share(same));
        }
        if let Some((guess, doubt)) = asked.guess {
            let right = match asked.certain {
                Some(certain) => f64::from(u8::from(certain == guess)),
                None => shares.share(guess),
            };
            self.online.learn(doubt, right);
        }
        if let Some(certain) = asked.certain.filter(|_| asked.withheld && asked.in_flight > 1) {
            let (best, share) = shares.best();
            let doubt = doubt(share, shares.lost);
            self.deferred.learn(doubt, f64::from(u8::from(certain == best)));
        }
    }

    fn last_word(&self, shares: &Shares, same_process: Option<usize>) -> Result<Link<P>, Unknown> {
        let (best, share) = shares.best();
        let followed = self.followed.get(best).and_then(Option::as_ref);
        let Some(followed) = followed.filter(|_| share > shares.none) else {
            return Err(Unknown::Background);
        };
        let doubt = doubt(share, shares.lost) * self.online.overconfidence();
        let confidence = self.deferred.confidence(doubt) - unfamiliar(self.experience(best));
        let (certainty, method) = if same_process == Some(best) && self.owners.is_exact() && share > PLAIN {
            (Certainty::Exact, Method::Process)
        } else if confidence >= self.settings.threshold && confidence > 0.0 {
            (Certainty::Inferred(confidence), Method::Joint)
        } else if shares.lost > LOST_MAX {
            return Err(Unknown::Budget);
        } else {
            return Err(Unknown::Ambiguous);
        };
        Ok(Link {
            parent: followed.parent,
            certainty,
            method,
        })
    }
}
