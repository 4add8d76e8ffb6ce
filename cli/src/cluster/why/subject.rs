//! What is asked about: a workload or a pod, as one writes it for kubectl.

use std::str::FromStr;

use inject::workload::Kind;

/// A workload or a pod, by kind and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

/// What each kind may be called, the name that kubectl prints first, and its resource.
const NAMES: [(Kind, &[&str], &str); 7] = [
    (
        Kind::Deployment,
        &["deployment", "deploy", "deployments"],
        "deployments.apps",
    ),
    (
        Kind::StatefulSet,
        &["statefulset", "sts", "statefulsets"],
        "statefulsets.apps",
    ),
    (
        Kind::DaemonSet,
        &["daemonset", "ds", "daemonsets"],
        "daemonsets.apps",
    ),
    (
        Kind::ReplicaSet,
        &["replicaset", "rs", "replicasets"],
        "replicasets.apps",
    ),
    (Kind::Job, &["job", "jobs"], "jobs.batch"),
    (Kind::CronJob, &["cronjob", "cj", "cronjobs"], "cronjobs.batch"),
    (Kind::Pod, &["pod", "po", "pods"], "pods"),
];

impl Subject {
    /// The resource that kubectl is asked for.
    pub(super) fn resource(kind: Kind) -> &'static str {
        let of = NAMES.iter().find(|(known, ..)| *known == kind);
        of.map_or("pods", |(.., resource)| resource)
    }

    /// As one writes it for kubectl: `deployment/account`.
    pub(super) fn written(kind: Kind, name: &str) -> String {
        let of = NAMES.iter().find(|(known, ..)| *known == kind);
        let kind = of.and_then(|(_, names, _)| names.first()).unwrap_or(&"pod");
        format!("{kind}/{name}")
    }
}

impl FromStr for Subject {
    type Err = String;

    /// Reads `deploy/NAME`, and `deployment.apps/NAME` as kubectl prints it.
    fn from_str(text: &str) -> Result<Self, String> {
        let known = || {
            let shortest = |names: &[&'static str]| names.iter().min_by_key(|name| name.len()).copied();
            let all = NAMES.iter().filter_map(|(_, names, _)| shortest(names));
            all.map(|name| format!("{name}/NAME"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (kind, name) = text
            .split_once('/')
            .ok_or_else(|| format!("say what it is: {}", known()))?;
        let kind = kind.split('.').next().unwrap_or(kind).to_ascii_lowercase();
        let (kind, ..) = NAMES
            .iter()
            .find(|(_, names, _)| names.contains(&kind.as_str()))
            .ok_or_else(|| format!("`{kind}` has no pods that we know of; one of {}", known()))?;
        Ok(Self {
            kind: *kind,
            name: crate::args::object_name(name)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_are_named_as_for_kubectl() {
        for (text, kind) in [
            ("deploy/account", Kind::Deployment),
            ("deployment.apps/account", Kind::Deployment),
            ("sts/account", Kind::StatefulSet),
            ("CronJobs/account", Kind::CronJob),
            ("po/account", Kind::Pod),
        ] {
            let name = "account".to_owned();
            assert_eq!(text.parse(), Ok(Subject { kind, name }));
        }
    }

    #[test]
    fn what_cannot_be_asked_about_is_refused_with_what_can() {
        for (text, said) in [
            ("account", "say what it is: deploy/NAME"),
            (
                "service/account",
                "`service` has no pods that we know of; one of deploy/NAME",
            ),
            ("deploy/-n", "`-n` is not the name of an object"),
            ("deploy/", "`` is not the name of an object"),
        ] {
            let refused = text.parse::<Subject>().unwrap_err();
            assert!(refused.starts_with(said), "{refused}");
        }
    }
}
