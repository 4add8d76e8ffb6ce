//! `meshtrace check`: is the cluster ready for meshtrace, and is meshtrace as it should be?
//!
//! [`gather`] asks, and shows what it is told to pure functions, one for each [`Check`]: [`kubernetes`], [`installation`],
//! [`operator`], [`certificate`], [`collector`], [`workloads`], [`quotas`]. Each says in its table when it finds what.

mod certificate;
mod collector;
mod finding;
mod gather;
mod installation;
mod kubernetes;
mod operator;
mod quantity;
mod quotas;
mod text;
mod workloads;

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::time::{Instant, sleep};

pub use finding::{Check, Finding, Group, Status};

use super::kubectl::{Error, Kubectl};
use crate::style::Style;

/// How long to wait before looking again.
const AGAIN: Duration = Duration::from_secs(2);

/// Something that was asked of the cluster: what it is, or why that is not known.
type Fact<T> = Result<T, Error>;

/// What is checked.
#[derive(Clone, Debug)]
pub struct Options {
    /// What an installation needs, instead of one that is there.
    pub before: bool,
    /// The namespace of the installation.
    pub namespace: String,
}

/// What was found, in the order of [`Check::ALL`].
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The worst of it.
    pub status: Status,
    /// One for each check that was made.
    pub findings: Vec<Finding>,
}

impl Report {
    fn of(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| (finding.check.group(), finding.check));
        let worst = findings.iter().map(|finding| finding.status).max();
        Self {
            status: worst.unwrap_or(Status::Ok),
            findings,
        }
    }

    /// As a person reads it.
    pub fn text(&self, style: Style) -> String {
        text::text(self, style)
    }

    /// The first finding that is an error.
    pub fn trouble(&self) -> Option<&Finding> {
        self.findings
            .iter()
            .find(|finding| finding.status == Status::Error)
    }
}

/// Checks once.
pub async fn check(kubectl: &Kubectl, options: &Options) -> Report {
    Report::of(gather::gather(kubectl, options, SystemTime::now()).await)
}

/// Checks until nothing is an error, or `patience` is over. `meanwhile` is shown what stands in the way, and for how long
/// it goes on.
pub async fn wait(
    kubectl: &Kubectl,
    options: &Options,
    patience: Duration,
    mut meanwhile: impl FnMut(&Finding, Duration),
) -> Report {
    let end = Instant::now() + patience;
    loop {
        let report = check(kubectl, options).await;
        let left = end.saturating_duration_since(Instant::now());
        match report.trouble() {
            Some(trouble) if !left.is_zero() => meanwhile(trouble, left),
            _ => return report,
        }
        sleep(AGAIN.min(left)).await;
    }
}
