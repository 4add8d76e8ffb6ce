//! Which of several replicas leads: the one that holds a Lease of `coordination.k8s.io`, by the rules of client-go.
//!
//! The webhook is served by all. What is written into the cluster (certificates, labels, Events, the statuses of
//! policies) is written by the one that leads, so that it is written once. Nothing is wrong where two do for a moment: every write of theirs is either
//! refused by its version or the same.
//!
//! | the lease | so |
//! |---|---|
//! | is not there, or has no holder | take it |
//! | is ours | renew it |
//! | is another's, and has changed within its duration | wait |
//! | is another's, and has not | take it |
//!
//! Only what this replica has seen itself counts, measured by its own clock: clocks of different machines differ.

use std::time::{Duration, Instant};

/// For how long a lease is held that is not renewed.
pub const LEASE: Duration = Duration::from_secs(15);
/// For how long a leader that cannot renew its lease goes on: well below [`LEASE`], so that it stops before another begins.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// How often the lease is looked at, and renewed.
pub const RETRY: Duration = Duration::from_secs(2);

/// What stands in a lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The version of the object, which every write changes.
    pub version: String,
    /// Who holds it; empty where nobody does.
    pub holder: String,
    /// For how long without being renewed.
    pub lasts: Duration,
}

/// What to do with a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make it ours.
    Take,
    /// It is ours: say that we are still there.
    Renew,
    /// Somebody else leads.
    Wait,
}

/// What a replica has seen of the lease.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    name: String,
    /// What was seen last, and when that was seen first.
    seen: Option<(Held, Instant)>,
    /// When the lease was last made or kept ours.
    renewed: Option<Instant>,
}

impl Candidate {
    /// One of this name, which no other has.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// What to do, now that the lease is like this.
    pub fn step(&mut self, lease: Option<Held>, now: Instant) -> Step {
        let Some(lease) = lease.filter(|lease| !lease.holder.is_empty()) else {
            return Step::Take;
        };
        if lease.holder == self.name {
            return Step::Renew;
        }
        match &self.seen {
            Some((seen, since)) if *seen == lease => {
                if now.saturating_duration_since(*since) >= lease.lasts {
                    Step::Take
                } else {
                    Step::Wait
                }
            }
            _ => {
                self.seen = Some((lease, now));
                Step::Wait
            }
        }
    }

    /// It was made or kept ours by a request that began then.
    pub fn renewed(&mut self, began: Instant) {
        self.renewed = Some(began);
    }

    /// It is another's.
    pub fn lost(&mut self) {
        self.renewed = None;
    }

    /// Whether this replica leads.
    pub fn leads(&self, now: Instant) -> bool {
        self.renewed
            .is_some_and(|renewed| now.saturating_duration_since(renewed) < DEADLINE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(version: &str, holder: &str) -> Option<Held> {
        Some(Held {
            version: version.to_owned(),
            holder: holder.to_owned(),
            lasts: LEASE,
        })
    }

    fn after(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[test]
    fn a_lease_that_nobody_holds_is_taken_and_ours_is_renewed() {
        let (mut candidate, begin) = (Candidate::new("a"), Instant::now());
        assert_eq!(candidate.step(None, begin), Step::Take);
        assert_eq!(candidate.step(held("1", ""), begin), Step::Take);
        assert_eq!(candidate.step(held("2", "a"), begin), Step::Renew);
    }

    #[test]
    fn anothers_lease_is_taken_once_it_was_not_renewed_for_as_long_as_it_lasts() {
        let (mut candidate, begin) = (Candidate::new("a"), Instant::now());
        assert_eq!(candidate.step(held("1", "b"), begin), Step::Wait);
        assert_eq!(candidate.step(held("1", "b"), after(begin, 14)), Step::Wait);
        assert_eq!(
            candidate.step(held("2", "b"), after(begin, 15)),
            Step::Wait,
            "renewed"
        );
        assert_eq!(candidate.step(held("2", "b"), after(begin, 29)), Step::Wait);
        assert_eq!(candidate.step(held("2", "b"), after(begin, 30)), Step::Take);
    }

    #[test]
    fn a_leader_that_cannot_renew_stops_before_another_can_begin() {
        let (mut candidate, begin) = (Candidate::new("a"), Instant::now());
        assert!(!candidate.leads(begin));
        candidate.renewed(begin);
        assert!(candidate.leads(after(begin, 9)));
        assert!(!candidate.leads(after(begin, 10)));
        assert!(DEADLINE + RETRY < LEASE);
        candidate.renewed(begin);
        candidate.lost();
        assert!(!candidate.leads(begin));
    }
}
