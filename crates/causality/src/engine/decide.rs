//! What is said when a call leaves.

use super::Engine;
use super::evidence::Parents;
use crate::calibration::{corroborated, doubt, unfamiliar};
use crate::echo::{Echo, Holder};
use crate::event::Outbound;
use crate::joint::Left;
use crate::link::{Certainty, Decision, Link, Method, Unknown};
use crate::model::Experience;
use crate::shares::Shares;

/// The least share with which the only candidate is an exact one.
pub(super) const PLAIN: f64 = 0.99;

impl<P: Copy, C> Engine<P, C> {
    /// What is said when a call leaves: what is certain first, then what is impossible to know, then what is probable.
    pub(super) fn decide(
        &self,
        call: &Outbound<'_>,
        forwarded: Option<Parents>,
        echoes: &[Echo],
        same_process: Option<usize>,
        left: Option<&Left>,
    ) -> Decision<P> {
        if let Some(parents) = forwarded {
            return match parents {
                Parents::One { place, .. } => self.link(place, Certainty::Exact, Method::Propagated),
                Parents::None => Decision::Unknown(Unknown::Background),
                Parents::Several(_) => Decision::Unknown(Unknown::Ambiguous),
            };
        }
        if let Some(place) = self.exact_echo(echoes) {
            return self.link(place, Certainty::Exact, Method::Echo);
        }
        if self.unseen > 0 {
            return Decision::Unknown(Unknown::Unseen);
        }
        let Some(left) = left.filter(|_| self.beyond == 0 && self.unfollowed == 0) else {
            return Decision::Unknown(Unknown::TooMany);
        };
        if self.in_flight() == 0 {
            return Decision::Unknown(Unknown::Background);
        }
        let (best, share) = left.shares.best();
        let Some(Some(followed)) = self.followed.get(best).filter(|_| share > 0.0) else {
            return Decision::Open;
        };
        let method = self.method(best, echoes, same_process, &left.shares);
        let exact = match method {
            Method::Single => self.background.is_rare(call.callee),
            Method::Process => self.owners.is_exact(),
            _ => false,
        };
        let confidence = match method {
            Method::Learned | Method::Stage => {
                self.online.confidence(doubt(share, 0.0)) - unfamiliar(self.experience(best))
            }
            Method::Echo => {
                let factor: f64 = echoes
                    .iter()
                    .filter(|echo| self.is_of(echo, best))
                    .map(|echo| echo.factor)
                    .sum();
                1.0 - corroborated(share, self.alone(factor), self.experience(best))
            }
            Method::Process => {
                1.0 - corroborated(share, self.alone(self.owners.factor()), self.experience(best))
            }
            _ => 1.0 - corroborated(share, 1.0, self.experience(best)),
        };
        let certainty = if exact && share > PLAIN {
            Certainty::Exact
        } else if confidence >= self.settings.threshold && confidence > 0.0 {
            Certainty::Inferred(confidence)
        } else {
            return Decision::Open;
        };
        Decision::Link(Link {
            parent: followed.parent,
            certainty,
            method,
        })
    }

    fn link(&self, place: usize, certainty: Certainty, method: Method) -> Decision<P> {
        match self.parents.get(place) {
            Some(Some(parent)) => Decision::Link(Link {
                parent: *parent,
                certainty,
                method,
            }),
            _ => Decision::Unknown(Unknown::TooMany),
        }
    }

    /// How the most probable parent was found.
    fn method(&self, best: usize, echoes: &[Echo], same_process: Option<usize>, shares: &Shares) -> Method {
        if self.in_flight() == 1 {
            Method::Single
        } else if same_process == Some(best) {
            Method::Process
        } else if echoes
            .iter()
            .any(|echo| echo.factor > 0.0 && self.is_of(echo, best))
        {
            Method::Echo
        } else if shares.only() {
            Method::Stage
        } else {
            Method::Learned
        }
    }

    /// Whether a followed request brought a value.
    fn is_of(&self, echo: &Echo, followed: usize) -> bool {
        match echo.holder {
            Holder::Request(place) => self.followed_at(place) == Some(followed),
            Holder::Call(_) => false,
        }
    }

    /// The share of a request for which this factor speaks, a logarithm, if those in flight were alike in all else.
    fn alone(&self, factor: f64) -> f64 {
        let others = self.in_flight().saturating_sub(1) as f64;
        1.0 / others.mul_add((-factor).exp(), 1.0)
    }

    /// What was learned from requests of a followed one's kind.
    pub(super) fn experience(&self, followed: usize) -> Experience {
        match self.followed.get(followed) {
            Some(Some(followed)) => self.model.experience(followed.route),
            _ => Experience::default(),
        }
    }
}
