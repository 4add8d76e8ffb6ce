//! Watching objects of one kind, whatever they are.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::pin;

use futures_util::StreamExt;
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde::de::DeserializeOwned;

/// The namespace (empty for what is in none) and the name of an object.
pub type Name = (String, String);

/// What has become of the objects of one kind.
pub enum Change<K> {
    /// One is like this now.
    Is(K),
    /// One is there no more.
    Gone(Name),
    /// All have been listed, and these are there.
    Only(BTreeSet<Name>),
}

/// Tells of all objects of `api`, which are `what`, for as long as it is polled: first of each that is there, then that these
/// were all, then of every change. What was told last is better than nothing while the API server is away; when it is back,
/// all are told of again.
pub async fn follow<K>(what: &str, api: Api<K>, mut on: impl FnMut(Change<K>))
where
    K: ResourceExt + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut events = pin!(watcher(api, Config::default()).default_backoff());
    let mut there = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => there.clear(),
            Ok(Event::InitApply(object)) => {
                there.insert(name(&object));
                on(Change::Is(object));
            }
            Ok(Event::InitDone) => on(Change::Only(std::mem::take(&mut there))),
            Ok(Event::Apply(object)) => on(Change::Is(object)),
            Ok(Event::Delete(object)) => on(Change::Gone(name(&object))),
            Err(error) => tracing::warn!(%error, "{what} cannot be watched; going on with what is known"),
        }
    }
}

/// What an object is called.
pub fn name(object: &impl ResourceExt) -> Name {
    (object.namespace().unwrap_or_default(), object.name_any())
}
