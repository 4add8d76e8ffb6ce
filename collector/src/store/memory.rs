//! Everything in memory, gone when the process ends. For one machine, for demonstrations and for tests.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use otlp::model::{Kind, Span};
use otlp::receive::Packed;
use span::{SpanId, TraceId};

use super::catalogue::Catalogue;
use super::form::Form;
use super::{Appended, Dropped, Operation, Size, Store, StoreError, Trace};
use crate::dependencies::{Calls, Dependency};
use crate::hash::Seeded;
use crate::join::Joins;
use crate::query::{Query, Summary};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, about.
    pub bytes: u64,
    /// Nanoseconds since a trace's first span was received.
    pub age: u64,
}

/// A [`Store`] that keeps spans in memory.
///
/// Readers copy the list of traces and look at them without holding anything up. The durable store keeps what it has not
/// sealed in one as well, packed.
#[derive(Debug)]
pub struct Memory<S = Arc<Span>> {
    limits: Limits,
    /// Taken after the state where both are.
    joins: Arc<RwLock<Joins>>,
    state: RwLock<State<S>>,
}

/// A trace that is kept, and its spans.
pub(super) type Kept<S> = (TraceId, Arc<Vec<S>>);

/// A trace with more spans than this has an index of them; in others they are looked through.
const LOOKED_THROUGH: usize = 32;
/// What a trace costs beside its spans, and what it costs to know that a trace is part of another.
const TRACE_OVERHEAD: u64 = 512;

#[derive(Debug)]
struct State<S> {
    traces: HashMap<TraceId, Entry<S>, Seeded>,
    /// The traces in the order in which they will be dropped.
    ages: BTreeMap<Age, TraceId>,
    catalogue: Catalogue,
    /// When the first and the last span were received.
    received: Option<(u64, u64)>,
    bytes: u64,
    spans: u64,
    arrivals: u64,
}

/// When a trace's first span was received, and its turn among those of the same moment.
type Age = (u64, u64);

#[derive(Debug)]
struct Entry<S> {
    age: Age,
    spans: Arc<Vec<S>>,
    /// Where each span stands in the list, if it is a long one.
    places: HashMap<(SpanId, Kind), usize>,
    /// Which traces became part of it or of each other, in order.
    joined: Vec<(TraceId, TraceId)>,
    bytes: u64,
}

impl Memory {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self::joined_with(limits, Arc::default())
    }
}

#[expect(private_bounds, reason = "how spans are kept is our own business")]
impl<S: Form> Memory<S> {
    /// An empty store that shares what it knows of joins with others.
    pub(super) fn joined_with(limits: Limits, joins: Arc<RwLock<Joins>>) -> Self {
        Self {
            limits,
            joins,
            state: RwLock::new(State {
                traces: HashMap::default(),
                ages: BTreeMap::new(),
                catalogue: Catalogue::default(),
                received: None,
                bytes: 0,
                spans: 0,
                arrivals: 0,
            }),
        }
    }

    // A writer that panicked would have done so between two spans: what is there is whole.
    fn read(&self) -> RwLockReadGuard<'_, State<S>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<S>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn joins(&self) -> RwLockReadGuard<'_, Joins> {
        self.joins.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn joins_mut(&self) -> RwLockWriteGuard<'_, Joins> {
        self.joins.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps spans, and says which traces had to go for them.
    pub(super) fn keep(&self, spans: impl IntoIterator<Item = S>, now: u64) -> (Appended, Vec<TraceId>) {
        let (mut state, mut joins) = (self.write(), self.joins_mut());
        let (mut appended, mut gone) = (Appended::default(), Vec::new());
        for span in spans {
            if state.insert(span, now, &mut joins) {
                appended.stored += 1;
            } else {
                appended.repeated += 1;
            }
            while state.bytes > self.limits.bytes {
                let Some(id) = state.drop_oldest(&mut joins, &mut appended.dropped) else {
                    break;
                };
                gone.push(id);
            }
        }
        (appended, gone)
    }

    /// Drops what is too old at `now`, and says which traces.
    pub(super) fn forget_old(&self, now: u64) -> (Dropped, Vec<TraceId>) {
        let horizon = now.saturating_sub(self.limits.age);
        let (mut state, mut joins) = (self.write(), self.joins_mut());
        let (mut dropped, mut gone) = (Dropped::default(), Vec::new());
        while state.oldest().is_some_and(|received| received < horizon) {
            gone.extend(state.drop_oldest(&mut joins, &mut dropped));
        }
        (dropped, gone)
    }

    /// Keeps spans that were kept before this process, whatever the limits are.
    pub(super) fn restore(&self, spans: Vec<S>, received: u64) {
        let (mut state, mut joins) = (self.write(), self.joins_mut());
        for span in spans {
            state.insert(span, received, &mut joins);
        }
    }

    /// Drops these traces.
    pub(super) fn forget(&self, traces: &[TraceId]) {
        let (mut state, mut joins) = (self.write(), self.joins_mut());
        for id in traces {
            state.drop_trace(*id, &mut joins, &mut Dropped::default());
        }
    }

    /// When the first and the last of its spans were received, if there are any.
    pub(super) fn received(&self) -> Option<(u64, u64)> {
        self.read().received
    }

    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> u64 {
        self.read().bytes
    }

    /// Which traces its spans made part of which, in an order in which that can be said again.
    pub(super) fn joined(&self) -> Vec<(TraceId, TraceId)> {
        let state = self.read();
        let joined = state.traces.values().flat_map(|entry| &entry.joined);
        joined.copied().collect()
    }

    /// The spans that are kept under exactly this id.
    pub(super) fn get(&self, id: TraceId) -> Option<Arc<Vec<S>>> {
        self.read().traces.get(&id).map(|entry| Arc::clone(&entry.spans))
    }

    /// See [`Store::services`].
    pub(super) fn service_names(&self) -> Vec<String> {
        self.read().catalogue.services()
    }

    /// See [`Store::operations`].
    pub(super) fn operations_of(&self, service: &str) -> Vec<Operation> {
        self.read().catalogue.operations(service)
    }

    /// See [`Store::size`].
    pub(super) fn sizes(&self) -> Size {
        let state = self.read();
        Size {
            traces: state.traces.len() as u64,
            spans: state.spans,
            bytes: state.bytes,
        }
    }

    /// Every trace as it is now.
    pub(super) fn snapshot(&self) -> Vec<Kept<S>> {
        let state = self.read();
        let traces = state.traces.iter();
        traces
            .map(|(id, entry)| (*id, Arc::clone(&entry.spans)))
            .collect()
    }
}

#[async_trait]
impl Store for Memory {
    async fn append(&self, spans: Vec<Packed>, now: u64) -> Result<Appended, StoreError> {
        let spans = spans.iter().map(|span| Arc::new(span.unpack()));
        Ok(self.keep(spans, now).0)
    }

    async fn expire(&self, now: u64) -> Result<Dropped, StoreError> {
        Ok(self.forget_old(now).0)
    }

    async fn traces(&self, ids: &[TraceId]) -> Result<Vec<Trace>, StoreError> {
        let (state, joins) = (self.read(), self.joins());
        let mut traces: Vec<Trace> = Vec::new();
        for id in ids.iter().map(|id| joins.resolve(*id)) {
            if traces.iter().any(|trace| trace.id == id) {
                continue;
            }
            if let Some(entry) = state.traces.get(&id) {
                let mut spans = entry.spans.to_vec();
                spans.sort_unstable_by_key(|span| (span.start, span.span_id, span.kind));
                traces.push(Trace { id, spans });
            }
        }
        Ok(traces)
    }

    async fn search(&self, query: &Query) -> Result<Vec<Summary>, StoreError> {
        let (traces, query) = (self.snapshot(), query.clone());
        aside(move || {
            let traces: HashMap<_, _> = traces.into_iter().collect();
            let places = traces.iter().filter_map(|(id, spans)| query.place(*id, spans));
            let mut places = places.collect();
            query.rank(&mut places);
            let found = places.into_iter().filter_map(|place| {
                let id = place.trace_id;
                query.summary(id, traces.get(&id)?)
            });
            found.collect()
        })
        .await
    }

    async fn services(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.service_names())
    }

    async fn operations(&self, service: &str) -> Result<Vec<Operation>, StoreError> {
        Ok(self.operations_of(service))
    }

    async fn dependencies(&self, start: RangeInclusive<u64>) -> Result<Vec<Dependency>, StoreError> {
        let traces = self.snapshot();
        aside(move || {
            let mut calls = Calls::default();
            for (_, spans) in traces {
                if spans.iter().any(|span| start.contains(&span.start)) {
                    calls.add(&spans);
                }
            }
            calls.finish()
        })
        .await
    }

    async fn size(&self) -> Result<Size, StoreError> {
        Ok(self.sizes())
    }
}

/// Looks at every span there is, on a thread where that holds nobody up.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Unavailable(error.to_string()))
}

impl<S: Form> State<S> {
    /// Whether the span is new.
    fn insert(&mut self, span: S, now: u64, joins: &mut Joins) -> bool {
        self.arrivals += 1;
        self.received = Some(
            self.received
                .map_or((now, now), |(first, last)| (first.min(now), last.max(now))),
        );
        let mut age = (now, self.arrivals);
        if let Some(provisional) = span.provisional()
            && let Some((part, whole)) = joins.join(provisional, span.trace_id())
        {
            age = self.absorb(part, whole, age);
        }
        let id = joins.resolve(span.trace_id());
        self.place(id, span, age)
    }

    /// Makes what is kept of `part` part of `whole`, which is as old as the older of the two.
    fn absorb(&mut self, part: TraceId, whole: TraceId, now: Age) -> Age {
        let Some(mut entry) = self.take(part) else {
            self.remember(whole, now, &mut vec![(part, whole)]);
            return now;
        };
        for span in entry.spans.iter() {
            self.place(whole, span.clone(), entry.age);
        }
        entry.joined.push((part, whole));
        self.remember(whole, entry.age, &mut entry.joined);
        entry.age
    }

    /// Remembers joins with a trace, and what they cost.
    fn remember(&mut self, whole: TraceId, age: Age, joined: &mut Vec<(TraceId, TraceId)>) {
        let bytes = TRACE_OVERHEAD * joined.len() as u64;
        let entry = self.entry(whole, age);
        entry.joined.append(joined);
        entry.bytes += bytes;
        self.bytes += bytes;
    }

    /// The trace, which becomes at least as old as `age`.
    fn entry(&mut self, id: TraceId, age: Age) -> &mut Entry<S> {
        let entry = self.traces.entry(id).or_insert_with(|| {
            self.bytes += TRACE_OVERHEAD;
            self.ages.insert(age, id);
            Entry {
                age,
                spans: Arc::new(Vec::new()),
                places: HashMap::new(),
                joined: Vec::new(),
                bytes: TRACE_OVERHEAD,
            }
        });
        if age < entry.age {
            self.ages.remove(&entry.age);
            self.ages.insert(age, id);
            entry.age = age;
        }
        entry
    }

    /// Adds a span to a trace, unless it is there. Whether it was new.
    fn place(&mut self, id: TraceId, span: S, age: Age) -> bool {
        self.entry(id, age);
        let Some(entry) = self.traces.get_mut(&id) else {
            return false;
        };
        let (_, kind) = span.key();
        let Some(first) = entry.find(&span) else {
            let bytes = span.cost(entry.spans.last());
            entry.bytes += bytes;
            self.bytes += bytes;
            self.spans += 1;
            self.catalogue.add(span.service(), span.name(), kind);
            entry.push(span);
            return true;
        };
        if first.provisional().is_none() && span.provisional().is_some() {
            let bytes = span.cost(None);
            self.catalogue.remove(first.service(), first.name(), kind);
            self.catalogue.add(span.service(), span.name(), kind);
            *first = span;
            entry.bytes += bytes;
            self.bytes += bytes;
        }
        false
    }

    /// When the first span of the oldest trace was received.
    fn oldest(&self) -> Option<u64> {
        self.ages.keys().next().map(|(received, _)| *received)
    }

    /// Drops the oldest trace and says which it was. `None` if there is none.
    fn drop_oldest(&mut self, joins: &mut Joins, dropped: &mut Dropped) -> Option<TraceId> {
        let id = self.ages.values().next().copied()?;
        self.drop_trace(id, joins, dropped);
        Some(id)
    }

    fn drop_trace(&mut self, id: TraceId, joins: &mut Joins, dropped: &mut Dropped) {
        joins.forget(id);
        if let Some(entry) = self.take(id) {
            dropped.traces += 1;
            dropped.spans += entry.spans.len() as u64;
        }
    }

    /// Takes a trace out, with everything that is counted of it.
    fn take(&mut self, id: TraceId) -> Option<Entry<S>> {
        let entry = self.traces.remove(&id)?;
        self.ages.remove(&entry.age);
        self.bytes -= entry.bytes;
        self.spans -= entry.spans.len() as u64;
        for span in entry.spans.iter() {
            self.catalogue.remove(span.service(), span.name(), span.key().1);
        }
        Some(entry)
    }
}

impl<S: Form> Entry<S> {
    /// The span that is known by the same.
    fn find(&mut self, span: &S) -> Option<&mut S> {
        let key = span.key();
        let place = match self.spans.len() > LOOKED_THROUGH {
            true => self.places.get(&key).copied(),
            false => self.spans.iter().position(|known| known.key() == key),
        }?;
        Arc::make_mut(&mut self.spans).get_mut(place)
    }

    fn push(&mut self, span: S) {
        let spans = Arc::make_mut(&mut self.spans);
        spans.push(span);
        if spans.len() > LOOKED_THROUGH {
            // from the first one that is not in it
            let known = self.places.len();
            let unknown = spans.get(known..).unwrap_or_default();
            self.places.extend(unknown.iter().map(Form::key).zip(known..));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::store::suite::suite!(|bytes, age| Arc::new(Memory::new(Limits { bytes, age })) as Arc<dyn Store>);
}
