//! What goes wrong while a cluster is brought up or taken down.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How much of a log is shown: the end of it, where the reason is.
const TAIL: usize = 25;

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The machine cannot have one. Nothing was tried.
    #[error("{0}")]
    Unfit(String),
    /// Something that is asked of the system did not work.
    #[error("cannot {what}: {source}")]
    System {
        /// What was asked for.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A command ended with an error.
    #[error("`{command}` failed: {said}")]
    Command {
        /// The command line.
        command: String,
        /// What it wrote to its standard error, or how it ended.
        said: String,
    },
    /// A part ended that shall run for as long as the node does.
    #[error("{part} has ended{log}")]
    Ended {
        /// Which one.
        part: &'static str,
        /// What it said last.
        log: Tail,
    },
    /// What was waited for did not come.
    #[error("waited {} s for {what}, in vain: {why}{log}", limit.as_secs())]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        limit: Duration,
        /// What was seen instead, the last time.
        why: String,
        /// What the part said last that it depends on.
        log: Tail,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// For what asks the system for something: says what it was.
pub trait Asked<T> {
    /// The result, with `what` in the error, as in "cannot {what}".
    ///
    /// # Errors
    /// Where there was one.
    fn to(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Asked<T> for Result<T, E> {
    fn to(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::System {
            what: what(),
            source: error.into(),
        })
    }
}

/// Runs a command to its end and returns what it wrote to its standard output.
///
/// # Errors
/// It cannot be started, or says that it failed.
pub fn output(command: &mut Command) -> Result<String, Failure> {
    let line = line(command);
    let output = command.output().to(|| format!("run `{line}`"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failure::Command {
        command: line,
        said: if said.is_empty() {
            output.status.to_string()
        } else {
            said
        },
    })
}

/// A command as someone would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// The end of a log as it was when something went wrong.
#[derive(Debug, Default)]
pub struct Tail(String);

impl Tail {
    /// That of this file.
    pub(crate) fn of(log: &Path) -> Self {
        let Ok(text) = fs::read(log) else {
            return Self(format!("; its log {} cannot be read", log.display()));
        };
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let shown = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default();
        Self(format!(
            "; the end of {}:\n  {}",
            log.display(),
            shown.join("\n  ")
        ))
    }
}

impl Display for Tail {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
