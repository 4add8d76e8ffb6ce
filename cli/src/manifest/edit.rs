//! Changing a document in its text, at the places that change and nowhere else.
//!
//! The old and the new value are walked side by side with the text's [`tree`]. New entries get lines of their own before
//! the next one's comments; what goes, goes with its lines; a collection in brackets is written anew as a whole. What
//! comes out is read again and has to say what it should, so a document that this does not understand is refused, and
//! never spoilt.

use std::ops::Range;

use serde_json::{Map, Value};

use super::read;
use super::render;
use super::tree::{Entry, Item, Node, Shape, tree};

/// A document that cannot be changed in its text.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot be changed in its text, since where the sidecar belongs stands an alias, a merge or a tag, or in brackets a \
     word that readers take for different things (0644, yes): write it out, on lines of its own, and try again"
)]
pub struct CannotEdit;

/// A piece of the text and what stands there instead.
type Edit = (Range<usize>, String);

/// The text so that it says `new`; it says `old` now.
///
/// # Errors
/// It cannot be changed like that.
pub(super) fn edit(text: &str, old: &Value, new: &Value) -> Result<String, CannotEdit> {
    if old == new {
        return Ok(text.to_owned());
    }
    let root = tree(text).ok_or(CannotEdit)?;
    let mut editor = Editor {
        text,
        edits: Vec::new(),
    };
    match root.shape {
        Shape::Fixed => return Err(CannotEdit),
        // a document in brackets is JSON, whose lines are nobody's handiwork
        Shape::Whole => editor.put(
            root.at,
            serde_json::to_string_pretty(new).map_err(|_| CannotEdit)?,
        ),
        _ => editor.node(&root, old, new)?,
    }
    let edited = editor.finish()?;
    match read::value(&edited) {
        Ok(value) if value == *new => Ok(edited),
        _ => Err(CannotEdit),
    }
}

struct Editor<'t> {
    text: &'t str,
    edits: Vec<Edit>,
}

impl Editor<'_> {
    fn finish(mut self) -> Result<String, CannotEdit> {
        self.edits.sort_by_key(|(at, _)| at.start);
        let mut edited = String::with_capacity(self.text.len() * 2);
        let mut done = 0;
        for (at, instead) in self.edits {
            edited.push_str(self.text.get(done..at.start).ok_or(CannotEdit)?);
            edited.push_str(&instead);
            done = at.end;
        }
        edited.push_str(self.text.get(done..).ok_or(CannotEdit)?);
        Ok(edited)
    }

    fn put(&mut self, at: Range<usize>, instead: String) {
        self.edits.push((at, instead));
    }

    fn node(&mut self, node: &Node, old: &Value, new: &Value) -> Result<(), CannotEdit> {
        if old == new {
            return Ok(());
        }
        match (&node.shape, old, new) {
            (Shape::Map(entries), Value::Object(old), Value::Object(new)) => self.map(entries, old, new),
            (Shape::List(items), Value::Array(old), Value::Array(new)) => self.list(items, old, new),
            (Shape::Whole, ..) if !node.at.is_empty() => {
                self.put(node.at.clone(), render::inline(new));
                Ok(())
            }
            _ => Err(CannotEdit),
        }
    }

    fn map(
        &mut self,
        entries: &[Entry],
        old: &Map<String, Value>,
        new: &Map<String, Value>,
    ) -> Result<(), CannotEdit> {
        let first = entries.first().ok_or(CannotEdit)?;
        let place = first.key_at.start;
        for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
            let line = render::entry(key, value, self.column(place));
            self.insert_before(place, &line);
        }
        let known = |key: &String| old.contains_key(key) && !entries.iter().any(|entry| entry.key == *key);
        if old.keys().any(|key| known(key) && old.get(key) != new.get(key)) {
            return Err(CannotEdit); // it comes from a merge
        }
        for (index, entry) in entries.iter().enumerate() {
            match (old.get(&entry.key), new.get(&entry.key)) {
                (Some(Value::Null), Some(new)) if entry.value.at.is_empty() && !new.is_null() => {
                    let colon = self.after_colon(entry)?;
                    self.put(colon..colon, format!(" {}", render::inline(new)));
                }
                (Some(old), Some(new)) => self.node(&entry.value, old, new)?,
                (Some(_), None) => {
                    let next = entries.get(index + 1).map(|next| next.key_at.start);
                    self.remove(entry.key_at.start, entry.value.at.end.max(entry.key_at.end), next);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Items that go and come in one place; or as many as before, some of them changed.
    fn list(&mut self, items: &[Item], old: &[Value], new: &[Value]) -> Result<(), CannotEdit> {
        if items.len() != old.len() {
            return Err(CannotEdit);
        }
        if old.len() == new.len() {
            let triples = items.iter().zip(old).zip(new);
            return triples
                .into_iter()
                .try_for_each(|((item, old), new)| self.node(&item.value, old, new));
        }
        let same = |(old, new): &(&Value, &Value)| old == new;
        let before = old.iter().zip(new).take_while(same).count();
        let rest = old.len().min(new.len()).saturating_sub(before);
        let behind = old
            .iter()
            .rev()
            .zip(new.iter().rev())
            .take_while(same)
            .count()
            .min(rest);
        let next = items.get(old.len() - behind).map(|item| item.dash);
        if let Some(gone) = items.get(before..old.len() - behind)
            && let (Some(first), Some(last)) = (gone.first(), gone.last())
        {
            self.remove(first.dash, last.value.at.end, next);
        }
        for value in new.get(before..new.len() - behind).unwrap_or_default() {
            let last = items.last().ok_or(CannotEdit)?;
            let line = render::item(value, self.column(last.dash));
            match next {
                Some(next) => self.insert_before(next, &line),
                None => self.insert_behind(last.dash, last.value.at.end, &line),
            }
        }
        Ok(())
    }

    /// On a line of its own before the comments of the entry at `place`; where that one shares its line with a dash,
    /// right before it.
    fn insert_before(&mut self, place: usize, line: &str) {
        let indent = render::pad(self.column(place));
        match self.own_line(place) {
            Some(start) => {
                let at = self.above_comments(start);
                self.put(at..at, format!("{indent}{line}\n"));
            }
            None => self.put(place..place, format!("{line}\n{indent}")),
        }
    }

    fn insert_behind(&mut self, place: usize, end: usize, line: &str) {
        let indent = render::pad(self.column(place));
        let at = self.line_end(end);
        let broken = self.text.get(..at).is_some_and(|before| before.ends_with('\n'));
        let instead = if broken {
            format!("{indent}{line}\n")
        } else {
            format!("\n{indent}{line}")
        };
        self.put(at..at, instead);
    }

    /// What begins at `start`, up to the comments of what is `next`, or else to the end of its last line.
    fn remove(&mut self, start: usize, end: usize, next: Option<usize>) {
        let own = self.own_line(start);
        let from = own.unwrap_or(start);
        let to = match next {
            // the next one moves up to behind the dash
            Some(next) if own.is_none() => next,
            Some(next) => self.own_line(next).map_or(next, |line| self.above_comments(line)),
            None => self.line_end(end),
        };
        self.put(from..to.max(from), String::new());
    }

    fn after_colon(&self, entry: &Entry) -> Result<usize, CannotEdit> {
        let rest = self.text.get(entry.key_at.end..).ok_or(CannotEdit)?;
        let colon = rest.find(':').ok_or(CannotEdit)?;
        Ok(entry.key_at.end + colon + 1)
    }

    fn line_start(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        before.rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// Behind the line's end, unless `at` is there already.
    fn line_end(&self, at: usize) -> usize {
        if self.text.get(..at).is_some_and(|before| before.ends_with('\n')) {
            return at;
        }
        let rest = self.text.get(at..).unwrap_or_default();
        rest.find('\n')
            .map_or(self.text.len(), |newline| at + newline + 1)
    }

    /// In characters.
    fn column(&self, at: usize) -> usize {
        let line = self.text.get(self.line_start(at)..at).unwrap_or_default();
        line.chars().count()
    }

    /// The beginning of the line, if nothing but space is before.
    fn own_line(&self, at: usize) -> Option<usize> {
        let start = self.line_start(at);
        let before = self.text.get(start..at)?;
        before.trim().is_empty().then_some(start)
    }

    /// The beginning of the comments that stand right above a line.
    fn above_comments(&self, mut line: usize) -> usize {
        while let Some(previous) = line.checked_sub(1).map(|end| self.line_start(end)) {
            let text = self.text.get(previous..line).unwrap_or_default();
            if !text.trim_start().starts_with('#') {
                break;
            }
            line = previous;
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edited(text: &str, change: impl FnOnce(&mut Value)) -> Result<String, CannotEdit> {
        let old = read::value(text).unwrap();
        let mut new = old.clone();
        change(&mut new);
        edit(text, &old, &new)
    }

    #[test]
    fn new_lines_come_before_the_comments_of_the_next_and_the_rest_stays_to_the_letter() {
        let text = "a:   {x: 0644} # odd\n# the list\nlist:\n  # first\n  - \"yes\"\n  - b: 1\n";
        let after = edited(text, |value| {
            value["list"]
                .as_array_mut()
                .unwrap()
                .insert(0, json!({"c": "on", "name": "n"}));
            value["new"] = json!(["1"]);
        });
        let expected = "new:\n  - \"1\"\na:   {x: 0644} # odd\n# the list\nlist:\n  - name: \"n\"\n    c: \"on\"\n  # first\n  - \
                        \"yes\"\n  - b: 1\n";
        assert_eq!(after.unwrap(), expected);
    }

    #[test]
    fn an_entry_beside_a_dash_is_joined_and_parted_there() {
        let text = "- b: 1\n  c: 2\n";
        let more = edited(text, |value| value[0]["a"] = json!("x")).unwrap();
        assert_eq!(more, "- a: x\n  b: 1\n  c: 2\n");
        let back = edited(&more, |value| drop(value[0].as_object_mut().unwrap().remove("a"))).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn what_is_empty_is_filled() {
        for (text, expected) in [
            ("a:\nb: 1\n", "a: {\"x\":1}\nb: 1\n"),
            ("a: null\nb: 1\n", "a: {\"x\":1}\nb: 1\n"),
            ("a: {} # none\nb: 1\n", "a: {\"x\":1} # none\nb: 1\n"),
            ("b: 1\na:", "b: 1\na: {\"x\":1}"),
        ] {
            assert_eq!(
                edited(text, |value| value["a"] = json!({"x": 1})).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn the_end_of_a_list_is_found_with_or_without_a_last_newline() {
        for (text, expected) in [
            (
                "a:\n- b: |\n    text\n\n# c\n",
                "a:\n- b: |\n    text\n\n- d\n# c\n",
            ),
            ("a:\n- b", "a:\n- b\n- d"),
            ("a:\n- b # b\nc: 1\n", "a:\n- b # b\n- d\nc: 1\n"),
        ] {
            let after = edited(text, |value| value["a"].as_array_mut().unwrap().push(json!("d")));
            assert_eq!(after.unwrap(), expected);
        }
    }

    #[test]
    fn what_comes_from_elsewhere_is_refused_and_not_spoilt() {
        let text = "x: &x {a: {b: 1}}\ny:\n  <<: *x\n  c: 2\n";
        assert!(edited(text, |value| value["y"]["a"]["b"] = json!(2)).is_err());
        assert!(edited("a: {b: {c: 0644}}\n", |value| value["a"]["d"] = json!(2)).is_err());
        assert!(edited("a: &a [1]\nb: *a\n", |value| value["a"][0] = json!(2)).is_err());
    }
}
