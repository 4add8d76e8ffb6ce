//! How probable each request is as a call's parent.

/// The most requests that are followed at a time.
pub(crate) const REQUESTS: usize = 64;

/// How probable each followed request, or none, is as a call's parent. They add up to 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shares {
    pub(crate) of: [f64; REQUESTS],
    pub(crate) none: f64,
    /// The share of weight that was dropped for want of room.
    pub(crate) lost: f64,
}

impl Shares {
    pub(crate) fn nothing() -> Self {
        Self {
            of: [0.0; REQUESTS],
            none: 0.0,
            lost: 0.0,
        }
    }

    /// Adds to a request's share, or to that of none.
    pub(crate) fn add(&mut self, request: usize, share: f64) {
        match self.of.get_mut(request) {
            Some(of) => *of += share,
            None => self.none += share,
        }
    }

    /// Makes them add up to 1.
    pub(crate) fn complete(mut self) -> Self {
        let sum = self.of.iter().sum::<f64>() + self.none;
        if sum > 0.0 {
            for share in &mut self.of {
                *share /= sum;
            }
            self.none /= sum;
        }
        self
    }

    /// One request's.
    pub(crate) fn share(&self, request: usize) -> f64 {
        self.of.get(request).copied().unwrap_or_default()
    }

    /// Whether no other is possible.
    pub(crate) fn only(&self) -> bool {
        self.none == 0.0 && self.of.iter().filter(|share| **share > 0.0).count() == 1
    }

    /// The most probable parent.
    pub(crate) fn best(&self) -> (usize, f64) {
        let mut best = (0, 0.0);
        for (request, share) in self.of.iter().enumerate() {
            if *share > best.1 {
                best = (request, *share);
            }
        }
        best
    }
}

/// What is known of a call's parent besides what the requests are doing: logarithms of factors.
#[derive(Clone, Debug)]
pub(crate) struct Hints {
    pub(crate) of: [f64; REQUESTS],
    pub(crate) none: f64,
    /// It has the same parent as this earlier call, with this factor.
    pub(crate) like: Option<(usize, f64)>,
}

impl Hints {
    pub(crate) fn none() -> Self {
        Self {
            of: [0.0; REQUESTS],
            none: 0.0,
            like: None,
        }
    }

    /// Speaks for, or against, a request.
    pub(crate) fn add(&mut self, request: usize, factor: f64) {
        if let Some(of) = self.of.get_mut(request) {
            *of += factor;
        }
    }
}
