//! Searching everything that is kept, exactly, and reading little of it.
//!
//! Each trace has a bound: the best place in the order that it can have, as its index entries say. Candidates are
//! verified from the best bound on, by reading their spans, until as many as were asked for stand before every bound
//! that is left. Entries and filters say of most traces that they cannot match; they are no candidates.
//!
//! Where attributes are asked for, the columns in which they would stand are read before any span of a row group is. A
//! row group of which many traces have been verified in vain is read whole, once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, hash_map};
use std::sync::Arc;

use otlp::model::Span;
use otlp::receive::Packed;
use span::TraceId;

use super::segment::{Entry, Segment, of_query, of_trace};
use super::view::{Bad, View};
use crate::hash::Seeded;
use crate::query::{Order, Outcome, Place, Query, Summary, all_ids};

/// Candidates that are remembered at first. When none of them is left and more are wanted, more are, and everything is looked
/// at again: so many that it hardly ever is, even where filters take a row group in a hundred for one that may match.
const CANDIDATES: usize = 1 << 15;
/// A row group is read whole when so many of its traces have been read by themselves.
const TOUCHES: u32 = 8;

/// The traces that match, in order, as [`crate::store::Store::search`] promises.
pub(crate) fn search(view: &View, query: &Query) -> Result<Vec<Summary>, Bad> {
    let mut room = CANDIDATES;
    let found = loop {
        let mut search = Search::new(view, query);
        let more = search.collect(room)?;
        let full = search.verify()?;
        if full || !more {
            break search.found;
        }
        room = room.saturating_mul(8);
    };
    view.trim();
    let summaries = found.into_iter();
    Ok(summaries
        .filter_map(|(place, spans)| query.summary(place.trace_id, &spans))
        .collect())
}

struct Search<'a> {
    view: &'a View,
    query: &'a Query,
    /// Where spans of traces stand that stand in more than one place.
    heads: HashMap<TraceId, Extent, Seeded>,
    singles: BinaryHeap<Reverse<Candidate>>,
    several: HashMap<TraceId, Extent, Seeded>,
    found: BTreeMap<Place, Vec<Arc<Span>>>,
    touches: HashMap<(usize, u32), u32>,
    /// Which row groups of a segment may have a span that matches.
    groups: HashMap<usize, Vec<bool>>,
    /// Which rows of a row group may hold what the conditions want.
    saying: HashMap<(usize, u32), Vec<bool>>,
}

/// A trace that may match. The greater one comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    bound: u64,
    id: Reverse<TraceId>,
    /// The segment in which all of it is, if it is one.
    segment: Option<usize>,
    entry: usize,
}

/// What is known of a trace without reading it.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    start: u64,
    end: u64,
    longest: u64,
    spans: u64,
    errors: u64,
    /// Whether some span of it may match.
    candidate: bool,
}

impl Extent {
    fn of_entry(entry: &Entry, candidate: bool) -> Self {
        Self {
            start: entry.start,
            end: entry.end,
            longest: entry.longest,
            spans: entry.rows.into(),
            errors: entry.errors.into(),
            candidate,
        }
    }

    fn of_spans(spans: &[Packed], candidate: bool) -> Self {
        Self {
            start: spans.iter().map(|span| span.start).min().unwrap_or(0),
            end: spans.iter().map(|span| span.end).max().unwrap_or(0),
            longest: spans.iter().map(Packed::duration).max().unwrap_or(0),
            spans: spans.len() as u64,
            errors: spans.iter().filter(|span| span.is_error).count() as u64,
            candidate,
        }
    }

    fn with(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
            longest: self.longest.max(other.longest),
            spans: self.spans + other.spans,
            errors: self.errors + other.errors,
            candidate: self.candidate || other.candidate,
        }
    }

    fn bound(&self, order: Order) -> u64 {
        match order {
            Order::Time => self.start,
            Order::Duration => self.end.saturating_sub(self.start),
            Order::SpanDuration => self.longest,
            Order::Errors => self.errors,
            Order::Spans => self.spans,
        }
    }
}

impl<'a> Search<'a> {
    fn new(view: &'a View, query: &'a Query) -> Self {
        Self {
            view,
            query,
            heads: HashMap::default(),
            singles: BinaryHeap::new(),
            several: HashMap::default(),
            found: BTreeMap::new(),
            touches: HashMap::new(),
            groups: HashMap::new(),
            saying: HashMap::new(),
        }
    }

    /// Finds candidates, the best `room` of those that stand in one place. Whether there are more.
    fn collect(&mut self, room: usize) -> Result<bool, Bad> {
        self.collect_heads();
        let mut more = false;
        let mut skipped = Vec::new();
        for (number, segment) in self.view.segments.iter().enumerate() {
            match self.groups(segment)? {
                Some(groups) => {
                    more |= self.collect_segment(number, segment, &groups, room)?;
                    self.groups.insert(number, groups);
                }
                None => skipped.push(segment),
            }
        }
        self.complete(&skipped)?;
        Ok(more)
    }

    fn collect_heads(&mut self) {
        for head in self.view.heads() {
            for (id, spans) in head.snapshot() {
                let candidate = spans.iter().any(|span| self.query.may_match(span));
                let extent = Extent::of_spans(&spans, candidate);
                let id = self.view.joins().resolve(id);
                let known = self.heads.get(&id).map_or(extent, |known| known.with(extent));
                self.heads.insert(id, known);
            }
        }
        self.several.extend(&self.heads);
    }

    /// Which row groups may have a span that matches; `None` if none can.
    fn groups(&self, segment: &Segment) -> Result<Option<Vec<bool>>, Bad> {
        let (wanted, have) = (&self.query.start, &segment.head.start);
        if wanted.start() > have.end() || wanted.end() < have.start() {
            return Ok(None);
        }
        let tokens = of_query(self.query);
        let may_have = |group| segment.group_may_have(group, &tokens);
        let groups: Result<Vec<bool>, _> = (0..segment.head.groups.len()).map(may_have).collect();
        let groups = groups.map_err(|trouble| Bad {
            number: segment.number,
            trouble,
        })?;
        Ok(groups.contains(&true).then_some(groups))
    }

    fn collect_segment(
        &mut self,
        number: usize,
        segment: &Segment,
        groups: &[bool],
        room: usize,
    ) -> Result<bool, Bad> {
        let loaded = segment.load().map_err(|trouble| Bad {
            number: segment.number,
            trouble,
        })?;
        let view = self.view;
        let joins = view.joins();
        let mut more = false;
        for (place, entry) in loaded.entries.iter().enumerate() {
            let candidate =
                groups.get(entry.group as usize).is_some_and(|group| *group) && self.may_match(entry);
            let joined = joins.is_joined(entry.id);
            let id = if joined { joins.resolve(entry.id) } else { entry.id };
            if joined || view.split.contains(&id) || self.heads.contains_key(&id) {
                let extent = Extent::of_entry(entry, candidate);
                let known = self.several.get(&id).map_or(extent, |known| known.with(extent));
                self.several.insert(id, known);
            } else if candidate && self.fits(entry) {
                let candidate = Candidate {
                    bound: Extent::of_entry(entry, true).bound(self.query.order),
                    id: Reverse(id),
                    segment: Some(number),
                    entry: place,
                };
                if self.singles.len() < room {
                    self.singles.push(Reverse(candidate));
                } else {
                    more = true;
                    // most are worse than the worst that is remembered
                    if let Some(mut worst) = self.singles.peek_mut()
                        && worst.0 < candidate
                    {
                        worst.0 = candidate;
                    }
                }
            }
        }
        Ok(more)
    }

    /// Whether a span of these may match.
    fn may_match(&self, entry: &Entry) -> bool {
        let query = self.query;
        entry.start <= *query.start.end()
            && entry.last >= *query.start.start()
            && entry.longest >= *query.duration.start()
            && (query.status != Some(Outcome::Error) || entry.errors > 0)
    }

    /// Whether a trace that is all there may match as a whole.
    fn fits(&self, entry: &Entry) -> bool {
        let query = self.query;
        let measure = Extent::of_entry(entry, true).bound(query.order);
        // the longest span may not be one that matches
        let behind = query.after.is_none_or(|after| match query.order {
            Order::SpanDuration => true,
            _ => {
                after
                    < Place {
                        measure,
                        trace_id: entry.id,
                    }
            }
        });
        behind
            && query
                .trace_duration
                .contains(&entry.end.saturating_sub(entry.start))
            && query.ids.contains(&entry.id)
    }

    /// Adds to the traces that stand in several places what segments have of them in which nothing else may match.
    fn complete(&mut self, skipped: &[&Arc<Segment>]) -> Result<(), Bad> {
        let (view, ids) = (self.view, &self.query.ids);
        let any = *ids == all_ids();
        let named = |whole| any || view.ids(whole).iter().any(|id| ids.contains(id));
        self.several
            .retain(|whole, extent| extent.candidate && named(*whole));
        for (whole, extent) in &mut self.several {
            for id in if skipped.is_empty() {
                Vec::new()
            } else {
                view.ids(*whole)
            } {
                let token = of_trace(id);
                for segment in skipped.iter().filter(|segment| segment.may_have(token)) {
                    let entry = segment.find(id).map_err(|trouble| Bad {
                        number: segment.number,
                        trouble,
                    })?;
                    if let Some(entry) = entry {
                        *extent = extent.with(Extent::of_entry(&entry, true));
                    }
                }
            }
        }
        Ok(())
    }

    /// Verifies candidates, the best first. Whether as many were found as were asked for.
    fn verify(&mut self) -> Result<bool, Bad> {
        let order = self.query.order;
        let several = self.several.iter().map(|(id, extent)| Candidate {
            bound: extent.bound(order),
            id: Reverse(*id),
            segment: None,
            entry: 0,
        });
        let singles = std::mem::take(&mut self.singles);
        let singles = singles.into_iter().map(|Reverse(single)| single);
        // of very many, a few are looked at
        let mut candidates: BinaryHeap<_> = singles.chain(several).collect();
        let mut whole: HashSet<(usize, u32)> = HashSet::new();
        while let Some(candidate) = candidates.pop() {
            // no candidate that is left can stand before this place
            let best = Place {
                measure: candidate.bound,
                trace_id: candidate.id.0,
            };
            if self.is_full(best) {
                return Ok(true);
            }
            let Some(number) = candidate.segment else {
                if self.may_say_somewhere(candidate.id.0)? {
                    let spans = self.view.spans(candidate.id.0)?;
                    self.consider(candidate.id.0, spans);
                }
                continue;
            };
            let Some(segment) = self.view.segments.get(number) else {
                continue;
            };
            let bad = |trouble| Bad {
                number: segment.number,
                trouble,
            };
            let loaded = segment.load().map_err(bad)?;
            let Some(entry) = loaded.entries.get(candidate.entry) else {
                continue;
            };
            let group = (number, entry.group);
            if whole.contains(&group) {
                continue;
            }
            if !self.may_say(number, segment, entry)? {
                continue;
            }
            let touches = self.touches.entry(group).or_default();
            *touches += 1;
            if *touches <= TOUCHES {
                let spans = self.view.recent.spans(segment, entry).map_err(bad)?;
                self.consider(entry.id, in_order(spans.to_vec()));
                continue;
            }
            whole.insert(group);
            let spans = segment.all_spans(entry.group as usize).map_err(bad)?;
            let spans: Vec<_> = spans.into_iter().map(Arc::new).collect();
            for entry in loaded.entries.iter().filter(|entry| entry.group == group.1) {
                let single = !self.several.contains_key(&entry.id) && !self.is_elsewhere(entry.id);
                let rows = spans.get(entry.row as usize..entry.end_row());
                if let Some(rows) = rows.filter(|_| single && self.may_match(entry) && self.fits(entry)) {
                    self.consider(entry.id, in_order(rows.to_vec()));
                }
            }
        }
        Ok(self.found.len() >= self.query.limit)
    }

    /// Whether a span of this entry may say what the conditions want, by the columns in which it would stand.
    fn may_say(&mut self, number: usize, segment: &Segment, entry: &Entry) -> Result<bool, Bad> {
        let conditions = &self.query.conditions;
        if conditions.is_empty() {
            return Ok(true);
        }
        let saying = match self.saying.entry((number, entry.group)) {
            hash_map::Entry::Occupied(known) => known.into_mut(),
            hash_map::Entry::Vacant(new) => {
                let saying = segment.saying(entry.group as usize, conditions);
                new.insert(saying.map_err(|trouble| Bad {
                    number: segment.number,
                    trouble,
                })?)
            }
        };
        let rows = saying.get(entry.row as usize..entry.end_row());
        Ok(rows.is_none_or(|rows| rows.contains(&true)))
    }

    /// The same of a trace that stands in several places.
    fn may_say_somewhere(&mut self, whole: TraceId) -> Result<bool, Bad> {
        let in_head = self.heads.get(&whole).is_some_and(|extent| extent.candidate);
        if in_head || self.query.conditions.is_empty() {
            return Ok(true);
        }
        let view = self.view;
        for id in view.ids(whole) {
            for (number, segment) in view.segments.iter().enumerate() {
                let Some(groups) = self.groups.get(&number) else {
                    continue;
                };
                let found = segment.find(id).map_err(|trouble| Bad {
                    number: segment.number,
                    trouble,
                })?;
                if let Some(entry) = found.filter(|entry| groups.get(entry.group as usize) == Some(&true))
                    && self.may_say(number, segment, &entry)?
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a trace has spans in another place than its entry.
    fn is_elsewhere(&self, id: TraceId) -> bool {
        self.view.split.contains(&id) || self.heads.contains_key(&id) || self.view.joins().is_joined(id)
    }

    /// Whether what stands at `place` or behind it is not wanted any more.
    fn is_full(&self, place: Place) -> bool {
        let last = self.found.last_key_value();
        self.query.limit == 0
            || self.found.len() >= self.query.limit && last.is_some_and(|(last, _)| *last < place)
    }

    fn consider(&mut self, id: TraceId, spans: Vec<Arc<Span>>) {
        if let Some(place) = self.query.place(id, &spans) {
            self.found.insert(place, spans);
            if self.found.len() > self.query.limit {
                self.found.pop_last();
            }
        }
    }
}

fn in_order(mut spans: Vec<Arc<Span>>) -> Vec<Arc<Span>> {
    spans.sort_unstable_by_key(|span| (span.start, span.span_id, span.kind));
    spans
}
