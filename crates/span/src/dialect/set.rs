use std::fmt;

use super::Dialect;

/// A set of dialects, without order or duplicates.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct DialectSet(u8);

impl DialectSet {
    /// Whether `dialect` is in it.
    pub fn contains(self, dialect: Dialect) -> bool {
        self.0 & Self::bit(dialect) != 0
    }

    /// Puts `dialect` in, if it is not there yet.
    pub fn insert(&mut self, dialect: Dialect) {
        self.0 |= Self::bit(dialect);
    }

    /// The dialects in it, in order of precedence.
    pub fn iter(self) -> impl Iterator<Item = Dialect> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            // behind the last one when none is left
            let next = Dialect::ALL.get(left.trailing_zeros() as usize)?;
            left &= left.wrapping_sub(1);
            Some(*next)
        })
    }

    /// The dialects that are in either.
    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn bit(dialect: Dialect) -> u8 {
        1 << dialect as u8
    }
}

impl FromIterator<Dialect> for DialectSet {
    fn from_iter<I: IntoIterator<Item = Dialect>>(dialects: I) -> Self {
        let mut set = Self::default();
        for dialect in dialects {
            set.insert(dialect);
        }
        set
    }
}

impl fmt::Debug for DialectSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order_of_precedence() {
        let set: DialectSet = [Dialect::Datadog, Dialect::W3c, Dialect::Datadog]
            .into_iter()
            .collect();
        assert!(set.iter().eq([Dialect::W3c, Dialect::Datadog]));
        assert!(!set.contains(Dialect::Jaeger));
        assert!(DialectSet::default().is_empty());
    }

    #[test]
    fn every_dialect_has_a_place_of_its_own() {
        let all: DialectSet = Dialect::ALL.into_iter().collect();
        assert!(all.iter().eq(Dialect::ALL));
    }
}
