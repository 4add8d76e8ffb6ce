//! The webhook's certificates: an authority of our own and what it has signed, replaced in time and without a gap.
//!
//! [`Certificates`] is everything there is, as it is kept in a Secret. [`advance`] makes of it what it has to be at a
//! time: [`due`] decides, [`issue`] makes keys and signs. Nothing here reads a clock.
//!
//! The API server trusts the authorities' certificates all together, the bundle. A new authority is in the bundle for a
//! while before anything that it has signed is served, and stays there until it ends. So whoever is late, an API server
//! with the bundle of before or a replica with the certificate of before, still finds what it needs.

pub mod due;
pub mod issue;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::due::{Lifetimes, Task, Validity, due};
use self::issue::IssueError;

/// Everything there is. Empty before the first [`advance`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificates {
    /// The oldest first.
    pub authorities: Vec<Authority>,
    /// What the webhook shows.
    pub leaf: Option<Leaf>,
}

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// When it was made, which no two share, and when it ends.
    pub validity: Validity,
    /// PEM.
    pub certificate: String,
    /// Signs leaves.
    pub key: Key,
}

/// What is shown, and who has signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// When it was made and when it ends, which is not after its authority does.
    pub validity: Validity,
    /// When its authority was made.
    pub authority: u64,
    /// The names that it is for.
    pub names: Vec<String>,
    /// PEM.
    pub certificate: String,
    /// Opens connections.
    pub key: Key,
}

/// A private key, PEM (PKCS #8). Logs do not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Certificates {
    /// All authorities' certificates, PEM: what the API server has to trust.
    pub fn bundle(&self) -> String {
        self.authorities
            .iter()
            .map(|authority| authority.certificate.as_str())
            .collect()
    }
}

/// What the certificates have to be at `now` (seconds since 1970) for a webhook of these names. The same as before where
/// nothing is due.
///
/// # Errors
/// A certificate cannot be made.
pub fn advance(
    before: &Certificates,
    names: &[String],
    now: u64,
    lifetimes: Lifetimes,
) -> Result<Certificates, IssueError> {
    let mut certificates = before.clone();
    certificates
        .authorities
        .retain(|authority| !authority.validity.is_over(now));
    while let Some(task) = due(&certificates, names, now, lifetimes) {
        match task {
            Task::Authority => {
                let authority = issue::authority(Validity::lasting(now, lifetimes.authority))?;
                certificates.authorities.push(authority);
            }
            Task::Leaf(by) => {
                let validity = Validity::lasting(now, lifetimes.leaf).not_beyond(&by.validity);
                certificates.leaf = Some(issue::leaf(by, validity, names)?);
            }
        }
    }
    Ok(certificates)
}
