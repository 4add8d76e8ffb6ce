//! Baggage: what applications send along with a trace. Read where someone asks for it, never altered.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::Field;

/// The most entries of one head that are read: as many as W3C Baggage (section 3.3.2) has everybody pass on.
pub const MOST_ENTRIES: usize = 64;

/// The most bytes of values of one head that are read: as many as W3C Baggage (section 3.3.2) has everybody pass on.
pub const MOST_BYTES: usize = 8192;

/// One entry of baggage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The key, as sent. HTTP/2 sends one that is part of a field's name in lower case.
    pub key: &'a str,
    /// The value without percent-encoding. What is not UTF-8 then is replaced by U+FFFD.
    pub value: Cow<'a, str>,
}

/// The baggage of a head in order, within [`MOST_ENTRIES`] and [`MOST_BYTES`]: W3C `baggage` without the properties of
/// its members, Jaeger's `uberctx-{key}` and OpenTracing's `ot-baggage-{key}`.
///
/// Members that are not well-formed are passed over, and so are fields that no longer fit.
pub fn entries<'a>(fields: &'a [Field<'a>]) -> impl Iterator<Item = Entry<'a>> {
    let mut room = MOST_BYTES;
    fields
        .iter()
        .filter_map(Carrier::of)
        .filter(move |carrier| {
            let length = carrier.value().len();
            let fits = length <= room;
            room -= if fits { length } else { 0 };
            fits
        })
        .flat_map(Carrier::entries)
        .take(MOST_ENTRIES)
}

/// A field that carries baggage: many entries, or one.
enum Carrier<'a> {
    Many(&'a [u8]),
    One { key: &'a [u8], value: &'a [u8] },
}

impl<'a> Carrier<'a> {
    fn of(field: &'a Field<'a>) -> Option<Self> {
        if field.is("baggage") {
            return Some(Self::Many(field.value));
        }
        ["uberctx-", "ot-baggage-"].iter().find_map(|prefix| {
            let (start, key) = field.name.split_at_checked(prefix.len())?;
            let value = field.value;
            start
                .eq_ignore_ascii_case(prefix.as_bytes())
                .then_some(Self::One { key, value })
        })
    }

    fn value(&self) -> &'a [u8] {
        match self {
            Self::Many(value) | Self::One { value, .. } => value,
        }
    }

    fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        let (many, one) = match self {
            Self::Many(value) => (Some(value), None),
            Self::One { key, value } => (None, entry(key, value)),
        };
        let members = many
            .into_iter()
            .flat_map(|value| value.split(|byte| *byte == b','));
        members.filter_map(member).chain(one)
    }
}

/// Section 3.3.1: `key OWS "=" OWS value *( OWS ";" OWS property )`.
fn member(text: &[u8]) -> Option<Entry<'_>> {
    let member = text.split(|byte| *byte == b';').next()?;
    let equals = member.iter().position(|byte| *byte == b'=')?;
    let (key, value) = member.split_at_checked(equals)?;
    entry(key.trim_ascii(), value.get(1..)?.trim_ascii())
}

fn entry<'a>(key: &'a [u8], value: &'a [u8]) -> Option<Entry<'a>> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if key.is_empty() || !key.iter().all(is_token) {
        return None;
    }
    Some(Entry {
        key: str::from_utf8(key).ok()?,
        value: percent_decode(value).decode_utf8_lossy(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| Field::new(name, value))
            .collect();
        let owned = |entry: Entry<'_>| (entry.key.to_owned(), entry.value.into_owned());
        entries(&fields).map(owned).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn all_three_manners_are_read_in_order() {
        assert_eq!(
            read(&[
                ("Baggage", "user=some%20one;secret , plan = gold"),
                ("uberctx-city", "K%C3%B6ln"),
                ("accept", "a=b"),
                ("OT-Baggage-cart", "7"),
                ("baggage", "last=%ff"),
            ]),
            pairs(&[
                ("user", "some one"),
                ("plan", "gold"),
                ("city", "Köln"),
                ("cart", "7"),
                ("last", "\u{fffd}")
            ])
        );
    }

    #[test]
    fn broken_members_do_not_spoil_their_neighbours() {
        assert_eq!(
            read(&[("baggage", ",=1,key,k ey=1,;=,a=,b=2;")]),
            pairs(&[("a", ""), ("b", "2")])
        );
        assert_eq!(read(&[("uberctx-", "1"), ("ot-baggage-", "1")]), pairs(&[]));
    }

    #[test]
    fn limits_hold_over_all_fields() {
        assert_eq!(
            read(&[("baggage", &"a=1,".repeat(60)), ("baggage", &"b=1,".repeat(60))]).len(),
            MOST_ENTRIES
        );

        let large = "x".repeat(MOST_BYTES - 10);
        let read = read(&[
            ("uberctx-a", &large),
            ("uberctx-b", "12345678901"),
            ("uberctx-c", "1234567890"),
        ]);
        let keys: Vec<_> = read.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["a", "c"]);
    }
}
