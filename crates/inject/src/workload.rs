//! The kinds that have pods: where their template is, and which workload a pod belongs to.

use serde_json::Value;

use crate::pod::{Metadata, Pod};

/// The label by which a Deployment's ReplicaSets, and so its pods, differ. It is the end of the ReplicaSet's name.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// Digits behind the last dash in the name of a CronJob's Job: the scheduled time in minutes since 1970, which has
/// eight digits until the year 2160.
const CRON_MINUTES: usize = 8;

/// A pod, or a kind that makes pods from a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pod itself.
    Pod,
    /// Of `apps/v1`.
    Deployment,
    /// Of `apps/v1`.
    StatefulSet,
    /// Of `apps/v1`.
    DaemonSet,
    /// Of `apps/v1`.
    ReplicaSet,
    /// Of `batch/v1`.
    Job,
    /// Of `batch/v1`.
    CronJob,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Pod,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::Job,
        Self::CronJob,
    ];

    /// The kind of a document, if it is one of these.
    pub fn of(document: &Value) -> Option<Self> {
        let text = |key| document.get(key).and_then(Value::as_str);
        Self::named(text("apiVersion")?, text("kind")?)
    }

    /// By API version and kind.
    pub fn named(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|it| it.name() == kind && it.api_version() == api_version)
    }

    /// Its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
        }
    }

    /// Its API version in documents.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Pod => "v1",
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::ReplicaSet => "apps/v1",
            Self::Job | Self::CronJob => "batch/v1",
        }
    }

    /// Where the pod's metadata and spec stand, as a JSON pointer.
    pub fn template(self) -> &'static str {
        match self {
            Self::Pod => "",
            Self::CronJob => "/spec/jobTemplate/spec/template",
            _ => "/spec/template",
        }
    }

    /// OpenTelemetry's attribute for the name of such a workload.
    pub(crate) fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Pod => None,
            Self::Deployment => Some("k8s.deployment.name"),
            Self::StatefulSet => Some("k8s.statefulset.name"),
            Self::DaemonSet => Some("k8s.daemonset.name"),
            Self::ReplicaSet => Some("k8s.replicaset.name"),
            Self::Job => Some("k8s.job.name"),
            Self::CronJob => Some("k8s.cronjob.name"),
        }
    }
}

/// The workload that a pod belongs to, as an admin would name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Never a pod.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

impl Owner {
    /// From what manages the pod. A Deployment is known by its ReplicaSet's name, which ends in the pod's
    /// `pod-template-hash`; a CronJob by its Job's, which ends in the scheduled minute.
    pub fn of(pod: &Pod) -> Option<Self> {
        let controller = pod.metadata.controller()?;
        let kind = Kind::named(&controller.api_version, &controller.kind)?;
        let parent = match kind {
            Kind::Pod => return None,
            Kind::ReplicaSet => deployment(&controller.name, &pod.metadata),
            Kind::Job => cron_job(&controller.name),
            _ => None,
        };
        Some(parent.unwrap_or_else(|| Self {
            kind,
            name: controller.name.clone(),
        }))
    }
}

fn deployment(replica_set: &str, pod: &Metadata) -> Option<Owner> {
    let hash = pod.labels.get(TEMPLATE_HASH)?;
    let name = replica_set.strip_suffix(hash.as_str())?.strip_suffix('-')?;
    Some(Owner {
        kind: Kind::Deployment,
        name: name.to_owned(),
    })
}

fn cron_job(job: &str) -> Option<Owner> {
    let (name, minutes) = job.rsplit_once('-')?;
    let scheduled = minutes.len() == CRON_MINUTES && minutes.bytes().all(|byte| byte.is_ascii_digit());
    scheduled.then(|| Owner {
        kind: Kind::CronJob,
        name: name.to_owned(),
    })
}
