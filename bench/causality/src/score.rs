//! Holding a method's answers against the truth.

use crate::log::Recording;
use crate::method::Answer;

/// Upper ends of the classes of confidence in which calibration is measured; finer where it matters.
const CLASSES: [f64; 9] = [0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0];

/// How a method did on the recordings of one workload, or of several together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// All calls.
    pub calls: u64,
    /// Calls that a request caused.
    pub caused: u64,
    /// Calls that the method linked, and such of them as a request caused.
    pub linked: u64,
    /// Calls that a request caused and the method linked, to whichever.
    pub covered: u64,
    /// Calls that more than their moment tells of, and such of them as the method linked; see
    /// [`crate::log::Truth::signed`].
    pub signed: (u64, u64),
    /// Calls that the method linked to the request that caused them.
    pub right: u64,
    /// Requests from outside.
    pub traces: u64,
    /// Those with all calls below linked to what caused them, in all services, and no other call linked to them.
    pub traces_right: u64,
    /// Requests of all services.
    pub requests: u64,
    /// Those with all their calls linked to them and no other.
    pub requests_right: u64,
    /// For each class of confidence: links, sum of their confidences, how many were right. Without exact links.
    classes: [(u64, f64, u64); CLASSES.len()],
}

impl Score {
    /// Of the answers to each recording of a workload, as far as they are at least this sure.
    pub fn of(recordings: &[Recording], answers: &[&[Option<Answer>]], at_least: f64) -> Self {
        let mut score = Self::default();
        let mut right: Vec<Vec<bool>> = Vec::new();
        for (recording, answers) in recordings.iter().zip(answers) {
            let mut requests = vec![true; recording.log.requests as usize];
            let mut spoil = |request: Option<u32>| {
                if let Some(right) = request.and_then(|request| requests.get_mut(request as usize)) {
                    *right = false;
                }
            };
            let truth = &recording.truth;
            for ((truth, signed), answer) in truth.parents.iter().zip(&truth.signed).zip(*answers) {
                let answer = answer.filter(|answer| answer.confidence >= at_least);
                score.add(*truth, answer);
                score.signed.0 += u64::from(*signed);
                score.signed.1 += u64::from(*signed && answer.is_some());
                let parent = answer.map(|answer| answer.parent);
                if parent != *truth {
                    spoil(parent);
                    spoil(*truth);
                }
            }
            score.requests += requests.len() as u64;
            score.requests_right += requests.iter().filter(|right| **right).count() as u64;
            right.push(requests);
        }
        score.add_traces(recordings, &right);
        score
    }

    fn add(&mut self, truth: Option<u32>, answer: Option<Answer>) {
        self.calls += 1;
        self.caused += u64::from(truth.is_some());
        let Some(answer) = answer else { return };
        let right = truth == Some(answer.parent);
        self.linked += 1;
        self.covered += u64::from(truth.is_some());
        self.right += u64::from(right);
        if answer.confidence < 1.0 {
            let class = CLASSES.iter().position(|end| answer.confidence <= *end);
            if let Some((links, sum, good)) = class.and_then(|class| self.classes.get_mut(class)) {
                *links += 1;
                *sum += answer.confidence;
                *good += u64::from(right);
            }
        }
    }

    fn add_traces(&mut self, recordings: &[Recording], right: &[Vec<bool>]) {
        let roots = recordings
            .iter()
            .map(|recording| vec![true; recording.truth.origins.len()]);
        let mut roots: Vec<Vec<bool>> = roots.collect();
        for (service, requests) in right.iter().enumerate() {
            for (request, right) in requests.iter().enumerate() {
                if !right
                    && let Some((service, root)) = root(recordings, service, request)
                    && let Some(root) = roots.get_mut(service).and_then(|roots| roots.get_mut(root))
                {
                    *root = false;
                }
            }
        }
        for (recording, roots) in recordings.iter().zip(&roots) {
            for (origin, right) in recording.truth.origins.iter().zip(roots) {
                self.traces += u64::from(origin.is_none());
                self.traces_right += u64::from(origin.is_none() && *right);
            }
        }
    }

    /// Takes another workload's score in.
    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.caused += other.caused;
        self.linked += other.linked;
        self.covered += other.covered;
        self.right += other.right;
        self.signed = (self.signed.0 + other.signed.0, self.signed.1 + other.signed.1);
        self.traces += other.traces;
        self.traces_right += other.traces_right;
        self.requests += other.requests;
        self.requests_right += other.requests_right;
        for (mine, other) in self.classes.iter_mut().zip(&other.classes) {
            *mine = (mine.0 + other.0, mine.1 + other.1, mine.2 + other.2);
        }
    }

    /// Share of the links that are right; none if there are none.
    pub fn precision(&self) -> Option<f64> {
        share(self.right, self.linked)
    }

    /// Share of the calls that a request caused that are linked.
    pub fn coverage(&self) -> Option<f64> {
        share(self.covered, self.caused)
    }

    /// Share of the calls that more than their moment tells of that are linked.
    pub fn signed_coverage(&self) -> Option<f64> {
        share(self.signed.1, self.signed.0)
    }

    /// Wrong links as a share of all calls, the headline.
    pub fn wrong_rate(&self) -> Option<f64> {
        share(self.linked - self.right, self.calls)
    }

    /// Share of the traces that are right from end to end.
    pub fn trace_accuracy(&self) -> Option<f64> {
        share(self.traces_right, self.traces)
    }

    /// Share of the requests that have all their calls and no others.
    pub fn request_accuracy(&self) -> Option<f64> {
        share(self.requests_right, self.requests)
    }

    /// Expected calibration error of the links that are not exact, in points (hundredths): how far the share that is
    /// right is from the mean confidence, over classes of confidence, weighted by their links.
    pub fn calibration_error(&self) -> Option<f64> {
        let links: u64 = self.classes.iter().map(|class| class.0).sum();
        let off = self
            .classes
            .iter()
            .map(|(_, sum, right)| (sum - *right as f64).abs());
        (links > 0).then(|| 100.0 * off.sum::<f64>() / links as f64)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The request from outside that a request is part of.
fn root(recordings: &[Recording], mut service: usize, mut request: usize) -> Option<(usize, usize)> {
    loop {
        let truth = &recordings.get(service)?.truth;
        let Some((caller, call)) = *truth.origins.get(request)? else {
            return Some((service, request));
        };
        let parent = (*recordings.get(caller)?.truth.parents.get(call as usize)?)?;
        (service, request) = (caller, parent as usize);
    }
}
