//! Where everything stands in a document.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

/// The deepest nesting that is followed. Kubernetes' own documents have some twenty levels.
const DEEPEST: usize = 128;

/// A value, and where it stands in the text.
#[derive(Debug)]
pub(super) struct Node {
    /// Bytes of the text. Those of a block collection reach from its first entry to the end of its last.
    pub(super) at: Range<usize>,
    pub(super) shape: Shape,
}

/// How a value is written.
#[derive(Debug)]
pub(super) enum Shape {
    /// As a word or as a collection in brackets: changed only as a whole.
    Whole,
    /// By reference, or with a word that YAML 1.1 reads otherwise than YAML 1.2, so that writing it anew might say
    /// something else. Not changed.
    Fixed,
    /// As entries on lines of their own.
    Map(Vec<Entry>),
    /// As items on lines of their own.
    List(Vec<Item>),
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Range<usize>,
    pub(super) value: Node,
}

/// An item of a list.
#[derive(Debug)]
pub(super) struct Item {
    /// Where its dash is.
    pub(super) dash: usize,
    pub(super) value: Node,
}

/// The root of a document with one value; `None` where the document is not followed.
pub(super) fn tree(text: &str) -> Option<Node> {
    let mut reader = Reader {
        text,
        events: Parser::new_from_str(text),
        bytes: text
            .char_indices()
            .map(|(byte, _)| byte)
            .chain([text.len()])
            .collect(),
    };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_), _) => {}
            event => return reader.node(event, 0),
        }
    }
}

struct Reader<'t, E> {
    text: &'t str,
    events: E,
    /// The byte at which each character begins.
    bytes: Vec<usize>,
}

impl<'t, E: Iterator<Item = Result<(Event<'t>, Span), ScanError>>> Reader<'t, E> {
    fn next(&mut self) -> Option<(Event<'t>, Range<usize>)> {
        let (event, span) = self.events.next()?.ok()?;
        let byte = |character: usize| self.bytes.get(character).copied();
        Some((event, byte(span.start.index())?..byte(span.end.index())?))
    }

    fn node(&mut self, (event, at): (Event<'t>, Range<usize>), depth: usize) -> Option<Node> {
        if depth > DEEPEST {
            return None;
        }
        let in_brackets = self
            .text
            .get(at.start..)
            .is_some_and(|text| text.starts_with(['{', '[']));
        let (shape, end) = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if is_ambiguous(&text) => (Shape::Fixed, at.end),
            Event::Scalar(..) => (Shape::Whole, at.end),
            Event::Alias(_) => (Shape::Fixed, at.end),
            Event::MappingStart(..) => self.map(depth, in_brackets)?,
            Event::SequenceStart(..) => self.list(depth, in_brackets)?,
            _ => return None,
        };
        Some(Node {
            at: at.start..end,
            shape,
        })
    }

    /// What ends a collection in brackets is the bracket; the event reaches further, over space and comments.
    fn map(&mut self, depth: usize, in_brackets: bool) -> Option<(Shape, usize)> {
        let mut entries = Vec::new();
        loop {
            let (event, key_at) = self.next()?;
            let key = match event {
                Event::MappingEnd if in_brackets => {
                    let values = entries.iter().map(|entry: &Entry| &entry.value);
                    return Some((in_brackets_of(values), key_at.start + 1));
                }
                Event::MappingEnd => {
                    let end = entries
                        .last()
                        .map(|entry: &Entry| entry.value.at.end.max(entry.key_at.end))?;
                    return Some((Shape::Map(entries), end));
                }
                Event::Scalar(key, ..) => key.into_owned(),
                _ => return None,
            };
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            entries.push(Entry { key, key_at, value });
        }
    }

    fn list(&mut self, depth: usize, in_brackets: bool) -> Option<(Shape, usize)> {
        let mut items = Vec::new();
        loop {
            let event = self.next()?;
            if event.0 == Event::SequenceEnd {
                let end = items.last().map(|item: &Item| item.value.at.end);
                return match in_brackets {
                    true => Some((
                        in_brackets_of(items.iter().map(|item| &item.value)),
                        event.1.start + 1,
                    )),
                    false => Some((Shape::List(items), end?)),
                };
            }
            let value = self.node(event, depth + 1)?;
            let dash = if in_brackets {
                0
            } else {
                self.dash(value.at.start)?
            };
            items.push(Item { dash, value });
        }
    }

    /// The dash before an item's value: nothing but space is between them.
    fn dash(&self, value: usize) -> Option<usize> {
        let before = self.text.get(..value)?.trim_end();
        before.ends_with('-').then(|| before.len() - 1)
    }
}

/// A collection in brackets can be written anew if all that is in it can.
fn in_brackets_of<'n>(mut values: impl Iterator<Item = &'n Node>) -> Shape {
    if values.any(|value| matches!(value.shape, Shape::Fixed)) {
        Shape::Fixed
    } else {
        Shape::Whole
    }
}

/// `0644`, which is 420 in YAML 1.1; `1:30`, which is 90; `on` and its like, which are true or false.
fn is_ambiguous(word: &str) -> bool {
    let digits = word.trim_start_matches(['-', '+']);
    let number = digits.starts_with(|c: char| c.is_ascii_digit());
    number && (digits.len() > 1 && digits.starts_with('0') || digits.contains([':', '_']))
        || ["y", "n", "yes", "no", "on", "off"].contains(&word.to_ascii_lowercase().as_str())
}
