//! What is found of the certificates that the API server trusts the webhook by. Pure.
//!
//! | what was seen | so |
//! |---|---|
//! | no `caBundle` yet, one that is no certificate, or none in it that is valid now | error |
//! | what the webhook shows has ended | error |
//! | less than a sixth of the newest one's life is left, though it is renewed after two thirds | warning |

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use x509_parser::pem::Pem;

use super::Fact;
use super::finding::{Check, Finding};
use crate::cluster::facts::{items, text};

/// The share of a life that may be left before somebody should look: one in so many.
const LATE: i64 = 6;
/// The operator's metric for when the certificate ends that it shows.
const LEAF: &str = "meshtrace_operator_certificate_until_seconds";

/// When a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Validity {
    from: i64,
    until: i64,
}

/// The bundles of the webhook configurations, the operator's metrics (for the certificate that it shows) and the time.
pub(super) fn certificate(found: &Fact<Vec<Value>>, metrics: &Fact<String>, now: SystemTime) -> Finding {
    let log = "look at the operator's log: it makes the certificates and publishes them by itself";
    let bundles: Vec<_> = match found {
        Ok(found) => found
            .iter()
            .flat_map(|it| items(it, "/webhooks"))
            .map(|webhook| text(webhook, "/clientConfig/caBundle").unwrap_or_default())
            .collect(),
        Err(error) => return Check::Certificate.unknown(error),
    };
    if bundles.is_empty() || bundles.iter().any(|bundle| bundle.is_empty()) {
        return Check::Certificate.error(
            "the API server does not know yet whom to trust (caBundle is empty)",
            log,
        );
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
    let mut newest: Option<Validity> = None;
    for bundle in bundles {
        let valid = match read(bundle) {
            Ok(valid) => valid,
            Err(what) => return Check::Certificate.error(format!("caBundle cannot be read: {what}"), log),
        };
        let valid = valid.into_iter().filter(|it| it.from <= now && now < it.until);
        let Some(last) = valid.max_by_key(|it| it.until) else {
            return Check::Certificate.error("no certificate in caBundle is valid now", log);
        };
        if newest.is_none_or(|newest| last.until < newest.until) {
            newest = Some(last);
        }
    }
    // what the operator does not tell is not held against it: that it answers is another check
    let leaf = metrics.as_ref().ok().and_then(|metrics| metric(metrics, LEAF));
    if let Some(ended) = leaf.filter(|until| *until <= now) {
        return Check::Certificate.error(format!("the webhook's certificate ended at {}", date(ended)), log);
    }
    let Some(newest) = newest else {
        return Check::Certificate.error("no certificate in caBundle is valid now", log);
    };
    let left = newest.until.saturating_sub(now);
    if left < newest.until.saturating_sub(newest.from) / LATE {
        return Check::Certificate.warning(
            format!(
                "the webhook's authority ends at {}, and should have been renewed",
                date(newest.until)
            ),
            log,
        );
    }
    let shown = leaf.map_or_else(String::new, |until| format!(", its own until {}", date(until)));
    Check::Certificate.ok(format!(
        "the webhook's authority is valid until {}{shown}",
        date(newest.until)
    ))
}

/// The certificates of a bundle: PEM in base64.
fn read(bundle: &str) -> Result<Vec<Validity>, String> {
    let pem = STANDARD.decode(bundle).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    for one in Pem::iter_from_buffer(&pem) {
        let one = one.map_err(|error| error.to_string())?;
        let certificate = one.parse_x509().map_err(|error| error.to_string())?;
        let validity = certificate.validity();
        all.push(Validity {
            from: validity.not_before.timestamp(),
            until: validity.not_after.timestamp(),
        });
    }
    Ok(all)
}

/// A metric without labels, as Prometheus writes it.
fn metric(metrics: &str, name: &str) -> Option<i64> {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    let value: f64 = line.trim().parse().ok()?;
    // before it has made one it says 0
    (value > 0.0).then_some(value as i64)
}

fn date(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    humantime::format_rfc3339_seconds(time.unwrap_or(UNIX_EPOCH)).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::check::finding::Status;

    /// Valid from 2026-01-01 to 2027-01-01.
    const CERTIFICATE: &str = include_str!("../../../tests/data/cluster/authority.pem");
    const YEAR: u64 = 365 * 24 * 3600;
    const BEGIN: u64 = 1_767_225_600;

    fn judge(bundle: &str, metrics: &str, at: u64) -> Status {
        let webhook = json!({"webhooks": [{"clientConfig": {"caBundle": bundle}}]});
        let now = UNIX_EPOCH + Duration::from_secs(at);
        certificate(&Ok(vec![webhook]), &Ok(metrics.to_owned()), now).status
    }

    #[test]
    fn a_bundle_has_to_be_valid_now_and_for_a_while() {
        let bundle = STANDARD.encode(CERTIFICATE);
        for (after, status) in [
            (1, Status::Ok),
            (YEAR / 2, Status::Ok),
            (YEAR - YEAR / 10, Status::Warning),
            (YEAR + 1, Status::Error),
        ] {
            assert_eq!(judge(&bundle, "", BEGIN + after), status, "after {after} s");
        }
        assert_eq!(judge(&bundle, "", BEGIN - 10), Status::Error);
    }

    #[test]
    fn a_bundle_that_is_none_is_an_error() {
        for bundle in ["", "!", &STANDARD.encode("no certificate")] {
            assert_eq!(judge(bundle, "", BEGIN + 1), Status::Error, "{bundle}");
        }
    }

    #[test]
    fn what_the_webhook_shows_has_not_ended_either() {
        let bundle = STANDARD.encode(CERTIFICATE);
        let until = |seconds: u64| format!("# TYPE {LEAF} gauge\n{LEAF} {seconds}\n");
        assert_eq!(judge(&bundle, &until(BEGIN + 9), BEGIN + 5), Status::Ok);
        assert_eq!(judge(&bundle, &until(BEGIN + 4), BEGIN + 5), Status::Error);
        assert_eq!(judge(&bundle, &until(0), BEGIN + 5), Status::Ok);
    }
}
