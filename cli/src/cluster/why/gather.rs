//! All that an explanation depends on, asked of the cluster. Decides nothing.

use contract::port;
use inject::decide::{Namespace, Site};
use inject::pod::{Metadata, Pod};
use inject::workload::{Kind, Owner};
use serde::Serialize;
use serde_json::Value;

use super::subject::Subject;
use crate::cluster::facts::{self, Part};
use crate::cluster::kubectl::{Error, Kubectl};
use crate::cluster::pods;

/// The most pods that are looked at.
const MOST_PODS: usize = 100;
/// The most lines of a sidecar's settings that are told.
const MOST_LINES: usize = 40;

/// What was seen of a cluster, as far as one workload or pod is concerned.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// What is asked about.
    pub(super) kind: Kind,
    pub(super) object: Value,
    /// The workload that a pod belongs to.
    pub(super) owner: Option<Value>,
    pub(super) namespace: Namespace,
    /// At most [`MOST_PODS`].
    pub(super) pods: Vec<Value>,
    pub(super) site: Site,
    pub(super) operator: Operator,
    /// What one of the sidecars says of where its settings come from.
    pub(super) settings: Option<Settings>,
    /// What could not be read, in sentences.
    pub(super) unread: Vec<String>,
}

/// What a sidecar says of where its settings come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Its pod.
    pub pod: String,
    /// Its own words, a line each.
    pub lines: Vec<String>,
}

/// What there is of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Ready,
    NotReady,
    /// None is installed.
    None,
    /// It could not be looked at.
    Unknown,
}

pub(super) async fn gather(
    kubectl: &Kubectl,
    subject: &Subject,
    namespace: Option<&str>,
    installed_in: &str,
) -> Result<Seen, Error> {
    let object = kubectl
        .object(Subject::resource(subject.kind), &subject.name, namespace)
        .await?;
    let namespace = Metadata::of(&object).namespace;
    let path = format!("/api/v1/namespaces/{namespace}");
    let operators = Part::Operator.of(&format!("/apis/apps/v1/namespaces/{installed_in}/deployments"));
    let (around, listed, operator, version, owner) = tokio::join!(
        kubectl.get(&path),
        list(kubectl, &namespace, subject, &object),
        facts::all(kubectl, &operators),
        kubectl.get("/version"),
        owner(kubectl, subject.kind, &object, &namespace),
    );
    let mut unread = Vec::new();
    let mut note = |what: &str, error: &Error| unread.push(format!("{what}: {error}"));
    let around = around
        .map(|document| Namespace::of(&document))
        .unwrap_or_else(|error| {
            note(
                "its namespace could not be read, so what that says does not count here",
                &error,
            );
            Namespace {
                name: namespace.clone(),
                ..Namespace::default()
            }
        });
    let pods = listed.unwrap_or_else(|error| {
        note("its pods could not be listed", &error);
        Vec::new()
    });
    let owner = owner.unwrap_or_else(|error| {
        note("the workload that it belongs to could not be read", &error);
        None
    });
    let (operator, state) = match operator {
        Ok(found) => {
            let operator = found.into_iter().next();
            let state = operator.as_ref().map_or(Operator::None, state);
            (operator, state)
        }
        Err(error) => {
            note("the operator could not be looked at", &error);
            (None, Operator::Unknown)
        }
    };
    let settings = settings(kubectl, &namespace, &pods).await;
    let kubernetes = version.ok().and_then(|version| facts::kubernetes(&version));
    Ok(Seen {
        kind: subject.kind,
        object,
        owner,
        namespace: around,
        pods,
        site: facts::site(operator.as_ref(), installed_in, kubernetes),
        operator: state,
        settings,
        unread,
    })
}

/// Asks the first sidecar that runs, through the API server. One that cannot be asked is left out: that it may not be is
/// usual, and nothing of the decision depends on it.
async fn settings(kubectl: &Kubectl, namespace: &str, pods: &[Value]) -> Option<Settings> {
    let running = |pod: &&Value| pods::sidecar(pod).is_some_and(|sidecar| sidecar.ready);
    let pod = Metadata::of(pods.iter().find(running)?).name;
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods/{pod}:{}/proxy/config",
        port::ADMIN
    );
    let config = kubectl.text(&path).await.ok()?;
    let said = config.lines().map_while(|line| line.strip_prefix("# "));
    let lines: Vec<_> = said.take(MOST_LINES).map(|line| line.trim().to_owned()).collect();
    (!lines.is_empty()).then_some(Settings { pod, lines })
}

fn state(operator: &Value) -> Operator {
    let available = operator
        .pointer("/status/availableReplicas")
        .and_then(Value::as_u64);
    match available {
        Some(1..) => Operator::Ready,
        _ => Operator::NotReady,
    }
}

/// The pods of a workload; a pod is its own.
async fn list(
    kubectl: &Kubectl,
    namespace: &str,
    subject: &Subject,
    object: &Value,
) -> Result<Vec<Value>, Error> {
    if subject.kind == Kind::Pod {
        return Ok(vec![object.clone()]);
    }
    let mut pods = Vec::new();
    let path = format!("/api/v1/namespaces/{namespace}/pods");
    kubectl
        .list(&path, |pod| {
            if pods.len() < MOST_PODS && belongs(pod, subject) {
                pods.push(pod.clone());
            }
        })
        .await?;
    Ok(pods)
}

/// Whether a pod is managed by the subject, at first or at second hand.
fn belongs(pod: &Value, subject: &Subject) -> bool {
    let Ok(pod) = Pod::read(pod) else { return false };
    let direct = pod
        .metadata
        .controller()
        .is_some_and(|it| it.kind == subject.kind.name() && it.name == subject.name);
    direct || Owner::of(&pod).is_some_and(|it| it.kind == subject.kind && it.name == subject.name)
}

/// The workload that a pod belongs to.
async fn owner(
    kubectl: &Kubectl,
    kind: Kind,
    object: &Value,
    namespace: &str,
) -> Result<Option<Value>, Error> {
    let owner = match kind {
        Kind::Pod => Pod::read(object).ok().and_then(|pod| Owner::of(&pod)),
        _ => None,
    };
    match owner {
        Some(owner) => {
            let resource = Subject::resource(owner.kind);
            kubectl
                .object(resource, &owner.name, Some(namespace))
                .await
                .map(Some)
        }
        None => Ok(None),
    }
}
