//! Times, durations and other people's text, as the terminal shows them.

use std::time::{Duration, SystemTime};

pub(super) use crate::style::plain;

/// Microseconds since the Unix epoch as UTC, to the millisecond: `2014-09-07 02:20:19.867`.
pub(super) fn time(micros: u64) -> String {
    // later than what can be written is shown as the epoch
    let time = SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_micros(micros))
        .filter(|_| micros < LAST_MICROSECOND);
    let text = humantime::format_rfc3339_millis(time.unwrap_or(SystemTime::UNIX_EPOCH)).to_string();
    text.replace('T', " ").trim_end_matches('Z').to_owned()
}

/// The end of the year 9999.
const LAST_MICROSECOND: u64 = 253_402_300_800_000_000;

/// Microseconds in the unit that suits them: `870 µs`, `5.59 ms`, `1.20 s`.
pub(super) fn duration(micros: u64) -> String {
    let of = |unit: f64| micros as f64 / unit;
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.2} ms", of(1e3)),
        _ => format!("{:.2} s", of(1e6)),
    }
}

/// `text` in exactly `width` characters: filled up with spaces, or cut with `…`.
pub(super) fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return format!("{text:width$}");
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_to_the_millisecond() {
        assert_eq!(time(1_410_056_419_867_999), "2014-09-07 02:20:19.867");
        assert_eq!(time(u64::MAX), time(0));
    }

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        assert_eq!(
            [999, 5_590, 1_200_000].map(duration),
            ["999 µs", "5.59 ms", "1.20 s"]
        );
    }

    #[test]
    fn text_is_cut_and_cannot_command_the_terminal() {
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("ab", 4), "ab  ");
        assert_eq!(plain("a\x1b[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
    }
}
