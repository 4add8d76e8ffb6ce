//! Coverage: which pods that asked for a sidecar have one, and why the others have none.
//!
//! [`seen`] is what is read of an object, [`verdict`] decides about it, [`tale`] is what is told of it in the cluster.
//! [`Coverage`] keeps a verdict for each object, as whoever watches the cluster tells of them, and can be asked at any time:
//! by the metrics, by `/coverage`, and by whoever writes Events.

pub mod seen;
pub mod summary;
pub mod tale;
pub mod verdict;

use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inject::annotations::{self, Level, Problem};
use inject::decide::Site;
use inject::pod::Metadata;
use inject::workload::{Kind, Owner};
use serde_json::Value;

use self::seen::{Object, Seen};
use self::summary::Summary;
use self::tale::Tale;
use self::verdict::Verdict;
use crate::mirror::{self, Step};
use crate::namespaces::{Namespaces, Record};

/// The most objects that are kept. Those beyond it are counted, and not judged.
const MOST: usize = 200_000;

/// The kind that is no workload's and is kept all the same.
const NAMESPACE: &str = "Namespace";

/// A kind, a namespace (empty for namespaces themselves), a name.
type Key = (&'static str, String, String);

/// What is known of all objects.
pub struct Coverage {
    site: Arc<Site>,
    namespaces: Arc<Namespaces>,
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    entries: BTreeMap<Key, Entry>,
    /// How often an object was not kept, for want of room.
    beyond: u64,
}

/// An object, how it stands, and what was told of it.
struct Entry {
    object: Object,
    owner: Option<Owner>,
    /// A pod is judged again when its namespace changes.
    pod: Option<Box<Seen>>,
    verdict: Option<Verdict>,
    problems: Vec<Problem>,
    tales: Vec<Tale>,
    told: Vec<Tale>,
}

impl Coverage {
    /// Of a cluster of which nothing is known yet.
    pub fn new(site: Arc<Site>, namespaces: Arc<Namespaces>) -> Self {
        Self {
            site,
            namespaces,
            board: Mutex::default(),
        }
    }

    /// An object of this kind is there, and is like this now.
    pub fn see(&self, kind: Kind, value: &Value) {
        let entry = match kind {
            Kind::Pod => Seen::read(value).and_then(|seen| self.pod(Box::new(seen))),
            kind => self.workload(kind, value),
        };
        let object = Object::read(kind, value);
        self.board()
            .put((object.kind, object.namespace, object.name), entry);
    }

    /// It is there no more.
    pub fn gone(&self, kind: Kind, namespace: &str, name: &str) {
        let key = (kind.name(), namespace.to_owned(), name.to_owned());
        self.board().entries.remove(&key);
    }

    /// These are all objects of this kind that are there, by namespace and name.
    pub fn only(&self, kind: Kind, there: &BTreeSet<(String, String)>) {
        self.board().entries.retain(|(of, namespace, name), _| {
            *of != kind.name() || there.contains(&(namespace.clone(), name.clone()))
        });
    }

    /// A namespace has changed or is gone, or, where there is no name, any may have.
    pub fn namespace(&self, name: Option<&str>) {
        let known = match name {
            Some(name) => self.namespaces.known(name).into_iter().collect(),
            None => self.namespaces.all(),
        };
        let there: BTreeSet<&str> = known.iter().map(|known| known.namespace.name.as_str()).collect();
        let mut board = self.board();
        board.entries.retain(|(kind, _, of), _| {
            *kind != NAMESPACE || there.contains(of.as_str()) || name.is_some_and(|name| name != of)
        });
        for known in &known {
            let key = (NAMESPACE, String::new(), known.namespace.name.clone());
            board.put(key, namespace(known, &self.site));
        }
        let is_concerned = |key: &Key| name.is_none_or(|name| key.1 == name);
        for (_, entry) in board.entries.iter_mut().filter(|(key, _)| is_concerned(key)) {
            if let Some(seen) = &entry.pod {
                let (verdict, problems) = self.judge(seen);
                entry.judged(verdict, problems);
            }
        }
    }

    /// The next `most` objects of which something is to be told, with all of that.
    pub fn untold(&self, most: usize) -> Vec<(Object, Vec<Tale>)> {
        let board = self.board();
        let untold = board.entries.values().filter(|entry| entry.tales != entry.told);
        untold
            .take(most)
            .map(|entry| (entry.object.clone(), entry.tales.clone()))
            .collect()
    }

    /// This was told of an object.
    pub fn told(&self, object: &Object, tales: Vec<Tale>) {
        let key = (object.kind, object.namespace.clone(), object.name.clone());
        if let Some(entry) = self.board().entries.get_mut(&key)
            && entry.object == *object
        {
            entry.told = tales;
        }
    }

    /// How all stand.
    pub fn summary(&self) -> Summary {
        let board = self.board();
        let told = board.entries.values().filter_map(|entry| {
            let problems = entry.problems.as_slice();
            let is_worth_it = entry.verdict.is_some() || !problems.is_empty();
            is_worth_it.then_some((
                &entry.object,
                entry.owner.as_ref(),
                entry.verdict.as_ref(),
                problems,
            ))
        });
        Summary::of(told, board.beyond)
    }

    fn pod(&self, seen: Box<Seen>) -> Option<Entry> {
        let (verdict, problems) = self.judge(&seen);
        let owner = Owner::of(&seen.pod);
        let mut entry = Entry::of(seen.object.clone());
        entry.owner = owner;
        entry.pod = Some(seen);
        entry.judged(verdict, problems);
        Some(entry)
    }

    /// What stands in the template of a workload is told of the workload, not of each of its pods.
    fn judge(&self, seen: &Seen) -> (Option<Verdict>, Vec<Problem>) {
        let Some(known) = self.namespaces.known(&seen.object.namespace) else {
            return (None, Vec::new());
        };
        let (verdict, mut problems) = verdict::pod(seen, &known, &self.site);
        let is_alone = seen.pod.metadata.controller().is_none();
        problems.retain(|problem| is_alone && problem.level == Level::Pod);
        (verdict, problems)
    }

    fn workload(&self, kind: Kind, value: &Value) -> Option<Entry> {
        let metadata = Metadata::of(value);
        if metadata.controller().is_some() {
            return None;
        }
        let template = value
            .pointer(kind.template())
            .map(Metadata::of)
            .unwrap_or_default();
        let verdict = verdict::workload(kind, value, &metadata.namespace, &self.site);
        let (_, problems) = annotations::read(&[
            (Level::Pod, &template.annotations),
            (Level::Workload, &metadata.annotations),
        ]);
        let mut entry = Entry::of(Object::read(kind, value));
        entry.judged(verdict, problems);
        (!entry.tales.is_empty()).then_some(entry)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is to say of a namespace itself.
fn namespace(known: &Record, site: &Site) -> Option<Entry> {
    let namespace = &known.namespace;
    if site.is_off_limits(&namespace.name) {
        return None;
    }
    let (_, problems) = annotations::read(&[(Level::Namespace, &namespace.annotations)]);
    let mut entry = Entry::of(Object {
        api_version: "v1",
        kind: NAMESPACE,
        namespace: String::new(),
        name: namespace.name.clone(),
        uid: known.uid.clone(),
    });
    entry.judged(None, problems);
    if mirror::step(namespace, &known.mark) == Step::Taken {
        entry.tales.push(Tale::label_taken());
    }
    (!entry.tales.is_empty()).then_some(entry)
}

impl Board {
    /// Keeps an entry in the place of the one before, of which the same was told if it is the same object; or forgets it.
    fn put(&mut self, key: Key, entry: Option<Entry>) {
        let Some(mut entry) = entry else {
            self.entries.remove(&key);
            return;
        };
        let has_room = self.entries.len() < MOST;
        match self.entries.entry(key) {
            Occupied(mut place) => {
                if place.get().object == entry.object {
                    entry.told = std::mem::take(&mut place.get_mut().told);
                }
                place.insert(entry);
            }
            Vacant(place) if has_room => {
                place.insert(entry);
            }
            Vacant(_) => self.beyond += 1,
        }
    }
}

impl Entry {
    fn of(object: Object) -> Self {
        Self {
            object,
            owner: None,
            pod: None,
            verdict: None,
            problems: Vec::new(),
            tales: Vec::new(),
            told: Vec::new(),
        }
    }

    fn judged(&mut self, verdict: Option<Verdict>, problems: Vec<Problem>) {
        self.tales = tale::tales(verdict.as_ref(), &problems);
        self.verdict = verdict;
        self.problems = problems;
    }
}
