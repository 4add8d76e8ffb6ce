//! Why a pod has no sidecar: a closed set, each with a sentence for people.

use std::fmt;

use serde::Serialize;
use serde::ser::SerializeStruct;

/// Why a pod gets no sidecar, or a workload is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nobody asked.
    NotAsked,
    /// The nearest `inject` says no.
    OptedOut,
    /// The nearest `inject` says neither yes nor no.
    UnclearInject,
    /// It has a sidecar that we put there.
    AlreadyInjected,
    /// It has a sidecar that someone else put there.
    InjectedByHand,
    /// Its namespace belongs to the cluster, or to us.
    SystemNamespace,
    /// Nothing is known of its namespace yet.
    UnknownNamespace,
    /// It is the API server's picture of a pod that the kubelet runs from a file.
    MirrorPod,
    /// It has no network of its own.
    HostNetwork,
    /// It runs on Windows.
    Windows,
    /// Another mesh's proxy is in it.
    OtherMesh,
    /// Its namespace does not allow `NET_ADMIN`.
    PodSecurity,
    /// A quota of its namespace demands limits.
    ResourceQuota,
    /// A limit range of its namespace refuses what the sidecar asks for.
    LimitRange,
    /// It has to end by itself, and the cluster has no native sidecars.
    RunsToCompletion,
    /// It listens on one of the sidecar's ports.
    PortTaken,
    /// It runs as the sidecar's user.
    UserTaken,
    /// Another object makes it, and would make it again.
    Owned,
    /// A Job cannot be changed once it is there.
    JobIsFixed,
    /// Nothing of ours, nor the template, has changed.
    Unchanged,
    /// It is not what Kubernetes takes for a pod.
    Unreadable,
}

impl Reason {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 21] = [
        Self::NotAsked,
        Self::OptedOut,
        Self::UnclearInject,
        Self::AlreadyInjected,
        Self::InjectedByHand,
        Self::SystemNamespace,
        Self::UnknownNamespace,
        Self::MirrorPod,
        Self::HostNetwork,
        Self::Windows,
        Self::OtherMesh,
        Self::PodSecurity,
        Self::ResourceQuota,
        Self::LimitRange,
        Self::RunsToCompletion,
        Self::PortTaken,
        Self::UserTaken,
        Self::Owned,
        Self::JobIsFixed,
        Self::Unchanged,
        Self::Unreadable,
    ];

    /// Its name in reports, annotations and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAsked => "not_asked",
            Self::OptedOut => "opted_out",
            Self::UnclearInject => "unclear_inject",
            Self::AlreadyInjected => "already_injected",
            Self::InjectedByHand => "injected_by_hand",
            Self::SystemNamespace => "system_namespace",
            Self::UnknownNamespace => "unknown_namespace",
            Self::MirrorPod => "mirror_pod",
            Self::HostNetwork => "host_network",
            Self::Windows => "windows",
            Self::OtherMesh => "other_mesh",
            Self::PodSecurity => "pod_security",
            Self::ResourceQuota => "resource_quota",
            Self::LimitRange => "limit_range",
            Self::RunsToCompletion => "runs_to_completion",
            Self::PortTaken => "port_taken",
            Self::UserTaken => "user_taken",
            Self::Owned => "owned",
            Self::JobIsFixed => "job_is_fixed",
            Self::Unchanged => "unchanged",
            Self::Unreadable => "unreadable",
        }
    }

    /// What it means and what to do about it.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotAsked => {
                "nobody asked for a sidecar: annotate the workload, its pod template or its namespace with \
                 meshtrace.io/inject: \"true\""
            }
            Self::OptedOut => "the nearest meshtrace.io/inject says \"false\"",
            Self::UnclearInject => {
                "the nearest meshtrace.io/inject is neither \"true\" nor \"false\", so it is not known what is wanted"
            }
            Self::AlreadyInjected => "it has its sidecar already",
            Self::InjectedByHand => {
                "it has a container named like ours that we did not put there; remove it to get ours"
            }
            Self::SystemNamespace => {
                "the namespace belongs to the cluster or to meshtrace itself, or is excluded where meshtrace was installed: \
                 its pods are never touched"
            }
            Self::UnknownNamespace => {
                "the operator does not know yet what the namespace allows, so it does not risk that the pod is refused; \
                 delete the pod to try again"
            }
            Self::MirrorPod => {
                "it mirrors a static pod, which the kubelet runs from a file and which cannot be changed"
            }
            Self::HostNetwork => {
                "it uses its node's network, where redirecting would take the traffic of the whole node"
            }
            Self::Windows => "it runs on Windows, which has no netfilter",
            Self::OtherMesh => {
                "another mesh's proxy is in it, which already takes its connections; leave the pod out of that mesh first"
            }
            Self::PodSecurity => {
                "the namespace's Pod Security level forbids NET_ADMIN, which the redirect needs: enforce `privileged` \
                 there, or redirect by other means and set meshtrace.io/capture: \"none\""
            }
            Self::ResourceQuota => {
                "a ResourceQuota of the namespace demands limits, which the sidecar has not: let a LimitRange there give \
                 defaults"
            }
            Self::LimitRange => {
                "a LimitRange of the namespace may refuse what the sidecar asks for: set meshtrace.io/cpu and \
                 meshtrace.io/memory to what it allows, or let it bound containers instead of pods"
            }
            Self::RunsToCompletion => {
                "it has to end by itself, and without native sidecars (Kubernetes before 1.29) a sidecar would keep it \
                 from ending"
            }
            Self::PortTaken => {
                "one of its containers listens on 15101, 15106 or 15190, which the sidecar needs"
            }
            Self::UserTaken => {
                "one of its containers runs as user 7117, which is the sidecar's and whose connections are not redirected"
            }
            Self::Owned => "another object makes it and would make it again: annotate that one",
            Self::JobIsFixed => {
                "the template of a Job cannot be changed once it is there: delete it and create it again"
            }
            Self::Unchanged => {
                "this update changes neither its template nor anything of ours; its pods are left as they are"
            }
            Self::Unreadable => "it is not what Kubernetes takes for a pod: its spec cannot be read",
        }
    }

    /// Whether whoever asked for a sidecar would want to know: there is none, and nobody said that there should be none.
    pub fn is_worth_telling(self) -> bool {
        let expected = [
            Self::NotAsked,
            Self::OptedOut,
            Self::AlreadyInjected,
            Self::Unreadable,
        ];
        !expected.contains(&self)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reason = serializer.serialize_struct("Reason", 2)?;
        reason.serialize_field("reason", self.name())?;
        reason.serialize_field("sentence", self.sentence())?;
        reason.end()
    }
}
