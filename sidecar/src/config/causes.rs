//! What is to be done about calls that carry no context.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Which links are made for the application where it forwards no context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Inferred {
    /// None: such a call begins a trace.
    Off,
    /// Those that cannot be otherwise.
    Exact,
    /// Those too that are right with this probability at least, 0.5 to 1.
    From(f64),
}

/// What is not a value of `propagate_inferred`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not `off`, `exact`, or a confidence from 0.5 to 1")]
pub struct NotInferred(String);

impl Inferred {
    /// The lowest confidence that a link needs, above 0, at most 1. `None` if none is made.
    pub fn threshold(self) -> Option<f64> {
        match self {
            Self::Off => None,
            Self::Exact => Some(1.0),
            Self::From(confidence) => Some(confidence),
        }
    }
}

impl Default for Inferred {
    fn default() -> Self {
        Self::From(0.99)
    }
}

impl FromStr for Inferred {
    type Err = NotInferred;

    fn from_str(text: &str) -> Result<Self, NotInferred> {
        match text {
            "off" => Ok(Self::Off),
            "exact" => Ok(Self::Exact),
            _ => text
                .parse()
                .ok()
                .filter(|confidence| (0.5..=1.0).contains(confidence))
                .map(Self::From)
                .ok_or_else(|| NotInferred(text.to_owned())),
        }
    }
}

impl fmt::Display for Inferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Exact => f.write_str("exact"),
            Self::From(confidence) => fmt::Display::fmt(confidence, f),
        }
    }
}

/// Whether inbound requests are given an `x-request-id` that have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestId {
    /// Nothing but trace headers is changed.
    #[default]
    Off,
    /// They are.
    Create,
}

impl FromStr for RequestId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "off" => Ok(Self::Off),
            "create" => Ok(Self::Create),
            _ => Err(()),
        }
    }
}

/// Whether it is looked up which process holds the application's end of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessOwner {
    /// Nobody looks.
    Off,
    /// Where the sidecar may.
    #[default]
    Auto,
}

impl FromStr for ProcessOwner {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "off" => Ok(Self::Off),
            "auto" => Ok(Self::Auto),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_needs_a_confidence_that_makes_sense() {
        for (text, threshold) in [
            ("off", None),
            ("exact", Some(1.0)),
            ("0.5", Some(0.5)),
            ("0.999", Some(0.999)),
        ] {
            let read: Inferred = text.parse().unwrap();
            assert_eq!((read.threshold(), read.to_string().as_str()), (threshold, text));
        }
        for text in ["on", "0.49", "1.01", "NaN", "-1", "99%"] {
            assert_eq!(text.parse::<Inferred>(), Err(NotInferred(text.to_owned())));
        }
    }
}
