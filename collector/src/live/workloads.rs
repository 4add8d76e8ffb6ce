//! Who sends spans, and what sidecars tell of themselves.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::seen::Group;
use super::series::{Ring, SPAN};
use super::told::{Read, Told};

/// Workloads that are remembered.
const WORKLOADS: usize = 512;
/// Instances of one workload that are remembered; the one that was seen longest ago makes room.
const INSTANCES: usize = 64;

/// A sidecar that has told nothing for so many nanoseconds, four times as long as it usually takes, while others of its
/// workload were heard, is gone.
const SILENT: u64 = 60 * 1_000_000_000;
/// Nanoseconds of one.
const MILLISECOND: f64 = 1e6;

/// Whose report it is.
#[derive(Clone, Debug)]
pub(super) struct Reporting {
    pub(super) service: Arc<str>,
    pub(super) instance: Arc<str>,
    pub(super) version: Arc<str>,
}

/// One workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Its name.
    pub name: Arc<str>,
    /// Its instances, the latest first.
    pub instances: Vec<Instance>,
    /// Spans in the window.
    pub spans: u64,
    /// When one last came, or a report, in nanoseconds since the Unix epoch.
    pub last: u64,
    /// What its sidecars counted in the window; none if they have never said anything. What one counted before its first
    /// report counts as of then.
    pub told: Option<Told>,
}

impl Workload {
    /// What its sidecars told that have told something lately.
    pub fn reporting(&self) -> impl Iterator<Item = &Sidecar> {
        let sidecars = self
            .instances
            .iter()
            .filter_map(|instance| instance.sidecar.as_ref());
        sidecars.filter(|sidecar| self.last.saturating_sub(sidecar.at) <= SILENT)
    }
}

/// One pod of a workload, or one process.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its name.
    pub name: Arc<str>,
    /// The version of its sidecar.
    pub version: Option<Arc<str>>,
    /// When a span of it last came, or a report, in nanoseconds since the Unix epoch.
    pub last: u64,
    /// The last that its sidecar told of itself.
    pub sidecar: Option<Sidecar>,
}

/// What a sidecar last told of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar {
    /// When it began, in nanoseconds since the Unix epoch by its own clock.
    pub since: u64,
    /// When it told this, in nanoseconds since the Unix epoch.
    pub at: u64,
    /// What it has counted since it began.
    pub told: Told,
    /// Processors that it used between its last two reports; none after the first.
    pub cpu: Option<f64>,
    /// Bytes of memory.
    pub memory: u64,
}

#[derive(Debug)]
struct Entry {
    instances: HashMap<Arc<str>, Instance>,
    steps: Ring<u64>,
    told: Option<Ring<Told>>,
    last: u64,
}

/// All workloads that sent anything lately.
#[derive(Debug, Default)]
pub(super) struct Workloads(HashMap<Arc<str>, Entry>);

impl Workloads {
    pub(super) fn add(&mut self, group: &Group, now: u64) {
        let Some(entry) = self.entry(&group.service, now) else {
            return;
        };
        if let Some(spans) = entry.steps.at(now) {
            *spans += group.spans.len() as u64;
        }
        if let Some(name) = &group.instance {
            entry.instance(name, group.version.as_ref(), now);
        }
    }

    /// A sidecar has told of itself.
    pub(super) fn report(&mut self, from: &Reporting, read: &Read, now: u64) {
        if let Some(entry) = self.entry(&from.service, now) {
            entry.report(from, read, now);
        }
    }

    /// A workload's, if there is room for it.
    fn entry(&mut self, service: &Arc<str>, now: u64) -> Option<&mut Entry> {
        if self.0.len() >= WORKLOADS && !self.0.contains_key(service) {
            let silent = now.saturating_sub(SPAN);
            self.0.retain(|_, entry| entry.last > silent);
            if self.0.len() >= WORKLOADS {
                return None;
            }
        }
        let entry = self.0.entry(Arc::clone(service)).or_insert_with(|| Entry {
            instances: HashMap::new(),
            steps: Ring::coarse(),
            told: None,
            last: 0,
        });
        entry.last = now;
        Some(entry)
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
    fn instance(&mut self, name: &Arc<str>, version: Option<&Arc<str>>, now: u64) -> &mut Instance {
        if self.instances.len() >= INSTANCES && !self.instances.contains_key(name) {
            let oldest = self.instances.values().min_by_key(|instance| instance.last);
            if let Some(oldest) = oldest.map(|instance| Arc::clone(&instance.name)) {
                self.instances.remove(&oldest);
            }
        }
        let instance = self
            .instances
            .entry(Arc::clone(name))
            .or_insert_with(|| Instance {
                name: Arc::clone(name),
                version: None,
                last: 0,
                sidecar: None,
            });
        instance.last = now;
        if version.is_some() && instance.version.as_ref() != version {
            instance.version = version.cloned();
        }
        instance
    }

    fn report(&mut self, from: &Reporting, read: &Read, now: u64) {
        let instance = self.instance(&from.instance, Some(&from.version), now);
        let before = instance
            .sidecar
            .take()
            .filter(|before| before.since == read.since);
        let counted = match &before {
            Some(before) => read.told.since(&before.told),
            None => read.told.clone(),
        };
        let cpu = before.and_then(|before| {
            let passed = now.checked_sub(before.at).filter(|passed| *passed > 0)?;
            Some(counted.cpu as f64 * MILLISECOND / passed as f64)
        });
        instance.sidecar = Some(Sidecar {
            since: read.since,
            at: now,
            told: read.told.clone(),
            cpu,
            memory: read.memory,
        });
        if let Some(step) = self.told.get_or_insert_with(Ring::coarse).at(now) {
            step.merge(&counted);
        }
    }

    fn shown(&self, name: &Arc<str>, window: &Range<u64>) -> Workload {
        let mut instances: Vec<_> = self.instances.values().cloned().collect();
        instances.sort_by(|one, other| other.last.cmp(&one.last).then_with(|| one.name.cmp(&other.name)));
        Workload {
            name: Arc::clone(name),
            instances,
            spans: self.steps.within(window).map(|(_, spans)| spans).sum(),
            last: self.last,
            told: self.told.as_ref().map(|steps| {
                let mut told = Told::default();
                for (_, step) in steps.within(window) {
                    told.merge(step);
                }
                told
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::START;

    const SECOND: u64 = 1_000_000_000;

    fn from(instance: &str) -> Reporting {
        Reporting {
            service: Arc::from("cashier"),
            instance: Arc::from(instance),
            version: Arc::from("0.1.0"),
        }
    }

    fn read(since: u64, lost: u64, cpu: u64) -> Read {
        Read {
            since,
            told: Told {
                lost: [(Arc::from("refused"), lost)].into(),
                cpu,
                ..Told::default()
            },
            memory: 1 << 20,
        }
    }

    fn lost(workload: &Workload) -> u64 {
        workload.told.iter().flat_map(|told| told.lost.values()).sum()
    }

    #[test]
    fn what_a_sidecar_counted_is_counted_once_and_again_after_it_began_anew() {
        let mut workloads = Workloads::default();
        let report = |workloads: &mut Workloads, seconds, read| {
            workloads.report(&from("cashier-0"), &read, START + seconds * SECOND);
        };
        report(&mut workloads, 0, read(1, 2, 100));
        report(&mut workloads, 10, read(1, 5, 600));
        let window = START..START + 60 * SECOND;
        let shown = workloads.within(&window);
        assert_eq!((shown[0].spans, lost(&shown[0])), (0, 5));
        let sidecar = shown[0].instances[0].sidecar.clone().unwrap();
        assert_eq!((sidecar.cpu, sidecar.memory), (Some(0.05), 1 << 20));
        report(&mut workloads, 20, read(2, 1, 10));
        let shown = workloads.within(&window);
        assert_eq!(lost(&shown[0]), 6);
        assert_eq!(shown[0].instances[0].sidecar.as_ref().unwrap().cpu, None);
        // long after nothing is counted, and what was told last still stands
        let later = START + 2 * SPAN..START + 3 * SPAN;
        let shown = workloads.within(&later);
        assert_eq!((lost(&shown[0]), shown[0].instances.len()), (0, 1));
    }

    #[test]
    fn instances_are_bounded_and_the_latest_stay() {
        let mut workloads = Workloads::default();
        for number in 0..INSTANCES as u64 * 2 {
            workloads.report(&from(&number.to_string()), &read(1, 1, 1), START + number);
        }
        let shown = workloads.within(&(START..START + SECOND));
        assert_eq!(shown[0].instances.len(), INSTANCES);
        assert_eq!(&*shown[0].instances[0].name, (INSTANCES * 2 - 1).to_string());
    }
}
