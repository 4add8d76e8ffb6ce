//! What speaks for whom when a call leaves: the trace that the application put it into, the values that it carries, the
//! process that makes it.

use super::Engine;
use super::places::{Said, bit};
use crate::echo::{Echo, Holder};
use crate::event::{Process, Token, Trace};
use crate::process::{Owned, Owners};
use crate::shares::{Hints, REQUESTS, Shares};
use crate::split::requests;

/// The most values of one call that count.
const ECHOES_MAX: usize = 4;

/// Speaks against what is impossible: a logarithm of a factor.
const IMPOSSIBLE: f64 = -40.0;

/// Speaks for what is exact, unless it is hardly possible by everything else: a logarithm of a factor.
const EXACT: f64 = 16.0;

/// The requests in flight of one trace, those of them that are followed as one bit each.
#[derive(Clone, Copy, Debug)]
pub(super) enum Parents {
    None,
    One { place: usize, followed: u64 },
    Several(u64),
}

impl<P: Copy, C> Engine<P, C> {
    /// The requests in flight that are part of the trace into which the application itself put a call.
    pub(super) fn forwarded(&self, trace: Trace) -> Parents {
        let mut parents = Parents::None;
        for (place, held) in self.requests.iter().enumerate() {
            let Some(held) = held.as_ref().filter(|held| held.trace == trace) else {
                continue;
            };
            let followed = held.followed.number().map_or(0, bit);
            parents = match parents {
                Parents::None => Parents::One { place, followed },
                Parents::One { followed: others, .. } | Parents::Several(others) => {
                    Parents::Several(others | followed)
                }
            };
        }
        parents
    }

    /// What the values of a call say.
    pub(super) fn heard(&mut self, tokens: &[Token]) -> Vec<Echo> {
        let mut echoes = Vec::new();
        self.echoes.heard(tokens, |echo| {
            if echoes.len() < ECHOES_MAX {
                echoes.push(echo);
            }
        });
        echoes
    }

    /// Of which followed request they say it.
    pub(super) fn said(&self, echoes: &[Echo], blind: &Shares) -> Vec<Said> {
        let said = echoes.iter().filter_map(|echo| {
            let of = match echo.holder {
                Holder::Request(place) => self.followed_at(place)?,
                Holder::Call(call) => self.joint.likely_parent(call)?,
            };
            Some(Said {
                places: echo.places,
                of,
                blind: blind.share(of),
            })
        });
        said.collect()
    }

    pub(super) fn hints(&self, echoes: &[Echo], owned: &Owned, suspects: u64) -> Hints {
        let mut hints = Hints::none();
        for echo in echoes {
            match echo.holder {
                Holder::Request(place) => {
                    if let Some(followed) = self.followed_at(place) {
                        hints.add(followed, if echo.exact { EXACT } else { echo.factor });
                    }
                }
                Holder::Call(call) => hints.like = Some((call, echo.factor)),
            }
        }
        if *owned != Owned::default() {
            let trust = self.owners.factor();
            for suspect in requests(suspects) {
                hints.add(suspect, owned.factor(suspect, trust));
            }
        }
        hints
    }

    /// The followed request that is a call's parent for certain.
    pub(super) fn certain(
        &self,
        forwarded: Option<Parents>,
        echoes: &[Echo],
        same_process: Option<usize>,
    ) -> Option<usize> {
        match forwarded {
            Some(Parents::One { place, .. }) => self.followed_at(place),
            Some(_) => None,
            None => {
                let echoed = self.exact_echo(echoes);
                let echoed = echoed.and_then(|place| self.followed_at(place));
                echoed.or(same_process.filter(|_| self.owners.is_exact()))
            }
        }
    }

    /// The request to which values point that almost never lie, unless they contradict each other.
    pub(super) fn exact_echo(&self, echoes: &[Echo]) -> Option<usize> {
        let mut found = None;
        for echo in echoes.iter().filter(|echo| echo.exact) {
            let Holder::Request(place) = echo.holder else {
                continue;
            };
            if found.is_some_and(|found| found != place) {
                return None;
            }
            found = Some(place);
        }
        found
    }

    /// What a call's process says of these followed requests.
    pub(super) fn owned_by(&self, process: Option<Process>, among: u64) -> Owned {
        let followed = self.followed.iter().enumerate();
        let suspects = followed.filter(|(number, _)| among & bit(*number) != 0);
        Owners::compare(
            process,
            suspects.filter_map(|(number, followed)| Some((number, followed.as_ref()?.process))),
        )
    }
}

/// Nobody else can be the parent. If nobody is, the call began a trace of its own, and may be anyone's.
pub(super) fn only(parents: Parents) -> Hints {
    let mut hints = Hints::none();
    let (Parents::One { followed, .. } | Parents::Several(followed)) = parents else {
        return hints;
    };
    hints.none = IMPOSSIBLE;
    for request in (0..REQUESTS).filter(|request| followed & bit(*request) == 0) {
        hints.add(request, IMPOSSIBLE);
    }
    hints
}
