//! From a hypothesis' share of the weight to how often that is right.

/// How much more doubtful everything is than the model has it.
const DOUBT: f64 = 1.5;

/// What is never certain.
const RESIDUE: f64 = 0.0005;

/// Requests of a kind that were seen to the end until its model is believed to one half, per doubt.
const INEXPERIENCE: f64 = 0.5;

/// What is said for a share that was found among several requests, having seen so many of the kind to their end.
pub(crate) fn cautious(share: f64, experience: f64) -> f64 {
    let doubt = (1.0 - share).max(0.0);
    (1.0 - DOUBT * doubt - RESIDUE - INEXPERIENCE / (1.0 + experience)).max(0.0)
}

/// What is said for the share of the only request in flight, or of one for which more speaks than the model.
pub(crate) fn corroborated(share: f64) -> f64 {
    (1.0 - DOUBT * (1.0 - share).max(0.0) - RESIDUE).max(0.0)
}
