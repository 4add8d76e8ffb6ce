//! From a hypothesis' share of the weight to how often that is right.

/// What is said for a share, as long as it was not measured: doubt counts more than the model has it.
pub(crate) fn cautious(share: f64) -> f64 {
    let doubt = (1.0 - share).max(0.0);
    (1.0 - 1.5 * doubt - 0.0005).max(0.0)
}
