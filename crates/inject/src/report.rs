//! What became of a document, for people and for programs.

use std::fmt;

use serde::Serialize;

use crate::annotations::Problem;
use crate::reason::Reason;

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Which document: `Deployment bank/account`.
    pub object: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was left as it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Annotations that cannot be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// What the admin might not expect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What became of a document. A closed set: it labels metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It gets a sidecar.
    Injected,
    /// It gets none.
    Skipped,
    /// The workload's annotations are in its template now.
    Carried,
    /// Its sidecar is taken back.
    Uninjected,
    /// There was nothing to do.
    Left,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Injected,
        Self::Skipped,
        Self::Carried,
        Self::Uninjected,
        Self::Left,
    ];

    /// Its name in reports and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::Skipped => "skipped",
            Self::Carried => "carried",
            Self::Uninjected => "uninjected",
            Self::Left => "left",
        }
    }
}

impl fmt::Display for Report {
    /// A line for the outcome and one for each thing to say about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.outcome.name())?;
        for reason in &self.reasons {
            write!(f, "\n  {reason}: {}", reason.sentence())?;
        }
        for problem in &self.problems {
            write!(f, "\n  warning: {problem}")?;
        }
        self.notes
            .iter()
            .try_for_each(|note| write!(f, "\n  note: {note}"))
    }
}
