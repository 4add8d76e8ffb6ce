//! What a span says, each in 8 bytes: what a filter is made of, and what a search asks it for.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use otlp::model::{Span, Value};
use span::TraceId;
use twox_hash::XxHash3_64;

use super::filter::Filter;
use crate::hash::Mixed;
use crate::query::{Condition, Outcome, Query, Test};
use crate::tags;

/// What a filter knows things by: the same in every version, because filters are files.
pub(crate) type Token = u64;

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

/// What keys and values are known by.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

fn token(kind: u8, key: &[u8], value: &[u8]) -> Token {
    of_hashes(kind, hash(key), hash(value))
}

fn of_hashes(kind: u8, key: u64, value: u64) -> Token {
    let mut parts = [kind; 17];
    let hashes = [key, value];
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
    for attribute in tags::attributes(span) {
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
pub(super) struct Tokens(HashSet<Token, BuildHasherDefault<Mixed>>);

impl Tokens {
    /// Everything that a span says.
    pub(super) fn span(&mut self, span: &Span) {
        of_span(span, |token| {
            self.0.insert(token);
        });
    }

    /// A span's name, by its hash.
    pub(super) fn name(&mut self, name: u64) {
        self.0.insert(of_hashes(NAME, name, hash(b"")));
    }

    /// An attribute's key, by its hash.
    pub(super) fn key(&mut self, key: u64) {
        self.0.insert(of_hashes(KEY, key, hash(b"")));
    }

    /// A value under a key, by their hashes: that of the value's text.
    pub(super) fn pair(&mut self, key: u64, value: u64) {
        self.0.insert(of_hashes(PAIR, key, value));
    }

    /// A value under a key that is not known by its hash.
    pub(super) fn key_and_value(&mut self, key: &str, value: u64) {
        self.key(hash(key.as_bytes()));
        self.pair(hash(key.as_bytes()), value);
    }

    /// Whether a token is one of them.
    #[cfg(test)]
    pub(super) fn have(&self, token: Token) -> bool {
        self.0.contains(&token)
    }

    /// A filter of them; none are left.
    pub(super) fn filter(&mut self) -> Filter {
        Filter::new(&self.0.drain().collect::<Vec<_>>())
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
