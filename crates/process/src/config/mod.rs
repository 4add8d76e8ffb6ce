//! Reading configuration strictly: once, whole, and with all its problems reported together.
//!
//! A document (YAML) and an environment that stands over it are read section by section. Every value is asked for by
//! its key; what is left over is unknown and refused. Each problem says where it stands (the path of the key, or the
//! name of the variable that it came from), what is wrong, and what is allowed.
//!
//! ```
//! use process::config::{Document, text, parsed};
//!
//! let document = Document::new("mesh.yaml", "name: account\nport: 80800\nprot: 1\n", &[]);
//! let mut root = document.root();
//! let name = root.required("name", text);
//! let port = root.optional("port", parsed::<u16>("a port, 1 to 65535"));
//! root.finish();
//! let problems = document.finish().unwrap_err().to_string();
//! assert_eq!(name.as_deref(), Some("account"));
//! assert_eq!(port, None);
//! assert!(problems.contains("port: `80800` is not a port, 1 to 65535"));
//! assert!(problems.contains("prot: unknown key; did you mean `port`?"));
//! ```

mod duration;
pub mod flags;
mod nearest;
mod read;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde_yaml::Mapping;

use self::read::scalar;
/// A value of a document.
pub use serde_yaml::Value;

pub use self::duration::{DURATION_ALLOWED, parse_duration};
pub use self::nearest::nearest;
pub use self::read::{boolean, list, parsed, text};

/// A variable of the environment and the key that it stands for: `("MESHTRACE_ADMIN", "admin")`; dots descend.
pub type Variable = (&'static str, &'static str);

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub struct Problems {
    source_name: String,
    list: Vec<String>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.list.len();
        write!(
            f,
            "{}: {count} problem{}",
            self.source_name,
            if count == 1 { "" } else { "s" }
        )?;
        self.list
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl Problems {
    /// One line a problem: where, what, what is allowed.
    pub fn list(&self) -> &[String] {
        &self.list
    }
}

/// A configuration while it is read.
#[derive(Debug)]
pub struct Document {
    name: String,
    root: Value,
    /// Which variable a key's value came from.
    origins: BTreeMap<String, &'static str>,
    problems: RefCell<Vec<String>>,
}

impl Document {
    /// Parses `text` (YAML; empty is an empty document) and lays the environment over it.
    ///
    /// `name` is what problems call the document. Text that does not parse is a problem, and reads as empty.
    pub fn new(name: &str, text: &str, environment: &[(Variable, String)]) -> Self {
        let mut problems = Vec::new();
        let mut root = match serde_yaml::from_str::<Value>(text) {
            Ok(Value::Null) => Value::Mapping(Mapping::new()),
            Ok(value @ Value::Mapping(_)) => value,
            Ok(_) => {
                problems.push("the document has to be a map of keys to values".to_owned());
                Value::Mapping(Mapping::new())
            }
            Err(error) => {
                problems.push(format!("not YAML: {error}"));
                Value::Mapping(Mapping::new())
            }
        };
        let mut origins = BTreeMap::new();
        for ((variable, key), value) in environment {
            overlay(&mut root, key, value);
            origins.insert((*key).to_owned(), *variable);
        }
        Self {
            name: name.to_owned(),
            root,
            origins,
            problems: RefCell::new(problems),
        }
    }

    /// The outermost section.
    pub fn root(&self) -> Section<'_> {
        Section::new(self, String::new(), &self.root)
    }

    /// Adds a problem that no single value shows, such as a contradiction between two.
    pub fn problem(&self, place: &str, what: impl fmt::Display) {
        let place = self.origins.get(place).copied().unwrap_or(place);
        self.problems.borrow_mut().push(format!("{place}: {what}"));
    }

    /// # Errors
    /// Everything that was found wrong.
    pub fn finish(self) -> Result<(), Problems> {
        let list = self.problems.into_inner();
        if list.is_empty() {
            Ok(())
        } else {
            Err(Problems {
                source_name: self.name,
                list,
            })
        }
    }
}

/// One map of a document while it is read.
#[derive(Debug)]
pub struct Section<'d> {
    document: &'d Document,
    place: String,
    entries: Vec<(String, &'d Value)>,
    asked: Vec<&'static str>,
}

impl<'d> Section<'d> {
    fn new(document: &'d Document, place: String, value: &'d Value) -> Self {
        let mut section = Self {
            document,
            place,
            entries: Vec::new(),
            asked: Vec::new(),
        };
        match value {
            Value::Mapping(map) => {
                for (key, value) in map {
                    match scalar(key) {
                        Some(key) => section.entries.push((key, value)),
                        None => document.problem(&section.place, "a key has to be a word"),
                    }
                }
            }
            Value::Null => {}
            _ => document.problem(&section.place, "has to be a map of keys to values"),
        }
        section
    }

    /// The path of this section, empty for the root.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The value under `key`, if it is there and not null. What `read` refuses becomes a problem.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.take(key)?;
        read(value)
            .map_err(|what| self.document.problem(&self.path(key), what))
            .ok()
    }

    /// The value under `key`. Its absence is a problem too.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        if !self.entries.iter().any(|(name, _)| is(name, key)) {
            self.asked.push(key);
            self.document.problem(&self.path(key), "is required");
            return None;
        }
        self.optional(key, read)
    }

    /// The map under `key`, empty if it is not there.
    pub fn section(&mut self, key: &'static str) -> Section<'d> {
        let value = self.take(key).unwrap_or(&Value::Null);
        Section::new(self.document, self.path(key), value)
    }

    /// The maps of this one, for a section whose keys are names that the user chose.
    pub fn named(self) -> impl Iterator<Item = (String, Section<'d>)> {
        let Section {
            document,
            place,
            entries,
            ..
        } = self;
        entries.into_iter().map(move |(key, value)| {
            let path = join(&place, &key);
            (key, Section::new(document, path, value))
        })
    }

    /// The keys and texts of this map, for one whose keys are the user's own (an environment, say).
    pub fn pairs(self) -> Vec<(String, String)> {
        let Section {
            document,
            place,
            entries,
            ..
        } = self;
        let read = |(key, value): (String, &Value)| match text(value) {
            Ok(value) => Some((key, value)),
            Err(what) => {
                document.problem(&join(&place, &key), what);
                None
            }
        };
        entries.into_iter().filter_map(read).collect()
    }

    /// The keys and texts under `key`: a map, or, as environment variables have it, one text `key=value,key=value`.
    pub fn pairs_or_list(&mut self, key: &'static str) -> Vec<(String, String)> {
        match self.take(key) {
            Some(Value::String(text)) => text
                .split(',')
                .map(str::trim)
                .filter(|pair| !pair.is_empty())
                .filter_map(|pair| {
                    let split = pair.split_once('=').filter(|(name, _)| !name.trim().is_empty());
                    if split.is_none() {
                        self.problem(key, format_args!("`{pair}` is not `key=value`"));
                    }
                    split.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
                })
                .collect(),
            value => Section::new(self.document, self.path(key), value.unwrap_or(&Value::Null)).pairs(),
        }
    }

    /// Whether nothing is left here that was not asked for.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a problem with the value under `key`.
    pub fn problem(&self, key: &str, what: impl fmt::Display) {
        self.document.problem(&self.path(key), what);
    }

    /// Refuses every key that was not asked for.
    pub fn finish(self) {
        for (key, _) in &self.entries {
            let hint = match nearest(key, &self.asked) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            self.problem(key, format_args!("unknown key; {hint}"));
        }
    }

    fn take(&mut self, key: &'static str) -> Option<&'d Value> {
        self.asked.push(key);
        let at = self.entries.iter().position(|(name, _)| is(name, key))?;
        Some(self.entries.remove(at).1).filter(|value| !value.is_null())
    }

    fn path(&self, key: &str) -> String {
        join(&self.place, key)
    }
}

/// A value as a document. Empty if it cannot be one, which a plain structure always can.
pub fn render(value: &impl serde::Serialize) -> String {
    serde_yaml::to_string(value).unwrap_or_default()
}

/// Whether a key was written: with underscores, as it is called, or with hyphens.
fn is(written: &str, key: &str) -> bool {
    let same = |(written, own): (u8, u8)| written == own || (written == b'-' && own == b'_');
    written.len() == key.len() && written.bytes().zip(key.bytes()).all(same)
}

fn join(place: &str, key: &str) -> String {
    if place.is_empty() {
        key.to_owned()
    } else {
        format!("{place}.{key}")
    }
}

/// Sets the value at a dotted key. What stands in the way and is no map is replaced: the environment wins.
fn overlay(root: &mut Value, key: &str, text: &str) {
    let mut at = root;
    for part in key.split('.') {
        if !at.is_mapping() {
            *at = Value::Mapping(Mapping::new());
        }
        let Value::Mapping(map) = at else { return };
        at = map.entry(Value::String(part.to_owned())).or_insert(Value::Null);
    }
    *at = Value::String(text.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_reported_together_with_their_places() {
        let text = "services:\n  account:\n    port: eighty\n    prot: 1\n  cashier: [1]\n";
        let document = Document::new("mesh.yaml", text, &[]);
        let mut root = document.root();
        root.required("name", super::text);
        for (_, mut service) in root.section("services").named() {
            service.required("port", parsed::<u16>("a port"));
            service.finish();
        }
        root.finish();
        assert_eq!(
            document.finish().unwrap_err().list(),
            [
                "name: is required",
                "services.account.port: `eighty` is not a port",
                "services.account.prot: unknown key; did you mean `port`?",
                "services.cashier: has to be a map of keys to values",
                "services.cashier.port: is required",
            ]
            .map(str::to_owned)
        );
    }

    #[test]
    fn the_environment_wins_and_its_problems_name_the_variable() {
        let environment = [
            (("M_PORTS", "ports"), "1, 2".to_owned()),
            (("M_LISTEN", "inbound.listen"), "nowhere".to_owned()),
        ];
        let document = Document::new("sidecar.yaml", "ports: [9]\n", &environment);
        let mut root = document.root();
        assert_eq!(
            root.optional("ports", list(parsed::<u16>("a port"))),
            Some(vec![1, 2])
        );
        let mut inbound = root.section("inbound");
        inbound.optional("listen", parsed::<std::net::SocketAddr>("an address with port"));
        inbound.finish();
        root.finish();
        assert_eq!(
            document.finish().unwrap_err().list(),
            ["M_LISTEN: `nowhere` is not an address with port".to_owned()]
        );
    }

    #[test]
    fn text_that_is_not_yaml_is_one_problem() {
        let document = Document::new("x.yaml", "a: [", &[]);
        document.root().finish();
        assert_eq!(document.finish().unwrap_err().list().len(), 1);
    }

    #[test]
    fn a_key_far_from_all_known_ones_gets_the_list() {
        let document = Document::new("x.yaml", "zzz: 1", &[]);
        let mut root = document.root();
        root.optional("port", text);
        root.finish();
        assert_eq!(
            document.finish().unwrap_err().list(),
            ["zzz: unknown key; known here: port".to_owned()]
        );
    }
}
