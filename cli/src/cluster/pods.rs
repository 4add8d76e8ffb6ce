//! What the pods that run have of a sidecar, and whether that is what they would get today. Pure.

use inject::annotations::{INJECTED, SKIPPED};
use inject::patch::{self, REDIRECT, SIDECAR};
use inject::pod::Metadata;
use serde::Serialize;
use serde_json::Value;

use super::facts::{items, text};

/// One pod that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodState {
    /// Its name.
    pub name: String,
    /// `Running`, `Pending`, …
    pub phase: String,
    /// Its sidecar.
    pub sidecar: Option<Sidecar>,
    /// The reasons that the operator has left on it, where it asked for a sidecar and got none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// Why it is not as a pod would be that is made today.
    pub outdated: Option<String>,
}

/// The sidecar of a pod that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sidecar {
    /// The version that has put it there; none where we have not.
    pub version: Option<String>,
    /// `running`, or why it is not.
    pub state: String,
    /// Whether it runs and is ready.
    pub ready: bool,
    /// How often it has started again.
    pub restarts: u64,
}

/// What a pod that is made today would get.
#[derive(Clone, Copy, Debug)]
pub(super) enum Today<'a> {
    /// A sidecar by this version of the operator; and a template with it, where there is one.
    Sidecar {
        version: &'a str,
        template: Option<&'a Value>,
    },
    /// None.
    Nothing,
}

/// A pod as it was before the operator has met it. One that someone else has given a container named like ours keeps it.
pub(super) fn fresh(pod: &Value) -> Value {
    let mut fresh = pod.clone();
    if Metadata::of(pod).annotations.contains_key(INJECTED)
        && json_patch::patch(&mut fresh, &patch::uninject(pod, "")).is_err()
    {
        fresh.clone_from(pod);
    }
    if let Some(Value::Object(annotations)) = fresh.pointer_mut("/metadata/annotations") {
        annotations.remove(SKIPPED);
    }
    fresh
}

/// What a pod has, beside what it would get today.
pub(super) fn state(pod: &Value, today: Today<'_>) -> PodState {
    let Metadata {
        name, annotations, ..
    } = Metadata::of(pod);
    let phase = text(pod, "/status/phase").unwrap_or("Unknown").to_owned();
    let sidecar = sidecar(pod);
    let skipped: Vec<String> = annotations
        .get(SKIPPED)
        .into_iter()
        .flat_map(|names| names.split(','))
        .map(str::to_owned)
        .collect();
    let ended = ["Succeeded", "Failed"].contains(&phase.as_str());
    let outdated = match ended {
        true => None,
        false => outdated(pod, sidecar.as_ref(), &skipped, today),
    };
    PodState {
        name,
        phase,
        sidecar,
        skipped,
        outdated,
    }
}

fn outdated(pod: &Value, sidecar: Option<&Sidecar>, skipped: &[String], today: Today<'_>) -> Option<String> {
    match (sidecar, today) {
        (None, Today::Nothing) => None,
        (None, Today::Sidecar { .. }) if skipped.is_empty() => {
            Some("it was made before it was asked for, or while the operator was away".to_owned())
        }
        (None, Today::Sidecar { .. }) => Some(format!(
            "it was made when {} stood against it",
            skipped.join(" and ")
        )),
        (Some(_), Today::Nothing) => Some("it was made when one was asked for".to_owned()),
        (Some(sidecar), Today::Sidecar { version, template }) => {
            let theirs = sidecar.version.as_deref()?;
            if theirs != version {
                return Some(format!(
                    "it is by version {theirs}, and a new one would be by {version}"
                ));
            }
            let changed = changed(pod, template?);
            (!changed.is_empty()).then(|| format!("a new one would differ in {}", changed.join(", ")))
        }
    }
}

/// The sidecar's container, native or not.
fn container<'v>(spec: &'v Value, name: &str) -> Option<&'v Value> {
    let lists = ["/spec/initContainers", "/spec/containers"];
    lists
        .into_iter()
        .flat_map(|list| items(spec, list))
        .find(|container| text(container, "/name") == Some(name))
}

/// In what the containers of ours differ between a pod and a template: the image, what is asked for, variables, arguments.
/// What Kubernetes fills in by itself is not looked at.
fn changed(pod: &Value, template: &Value) -> Vec<String> {
    let mut changed = Vec::new();
    let mut differs = |what: &str, mine: Option<&Value>, theirs: Option<&Value>| {
        if mine != theirs {
            changed.push(what.to_owned());
        }
    };
    let (mine, theirs) = (container(pod, SIDECAR), container(template, SIDECAR));
    for field in ["image", "resources"] {
        differs(
            field,
            mine.and_then(|it| it.get(field)),
            theirs.and_then(|it| it.get(field)),
        );
    }
    let variables = |container: Option<&Value>| -> std::collections::BTreeMap<String, Option<Value>> {
        let variables = container.map(|container| items(container, "/env"));
        variables
            .into_iter()
            .flatten()
            .filter_map(|it| Some((text(it, "/name")?.to_owned(), it.get("value").cloned())))
            .collect()
    };
    let (before, now) = (variables(mine), variables(theirs));
    for name in before
        .keys()
        .chain(now.keys().filter(|name| !before.contains_key(*name)))
    {
        differs(
            name,
            before.get(name).and_then(Option::as_ref),
            now.get(name).and_then(Option::as_ref),
        );
    }
    let arguments = |spec| container(spec, REDIRECT).and_then(|it| it.get("args"));
    differs("the redirect", arguments(pod), arguments(template));
    changed
}

/// The sidecar of a pod, if it has one.
pub(super) fn sidecar(pod: &Value) -> Option<Sidecar> {
    container(pod, SIDECAR)?;
    let version = Metadata::of(pod).annotations.remove(INJECTED);
    let status = |name: &'static str| {
        let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
        lists
            .into_iter()
            .flat_map(|list| items(pod, list))
            .find(move |status| text(status, "/name") == Some(name))
    };
    let own = status(SIDECAR);
    let flag = |at| {
        own.and_then(|it| it.pointer(at))
            .and_then(Value::as_bool)
            .unwrap_or(false)
    };
    let running = own.is_some_and(|it| it.pointer("/state/running").is_some());
    let ready = running && (flag("/ready") || flag("/started"));
    // the sidecar runs before the redirect is installed, and the pod waits for both
    let redirect = status(REDIRECT).and_then(|status| stuck(status).or_else(|| without_redirect(status)));
    let state = match (own, redirect) {
        (None, _) => "not started yet".to_owned(),
        (_, Some(why)) => format!("{REDIRECT}: {why}"),
        (Some(_), None) if ready => "running".to_owned(),
        (Some(own), None) => stuck(own).unwrap_or_else(|| "starting".to_owned()),
    };
    Some(Sidecar {
        version,
        ready: ready && state == "running",
        state,
        restarts: own.and_then(|it| it.get("restartCount")?.as_u64()).unwrap_or(0),
    })
}

/// What the redirect says at its end: something only if it has installed nothing, so that no connection comes to the sidecar.
fn without_redirect(status: &Value) -> Option<String> {
    let ended = status.pointer("/state/terminated")?;
    let message = text(ended, "/message")
        .map(str::trim)
        .filter(|message| !message.is_empty())?;
    Some(message.to_owned())
}

/// Why a container does not run, where Kubernetes says so.
fn stuck(status: &Value) -> Option<String> {
    let ended_well = status
        .pointer("/state/terminated/exitCode")
        .and_then(Value::as_i64)
        == Some(0);
    let reason = ["/state/waiting/reason", "/state/terminated/reason"];
    let reason = reason.into_iter().find_map(|at| text(status, at))?;
    let waits = ["PodInitializing", "ContainerCreating"].contains(&reason);
    (!ended_well && !waits).then(|| reason.to_owned())
}
