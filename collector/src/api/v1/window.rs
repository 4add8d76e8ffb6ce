//! The window that a question about what happens now is asked for.

use std::ops::Range;

use serde::Serialize;

use super::answer::{Instant, Problem, Refused};
use super::ask::{self, Asked};
use crate::live::SPAN;

/// Where the question does not say.
const USUAL: u64 = 15 * 60 * 1_000_000_000;
/// The shortest.
const SHORTEST: u64 = 10 * 1_000_000_000;

#[derive(Serialize)]
pub(super) struct WindowJson {
    start: Instant,
    end: Instant,
}

pub(super) fn json(window: &Range<u64>) -> WindowJson {
    WindowJson {
        start: Instant(window.start),
        end: Instant(window.end),
    }
}

/// How long it is.
pub(super) fn seconds(window: &Range<u64>) -> f64 {
    window.end.saturating_sub(window.start) as f64 / 1e9
}

/// The window of nanoseconds since the Unix epoch that is asked for at `now`. It lies within what is counted live.
pub(super) fn live(asked: &mut Asked, now: u64) -> Result<Range<u64>, Refused> {
    let window = any(asked, now)?;
    if is_live(&window, now) {
        return Ok(window);
    }
    let problem = Problem::new("only the last hour is counted live")
        .at("window")
        .allowed("10s to 1h, and an end so late that the window begins within the last hour");
    Err(Refused::bad_request(vec![problem]))
}

/// Whether all of it is counted live.
pub(super) fn is_live(window: &Range<u64>, now: u64) -> bool {
    // an hour was the last one when it was asked for
    let slack = SHORTEST;
    window.start.saturating_add(slack) >= now.saturating_sub(SPAN)
}

/// Any window.
pub(super) fn any(asked: &mut Asked, now: u64) -> Result<Range<u64>, Refused> {
    let (length, end) = (asked.text("window"), asked.text("end"));
    let mut problems = Vec::new();
    let length = length.map_or(Ok(USUAL), |text| {
        ask::duration("window", &text).and_then(|length| {
            let short = || {
                Problem::new(format!("`{text}` is too short"))
                    .at("window")
                    .allowed("10s or longer")
            };
            (length >= SHORTEST).then_some(length).ok_or_else(short)
        })
    });
    let end = end.map_or(Ok(now), |text| ask::instant("end", &text));
    let mut take = |value: Result<u64, Problem>| value.map_err(|problem| problems.push(problem)).unwrap_or(0);
    let (length, end) = (take(length), take(end));
    if problems.is_empty() {
        return Ok(end.saturating_sub(length)..end);
    }
    Err(Refused::bad_request(problems))
}
