//! The view as it is now, and every change of it: a head is frozen, sealed into a segment, segments are compacted,
//! dropped, set aside.
//!
//! Readers take the view and look at it for as long as they like; a change makes a new one.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use std::{io, mem};

use otlp::receive::Packed;
use span::TraceId;

use super::OpenError;
use super::disk::Disk;
use super::segment::{self, Context, Part, Segment, Trouble, of_trace};
use super::view::{Bad, Frozen, View, once};
use crate::hash::Seeded;
use crate::join::Joins;
use crate::store::{Dropped, Limits, Memory, StoreError};

/// Heads that wait to be sealed. While there are so many the head grows, and then appends wait.
const FROZEN: usize = 2;
/// What all heads may take together, in sizes at which a head is frozen: each may grow to twice that, and one request.
const HEADS: u64 = 3 * (FROZEN as u64 + 1);
/// Segments with fewer spans than this together become one.
const SMALL: u64 = 65_536;
/// So many small ones stand beside each other before they do.
const SMALL_ONES: usize = 8;

/// What is kept, and where.
#[derive(Debug)]
pub(crate) struct Shelf {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    limits: Limits,
    head_bytes: u64,
    view: RwLock<Arc<View>>,
    /// The number of the next segment; changed by whoever is `working`.
    next: AtomicU64,
    /// The last file of the log that is not needed any more.
    sealed: AtomicU64,
    /// Held by whoever adds or removes segments.
    working: Mutex<()>,
    /// What was dropped for want of room and not reported yet.
    dropped: Mutex<Dropped>,
    thawed: (Mutex<()>, Condvar),
}

impl Shelf {
    /// Opens every segment in `folder`, and sets aside those that are damaged.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        limits: Limits,
        head_bytes: u64,
    ) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Disk {
            path: folder.clone(),
            error,
        };
        disk.create_dir(&folder).map_err(failed)?;
        let names: BTreeSet<String> = disk.list(&folder).map_err(failed)?.into_iter().collect();
        let mut segments = Vec::new();
        for name in &names {
            let Some(number) = name.strip_suffix(".index").and_then(|number| number.parse().ok()) else {
                continue;
            };
            match segment::open(&*disk, &folder, number) {
                Ok(segment) => segments.push(Arc::new(segment)),
                Err(trouble @ Trouble::Corrupt { .. }) => set_aside(&*disk, &folder, number, &trouble),
                Err(Trouble::Disk { path, error }) => return Err(OpenError::Disk { path, error }),
            }
        }
        // a crash came between a compaction and the end of what it replaces, or before a segment was whole
        let replaced: HashSet<u64> = segments
            .iter()
            .flat_map(|segment| segment.head.replaces.clone())
            .collect();
        segments.retain(|segment| !replaced.contains(&segment.number));
        let kept: HashSet<u64> = segments.iter().map(|segment| segment.number).collect();
        for name in &names {
            let (stem, end) = name.split_once('.').unwrap_or((name, ""));
            let ours = stem.parse().is_ok_and(|number| !kept.contains(&number));
            if end == segment::UNFINISHED || ours && (end == "index" || end == "parquet") {
                disk.remove(&folder.join(name)).or_else(gone).map_err(failed)?;
            }
        }
        let last = names
            .iter()
            .filter_map(|name| name.get(..20)?.parse::<u64>().ok())
            .max();
        let sealed = segments.iter().map(|segment| segment.head.log).max().unwrap_or(0);
        let mut joins = Joins::default();
        sort(&mut segments);
        for (part, whole) in segments.iter().flat_map(|segment| &segment.head.joins) {
            joins.join(*part, *whole);
        }
        let joins = Arc::new(RwLock::new(joins));
        let mut view = View {
            head: Arc::new(Memory::joined_with(unlimited(limits), Arc::clone(&joins))),
            frozen: Vec::new(),
            segments,
            split: Arc::default(),
            joins,
            recent: Arc::default(),
        };
        view.split = split(&view.segments);
        Ok(Self {
            disk,
            folder,
            limits,
            head_bytes,
            view: RwLock::new(Arc::new(view)),
            next: AtomicU64::new(last.map_or(1, |last| last + 1)),
            sealed: AtomicU64::new(sealed),
            working: Mutex::default(),
            dropped: Mutex::default(),
            thawed: Default::default(),
        })
    }

    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut View) -> T) -> T {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = View::clone(&view);
        let result = change(&mut next);
        *view = Arc::new(next);
        result
    }

    /// The last file of the log that is not needed any more.
    pub(crate) fn sealed(&self) -> u64 {
        self.sealed.load(Ordering::Acquire)
    }

    /// Asks a question again until no damaged segment is in its way. Each is set aside when it is met.
    pub(crate) fn read<T>(&self, question: impl Fn(&View) -> Result<T, Bad>) -> Result<T, StoreError> {
        loop {
            match question(&self.view()) {
                Ok(answer) => return Ok(answer),
                Err(bad) if bad.is_damaged() => self.set_aside(&bad),
                Err(bad) => return Err(StoreError::Unavailable(bad.trouble.to_string())),
            }
        }
    }

    fn set_aside(&self, bad: &Bad) {
        let _working = lock(&self.working);
        let there = self.change(|view| {
            let before = view.segments.len();
            view.segments.retain(|segment| segment.number != bad.number);
            view.segments.len() < before
        });
        if there {
            set_aside(&*self.disk, &self.folder, bad.number, &bad.trouble);
        }
    }

    /// Whether there is room for one more frozen head.
    pub(crate) fn can_freeze(&self) -> bool {
        self.view().frozen.len() < FROZEN
    }

    /// Waits until there may be room for one more frozen head.
    pub(crate) fn wait(&self, at_most: Duration) {
        let guard = lock(&self.thawed.0);
        if !self.can_freeze() {
            drop(self.thawed.1.wait_timeout(guard, at_most));
        }
    }

    /// Begins a new head. `log` is the last file that has spans of the old one.
    pub(crate) fn freeze(&self, log: u64) {
        self.change(|view| {
            let next = Memory::joined_with(unlimited(self.limits), Arc::clone(&view.joins));
            let spans = mem::replace(&mut view.head, Arc::new(next));
            view.frozen.push(Frozen { spans, log });
        });
    }

    /// Makes a segment of the oldest frozen head. `false` if there is none.
    pub(crate) fn seal(&self) -> io::Result<bool> {
        let _working = lock(&self.working);
        let view = self.view();
        let Some(frozen) = view.frozen.first() else {
            return Ok(false);
        };
        let parts: Vec<Part> = frozen
            .spans
            .snapshot()
            .into_iter()
            .map(|(id, spans)| Part { id, spans })
            .collect();
        let mut sealed = None;
        if !parts.is_empty() {
            let (first, last) = frozen.spans.received().unwrap_or_default();
            let continues = parts.iter().map(|part| part.id).filter(|id| {
                let token = of_trace(*id);
                view.segments.iter().any(|segment| segment.may_have(token))
            });
            let context = Context {
                log: frozen.log,
                replaces: Vec::new(),
                received: first..=last,
                joins: frozen.spans.joined(),
                continues: continues.collect(),
            };
            let segment = self.write(parts, context)?;
            self.make_room(segment.bytes);
            sealed = Some(Arc::new(segment));
        }
        self.change(|view| {
            view.frozen.remove(0);
            view.segments.extend(sealed);
            sort(&mut view.segments);
            view.split = split(&view.segments);
        });
        self.sealed.fetch_max(frozen.log, Ordering::AcqRel);
        drop(lock(&self.thawed.0));
        self.thawed.1.notify_all();
        Ok(true)
    }

    /// Writes the next segment. What failed under this number before is overwritten.
    fn write(&self, parts: Vec<Part>, context: Context) -> io::Result<Segment> {
        let number = self.next.load(Ordering::Relaxed);
        let segment = segment::write(&*self.disk, &self.folder, number, parts, context)?;
        self.next.store(number + 1, Ordering::Relaxed);
        Ok(segment)
    }

    /// Makes one segment of several small ones that stand beside each other. `false` if there are none.
    pub(crate) fn compact(&self) -> io::Result<bool> {
        let working = lock(&self.working);
        let view = self.view();
        let small = view.segments.chunk_by(|a, b| a.head.spans + b.head.spans < SMALL);
        let Some(run) = small
            .map(|run| run.get(..SMALL_ONES).unwrap_or_default())
            .find(|run| !run.is_empty() && run.iter().map(|segment| segment.head.spans).sum::<u64>() < SMALL)
        else {
            return Ok(false);
        };
        let mut traces: std::collections::HashMap<TraceId, Vec<_>> = std::collections::HashMap::new();
        for segment in run {
            let read = || {
                let loaded = segment.load()?;
                for group in 0..segment.head.groups.len() {
                    let spans: Vec<_> = segment.all_spans(group)?.into_iter().map(Arc::new).collect();
                    for entry in loaded
                        .entries
                        .iter()
                        .filter(|entry| entry.group as usize == group)
                    {
                        let rows = spans.get(entry.row as usize..entry.end_row()).unwrap_or_default();
                        traces.entry(entry.id).or_default().extend_from_slice(rows);
                    }
                }
                Ok(())
            };
            if let Err(trouble) = { read }() {
                drop(working);
                self.set_aside(&Bad {
                    number: segment.number,
                    trouble,
                });
                return Ok(true);
            }
        }
        let parts = traces.into_iter().map(|(id, spans)| Part {
            id,
            spans: Arc::new(once(spans).iter().map(|span| Packed::from(&**span)).collect()),
        });
        let first = run.iter().map(|segment| *segment.head.received.start()).min();
        let last = run.iter().map(|segment| *segment.head.received.end()).max();
        let context = Context {
            log: run.iter().map(|segment| segment.head.log).max().unwrap_or(0),
            replaces: run.iter().map(|segment| segment.number).collect(),
            received: first.unwrap_or(0)..=last.unwrap_or(0),
            joins: run
                .iter()
                .flat_map(|segment| segment.head.joins.clone())
                .collect(),
            continues: run
                .iter()
                .flat_map(|segment| segment.head.continues.clone())
                .collect(),
        };
        let replaced = context.replaces.clone();
        let whole = self.write(parts.collect(), context)?;
        self.change(|view| {
            view.segments
                .retain(|segment| !replaced.contains(&segment.number));
            view.segments.push(Arc::new(whole));
            sort(&mut view.segments);
            view.split = split(&view.segments);
        });
        for number in replaced {
            self.remove(number);
        }
        drop(working);
        Ok(true)
    }

    /// Drops what is too old at `now`: segments of which every span is, and traces of heads that wait to be sealed. A full
    /// disk keeps them waiting, and this is what frees it.
    pub(crate) fn forget_old(&self, now: u64) -> Dropped {
        let _working = lock(&self.working);
        let horizon = now.saturating_sub(self.limits.age);
        let mut dropped = Dropped::default();
        for frozen in &self.view().frozen {
            let (gone, _) = frozen.spans.forget_old(now);
            dropped.traces += gone.traces;
            dropped.spans += gone.spans;
        }
        while let Some(oldest) = self
            .view()
            .segments
            .first()
            .filter(|segment| *segment.head.received.end() < horizon)
        {
            self.drop_segment(oldest, &mut dropped);
        }
        dropped
    }

    /// Drops the oldest segments until there is room for one more of that many bytes beside all heads.
    fn make_room(&self, bytes: u64) {
        let heads = self.head_bytes.saturating_mul(HEADS);
        let room = self.limits.bytes.saturating_sub(heads).saturating_sub(bytes);
        loop {
            let view = self.view();
            let bytes: u64 = view.segments.iter().map(|segment| segment.bytes).sum();
            match view.segments.first() {
                Some(oldest) if bytes > room => self.drop_segment(oldest, &mut lock(&self.dropped)),
                _ => return,
            }
        }
    }

    /// What was dropped for want of room since this was asked last.
    pub(crate) fn dropped(&self) -> Dropped {
        mem::take(&mut *lock(&self.dropped))
    }

    /// Bytes of what is kept: of segments on disk, and of heads in memory, which take more than their log.
    pub(crate) fn bytes(&self) -> u64 {
        let view = self.view();
        let heads: u64 = view.heads().map(|head| head.bytes()).sum();
        heads + view.segments.iter().map(|segment| segment.bytes).sum::<u64>()
    }

    fn drop_segment(&self, segment: &Segment, dropped: &mut Dropped) {
        let joins = self.change(|view| {
            view.segments.retain(|kept| kept.number != segment.number);
            view.split = split(&view.segments);
            Arc::clone(&view.joins)
        });
        let mut joins = joins.write().unwrap_or_else(PoisonError::into_inner);
        for (_, whole) in &segment.head.joins {
            let whole = joins.resolve(*whole);
            joins.forget(whole);
        }
        drop(joins);
        dropped.traces += segment.head.traces;
        dropped.spans += segment.head.spans;
        self.remove(segment.number);
    }

    /// Removes the files of a segment, the index first: without it the other is nothing.
    fn remove(&self, number: u64) {
        for path in segment::paths(&self.folder, number) {
            if let Err(error) = self.disk.remove(&path).or_else(gone) {
                tracing::warn!(path = %path.display(), %error, "what is not needed any more still takes room");
            }
        }
    }
}

/// A head of a durable store drops nothing by itself for want of room: segments go first.
fn unlimited(limits: Limits) -> Limits {
    Limits {
        bytes: u64::MAX,
        ..limits
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

fn sort(segments: &mut [Arc<Segment>]) {
    segments.sort_by_key(|segment| (*segment.head.received.start(), segment.number));
}

fn split(segments: &[Arc<Segment>]) -> Arc<HashSet<TraceId, Seeded>> {
    Arc::new(
        segments
            .iter()
            .flat_map(|segment| segment.head.continues.iter().copied())
            .collect(),
    )
}

/// Gives a damaged segment other names, under which nobody reads it and an admin finds it.
fn set_aside(disk: &dyn Disk, folder: &Path, number: u64, trouble: &Trouble) {
    tracing::error!(error = %trouble, "a segment is damaged: it is set aside as *.corrupt, and its spans are missing");
    for path in segment::paths(folder, number) {
        let mut aside = path.clone().into_os_string();
        aside.push(".corrupt");
        if let Err(error) = disk.rename(&path, Path::new(&aside)).or_else(gone) {
            tracing::warn!(path = %path.display(), %error, "cannot be set aside");
        }
    }
}
