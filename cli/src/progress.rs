//! One line on the terminal that says how far something long has come, and is gone when it is done.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// The line, on standard error. Where that is no terminal nothing is written.
#[derive(Debug)]
pub struct Progress {
    is_shown: bool,
}

impl Progress {
    /// For as long as it is held.
    pub fn new() -> Self {
        Self {
            is_shown: io::stderr().is_terminal(),
        }
    }

    /// Says how far it has come.
    pub fn say(&self, what: impl Display) {
        if self.is_shown {
            let mut stderr = io::stderr();
            // to the beginning of the line, and away with what was there; nobody misses it
            drop(write!(stderr, "\r\x1b[2K{what}").and_then(|()| stderr.flush()));
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.say("");
    }
}
