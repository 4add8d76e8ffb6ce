//! What has to be made now. Pure.
//!
//! | when | then |
//! |---|---|
//! | there is no authority, or the newest is past two thirds of its life, or longer-lived than asked | a new authority |
//! | there is no leaf, or its names are not the webhook's, or its authority is gone | a new leaf |
//! | the leaf is past two thirds of its life, or longer-lived than asked | a new leaf |
//!
//! A leaf is signed by the newest authority that has settled, which means that it has been in the bundle for long enough
//! that every API server has it. Where none has settled, it is the oldest: the bundle that has it is the best known.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Authority, Certificates};

/// How long things last, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// An authority.
    pub authority: u64,
    /// A leaf: at most a third of an authority, so that it is replaced before its authority ends.
    pub leaf: u64,
    /// How long an authority is in the bundle before it signs: at most a ninth of an authority.
    pub settle: u64,
}

impl Lifetimes {
    /// For leaves that last so long: an authority lasts twelve times as long, and signs after an hour at the latest.
    pub fn of_leaf(leaf: Duration) -> Self {
        let leaf = leaf.as_secs();
        Self {
            authority: leaf.saturating_mul(12),
            leaf,
            settle: leaf.min(3600),
        }
    }
}

/// From when until when, in seconds since 1970; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    /// When it was made.
    pub from: u64,
    /// When it ends.
    pub until: u64,
}

impl Validity {
    /// `lifetime` seconds from `now` on.
    pub fn lasting(now: u64, lifetime: u64) -> Self {
        Self {
            from: now,
            until: now.saturating_add(lifetime),
        }
    }

    /// Ends when the other one does, if it would end later.
    pub fn not_beyond(self, other: &Self) -> Self {
        Self {
            until: self.until.min(other.until),
            ..self
        }
    }

    /// Whether it has ended.
    pub fn is_over(&self, now: u64) -> bool {
        now >= self.until
    }

    /// Whether two thirds of it have passed, or it was made for more than `lifetime` seconds.
    pub fn is_due(&self, now: u64, lifetime: u64) -> bool {
        let whole = self.until.saturating_sub(self.from);
        whole > lifetime || now.saturating_sub(self.from) >= whole - whole / 3
    }
}

/// What has to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task<'a> {
    /// A new authority.
    Authority,
    /// A new leaf, signed by this authority.
    Leaf(&'a Authority),
}

/// What has to be made next; `None` where everything is as it should be. Authorities that have ended are gone already.
pub fn due<'a>(
    certificates: &'a Certificates,
    names: &[String],
    now: u64,
    lifetimes: Lifetimes,
) -> Option<Task<'a>> {
    let authorities = &certificates.authorities;
    if authorities
        .last()
        .is_none_or(|newest| newest.validity.is_due(now, lifetimes.authority))
    {
        return Some(Task::Authority);
    }
    let is_good = certificates.leaf.as_ref().is_some_and(|leaf| {
        let signed_by = |authority: &Authority| authority.validity.from == leaf.authority;
        leaf.names == names && !leaf.validity.is_due(now, lifetimes.leaf) && authorities.iter().any(signed_by)
    });
    if is_good {
        return None;
    }
    let has_settled = |it: &&Authority| now.saturating_sub(it.validity.from) >= lifetimes.settle;
    let by = authorities.iter().rev().find(has_settled).or(authorities.first());
    by.map(Task::Leaf)
}
