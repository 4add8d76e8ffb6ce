//! The values that a message carries and another may carry on, as keyed hashes: what of a request turns up again in the
//! calls that it causes.
//!
//! Nothing is kept that could be read back, credentials among it: the key is random, made by this process, and leaves it
//! never.

use std::hash::{BuildHasher, RandomState};

use arrayvec::ArrayVec;
use causality::{TOKENS_MAX, Token};
use span::Field;

use super::redact::Target;

/// Longer values are not looked at: they are documents, not names.
const VALUE_BYTES_MAX: usize = 512;

/// Headers that say nothing about what a request is for, only how it is sent: many requests have the same. Sorted.
const COMMON: [&str; 38] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "age",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "date",
    "dnt",
    "expect",
    "expires",
    "forwarded",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-timeout",
    "host",
    "keep-alive",
    "last-modified",
    "origin",
    "pragma",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
];

/// The values of one message.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    list: ArrayVec<Token, TOKENS_MAX>,
    more: bool,
}

impl Tokens {
    /// Those of a request: the segments of its path, the arguments of its query, its headers, its cookies.
    pub(super) fn of_request(key: &RandomState, target: &Target<'_>, fields: &[Field<'_>]) -> Self {
        let mut tokens = Self::default();
        tokens.take_target(key, target);
        tokens.take_fields(key, fields);
        tokens
    }

    /// Those of a response: its headers, and what it refers to.
    pub(super) fn of_response(key: &RandomState, fields: &[Field<'_>]) -> Self {
        let mut tokens = Self::default();
        for field in fields {
            if field.is("location") || field.is("content-location") {
                tokens.take_target(key, &Target::read(field.value));
            }
        }
        tokens.take_fields(key, fields);
        tokens
    }

    /// All that are looked at.
    pub(super) fn as_slice(&self) -> &[Token] {
        &self.list
    }

    /// Whether there were more than are looked at.
    pub(super) fn more(&self) -> bool {
        self.more
    }

    fn take_target(&mut self, key: &RandomState, target: &Target<'_>) {
        for (number, segment) in target.path.split(|byte| *byte == b'/').enumerate() {
            self.take(key, Place::Segment(number), segment);
        }
        for argument in target.query.unwrap_or_default().split(|byte| *byte == b'&') {
            let (name, value) = divided(argument);
            self.take(key, Place::Argument(name), value);
        }
    }

    fn take_fields(&mut self, key: &RandomState, fields: &[Field<'_>]) {
        for field in fields {
            if field.is("cookie") {
                for cookie in field.value.split(|byte| *byte == b';') {
                    let (name, value) = divided(cookie.trim_ascii());
                    self.take(key, Place::Cookie(name), value);
                }
            } else if !is_common(field.name) {
                self.take(key, Place::Header(Lower(field.name)), field.value);
            }
        }
    }

    fn take(&mut self, key: &RandomState, place: Place<'_>, value: &[u8]) {
        if value.is_empty() || value.len() > VALUE_BYTES_MAX {
            return;
        }
        let token = Token {
            place: (key.hash_one(place) >> 32) as u32,
            value: key.hash_one(value),
        };
        self.more |= self.list.try_push(token).is_err();
    }
}

/// Where a value stands.
#[derive(Clone, Copy, Hash)]
enum Place<'a> {
    Segment(usize),
    Argument(&'a [u8]),
    Cookie(&'a [u8]),
    Header(Lower<'a>),
}

/// A name whose case does not matter.
#[derive(Clone, Copy)]
struct Lower<'a>(&'a [u8]);

impl std::hash::Hash for Lower<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for byte in self.0 {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

/// `name=value`; what has no `=` is all value.
fn divided(pair: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = pair.splitn(2, |byte| *byte == b'=');
    let first = parts.next().unwrap_or_default();
    parts.next().map_or((b"", first), |value| (first, value))
}

/// Whether a header is [`COMMON`], a pseudo-header of HTTP/2, or carries a trace.
fn is_common(name: &[u8]) -> bool {
    let known = |common: &str| {
        let lower = name.iter().map(u8::to_ascii_lowercase);
        common.bytes().cmp(lower)
    };
    name.starts_with(b":")
        || span::carries_trace(name)
        || COMMON.binary_search_by(|common| known(common)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(key: &RandomState, target: &str, fields: &[(&'static str, &'static str)]) -> Tokens {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| Field::new(name, value))
            .collect();
        Tokens::of_request(key, &Target::read(target.as_bytes()), &fields)
    }

    fn values(tokens: &Tokens) -> Vec<u64> {
        tokens.as_slice().iter().map(|token| token.value).collect()
    }

    #[test]
    fn a_value_has_the_same_hash_wherever_it_stands_and_another_with_another_key() {
        let key = RandomState::new();
        let path = request(&key, "/o-17", &[]);
        let query = request(&key, "/?order=o-17", &[]);
        let header = request(&key, "/", &[("X-Order", "o-17")]);
        let cookie = request(&key, "/", &[("cookie", "a=b; order=o-17")]);
        for (tokens, at) in [(&query, 0), (&header, 0), (&cookie, 1)] {
            assert_eq!(values(tokens)[at], values(&path)[0]);
            assert_ne!(tokens.as_slice()[at].place, path.as_slice()[0].place);
        }
        assert_ne!(values(&request(&RandomState::new(), "/o-17", &[])), values(&path));
    }

    #[test]
    fn the_names_of_headers_have_no_case() {
        let key = RandomState::new();
        let [upper, lower] = ["X-Request-Id", "x-request-id"].map(|name| request(&key, "/", &[(name, "1")]));
        assert_eq!(upper.as_slice(), lower.as_slice());
    }

    #[test]
    fn what_all_requests_have_says_nothing() {
        let fields = [
            (":path", "/"),
            ("Host", "bank"),
            ("User-Agent", "story"),
            ("Content-Type", "text/plain"),
            (
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
            ("b3", "0"),
        ];
        assert!(request(&RandomState::new(), "/", &fields).as_slice().is_empty());
        assert!(COMMON.is_sorted());
    }

    #[test]
    fn no_more_are_looked_at_than_the_bound_and_that_is_said() {
        let target = format!("/{}", "a/".repeat(TOKENS_MAX + 1));
        let tokens = request(&RandomState::new(), &target, &[]);
        assert_eq!((tokens.as_slice().len(), tokens.more()), (TOKENS_MAX, true));
        let answer = Tokens::of_response(&RandomState::new(), &[Field::new("location", "http://bank/a/7")]);
        assert_eq!((answer.as_slice().len(), answer.more()), (3, false));
    }
}
