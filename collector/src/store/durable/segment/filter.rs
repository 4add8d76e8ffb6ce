//! A Bloom filter: says of a thing either that it may be there, or that it is not.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use otlp::model::{Kind, Resource, Scope, Span, Value};
use otlp::receive::{Packed, Scanned};
use span::TraceId;
use twox_hash::XxHash3_64;

use crate::query::{Condition, Outcome, Query, Test};
use crate::tags;

/// Bits for each thing, and how many of them it sets: one thing in about 120 is taken for one that is there. A filter is a
/// sixth of what a span takes on disk, and what is wrongly read is the columns of one row group.
const BITS: usize = 10;
const PROBES: u64 = 8;

/// What a filter knows things by: the same in every version, because filters are files.
pub(crate) type Token = u64;

/// A filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter(pub(crate) Vec<u8>);

impl Filter {
    pub(crate) fn new(tokens: &[Token]) -> Self {
        let mut filter = Self(vec![0; (tokens.len() * BITS).div_ceil(8).max(8)]);
        for token in tokens {
            for probe in probes(*token, filter.bits()) {
                if let Some(byte) = filter.0.get_mut(probe / 8) {
                    *byte |= 1 << (probe % 8);
                }
            }
        }
        filter
    }

    pub(crate) fn may_have(&self, token: Token) -> bool {
        may_have(&self.0, token)
    }

    fn bits(&self) -> u64 {
        self.0.len() as u64 * 8
    }
}

/// What [`Filter::may_have`] says, of the filter's bytes.
pub(crate) fn may_have(filter: &[u8], token: Token) -> bool {
    let set = |probe: usize| {
        filter
            .get(probe / 8)
            .is_none_or(|byte| byte & (1 << (probe % 8)) != 0)
    };
    probes(token, filter.len() as u64 * 8).all(set)
}

/// Kirsch and Mitzenmacher, "Less hashing, same performance": two hashes make all of them.
fn probes(token: Token, bits: u64) -> impl Iterator<Item = usize> {
    let step = token.rotate_left(32) | 1;
    (0..PROBES).map(move |probe| {
        let mixed = token.wrapping_add(probe.wrapping_mul(step));
        ((u128::from(mixed) * u128::from(bits)) >> 64) as usize
    })
}

pub(crate) fn of_trace(id: TraceId) -> Token {
    XxHash3_64::oneshot(id.as_bytes())
}

/// Kinds of tokens. Written into files: never change one.
const SERVICE: u8 = 1;
const NAME: u8 = 2;
const KIND: u8 = 3;
const STATUS: u8 = 4;
const KEY: u8 = 5;
const PAIR: u8 = 6;

fn token(kind: u8, key: &[u8], value: &[u8]) -> Token {
    let mut parts = [kind; 17];
    let hashes = [XxHash3_64::oneshot(key), XxHash3_64::oneshot(value)];
    for (place, byte) in parts
        .iter_mut()
        .zip(hashes.iter().flat_map(|hash| hash.to_le_bytes()))
    {
        *place = byte;
    }
    XxHash3_64::oneshot(&parts)
}

/// Everything that a search may want of a span.
fn of_span(span: &Span, mut add: impl FnMut(Token)) {
    add(token(SERVICE, span.service().as_bytes(), b""));
    add(token(NAME, span.name.as_bytes(), b""));
    add(token(KIND, &[span.kind as u8], b""));
    add(token(STATUS, &[Outcome::of(&span.status) as u8], b""));
    let own = [
        &span.attributes,
        &span.resource.attributes,
        &span.scope.attributes,
    ];
    let events = span.events.iter().map(|event| &event.attributes);
    let links = span.links.iter().map(|link| &link.attributes);
    for attribute in own.into_iter().chain(events).chain(links).flatten() {
        of_pair(&attribute.key, &attribute.value, &mut add);
    }
    for event in &span.events {
        of_pair("event", &Value::String(event.name.clone()), &mut add);
    }
    for (key, value) in tags::derived(span) {
        of_pair(key, &value, &mut add);
    }
}

fn of_pair(key: &str, value: &Value, add: &mut impl FnMut(Token)) {
    add(token(KEY, key.as_bytes(), b""));
    add(token(PAIR, key.as_bytes(), tags::text(value).as_bytes()));
}

/// The tokens of many spans.
#[derive(Default)]
pub(crate) struct Tokens {
    tokens: HashSet<Token, BuildHasherDefault<AsItIs>>,
    /// What spans have in common of which one has been added with all that it says. Whoever adds spans keeps them for as
    /// long.
    common: HashSet<Common>,
    /// What the last span said in each place of its list.
    last: Vec<(String, Value)>,
}

/// What many spans have in common.
type Common = (*const Resource, *const Scope, Kind, Outcome);

impl Tokens {
    pub(crate) fn add(&mut self, span: &Packed, scanned: &Scanned<'_>) {
        let tokens = &mut self.tokens;
        let mut add = |token| {
            tokens.insert(token);
        };
        let (outcome, message) = scanned.status;
        let common = (
            Arc::as_ptr(&span.resource),
            Arc::as_ptr(&span.scope),
            span.kind,
            outcome,
        );
        if self.common.insert(common) || scanned.has_more() {
            of_span(&span.unpack(), add);
            return;
        }
        add(token(NAME, scanned.name.as_bytes(), b""));
        for (key, text) in [
            (tags::STATUS_DESCRIPTION, message),
            (tags::TRACE_STATE, scanned.trace_state),
        ] {
            if !text.is_empty() {
                add(token(KEY, key.as_bytes(), b""));
                add(token(PAIR, key.as_bytes(), text.as_bytes()));
            }
        }
        if self.last.len() < scanned.attributes.len() {
            self.last
                .resize(scanned.attributes.len(), (String::new(), Value::Empty));
        }
        for ((key, said), (last_key, last)) in scanned.attributes.iter().zip(&mut self.last) {
            let same = key == last_key;
            if same && said == last {
                continue;
            }
            if !same {
                add(token(KEY, key.as_bytes(), b""));
                last_key.replace_range(.., key);
            }
            said.write_to(last);
            add(token(PAIR, key.as_bytes(), tags::text(last).as_bytes()));
        }
    }

    /// A filter of them; none are left.
    pub(crate) fn filter(&mut self) -> Filter {
        self.common.clear();
        self.last.clear();
        Filter::new(&self.tokens.drain().collect::<Vec<_>>())
    }
}

/// Hashes a token by itself: it is a hash.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = XxHash3_64::oneshot(bytes);
    }

    fn write_u64(&mut self, token: u64) {
        self.0 = token;
    }
}

/// What a span has to have so that it can match: all of these.
pub(crate) fn of_query(query: &Query) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut add = |kind, key: &[u8], value: &[u8]| tokens.push(token(kind, key, value));
    if let Some(service) = &query.service {
        add(SERVICE, service.as_bytes(), b"");
    }
    if let Some(name) = &query.operation {
        add(NAME, name.as_bytes(), b"");
    }
    if let Some(kind) = query.kind {
        add(KIND, &[kind as u8], b"");
    }
    if let Some(status) = query.status {
        add(STATUS, &[status as u8], b"");
    }
    if let Some(link) = query.link {
        add(
            PAIR,
            crate::analysis::link::KIND.as_bytes(),
            link.name().as_bytes(),
        );
    }
    for Condition { key, test } in &query.conditions {
        match test {
            Test::Equals(value) => add(PAIR, key.as_bytes(), value.as_bytes()),
            Test::Exists | Test::Compares(..) => add(KEY, key.as_bytes(), b""),
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::any_spans;

    proptest! {
        #[test]
        fn what_was_put_in_may_be_there(tokens in proptest::collection::vec(any::<u64>(), 0..500)) {
            let filter = Filter::new(&tokens);
            prop_assert!(tokens.iter().all(|token| filter.may_have(*token)));
        }

        #[test]
        fn a_span_has_every_token_of_a_search_that_it_matches(spans in any_spans()) {
            for span in &spans {
                // what it has in common with another one is there already
                let other = Span { attributes: Vec::new(), ..span.clone() };
                let (packed, other) = (Packed::from(span), Packed::from(&other));
                let mut tokens = Tokens::default();
                tokens.add(&other, &other.scan());
                tokens.add(&packed, &packed.scan());
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
                prop_assert!(of_query(&query).iter().all(|token| tokens.tokens.contains(token)));
            }
        }
    }

    #[test]
    fn few_things_that_were_not_put_in_may_be_there() {
        let id = |number: u64| XxHash3_64::oneshot(&number.to_le_bytes());
        let filter = Filter::new(&(0..10_000).map(id).collect::<Vec<_>>());
        let wrong = (10_000..110_000)
            .filter(|number| filter.may_have(id(*number)))
            .count();
        assert!(wrong < 1_200, "{wrong} of 100,000");
    }
}
