//! Colours for a terminal, none for anything else.

use std::fmt::Display;

/// What a piece of text is, as far as its looks are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Something went wrong.
    Bad,
    /// Something is as it should be.
    Good,
    /// Less important than the rest.
    Faint,
    /// More important than the rest.
    Strong,
    /// One of many that should differ from its neighbours.
    Nth(usize),
}

/// Paints, or leaves as it is.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether to paint.
    pub colour: bool,
}

impl Style {
    /// `text` with its look.
    pub fn paint(self, look: Look, text: impl Display) -> String {
        const APART: [u8; 6] = [36, 33, 35, 32, 34, 96];
        if !self.colour {
            return text.to_string();
        }
        let code = match look {
            Look::Bad => 31,
            Look::Good => 32,
            Look::Faint => 2,
            Look::Strong => 1,
            Look::Nth(n) => APART.get(n % APART.len()).copied().unwrap_or(0),
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// `text` without anything that a terminal would obey: it may be what anybody has sent or written down.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
