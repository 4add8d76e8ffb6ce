//! `tracestate`: what other tracers keep in a trace. It is theirs: never edited, only passed on or blanked.

use std::fmt;

use super::header::Header;
use super::headers::Headers;
use crate::Edits;

/// The most members of a tracestate (W3C Trace Context level 2, section 3.3.1.1).
const MEMBERS: usize = 32;

/// The longest key, and the longest value (sections 3.3.1.3.1 and 3.3.1.3.2).
const LONGEST: usize = 256;

/// The tracestate that came with a parent, well-formed. It may have come in several fields.
#[derive(Clone, Copy)]
pub struct Tracestate<'a> {
    headers: &'a Headers<'a>,
}

impl<'a> Tracestate<'a> {
    /// The head's tracestate. `None` if it has none, or one without members, or one that is not well-formed: section
    /// 3.4 has it ignored as a whole then.
    pub(crate) fn read(headers: &'a Headers<'a>) -> Option<Self> {
        let state = Self { headers };
        let mut keys = [b"".as_slice(); MEMBERS];
        let mut seen = 0;
        for member in state.texts() {
            let (key, value) = split(member)?;
            if !is_key(key) || !is_value(value) || keys.iter().take(seen).any(|earlier| *earlier == key) {
                return None;
            }
            *keys.get_mut(seen)? = key;
            seen += 1;
        }
        (seen > 0).then_some(state)
    }

    /// The members in order: key and value.
    pub fn members(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let text = |bytes| str::from_utf8(bytes).unwrap_or_default();
        self.texts()
            .filter_map(split)
            .map(move |(key, value)| (text(key), text(value)))
    }

    /// The members, each as it stands between its commas. Empty ones are allowed and are none.
    fn texts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.headers
            .values(Header::Tracestate)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|member| !member.is_empty())
    }
}

impl fmt::Display for Tracestate<'_> {
    /// One text, as OTLP's `trace_state` wants it, of as many fields as it came in.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (key, value)) in self.members().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{key}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Tracestate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tracestate({self})")
    }
}

/// Takes the members away that belong to another trace. A field cannot be removed, so what remains is a list of empty
/// members, which section 3.3.1.1 allows, and of the same length, which an HTTP/2 tap can put in its place.
pub(crate) fn blank(headers: &Headers<'_>, edits: &mut Edits) {
    headers.rewrite(Header::Tracestate, edits, |value, out| {
        let end = out.len() + value.len();
        out.extend(value.iter().take(1).map(|_| b','));
        out.resize(end.saturating_sub(1).max(out.len()), b' ');
        out.resize(end, b',');
    });
}

fn split(member: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = member.iter().position(|byte| *byte == b'=')?;
    let (key, value) = member.split_at_checked(equals)?;
    Some((key, value.get(1..)?))
}

fn is_key(key: &[u8]) -> bool {
    key.len() <= LONGEST
        && key
            .first()
            .is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit())
        && key
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@'))
}

/// Without the blanks at its end, which are white space around the member.
fn is_value(value: &[u8]) -> bool {
    (1..=LONGEST).contains(&value.len())
        && value
            .iter()
            .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'='))
}
