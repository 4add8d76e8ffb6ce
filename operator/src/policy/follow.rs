//! Watching policies, and the metadata of pods: their labels and annotations are all that policies ask for.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::{Stream, StreamExt};
use inject::annotations::{INJECTED, PREFIX};
use k8s_openapi::api::core::v1 as core;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{Config, Error, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};

use super::known::{Known, Name, Pod};
use super::precedence::Policy;
use super::spec::TracePolicy;

/// Keeps policies up to date for as long as it is polled.
pub async fn policies(client: Client, known: &Known) {
    let events = watcher(Api::<TracePolicy>::all(client), Config::default()).default_backoff();
    let read = |policy: &TracePolicy| Some(Policy::read(policy));
    follow("TracePolicies", events, read, |change| {
        known.learn(|world| {
            let first = !std::mem::replace(&mut world.has_policies, true);
            change.of(&mut world.policies) || first
        });
    })
    .await;
}

/// Keeps pods up to date for as long as it is polled.
pub async fn pods(client: Client, known: &Known) {
    let metadata = Api::<PartialObjectMeta<core::Pod>>::all(client);
    let events = watcher(metadata, Config::default()).default_backoff();
    follow("pods", events, pod, |change| {
        known.learn(|world| change.of(&mut world.pods));
    })
    .await;
}

/// A pod with a sidecar; `None` for others.
fn pod(pod: &PartialObjectMeta<core::Pod>) -> Option<Pod> {
    let annotations = pod.annotations();
    let created = pod.creation_timestamp();
    annotations.contains_key(INJECTED).then(|| Pod {
        uid: pod.uid().unwrap_or_default(),
        labels: pod.labels().clone(),
        annotated: annotations
            .keys()
            .filter_map(|key| Some(key.strip_prefix(PREFIX)?.to_owned()))
            .collect(),
        created: created.map_or(0, |time| time.0.as_second()),
    })
}

/// What is different now.
enum Change<T> {
    All(BTreeMap<Name, T>),
    One(Name, Option<T>),
}

impl<T: PartialEq> Change<T> {
    /// Changes what is known. False: it is as it was.
    fn of(self, known: &mut BTreeMap<Name, T>) -> bool {
        match self {
            Self::All(all) => std::mem::replace(known, all) != *known,
            Self::One(name, None) => known.remove(&name).is_some(),
            Self::One(name, Some(now)) => {
                let same = known.get(&name) == Some(&now);
                known.insert(name, now);
                !same
            }
        }
    }
}

/// Reads what happens: first all at once, then one by one. What was known last is kept while the API server is away.
async fn follow<K: ResourceExt, T>(
    what: &str,
    events: impl Stream<Item = Result<Event<K>, Error>>,
    read: impl Fn(&K) -> Option<T>,
    learn: impl Fn(Change<T>),
) {
    let name = |object: &K| (object.namespace().unwrap_or_default(), object.name_any());
    let mut events = pin!(events);
    let mut all = BTreeMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => all.clear(),
            Ok(Event::InitApply(object)) => all.extend(read(&object).map(|read| (name(&object), read))),
            Ok(Event::InitDone) => learn(Change::All(std::mem::take(&mut all))),
            Ok(Event::Apply(object)) => learn(Change::One(name(&object), read(&object))),
            Ok(Event::Delete(object)) => learn(Change::One(name(&object), None)),
            Err(error) => tracing::warn!(%error, "{what} cannot be watched; going on with what is known"),
        }
    }
}
