//! How settings travel from the operator to a running sidecar: one gRPC call that stays open.
//!
//! ```proto
//! syntax = "proto3";
//! package meshtrace.settings.v1;
//!
//! service Settings {
//!   // Answers at once with what holds, and again whenever that changes.
//!   rpc Watch(Who) returns (stream Update);
//! }
//! message Who {
//!   string namespace = 1;
//!   string pod = 2;
//!   string uid = 3;
//! }
//! message Update {
//!   uint64 revision = 1;
//!   string document = 2;
//!   map<string, string> origins = 3;
//! }
//! ```
//!
//! What a document may say is the sidecar's to know, and how it came about the operator's; here it is a text of bounded
//! length. The stream is not encrypted and nobody has to prove who they are: settings are no secret, and whoever asks
//! learns nothing else.

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod server;

use std::collections::BTreeMap;
use std::fmt;

use twox_hash::XxHash64;

/// The most bytes of a document. Both sides refuse more.
pub const LONGEST_DOCUMENT: usize = 256 << 10;

/// The most bytes of a name in Kubernetes (RFC 1123, and what a path segment may be).
pub const LONGEST_NAME: usize = 253;

/// The one method.
const WATCH: &str = "/meshtrace.settings.v1.Settings/Watch";

/// Which pod asks.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Who {
    /// Its namespace.
    #[prost(string, tag = "1")]
    pub namespace: String,
    /// Its name.
    #[prost(string, tag = "2")]
    pub pod: String,
    /// Its uid, which tells it from an earlier pod of the same name.
    #[prost(string, tag = "3")]
    pub uid: String,
}

/// What holds from now on.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Update {
    /// The same for the same settings, whoever made them: see [`Revision`].
    #[prost(uint64, tag = "1")]
    revision: u64,
    /// In the form of the sidecar's configuration file.
    #[prost(string, tag = "2")]
    pub document: String,
    /// Where each key of the document comes from, in words for people.
    #[prost(btree_map = "string, string", tag = "3")]
    pub origins: BTreeMap<String, String>,
}

/// What tells settings from others: a hash of them, of 48 bits, so that it is a number in Prometheus too. Replicas of the
/// operator, and one that has been started again, say the same for the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

impl Update {
    /// These settings, with their revision.
    pub fn new(document: String, origins: BTreeMap<String, String>) -> Self {
        let mut update = Self {
            revision: 0,
            document,
            origins,
        };
        update.revision = XxHash64::oneshot(0, &prost::Message::encode_to_vec(&update)) >> 16;
        update
    }

    /// What tells them from others.
    pub fn revision(&self) -> Revision {
        Revision(self.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_settings_have_the_same_revision_and_others_another() {
        let update = |document: &str, from: &str| {
            let origins = BTreeMap::from([("sampling".to_owned(), from.to_owned())]);
            Update::new(document.to_owned(), origins).revision()
        };
        assert_eq!(update("sampling: 1", "a"), update("sampling: 1", "a"));
        assert_ne!(update("sampling: 1", "a"), update("sampling: 0", "a"));
        assert_ne!(update("sampling: 1", "a"), update("sampling: 1", "b"));
        assert_eq!(update("", "").to_string().len(), 12);
    }
}
