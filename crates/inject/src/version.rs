//! Versions of Kubernetes, and what came with which.

use std::fmt;

/// A version of Kubernetes, as far as it decides what there is. Displayed as `1.29`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major.
    pub major: u32,
    /// Minor.
    pub minor: u32,
}

impl Version {
    /// The first that has native sidecars unless somebody has switched them off.
    pub const NATIVE_SIDECARS: Self = Self::of(1, 29);

    /// This one.
    pub const fn of(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Major and minor as an API server says them. Some vendors write a minor version as `29+`.
    pub fn read(major: &str, minor: &str) -> Option<Self> {
        let number = |text: &str| {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            text.get(..end)?.parse().ok()
        };
        Some(Self::of(number(major)?, number(minor)?))
    }

    /// A whole version, such as a kubelet's `v1.33.2-gke.1`.
    pub fn of_release(release: &str) -> Option<Self> {
        let mut numbers = release.strip_prefix('v')?.split('.');
        Self::read(numbers.next()?, numbers.next()?)
    }

    /// Whether containers that run beside the others may be init containers with `restartPolicy: Always`.
    pub fn has_native_sidecars(self) -> bool {
        self >= Self::NATIVE_SIDECARS
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_sidecars_came_with_1_29() {
        for (major, minor, has) in [
            ("1", "28", false),
            ("1", "28+", false),
            ("1", "29", true),
            ("1", "33+", true),
            ("2", "0", true),
        ] {
            let version = Version::read(major, minor).unwrap();
            assert_eq!(version.has_native_sidecars(), has, "{version}");
        }
    }

    #[test]
    fn versions_of_vendors_are_read_and_what_is_none_is_not() {
        assert_eq!(Version::of_release("v1.33.2-gke.1"), Some(Version::of(1, 33)));
        assert_eq!(Version::read("1", "33+"), Some(Version::of(1, 33)));
        assert_eq!(Version::read("1", ""), None);
        assert_eq!(Version::of_release("1.33"), None);
    }
}
