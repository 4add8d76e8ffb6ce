//! Spans as rows of a segment, collected column by column, and what they say for the row group's filter.
//!
//! What few spans say differently stands in a column once, as a word: so it is hashed once for the filter as well.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::io::Write;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otlp::model::{Kind, Outcome, Resource, Scalar, Scope, Span, Value};
use otlp::receive::{Packed, Said, Scanned};
use parquet::errors::Result;
use span::TraceId;

use super::chunks::{Chunks, Form};
use super::collect::{Blobs, Nesting, New, Words};
use super::entries::IdPlace;
use super::filter::Filter;
use super::json;
use super::schema::{DIFFERENT, DOUBLES, IN_MAP, INTS, TEXT_IN_MAP, TEXTS, UNSPECIFIED};
use super::tokens::{Tokens, hash};
use crate::hash::Mixed;
use crate::tags;

/// Traces with more spans have an index of them; in others a parent is looked for.
const LOOKED_THROUGH: usize = 32;

/// The column of a frequent attribute, by name.
static FREQUENT: LazyLock<HashMap<&str, u8>> = LazyLock::new(|| {
    let names = TEXTS.iter().chain(&INTS).chain(&DOUBLES);
    names.copied().zip(0..).collect()
});

/// Rows that are not written yet.
pub(super) struct Rows {
    count: usize,
    trace_id: Words,
    span_id: Blobs,
    parent_row: Words,
    other_parent_id: Blobs,
    service: Words,
    name: Words,
    kind: Words,
    start: Vec<i64>,
    duration: Vec<i64>,
    status: Words,
    status_message: Words,
    resource: Words,
    scope: Words,
    events: Blobs,
    links: Blobs,
    trace_state: Words,
    flags: Words,
    dropped: [Words; 3],
    shape: Words,
    texts: [Texts; TEXTS.len()],
    ints: [Words; INTS.len()],
    doubles: [Words; DOUBLES.len()],
    keys: Words,
    of_keys: Nesting,
    values: Blobs,
    of_values: Nesting,
    /// The attribute that stood in each place of the last span's list.
    attributes: Vec<Known>,
    new_shape: Vec<u8>,
    shared: HashMap<(*const Resource, *const Scope), Shared>,
    tokens: Tokens,
    /// Services, names and kinds that stand together in this row group, by the places of the words.
    named: HashSet<u64, BuildHasherDefault<Mixed>>,
    operations: BTreeSet<(String, String, Kind)>,
}

/// A column of texts.
enum Texts {
    /// Of which few are different.
    Words(Words),
    /// Of which most are.
    Blobs(Blobs),
}

/// An attribute's key.
struct Known {
    key: String,
    hash: u64,
    /// The column of its values, if it has one.
    column: Option<u8>,
}

/// What many spans have in common.
struct Shared {
    /// So that nothing else stands where they stand.
    _kept: (Arc<Resource>, Arc<Scope>),
    service: u32,
    resource: u32,
    scope: u32,
    /// The kinds and outcomes of spans of which one has said all that it says.
    said: u32,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            count: 0,
            trace_id: Words::default(),
            span_id: Blobs::default(),
            parent_row: Words::default(),
            other_parent_id: Blobs::default(),
            service: Words::default(),
            name: Words::default(),
            kind: Words::default(),
            start: Vec::new(),
            duration: Vec::new(),
            status: Words::default(),
            status_message: Words::default(),
            resource: Words::default(),
            scope: Words::default(),
            events: Blobs::default(),
            links: Blobs::default(),
            trace_state: Words::default(),
            flags: Words::default(),
            dropped: Default::default(),
            shape: Words::default(),
            texts: TEXTS.map(|name| match DIFFERENT.contains(&name) {
                true => Texts::Blobs(Blobs::default()),
                false => Texts::Words(Words::default()),
            }),
            ints: Default::default(),
            doubles: Default::default(),
            keys: Words::default(),
            of_keys: Nesting::default(),
            values: Blobs::default(),
            of_values: Nesting::default(),
            attributes: Vec::new(),
            new_shape: Vec::new(),
            shared: HashMap::new(),
            tokens: Tokens::default(),
            named: HashSet::default(),
            operations: BTreeSet::new(),
        }
    }
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// What the spans of all rows that were ever pushed are called.
    pub(super) fn operations(self) -> Vec<(String, String, Kind)> {
        self.operations.into_iter().collect()
    }

    /// All spans that are known of a trace, which reads as `id`. Where that stands among the different ids.
    pub(super) fn push(&mut self, id: TraceId, trace: &[Packed]) -> IdPlace {
        let known = self.trace_id.words().len();
        let mut spans: Vec<&Packed> = trace.iter().collect();
        spans.sort_unstable_by_key(|span| (span.start, span.span_id, span.kind));
        let mut places = HashMap::new();
        if spans.len() > LOOKED_THROUGH {
            places.extend(spans.iter().map(|span| span.span_id).zip(0..));
        }
        for (place, span) in spans.iter().enumerate() {
            let scanned = span.scan();
            let parent = scanned.parent_id();
            let row = parent.and_then(|id| match spans.len() > LOOKED_THROUGH {
                true => places.get(&id).copied(),
                false => spans.iter().position(|span| span.span_id == id),
            });
            match (row, parent) {
                (Some(parent), _) => {
                    let distance = parent as i64 - place as i64;
                    self.parent_row.put(self.count, &distance.to_le_bytes());
                }
                (None, Some(parent)) => self.other_parent_id.put(self.count, parent.as_bytes()),
                (None, None) => {}
            }
            self.span(span, &scanned);
        }
        let ids = self.trace_id.words();
        let place = ids.iter(known..ids.len()).position(|new| new == id.as_bytes());
        IdPlace {
            new: (ids.len() - known) as u32,
            place: place.map(|place| place as u32),
        }
    }

    fn span(&mut self, span: &Packed, scanned: &Scanned<'_>) {
        let row = self.count;
        self.count += 1;
        self.trace_id.push(scanned.trace_id);
        self.span_id.push(scanned.span_id);
        let (outcome, message) = scanned.status;
        let whole = self.shared(span, outcome, scanned.has_more());
        if let Some(New(name)) = self.name.push(scanned.name.as_bytes()) {
            self.tokens.name(name);
        }
        let named =
            u64::from(self.service.last()) << 32 | u64::from(self.name.last()) << 8 | span.kind as u64;
        if self.named.insert(named) {
            let operation = (span.service().to_owned(), scanned.name.to_owned(), span.kind);
            self.operations.insert(operation);
        }
        self.kind
            .push(tags::kind_name(span.kind).unwrap_or(UNSPECIFIED).as_bytes());
        self.start.push(span.start.cast_signed());
        self.duration
            .push(span.end.wrapping_sub(span.start).cast_signed());
        self.status.push(outcome.name().as_bytes());
        if outcome == Outcome::Error
            && let Some(New(message)) = self.status_message.put(row, message.as_bytes())
        {
            self.tokens.key_and_value(tags::STATUS_DESCRIPTION, message);
        }
        if let Some(whole) = &whole {
            self.more(row, whole);
        }
        if !scanned.trace_state.is_empty()
            && let Some(New(state)) = self.trace_state.put(row, scanned.trace_state.as_bytes())
        {
            self.tokens.key_and_value(tags::TRACE_STATE, state);
        }
        self.flags.push(&i64::from(scanned.flags).to_le_bytes());
        let dropped = scanned.dropped();
        let dropped = [dropped.attributes, dropped.events, dropped.links];
        for (column, count) in self.dropped.iter_mut().zip(dropped) {
            column.push(&i64::from(count).to_le_bytes());
        }
        self.attributes(row, scanned);
    }

    /// What the span shares with others. If none of them has said it yet, or if it says more, the whole span.
    fn shared(&mut self, span: &Packed, outcome: Outcome, has_more: bool) -> Option<Span> {
        let key = (Arc::as_ptr(&span.resource), Arc::as_ptr(&span.scope));
        let shared = self.shared.entry(key).or_insert_with(|| {
            self.service.push(span.service().as_bytes());
            let resource = json::attributes(&span.resource.attributes).to_string();
            self.resource.push(resource.as_bytes());
            self.scope.push(json::scope(&span.scope).to_string().as_bytes());
            let columns = [&mut self.service, &mut self.resource, &mut self.scope];
            let [service, resource, scope] = columns.map(Words::take_back);
            Shared {
                _kept: (Arc::clone(&span.resource), Arc::clone(&span.scope)),
                service,
                resource,
                scope,
                said: 0,
            }
        });
        self.service.again(shared.service);
        self.resource.again(shared.resource);
        self.scope.again(shared.scope);
        let said = 1 << (span.kind as u32 * 4 + outcome as u32);
        let first = shared.said & said == 0;
        shared.said |= said;
        if !first && !has_more {
            return None;
        }
        let whole = span.unpack();
        self.tokens.span(&whole);
        Some(whole)
    }

    fn more(&mut self, row: usize, span: &Span) {
        if !span.events.is_empty() {
            let events = json::events(&span.events).to_string();
            self.events.put(row, events.as_bytes());
        }
        if !span.links.is_empty() {
            let links = json::links(&span.links).to_string();
            self.links.put(row, links.as_bytes());
        }
    }

    fn attributes(&mut self, row: usize, scanned: &Scanned<'_>) {
        self.new_shape.clear();
        let mut first = true;
        for (place, (key, said)) in scanned.attributes.iter().enumerate() {
            let (column, key_hash) = self.known(place, key);
            if let Some(column) = column.filter(|column| self.put(row, *column, key_hash, said)) {
                self.new_shape.push(column);
                continue;
            }
            let (tag, text) = match said {
                Said::Scalar(Scalar::Text(text)) => {
                    self.tokens.pair(key_hash, hash(text.as_bytes()));
                    (TEXT_IN_MAP, Some(Cow::Borrowed(*text)))
                }
                said => {
                    let value = said.to_value();
                    self.tokens.pair(key_hash, hash(tags::text(&value).as_bytes()));
                    map_value(&value)
                }
            };
            self.new_shape.push(IN_MAP + tag);
            self.keys.push(key.as_bytes());
            self.of_keys.item(first, 2);
            self.of_values.item(first, 2 + u8::from(text.is_some()));
            if let Some(text) = text {
                self.values.push(text.as_bytes());
            }
            first = false;
        }
        if first {
            self.of_keys.empty();
            self.of_values.empty();
        }
        self.shape.push(&self.new_shape);
    }

    /// The column of an attribute of that name, if it has one, and the name's hash. Spans tend to say the same things in
    /// the same order, so what stood at that place of the list for the last span is looked at first.
    fn known(&mut self, place: usize, key: &str) -> (Option<u8>, u64) {
        if let Some(known) = self.attributes.get(place)
            && known.key == key
        {
            return (known.column, known.hash);
        }
        let known = Known {
            key: key.to_owned(),
            hash: hash(key.as_bytes()),
            column: FREQUENT.get(key).copied(),
        };
        let found = (known.column, known.hash);
        self.tokens.key(known.hash);
        match self.attributes.get_mut(place) {
            Some(before) => *before = known,
            None => self.attributes.push(known),
        }
        found
    }

    /// Puts a value into its column. `false` if it does not go there: it is of another type, or the second one.
    fn put(&mut self, row: usize, column: u8, key: u64, said: &Said<'_>) -> bool {
        let place = usize::from(column);
        let new = match said {
            Said::Scalar(Scalar::Text(text)) => match self.texts.get_mut(place) {
                Some(Texts::Words(words)) if !words.has(row) => {
                    words.put(row, text.as_bytes()).map(|New(hash)| hash)
                }
                Some(Texts::Blobs(blobs)) if !blobs.has(row) => {
                    blobs.put(row, text.as_bytes());
                    Some(hash(text.as_bytes()))
                }
                _ => return false,
            },
            Said::Scalar(Scalar::Int(number)) => {
                let words = self.ints.get_mut(place.wrapping_sub(TEXTS.len()));
                let Some(words) = words.filter(|words| !words.has(row)) else {
                    return false;
                };
                let new = words.put(row, &number.to_le_bytes());
                new.map(|_| hash(number.to_string().as_bytes()))
            }
            Said::Scalar(Scalar::Double(number)) => {
                let place = place.wrapping_sub(TEXTS.len() + INTS.len());
                let Some(words) = self.doubles.get_mut(place).filter(|words| !words.has(row)) else {
                    return false;
                };
                let new = words.put(row, &number.to_le_bytes());
                new.map(|_| hash(number.to_string().as_bytes()))
            }
            _ => return false,
        };
        if let Some(value) = new {
            self.tokens.pair(key, value);
        }
        true
    }

    /// Writes all of them as a row group, and makes a filter of what they say; none are left.
    pub(super) fn write<W: Write + Send>(&mut self, mut chunks: Chunks<'_, '_, W>) -> Result<Filter> {
        chunks.ids(&mut self.trace_id)?;
        chunks.blobs(&mut self.span_id, Form::Fixed)?;
        chunks.words(&mut self.parent_row, Form::Fixed)?;
        chunks.blobs(&mut self.other_parent_id, Form::Fixed)?;
        chunks.words_with_statistics(&mut self.service)?;
        chunks.words(&mut self.name, Form::Plain)?;
        chunks.words(&mut self.kind, Form::Plain)?;
        chunks.numbers(&mut self.start, true)?;
        chunks.numbers(&mut self.duration, false)?;
        chunks.words(&mut self.status, Form::Plain)?;
        chunks.words(&mut self.status_message, Form::Plain)?;
        chunks.words(&mut self.resource, Form::Plain)?;
        chunks.words(&mut self.scope, Form::Plain)?;
        chunks.blobs(&mut self.events, Form::Plain)?;
        chunks.blobs(&mut self.links, Form::Plain)?;
        chunks.words(&mut self.trace_state, Form::Plain)?;
        chunks.words(&mut self.flags, Form::Fixed)?;
        for column in &mut self.dropped {
            chunks.words(column, Form::Fixed)?;
        }
        chunks.words(&mut self.shape, Form::Plain)?;
        for column in &mut self.texts {
            match column {
                Texts::Words(words) => chunks.words(words, Form::Plain)?,
                Texts::Blobs(blobs) => chunks.blobs(blobs, Form::Plain)?,
            }
        }
        for column in self.ints.iter_mut().chain(&mut self.doubles) {
            chunks.words(column, Form::Fixed)?;
        }
        chunks.map(
            (&mut self.keys, &mut self.of_keys),
            (&mut self.values, &mut self.of_values),
        )?;
        self.count = 0;
        self.shared.clear();
        self.named.clear();
        self.attributes.clear();
        Ok(self.tokens.filter())
    }
}

/// A value as the map has it, with the number of its type.
fn map_value(value: &Value) -> (u8, Option<Cow<'static, str>>) {
    match value {
        Value::Empty => (0, None),
        Value::String(text) => (TEXT_IN_MAP, Some(text.clone().into())),
        Value::Bool(flag) => (2, Some(flag.to_string().into())),
        Value::Int(number) => (3, Some(number.to_string().into())),
        Value::Double(number) => (4, Some(number.to_string().into())),
        Value::Bytes(bytes) => (5, Some(STANDARD.encode(bytes).into())),
        Value::Array(_) | Value::Map(_) => (6, Some(json::value(value).to_string().into())),
    }
}

#[cfg(test)]
mod tests {
    use otlp::model::Span;
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::any_spans;
    use crate::query::{Condition, Query};
    use crate::store::durable::segment::tokens::of_query;

    proptest! {
        #[test]
        fn a_span_says_everything_that_a_search_which_it_matches_asks_for(spans in any_spans()) {
            for span in &spans {
                // what it has in common with another one is there already
                let other = Span { attributes: Vec::new(), ..span.clone() };
                let mut rows = Rows::default();
                rows.push(span.trace_id, &[Packed::from(&other)]);
                rows.push(span.trace_id, &[Packed::from(span)]);
                let said = span.attributes.iter().chain(&span.resource.attributes);
                let conditions = said.map(|attribute| Condition::equals(&*attribute.key, tags::text(&attribute.value)));
                let query = Query {
                    service: Some(span.service().to_owned()),
                    operation: Some(span.name.clone()),
                    kind: Some(span.kind),
                    status: Some(Outcome::of(&span.status)),
                    conditions: conditions.collect(),
                    ..Query::default()
                };
                prop_assert!(query.matches(span));
                prop_assert!(of_query(&query).into_iter().all(|token| rows.tokens.have(token)));
            }
        }
    }
}
