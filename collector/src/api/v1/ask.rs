//! Reading what a question says, with everything that is wrong with it reported together.

use std::ops::RangeInclusive;

use super::answer::{Problem, Refused};
use crate::time;

/// The parameters of a request. Empty ones count as absent; those that nobody asks for are refused, because a mistyped
/// condition would find too much.
pub(super) struct Asked {
    pairs: Vec<(String, String)>,
    used: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl Asked {
    pub(super) fn new(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned();
        Self {
            pairs: pairs.filter(|(_, value)| !value.is_empty()).collect(),
            used: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// What was made of the question; or all its problems, with those of parameters that do not exist.
    pub(super) fn finish<T>(mut self, made: Result<T, Refused>) -> Result<T, Refused> {
        for (name, _) in &self.pairs {
            if !self.used.contains(&name.as_str()) {
                let problem = Problem::new("there is no such parameter here").at(name);
                let allowed = match self.used.is_empty() {
                    true => "none".to_owned(),
                    false => self.used.join(", "),
                };
                self.problems.push(problem.allowed(allowed));
            }
        }
        match made {
            Ok(made) if self.problems.is_empty() => Ok(made),
            Ok(_) => Err(Refused::bad_request(self.problems)),
            Err(refused) => Err(refused.and(self.problems)),
        }
    }

    /// The last value under that name.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.all(name).pop()
    }

    /// All values under that name.
    pub(super) fn all(&mut self, name: &'static str) -> Vec<String> {
        self.used.push(name);
        let named = self.pairs.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| value.clone()).collect()
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(name)?;
        self.check(choice(name, &text, choices))
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, name: &'static str, bounds: RangeInclusive<usize>) -> Option<usize> {
        let text = self.text(name)?;
        self.check(number(name, &text, bounds))
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        self.choice(name, &[("true", true), ("false", false)])
            .unwrap_or(false)
    }

    fn check<T>(&mut self, value: Result<T, Problem>) -> Option<T> {
        value.map_err(|problem| self.problems.push(problem)).ok()
    }
}

/// One of several words.
pub(super) fn choice<T: Copy>(place: &str, text: &str, choices: &[(&'static str, T)]) -> Result<T, Problem> {
    let chosen = choices.iter().find(|(name, _)| *name == text);
    chosen.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        Problem::new(format!("`{text}` is not one of the choices"))
            .at(place)
            .allowed(names.join(", "))
    })
}

/// A whole number within bounds.
pub(super) fn number(place: &str, text: &str, bounds: RangeInclusive<usize>) -> Result<usize, Problem> {
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| {
        Problem::new(format!("`{text}` is not a number in the range"))
            .at(place)
            .allowed(format!(
                "a whole number from {} to {}",
                bounds.start(),
                bounds.end()
            ))
    })
}

/// A duration, as nanoseconds.
pub(super) fn duration(place: &str, text: &str) -> Result<u64, Problem> {
    let duration = time::parse_duration(text).ok_or_else(|| {
        Problem::new(format!("`{text}` is not a duration"))
            .at(place)
            .allowed(time::DURATION_ALLOWED)
    });
    duration.map(time::nanos)
}

/// An instant, as nanoseconds since the Unix epoch.
pub(super) fn instant(place: &str, text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| {
        Problem::new(format!("`{text}` is not an instant"))
            .at(place)
            .allowed("nanoseconds since the Unix epoch, in decimal")
    })
}
