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

use inject::version::Version;
use kube::Client;

/// Whether the cluster has native sidecars, by its version. One that cannot be read is taken for a new one.
///
/// # Errors
/// The API server does not answer.
pub async fn native_sidecars(client: &Client) -> Result<bool, kube::Error> {
    let said = client.apiserver_version().await?;
    Ok(Version::read(&said.major, &said.minor).is_none_or(Version::has_native_sidecars))
}
