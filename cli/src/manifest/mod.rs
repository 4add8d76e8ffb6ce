//! `meshtrace inject` and `meshtrace uninject`: manifests in, manifests out, and a report.
//!
//! What is decided and what is changed is the crate `inject`'s, the same as in the operator's webhook. Here manifests are
//! read, and written so that a document stays, letter by letter, as its author wrote it, but for what is put in or taken
//! out: comments, order and quotes survive, and a document that stays as it is stays so to the byte.

mod edit;
mod read;
mod render;
mod tree;

use std::collections::BTreeMap;

use inject::decide::{Namespace, Site};
use inject::pod::Metadata;
use inject::report::Report;
use inject::review::{self, Review};
use inject::workload::Kind;
use serde_json::Value;

pub use edit::CannotEdit;

/// What is done with manifests.
#[derive(Clone, Copy, Debug)]
pub enum Way<'a> {
    /// Put the sidecar in.
    Inject(&'a Site),
    /// Take it out.
    Uninject,
}

/// Manifests as they are then, and what became of each document with pods.
#[derive(Debug)]
pub struct Done {
    /// All documents.
    pub text: String,
    /// In the order of the documents.
    pub reports: Vec<Report>,
}

/// A document that cannot be used: which, counted from 1, and why.
#[derive(Debug, thiserror::Error)]
#[error("document {number}: {what}")]
pub struct Problem {
    number: usize,
    what: String,
}

/// Does it with every document of `text`. Those that have no pods stay as they are. `namespace` is where a document
/// belongs that does not say so itself; what the documents say of namespaces counts.
///
/// # Errors
/// Every document that cannot be read or changed. Then nothing is done with the others either, so that a pipe into
/// kubectl never carries a part.
pub fn all(text: &str, way: Way<'_>, namespace: &str) -> Result<Done, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut documents = Vec::new();
    for (index, part) in read::split(text).into_iter().enumerate() {
        match read::value(part.body) {
            Ok(value) => documents.push((index + 1, part, value)),
            Err(what) => problems.push(Problem {
                number: index + 1,
                what,
            }),
        }
    }
    let namespaces = namespaces(documents.iter().map(|(_, _, value)| value));
    let mut done = Done {
        text: String::new(),
        reports: Vec::new(),
    };
    for (number, part, value) in documents {
        let after = one(&value, way, namespace, &namespaces, &mut done.reports);
        done.text.push_str(part.separator);
        match edit::edit(part.body, &value, &after) {
            Ok(body) => done.text.push_str(&body),
            Err(error) => problems.push(Problem {
                number,
                what: error.to_string(),
            }),
        }
    }
    problems.sort_by_key(|problem| problem.number);
    if problems.is_empty() {
        Ok(done)
    } else {
        Err(problems)
    }
}

/// One object, or each of a list's.
fn one(
    object: &Value,
    way: Way<'_>,
    namespace: &str,
    namespaces: &BTreeMap<String, Namespace>,
    reports: &mut Vec<Report>,
) -> Value {
    let mut after = object.clone();
    if let Some(items) = after.get_mut("items").and_then(Value::as_array_mut) {
        for item in items {
            *item = one(item, way, namespace, namespaces, reports);
        }
        return after;
    }
    let Some(kind) = Kind::of(object) else {
        return after;
    };
    let name = Metadata::of(object).namespace;
    let name = if name.is_empty() { namespace } else { &name };
    let unknown = Namespace {
        name: name.to_owned(),
        ..Namespace::default()
    };
    let namespace = namespaces.get(name).unwrap_or(&unknown);
    let Review { patch, mut report } = match way {
        Way::Inject(site) => review::inject(kind, object, namespace, site),
        Way::Uninject => review::uninject(kind, object, namespace),
    };
    if let Err(error) = json_patch::patch(&mut after, &patch) {
        report
            .notes
            .push(format!("left as it is, for a mistake of ours: {error}"));
        after.clone_from(object);
    }
    reports.push(report);
    after
}

fn namespaces<'v>(documents: impl Iterator<Item = &'v Value>) -> BTreeMap<String, Namespace> {
    let is_one = |value: &&Value| value.get("kind").and_then(Value::as_str) == Some("Namespace");
    let read = |value| {
        let namespace = Namespace::of(value);
        (namespace.name.clone(), namespace)
    };
    documents.filter(is_one).map(read).collect()
}
