//! What the operator asks of the API server, and what it changes there: as little as it can.
//!
//! [`watching`] begins what [`namespaces`], [`objects`] and [`policies`] do, each of which [`follow`]s what it is about. By its
//! [`lease`] a replica knows whether it is the [`leader`], which keeps [`certificates`] in a Secret and in the webhook's
//! `caBundle`, mirrors labels, and writes [`events`] and the statuses of policies. Nothing here decides anything.

pub mod certificates;
pub mod events;
pub mod follow;
pub mod leader;
pub mod lease;
pub mod namespaces;
pub mod objects;
pub mod policies;
pub mod watching;

use kube::Client;

/// The first minor version of Kubernetes 1 that has native sidecars unless somebody has switched them off.
const NATIVE_SIDECARS: u32 = 29;

/// Whether the cluster has native sidecars, by its version.
///
/// # Errors
/// The API server does not answer.
pub async fn native_sidecars(client: &Client) -> Result<bool, kube::Error> {
    let version = client.apiserver_version().await?;
    Ok(has_native_sidecars(&version.major, &version.minor))
}

/// Some vendors write a minor version as `29+`. One that cannot be read is taken for a new one.
fn has_native_sidecars(major: &str, minor: &str) -> bool {
    let digits = minor.trim_end_matches(|c: char| !c.is_ascii_digit());
    major != "1" || digits.parse().map_or(true, |minor: u32| minor >= NATIVE_SIDECARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_sidecars_came_with_1_29() {
        for (major, minor, has) in [
            ("1", "28", false),
            ("1", "28+", false),
            ("1", "29", true),
            ("1", "33+", true),
            ("2", "0", true),
        ] {
            assert_eq!(has_native_sidecars(major, minor), has, "{major}.{minor}");
        }
    }
}
