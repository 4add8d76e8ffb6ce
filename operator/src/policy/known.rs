//! What is known of policies and of pods with a sidecar, kept up to date by whoever watches the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use inject::annotations::{INJECTED, PREFIX};
use inject::decide::Skip;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use settings::{Update, Who};
use tokio::sync::{Notify, watch};

use super::document;
use super::precedence::{Labels, Policy, nearest_first, words};

/// How long is waited for more before a change is told: a rollout changes many pods at once.
const GATHER: Duration = Duration::from_millis(100);

/// The namespace and the name of an object.
pub type Name = (String, String);

/// A pod with a sidecar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// What tells it from an earlier pod of the same name.
    pub uid: String,
    /// Its labels.
    pub labels: Labels,
    /// The annotations of ours that it has, behind their prefix.
    pub annotated: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}

impl Pod {
    /// A pod with a sidecar, by its metadata: labels and annotations are all that policies ask for. `None` for others.
    pub fn read(metadata: &ObjectMeta) -> Option<Self> {
        let annotations = metadata.annotations.as_ref()?;
        let created = metadata.creation_timestamp.as_ref();
        annotations.contains_key(INJECTED).then(|| Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            labels: metadata.labels.clone().unwrap_or_default(),
            annotated: annotations
                .keys()
                .filter_map(|key| Some(key.strip_prefix(PREFIX)?.to_owned()))
                .collect(),
            created: created.map_or(0, |time| time.0.as_second()),
        })
    }
}

/// All that is known.
#[derive(Debug, Default)]
pub struct World {
    /// Policies by their names.
    pub policies: BTreeMap<Name, Policy>,
    /// Pods with a sidecar by theirs.
    pub pods: BTreeMap<Name, Pod>,
    /// All policies are known, so that what none says is said by none.
    pub has_policies: bool,
}

/// What is known, and that it has changed.
#[derive(Debug)]
pub struct Known {
    /// Where policies are for the whole cluster.
    pub own_namespace: String,
    world: RwLock<World>,
    touched: Notify,
    changed: watch::Sender<()>,
}

impl Known {
    /// Nothing yet, for the operator in this namespace.
    pub fn new(own_namespace: &str) -> Self {
        Self {
            own_namespace: own_namespace.to_owned(),
            world: RwLock::default(),
            touched: Notify::new(),
            changed: watch::Sender::new(()),
        }
    }

    /// What is known now.
    pub fn world(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A policy is like this now, or is gone.
    pub fn policy(&self, name: Name, policy: Option<Policy>) {
        self.learn(|world| put(&mut world.policies, name, policy));
    }

    /// These are all policies that are there.
    pub fn only_policies(&self, there: &BTreeSet<Name>) {
        self.learn(|world| {
            let first = !std::mem::replace(&mut world.has_policies, true);
            keep_only(&mut world.policies, there) || first
        });
    }

    /// A pod is like this now, or is gone, or has no sidecar.
    pub fn pod(&self, name: Name, pod: Option<Pod>) {
        self.learn(|world| put(&mut world.pods, name, pod));
    }

    /// These are all pods that are there.
    pub fn only_pods(&self, there: &BTreeSet<Name>) {
        self.learn(|world| keep_only(&mut world.pods, there));
    }

    /// `change` says whether anything is different now.
    fn learn(&self, change: impl FnOnce(&mut World) -> bool) {
        let mut world = self.world.write().unwrap_or_else(PoisonError::into_inner);
        if change(&mut world) {
            self.touched.notify_one();
        }
    }

    /// Tells of changes, a few at a time, for as long as it is polled.
    pub async fn tell(&self) {
        loop {
            self.touched.notified().await;
            tokio::time::sleep(GATHER).await;
            self.changed.send_replace(());
        }
    }

    /// Resolves whenever something has changed.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// What the sidecar of a pod is to be told. `None` where that is not known yet: it keeps what it has.
    pub fn update(&self, who: &Who) -> Option<Update> {
        let world = self.world();
        let pod = world.pods.get(&(who.namespace.clone(), who.pod.clone()))?;
        let is_it = who.uid.is_empty() || pod.uid == who.uid;
        (is_it && world.has_policies).then(|| {
            let nearest = nearest_first(
                world.policies.values(),
                &self.own_namespace,
                &who.namespace,
                &pod.labels,
            );
            document::update(&words(&nearest))
        })
    }

    /// What never comes to the sidecar of a pod that is made now, unless an annotation says otherwise.
    pub fn skip(&self, namespace: &str, labels: &Labels) -> Skip {
        let world = self.world();
        let nearest = nearest_first(world.policies.values(), &self.own_namespace, namespace, labels);
        document::skip(&words(&nearest))
    }
}

fn put<T: PartialEq>(all: &mut BTreeMap<Name, T>, name: Name, now: Option<T>) -> bool {
    let same = all.get(&name) == now.as_ref();
    match now {
        Some(now) => drop(all.insert(name, now)),
        None => drop(all.remove(&name)),
    }
    !same
}

fn keep_only<T>(all: &mut BTreeMap<Name, T>, there: &BTreeSet<Name>) -> bool {
    let before = all.len();
    all.retain(|name, _| there.contains(name));
    all.len() != before
}
