//! Who sends spans.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::seen::Group;
use super::series::{Ring, SPAN};

/// Workloads that are remembered.
const WORKLOADS: usize = 512;
/// Instances of one workload that are remembered; the one that was seen longest ago makes room.
const INSTANCES: usize = 64;

/// One workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its name.
    pub name: Arc<str>,
    /// Its instances, the latest first.
    pub instances: Vec<Instance>,
    /// Spans in the window.
    pub spans: u64,
    /// When one last came, in nanoseconds since the Unix epoch.
    pub last: u64,
}

/// One pod of a workload, or one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub name: Arc<str>,
    /// The version of its sidecar.
    pub version: Option<Arc<str>>,
    /// When a span of it last came, in nanoseconds since the Unix epoch.
    pub last: u64,
}

#[derive(Debug)]
struct Entry {
    instances: HashMap<Arc<str>, Instance>,
    steps: Ring<u64>,
    last: u64,
}

/// All workloads that sent spans lately.
#[derive(Debug, Default)]
pub(super) struct Workloads(HashMap<Arc<str>, Entry>);

impl Workloads {
    pub(super) fn add(&mut self, group: &Group, now: u64) {
        if self.0.len() >= WORKLOADS && !self.0.contains_key(&group.service) {
            let silent = now.saturating_sub(SPAN);
            self.0.retain(|_, entry| entry.last > silent);
            if self.0.len() >= WORKLOADS {
                return;
            }
        }
        let entry = self.0.entry(Arc::clone(&group.service)).or_insert_with(|| Entry {
            instances: HashMap::new(),
            steps: Ring::coarse(),
            last: 0,
        });
        entry.last = now;
        if let Some(spans) = entry.steps.at(now) {
            *spans += group.spans.len() as u64;
        }
        if let Some(name) = &group.instance {
            entry.instance(name, group, now);
        }
    }

    /// By name.
    pub(super) fn within(&self, window: &Range<u64>) -> Vec<Workload> {
        let mut workloads: Vec<_> = self
            .0
            .iter()
            .map(|(name, entry)| entry.shown(name, window))
            .collect();
        workloads.sort_by(|one, other| one.name.cmp(&other.name));
        workloads
    }
}

impl Entry {
    fn instance(&mut self, name: &Arc<str>, group: &Group, now: u64) {
        if let Some(known) = self.instances.get_mut(name) {
            known.last = now;
            if group.version.is_some() && known.version != group.version {
                known.version.clone_from(&group.version);
            }
            return;
        }
        if self.instances.len() >= INSTANCES {
            let oldest = self.instances.values().min_by_key(|instance| instance.last);
            if let Some(oldest) = oldest.map(|instance| Arc::clone(&instance.name)) {
                self.instances.remove(&oldest);
            }
        }
        let instance = Instance {
            name: Arc::clone(name),
            version: group.version.clone(),
            last: now,
        };
        self.instances.insert(Arc::clone(name), instance);
    }

    fn shown(&self, name: &Arc<str>, window: &Range<u64>) -> Workload {
        let mut instances: Vec<_> = self.instances.values().cloned().collect();
        instances.sort_by(|one, other| other.last.cmp(&one.last).then_with(|| one.name.cmp(&other.name)));
        Workload {
            name: Arc::clone(name),
            instances,
            spans: self.steps.within(window).map(|(_, spans)| spans).sum(),
            last: self.last,
        }
    }
}
