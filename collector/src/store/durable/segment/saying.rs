//! Which rows of a row group may say what a search wants, by the columns in which it would stand.

use std::collections::HashMap;

use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::reader::RowGroupReader;

use super::columns::RowGroup;
use super::schema::{DOUBLES, INTS, TEXTS};
use crate::query::{Condition, Test};
use crate::tags;

/// For each of so many rows whether it may say that. A row that does is always among them.
pub(crate) fn rows(group: &dyn RowGroupReader, count: usize, condition: &Condition) -> Result<Vec<bool>> {
    let key = condition.key.as_str();
    if tags::DERIVED.contains(&key) {
        return Ok(vec![true; count]);
    }
    let wanted = match &condition.test {
        Test::Equals(text) => Some(text.as_bytes()),
        Test::Exists | Test::Compares(..) => None,
    };
    let is = |text: &[u8]| wanted.is_none_or(|wanted| text == wanted);
    let all = [0..count];
    let mut columns = RowGroup::new(group, &all);
    let mut saying = vec![false; count];
    let mut add = |rows: &mut dyn Iterator<Item = bool>| {
        for (saying, one) in saying.iter_mut().zip(rows) {
            *saying |= one;
        }
    };
    for said in ["events", "links"] {
        columns.find(&[said]);
        add(&mut columns.texts()?.iter().map(Option::is_some));
    }
    let named = serde_json::Value::from(key).to_string();
    for shared in ["resource", "scope"] {
        columns.find(&[shared]);
        add(&mut naming(&columns.texts()?, named.as_bytes()));
    }
    if TEXTS.contains(&key) && columns.find(&[key]) {
        let texts = columns.texts()?;
        add(&mut texts
            .iter()
            .map(|text| text.as_ref().is_some_and(|text| is(text.data()))));
    }
    if INTS.contains(&key) && columns.find(&[key]) {
        add(&mut columns.ints()?.iter().map(Option::is_some));
    }
    if DOUBLES.contains(&key) && columns.find(&[key]) {
        add(&mut columns.doubles()?.iter().map(Option::is_some));
    }
    columns.find(&["attributes", "key_value", "key"]);
    let (keys, values) = (columns.lists()?, columns.lists()?);
    // nested values stand there in other words than a search has for them
    let may_be = |value: &ByteArray| is(value.data()) || value.data().starts_with(b"{");
    let entry = |(found, value): (&Option<ByteArray>, &Option<ByteArray>)| {
        found.as_ref().is_some_and(|found| found.data() == key.as_bytes())
            && value.as_ref().map_or(is(b""), may_be)
    };
    add(&mut keys
        .iter()
        .zip(&values)
        .map(|(keys, values)| keys.iter().zip(values).any(entry)));
    Ok(saying)
}

/// Which of these JSON texts, of which few are different, name something.
fn naming<'a>(texts: &'a [Option<ByteArray>], name: &'a [u8]) -> impl Iterator<Item = bool> + 'a {
    let finder = memchr::memmem::Finder::new(name);
    let mut known: HashMap<(*const u8, usize), bool> = HashMap::new();
    texts.iter().map(move |text| {
        let Some(text) = text else { return false };
        let place = (text.data().as_ptr(), text.len());
        *known
            .entry(place)
            .or_insert_with(|| finder.find(text.data()).is_some())
    })
}
