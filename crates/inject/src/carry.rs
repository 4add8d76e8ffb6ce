//! From a workload to its template: annotating a Deployment is enough.
//!
//! The webhook copies the annotations `meshtrace.io/*` of a workload into its pod template. The template has changed then,
//! so Kubernetes itself rolls it out; and when the annotations go, the copies go, and it rolls back. What the template
//! says itself wins over the workload, and is never touched. Which keys are copies stands in the template's annotation
//! [`CARRIED`].
//!
//! | the workload | so |
//! |---|---|
//! | is managed by another object (a Deployment's ReplicaSet, a CronJob's Job) | is left: `owned` |
//! | is a Job that exists already | is left: `job_is_fixed` |
//! | is updated, and neither its template nor any annotation of ours has changed | is left: `unchanged` |
//! | none of these | its template gets the copies that it should have, and loses the others |
//!
//! The third row is why an operator that was away when a Deployment was annotated does not cause a rollout at some later
//! and unrelated update: the next change of the template carries the annotations with it.

use std::collections::BTreeSet;

use json_patch::Patch;
use serde_json::Value;

use crate::annotations::{CARRIED, KEYS, Key, PREFIX};
use crate::patch::Writer;
use crate::pod::{Metadata, Texts};
use crate::reason::Reason;
use crate::workload::Kind;

/// The patch for a workload of this kind; `old` is what it was before, where it is updated. Empty where the template is
/// as it should be.
///
/// # Errors
/// Why the workload is left as it is.
pub fn carry(kind: Kind, object: &Value, old: Option<&Value>) -> Result<Patch, Reason> {
    let at = kind.template();
    let (workload, template) = (Metadata::of(object), template(object, at));
    if workload.controller().is_some() {
        return Err(Reason::Owned);
    }
    if kind == Kind::Job && old.is_some() {
        return Err(Reason::JobIsFixed);
    }
    if let Some(old) = old {
        let ours = |document| ours(&Metadata::of(document).annotations);
        if old.pointer(at) == object.pointer(at) && ours(old) == ours(object) {
            return Err(Reason::Unchanged);
        }
    }
    let before = old.map(|old| self::template(old, at).annotations);
    Ok(copies(
        object,
        at,
        &workload.annotations,
        &template.annotations,
        before.as_ref(),
    ))
}

fn copies(object: &Value, at: &str, workload: &Texts, template: &Texts, before: Option<&Texts>) -> Patch {
    let recorded = records(template);
    let (mut carried, mut set, mut stale) = (Vec::new(), Vec::new(), Vec::new());
    for Key { name, .. } in KEYS {
        let key = format!("{PREFIX}{name}");
        let there = template.get(&key);
        // a copy that somebody has changed in the template is the template's own from then on; what is as the workload
        // says is not: this may be the second time that we are asked
        let was = before.filter(|before| records(before).contains(name));
        let changed = was.is_some_and(|before| before.get(&key) != there) && workload.get(&key) != there;
        let is_copy = there.is_some() && recorded.contains(name) && !changed;
        match (workload.get(&key), there) {
            (Some(value), _) if there.is_none() || is_copy => {
                carried.push(name);
                if there != Some(value) {
                    set.push((key, value.clone()));
                }
            }
            (None, Some(_)) if is_copy => stale.push(key),
            _ => {}
        }
    }
    let record = carried.join(",");
    if template.get(CARRIED).is_some_and(|_| record.is_empty()) {
        stale.push(CARRIED.to_owned());
    } else if template.get(CARRIED).map_or("", String::as_str) != record {
        set.push((CARRIED.to_owned(), record));
    }
    let mut writer = Writer::new(object);
    let stale: Vec<&str> = stale.iter().map(String::as_str).collect();
    let set: Vec<(&str, String)> = set
        .iter()
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    writer.annotate(at, &set);
    writer.forget(at, &stale);
    writer.finish()
}

/// The names of the keys that are copies, as the template says.
fn records(template: &Texts) -> BTreeSet<&str> {
    let names = template.get(CARRIED).into_iter();
    names.flat_map(|names| names.split(',')).collect()
}

fn template(object: &Value, at: &str) -> Metadata {
    object.pointer(at).map(Metadata::of).unwrap_or_default()
}

/// The annotations of ours.
fn ours(annotations: &Texts) -> Texts {
    let ours = annotations.iter().filter(|(key, _)| key.starts_with(PREFIX));
    ours.map(|(key, value)| (key.clone(), value.clone())).collect()
}
