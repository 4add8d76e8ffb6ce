//! What a check finds: a closed set of things that are looked at, each ok, a warning or an error, with what to do.

use serde::Serialize;

use crate::cluster::kubectl::Error;

/// The most objects that a finding names.
const MOST_OBJECTS: usize = 10;

/// So many of them: `1 pod`, `2 pods`.
pub(super) fn counted(count: usize, what: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {what}{end}")
}

/// What is looked at. Its name never changes: scripts may go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// `kubectl` is there and new enough.
    Kubectl,
    /// The API server answers.
    ApiServer,
    /// Its version.
    Kubernetes,
    /// The nodes can run sidecars.
    Nodes,
    /// It knows admission webhooks.
    WebhookApi,
    /// The admin may make what the chart makes.
    Rights,
    /// Nobody else has the names.
    Names,
    /// Other meshes.
    OtherMeshes,
    /// The Pod Security levels of namespaces that ask for sidecars.
    PodSecurity,
    /// The operator runs.
    Operator,
    /// The webhook is as it should be.
    Webhook,
    /// The certificates that the API server trusts it by.
    Certificate,
    /// It answers.
    WebhookAnswers,
    /// The custom resources are known.
    CustomResources,
    /// All are of one version.
    Versions,
    /// The collector runs.
    Collector,
    /// It answers.
    CollectorAnswers,
    /// Namespaces that ask have the label that the webhook goes by.
    NamespaceLabels,
    /// Annotations can be read.
    Annotations,
    /// Pods that ask have a sidecar.
    Missing,
    /// Sidecars run.
    Sidecars,
    /// Quotas leave room for sidecars.
    Quotas,
    /// No span is lost.
    Lost,
}

/// What belongs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The cluster.
    Kubernetes,
    /// What an installation needs.
    Installation,
    /// The operator and its webhook.
    Operator,
    /// The collector.
    Collector,
    /// What is traced.
    Workloads,
}

impl Check {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 23] = [
        Self::Kubectl,
        Self::ApiServer,
        Self::Kubernetes,
        Self::Nodes,
        Self::WebhookApi,
        Self::Rights,
        Self::Names,
        Self::OtherMeshes,
        Self::PodSecurity,
        Self::Operator,
        Self::Webhook,
        Self::Certificate,
        Self::WebhookAnswers,
        Self::CustomResources,
        Self::Versions,
        Self::Collector,
        Self::CollectorAnswers,
        Self::NamespaceLabels,
        Self::Annotations,
        Self::Missing,
        Self::Sidecars,
        Self::Quotas,
        Self::Lost,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kubectl => "kubectl",
            Self::ApiServer => "api-server",
            Self::Kubernetes => "kubernetes-version",
            Self::Nodes => "nodes",
            Self::WebhookApi => "webhook-api",
            Self::Rights => "rights",
            Self::Names => "names",
            Self::OtherMeshes => "other-meshes",
            Self::PodSecurity => "pod-security",
            Self::Operator => "operator",
            Self::Webhook => "webhook",
            Self::Certificate => "certificate",
            Self::WebhookAnswers => "webhook-answers",
            Self::CustomResources => "custom-resources",
            Self::Versions => "versions",
            Self::Collector => "collector",
            Self::CollectorAnswers => "collector-answers",
            Self::NamespaceLabels => "namespace-labels",
            Self::Annotations => "annotations",
            Self::Missing => "missing-sidecars",
            Self::Sidecars => "sidecars",
            Self::Quotas => "quotas",
            Self::Lost => "lost-spans",
        }
    }

    /// Where it belongs.
    pub fn group(self) -> Group {
        match self {
            Self::Kubectl | Self::ApiServer | Self::Kubernetes | Self::Nodes | Self::WebhookApi => {
                Group::Kubernetes
            }
            Self::Rights | Self::Names | Self::OtherMeshes => Group::Installation,
            Self::Operator
            | Self::Webhook
            | Self::Certificate
            | Self::WebhookAnswers
            | Self::CustomResources
            | Self::Versions => Group::Operator,
            Self::Collector | Self::CollectorAnswers => Group::Collector,
            Self::PodSecurity
            | Self::NamespaceLabels
            | Self::Annotations
            | Self::Missing
            | Self::Sidecars
            | Self::Quotas
            | Self::Lost => Group::Workloads,
        }
    }

    /// It is as it should be.
    pub(super) fn ok(self, what: impl Into<String>) -> Finding {
        self.found(Status::Ok, what.into(), None)
    }

    /// Something is not as it could be; what there is works.
    pub(super) fn warning(self, what: impl Into<String>, todo: impl Into<String>) -> Finding {
        self.found(Status::Warning, what.into(), Some(todo.into()))
    }

    /// Something does not work.
    pub(super) fn error(self, what: impl Into<String>, todo: impl Into<String>) -> Finding {
        self.found(Status::Error, what.into(), Some(todo.into()))
    }

    /// It could not be looked at. What the admin may not see is a warning: it may be as it should be.
    pub(super) fn unknown(self, error: &Error) -> Finding {
        match error {
            Error::Forbidden(_) => self.warning(
                format!("could not be looked at: {error}"),
                "ask somebody who may, or be given the right to read it",
            ),
            error => self.error(error.to_string(), "see to that, and check again"),
        }
    }

    fn found(self, status: Status, what: String, todo: Option<String>) -> Finding {
        Finding {
            check: self,
            status,
            what,
            todo,
            objects: Vec::new(),
            more: 0,
        }
    }
}

impl Serialize for Check {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Group {
    /// Its heading.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Kubernetes => "Kubernetes",
            Self::Installation => "installation",
            Self::Operator => "operator",
            Self::Collector => "collector",
            Self::Workloads => "workloads",
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Not as it could be.
    Warning,
    /// Does not work.
    Error,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How bad it is.
    pub status: Status,
    /// What is, in a sentence.
    pub what: String,
    /// What to do about it.
    pub todo: Option<String>,
    /// Which objects are meant, ten at most.
    pub objects: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl Finding {
    /// With the objects that are meant.
    pub(super) fn of(mut self, objects: impl IntoIterator<Item = String>) -> Self {
        let mut objects = objects.into_iter();
        self.objects = objects.by_ref().take(MOST_OBJECTS).collect();
        self.more = objects.count();
        self
    }
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            id: Check,
            group: Group,
            status: Status,
            what: &'a str,
            todo: Option<&'a str>,
            objects: &'a [String],
            more: usize,
        }
        Written {
            id: self.check,
            group: self.check.group(),
            status: self.status,
            what: &self.what,
            todo: self.todo.as_deref(),
            objects: &self.objects,
            more: self.more,
        }
        .serialize(serializer)
    }
}
