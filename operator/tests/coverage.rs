//! Which objects are told of as missed, and as what: by the documents that the API server would show.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;

use inject::decide::{Namespace, Site};
use inject::limits::Limits;
use inject::review;
use inject::workload::Kind;
use operator::coverage::Coverage;
use operator::coverage::seen::Object;
use operator::coverage::verdict::State;
use operator::mirror::Mark;
use operator::namespaces::{Limiting, Namespaces, Record};
use serde_json::{Value, json};

/// When the namespace began to ask, and a moment before and after.
const BEFORE: &str = "2026-11-22T06:00:00Z";
const SINCE: i64 = 1_795_327_230;
const AFTER: &str = "2026-11-22T06:01:00Z";

struct Cluster {
    site: Arc<Site>,
    namespaces: Arc<Namespaces>,
    coverage: Coverage,
}

impl Cluster {
    fn new() -> Self {
        let site = Arc::new(Site::usual("0.1.0"));
        let namespaces = Arc::new(Namespaces::default());
        let coverage = Coverage::new(Arc::clone(&site), Arc::clone(&namespaces));
        let cluster = Self {
            site,
            namespaces,
            coverage,
        };
        cluster.namespace(&[], None);
        cluster
    }

    /// The namespace of all that follows has these annotations, and its label, if any, since then.
    fn namespace(&self, annotations: &[(&str, &str)], since: Option<i64>) {
        let text = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let label = since.map(|_| ("meshtrace.io/inject".to_owned(), "true".to_owned()));
        self.namespaces.set(Record {
            namespace: Namespace {
                name: "bank".to_owned(),
                annotations: annotations.iter().map(text).collect(),
                labels: label.into_iter().collect(),
                ..Namespace::default()
            },
            uid: "bank-uid".to_owned(),
            mark: Mark {
                is_ours: since.is_some(),
                since,
            },
        });
        self.coverage.namespace(Some("bank"));
    }

    fn asks(&self) {
        self.namespace(&[("meshtrace.io/inject", "true")], Some(SINCE));
    }

    /// How the only object stands.
    fn state(&self) -> Option<State> {
        let summary = self.coverage.summary();
        let mut states = summary.states.iter().filter(|(_, count)| **count > 0);
        let state = states.next().map(|(state, _)| *state);
        assert_eq!(states.next(), None, "more than one");
        state
    }

    /// What is to be told, each as `reason: note`.
    fn tales(&self) -> Vec<String> {
        let untold = self.coverage.untold(100).into_iter();
        let tales = untold.flat_map(|(_, tales)| tales);
        tales
            .map(|tale| format!("{}: {}", tale.reason, tale.note))
            .collect()
    }

    fn pod(&self, pod: &Value) -> Option<State> {
        self.coverage.see(Kind::Pod, pod);
        self.state()
    }

    /// As the webhook would have made it.
    fn injected(&self, pod: &Value) -> Value {
        let namespace = self.namespaces.get("bank");
        let patch = review::admit(Kind::Pod, pod, None, &namespace, &self.site).patch;
        let mut pod = pod.clone();
        json_patch::patch(&mut pod, &patch).unwrap();
        pod
    }
}

fn pod(made: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "account",
            "namespace": "bank",
            "uid": "account-uid",
            "creationTimestamp": made,
            "annotations": annotations,
        },
        "spec": {"containers": [{"name": "account", "image": "account:1"}]},
        "status": {"phase": "Running"},
    })
}

fn asking() -> Value {
    json!({"meshtrace.io/inject": "true"})
}

fn deployment(annotations: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "account", "namespace": "bank", "uid": "account-uid", "annotations": annotations},
        "spec": {"template": {"spec": {"containers": [{"name": "account", "image": "account:1"}]}}},
    })
}

#[test]
fn a_pod_that_nobody_asked_about_is_not_told_of() {
    let cluster = Cluster::new();
    assert_eq!(cluster.pod(&pod(AFTER, &json!({}))), None);
    assert_eq!(
        cluster.pod(&pod(AFTER, &json!({"meshtrace.io/inject": "false"}))),
        None
    );
    assert_eq!(cluster.tales(), Vec::<String>::new());
}

#[test]
fn a_pod_that_asked_and_has_its_sidecar_is_counted_and_not_told_of() {
    let cluster = Cluster::new();
    let pod = cluster.injected(&pod(AFTER, &asking()));
    assert_eq!(cluster.pod(&pod), Some(State::Injected));
    assert_eq!(cluster.tales(), Vec::<String>::new());
}

#[test]
fn a_pod_that_asked_and_has_none_was_missed() {
    let cluster = Cluster::new();
    assert_eq!(cluster.pod(&pod(BEFORE, &asking())), Some(State::Missed));
    assert!(
        cluster.tales()[0].starts_with("SidecarMissed: it has no sidecar, since the operator did not answer")
    );
}

#[test]
fn whether_a_pod_of_a_namespace_that_asks_was_missed_or_is_older_shows_in_its_age() {
    for (made, state) in [(BEFORE, State::NeedsRestart), (AFTER, State::Missed)] {
        let cluster = Cluster::new();
        cluster.asks();
        assert_eq!(cluster.pod(&pod(made, &json!({}))), Some(state), "{made}");
    }
}

#[test]
fn pods_are_judged_again_when_their_namespace_begins_to_ask_and_when_it_ends() {
    let cluster = Cluster::new();
    assert_eq!(cluster.pod(&pod(BEFORE, &json!({}))), None);
    cluster.asks();
    assert_eq!(cluster.state(), Some(State::NeedsRestart));
    cluster.namespace(&[], None);
    assert_eq!(cluster.state(), None);
    assert_eq!(cluster.tales(), Vec::<String>::new());
}

#[test]
fn a_pod_that_cannot_have_one_is_refused_with_all_reasons_and_needs_a_restart_once_they_are_gone() {
    let cluster = Cluster::new();
    let quota = json!({"spec": {"hard": {"limits.memory": "1Gi"}}});
    cluster.namespaces.limit("bank", Limiting::Quotas, vec![quota]);
    let mut pod = pod(AFTER, &asking());
    pod["spec"]["restartPolicy"] = json!("Always");
    let pod = cluster.injected(&pod);
    assert_eq!(
        pod["metadata"]["annotations"]["meshtrace.io/skipped"],
        "resource_quota"
    );
    assert_eq!(cluster.pod(&pod), Some(State::Refused));
    let summary = cluster.coverage.summary();
    assert_eq!(summary.reasons["resource_quota"], 1);
    assert!(cluster.tales()[0].contains("resource_quota: a ResourceQuota of the namespace demands limits"));

    cluster.namespaces.limit("bank", Limiting::Quotas, Vec::new());
    cluster.coverage.namespace(Some("bank"));
    assert_eq!(cluster.namespaces.get("bank").limits, Limits::default());
    assert_eq!(cluster.state(), Some(State::NeedsRestart));
}

#[test]
fn a_redirect_that_could_not_be_installed_is_told_with_what_it_said() {
    let cluster = Cluster::new();
    let mut pod = cluster.injected(&pod(AFTER, &asking()));
    let ended = |message: &str| {
        let terminated = json!({"exitCode": 0, "reason": "Completed", "message": message});
        json!([{"name": "meshtrace-redirect", "state": {"terminated": terminated}}])
    };
    pod["status"]["initContainerStatuses"] = ended("");
    assert_eq!(cluster.pod(&pod), Some(State::Injected));
    pod["status"]["initContainerStatuses"] = ended("not permitted: no NET_ADMIN");
    assert_eq!(cluster.pod(&pod), Some(State::RedirectRefused));
    let tales = cluster.tales();
    assert!(tales[0].starts_with("RedirectRefused: "), "{tales:?}");
    assert!(tales[0].ends_with(": not permitted: no NET_ADMIN"), "{tales:?}");
}

#[test]
fn nothing_is_expected_of_a_pod_that_has_ended_or_is_about_to() {
    let cluster = Cluster::new();
    let mut ended = pod(AFTER, &asking());
    ended["status"]["phase"] = json!("Succeeded");
    assert_eq!(cluster.pod(&ended), None);
    let mut going = pod(AFTER, &asking());
    going["metadata"]["deletionTimestamp"] = json!(AFTER);
    assert_eq!(cluster.pod(&going), None);
}

#[test]
fn a_workload_that_was_annotated_while_we_were_away_is_told_of_and_a_job_is_refused() {
    let cluster = Cluster::new();
    cluster.coverage.see(Kind::Deployment, &deployment(&json!({})));
    assert_eq!(cluster.state(), None);
    cluster.coverage.see(Kind::Deployment, &deployment(&asking()));
    assert_eq!(cluster.state(), Some(State::NotCarried));
    cluster.coverage.gone(Kind::Deployment, "bank", "account");
    assert_eq!(cluster.state(), None);
    cluster.coverage.see(Kind::Job, &deployment(&asking()));
    assert_eq!(cluster.state(), Some(State::Refused));
    assert!(cluster.tales()[0].contains("job_is_fixed"));
}

#[test]
fn misspelt_annotations_are_told_of_where_they_stand() {
    let cluster = Cluster::new();
    let misspelt = json!({"meshtrace.io/samplng": "1"});
    let told = "AnnotationProblem: meshtrace.io/samplng on the workload: unknown key; did you mean \
                `meshtrace.io/sampling`?";
    cluster.coverage.see(Kind::Deployment, &deployment(&misspelt));
    assert_eq!(cluster.tales(), [told]);
    cluster.coverage.gone(Kind::Deployment, "bank", "account");

    let mut managed = pod(AFTER, &misspelt);
    managed["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "account-1", "controller": true}]);
    cluster.coverage.see(Kind::Pod, &managed);
    assert_eq!(
        cluster.tales(),
        Vec::<String>::new(),
        "its workload is told of instead"
    );
    cluster.coverage.see(Kind::Pod, &pod(AFTER, &misspelt));
    assert_eq!(cluster.tales(), [told.replace("workload", "pod")]);
    cluster.coverage.gone(Kind::Pod, "bank", "account");

    cluster.namespace(&[("meshtrace.io/inject", "yes")], None);
    let told = "AnnotationProblem: meshtrace.io/inject on the namespace: `yes` is not `true` or `false`";
    assert_eq!(cluster.tales(), [told]);
}

#[test]
fn what_was_told_is_not_told_again_unless_it_changes_or_the_object_is_another_one() {
    let cluster = Cluster::new();
    let tell = || {
        let untold = cluster.coverage.untold(100);
        for (object, tales) in &untold {
            cluster.coverage.told(object, tales.clone());
        }
        untold.len()
    };
    cluster.coverage.see(Kind::Pod, &pod(AFTER, &asking()));
    assert_eq!((tell(), tell()), (1, 0));
    cluster.coverage.see(Kind::Pod, &pod(AFTER, &asking()));
    assert_eq!(tell(), 0, "seen again");
    let mut changed = pod(AFTER, &asking());
    changed["spec"]["hostNetwork"] = json!(true);
    cluster.coverage.see(Kind::Pod, &changed);
    assert_eq!(tell(), 1, "stands otherwise");
    changed["metadata"]["uid"] = json!("another");
    cluster.coverage.see(Kind::Pod, &changed);
    assert_eq!(tell(), 1, "bears the name of one that is gone");
}

#[test]
fn a_namespace_that_is_gone_is_forgotten() {
    let cluster = Cluster::new();
    cluster.namespace(&[("meshtrace.io/inject", "yes")], None);
    assert_eq!(cluster.tales().len(), 1);
    cluster.coverage.namespace(Some("another"));
    assert_eq!(cluster.tales().len(), 1);
    cluster.namespaces.remove("bank");
    cluster.coverage.namespace(Some("bank"));
    assert_eq!(cluster.tales(), Vec::<String>::new());
}

#[test]
fn what_is_not_listed_any_more_is_forgotten() {
    let cluster = Cluster::new();
    cluster.coverage.see(Kind::Pod, &pod(AFTER, &asking()));
    cluster.coverage.only(Kind::Deployment, &BTreeSet::new());
    assert_eq!(cluster.state(), Some(State::Missed));
    cluster.coverage.only(Kind::Pod, &BTreeSet::new());
    assert_eq!(cluster.state(), None);
}

#[test]
fn the_name_of_an_event_is_the_same_for_the_same_tale_about_the_same_object() {
    let cluster = Cluster::new();
    cluster.coverage.see(Kind::Pod, &pod(AFTER, &asking()));
    let (object, tales) = cluster.coverage.untold(1).remove(0);
    let Object { name, uid, .. } = object;
    assert_eq!(tales[0].name(&name, &uid), tales[0].clone().name(&name, &uid));
    assert_ne!(tales[0].name(&name, &uid), tales[0].name(&name, "another"));
    assert!(tales[0].name(&name, &uid).starts_with("account."));
}

#[test]
fn the_summary_lists_misses_with_their_workload_and_what_to_do() {
    let cluster = Cluster::new();
    let mut pod = pod(AFTER, &asking());
    pod["metadata"]["labels"] = json!({"pod-template-hash": "5fdc"});
    pod["metadata"]["ownerReferences"] = json!([
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "account-5fdc", "controller": true}
    ]);
    cluster.coverage.see(Kind::Pod, &pod);
    let summary = serde_json::to_value(cluster.coverage.summary()).unwrap();
    assert_eq!(summary["states"]["missed"], 1);
    assert_eq!(
        summary["misses"],
        json!([{
            "kind": "Pod",
            "namespace": "bank",
            "name": "account",
            "workload": "Deployment/account",
            "state": "missed",
            "sentence": State::Missed.sentence(),
        }])
    );
}
