//! Kubernetes' quantities, such as `10m`, `24Mi` or `1e3`
//! (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/).

/// A quantity in its unit (cores, bytes); `None` for what is none.
pub(super) fn quantity(text: &str) -> Option<f64> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c)))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let number: f64 = number.parse().ok()?;
    let scale = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => f64::powi(1024.0, 2),
        "Gi" => f64::powi(1024.0, 3),
        "Ti" => f64::powi(1024.0, 4),
        "Pi" => f64::powi(1024.0, 5),
        "Ei" => f64::powi(1024.0, 6),
        exponent => f64::powi(10.0, exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(number * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_quantity_is_read() {
        for (text, value) in [
            ("10m", Some(0.01)),
            ("24Mi", Some(25_165_824.0)),
            ("1.5", Some(1.5)),
            ("1e3", Some(1000.0)),
            ("2E", Some(2e18)),
            ("2E2", Some(200.0)),
            ("1k", Some(1000.0)),
            ("", None),
            ("Mi", None),
            ("1Q", None),
        ] {
            assert_eq!(quantity(text), value, "{text}");
        }
    }
}
