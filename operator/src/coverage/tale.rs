//! What is told of an object in the cluster, as an Event.

use std::hash::{DefaultHasher, Hash, Hasher};

use inject::annotations::Problem;

use super::verdict::{State, Verdict};

/// The most bytes of an Event's note. Kubernetes takes a kilobyte.
const LONGEST: usize = 1000;

/// One Event, but for the object that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tale {
    /// What has happened, in one word.
    pub reason: &'static str,
    /// What has happened, in a sentence or a few.
    pub note: String,
}

impl Tale {
    fn new(reason: &'static str, note: &str) -> Self {
        Self {
            reason,
            note: beginning(note, LONGEST).to_owned(),
        }
    }

    /// A namespace has our label, but not from us and with another meaning.
    pub fn label_taken() -> Self {
        Self::new(
            "LabelTaken",
            "the namespace asks for sidecars, but its label meshtrace.io/inject, which would let its pods be seen, says \
             something else and was not set by the operator: remove the label",
        )
    }

    /// The same for the same Event about the same object: whoever tells it again finds that it was told.
    pub fn name(&self, object: &str, uid: &str) -> String {
        let mut hasher = DefaultHasher::new();
        (self, uid).hash(&mut hasher);
        format!("{object}.{:016x}", hasher.finish())
    }
}

/// What there is to tell of an object that stands like this. Nothing where all is well.
pub fn tales(verdict: Option<&Verdict>, problems: &[Problem]) -> Vec<Tale> {
    let missed = verdict.filter(|verdict| verdict.state != State::Injected);
    let missed = missed.map(|verdict| Tale::new(verdict.state.event(), &note(verdict)));
    let problems = (!problems.is_empty()).then(|| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Tale::new("AnnotationProblem", &lines.join("; "))
    });
    missed.into_iter().chain(problems).collect()
}

fn note(verdict: &Verdict) -> String {
    let reasons = verdict
        .reasons
        .iter()
        .map(|reason| format!("{reason}: {}", reason.sentence()));
    let said = (!verdict.said.is_empty()).then(|| verdict.said.clone());
    let lines: Vec<String> = reasons.chain(said).collect();
    match lines.as_slice() {
        [] => verdict.state.sentence().to_owned(),
        lines => format!("{}: {}", verdict.state.sentence(), lines.join("; ")),
    }
}

/// At most so many bytes of a text, cut between characters.
fn beginning(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}
