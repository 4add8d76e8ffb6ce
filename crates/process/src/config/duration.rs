//! Durations as people write them: Go's notation (`1.5s`, `300ms`, `1h30m`), days and weeks.

use std::time::Duration;

/// What [`parse_duration`] takes, for error messages.
pub const DURATION_ALLOWED: &str =
    "a duration such as 300ms, 1.5s, 1h30m or 2d (units: ns, us, ms, s, m, h, d, w)";

/// Longer ones than this are taken for mistakes: 100 years.
const MAX_SECONDS: f64 = 100.0 * 365.0 * 86_400.0;

/// Reads a duration. `None` for anything else, for negative ones, and for more than a hundred years.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = rest.split_at_checked(digits)?;
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, next) = after.split_at_checked(end)?;
        seconds += number.parse::<f64>().ok()? * unit_seconds(unit)?;
        rest = next;
    }
    (!text.is_empty() && seconds <= MAX_SECONDS).then(|| Duration::from_secs_f64(seconds))
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "w" => 7.0 * 86_400.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gos_notation_is_read() {
        for (text, millis) in [
            ("0", 0),
            ("300ms", 300),
            ("1.5s", 1500),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
            ("4w", 2_419_200_000),
            ("250000µs", 250),
            (".5s", 500),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1 s",
            "1.2.3s",
            "1y",
            "1e9s",
            "99999999999h",
            "1sm",
            "ms5",
            ".",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            prop_assert!(parse_duration(&text).is_none_or(|d| d.as_secs_f64() <= MAX_SECONDS));
        }
    }
}
