//! Policies without a cluster: whose word counts, what sidecars are told, what admins are told.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use operator::policy::document;
use operator::policy::key::{Holds, Key};
use operator::policy::known::{Known, Name, Pod, World};
use operator::policy::precedence::{Labels, Policy, nearest_first, words};
use operator::policy::spec::TracePolicy;
use operator::policy::status::statuses;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use settings::Who;

/// A policy made so many seconds after 1970.
fn policy(namespace: &str, name: &str, made: i64, spec: &Value) -> Policy {
    let created = Timestamp::from_second(made).unwrap().to_string();
    let policy: TracePolicy = serde_json::from_value(json!({
        "apiVersion": "meshtrace.io/v1alpha1",
        "kind": "TracePolicy",
        "metadata": {"namespace": namespace, "name": name, "creationTimestamp": created, "generation": 1},
        "spec": spec,
    }))
    .unwrap();
    Policy::read(&policy)
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// Who has the word on sampling for a pod `app=account` of the namespace `bank`.
fn word(policies: &[Policy]) -> Option<String> {
    let nearest = nearest_first(policies, "meshtrace", "bank", &labels(&[("app", "account")]));
    words(&nearest)
        .get(&Key::Sampling)
        .map(|(policy, _)| policy.title())
}

const ACCOUNT: &str = r#"{"selector": {"matchLabels": {"app": "account"}}, "sampling": "0.1"}"#;

fn account() -> Value {
    serde_json::from_str(ACCOUNT).unwrap()
}

#[test]
fn the_table_of_precedence_holds_from_its_first_row_to_its_last() {
    let all = json!({"sampling": "0.2"});
    let mut policies = vec![
        policy("bank", "selected", 9, &account()),
        policy("bank", "for-all", 8, &all),
        policy("meshtrace", "selected-everywhere", 7, &account()),
        policy("meshtrace", "default", 6, &all),
        policy("shop", "of-others", 1, &all),
        policy(
            "bank",
            "for-others",
            1,
            &json!({"selector": {"matchLabels": {"app": "x"}}, "sampling": "1"}),
        ),
    ];
    for expected in [
        "bank/selected",
        "bank/for-all",
        "meshtrace/selected-everywhere",
        "meshtrace/default",
    ] {
        assert_eq!(word(&policies).as_deref(), Some(expected));
        policies.retain(|policy| policy.title() != expected);
    }
    assert_eq!(word(&policies), None);
}

#[test]
fn of_two_of_one_rank_the_older_counts_and_of_two_as_old_the_first_by_name() {
    let all = json!({"sampling": "0.2"});
    let older = policy("bank", "z", 1, &all);
    let newer = [policy("bank", "b", 2, &all), policy("bank", "a", 2, &all)];
    assert_eq!(word(&newer).as_deref(), Some("bank/a"));
    assert_eq!(
        word(&[newer.to_vec(), vec![older]].concat()).as_deref(),
        Some("bank/z")
    );
}

#[test]
fn an_empty_selector_is_none_and_one_that_cannot_be_read_makes_the_policy_count_for_nothing() {
    let empty = policy(
        "bank",
        "empty",
        9,
        &json!({"selector": {"matchLabels": {}}, "sampling": "1"}),
    );
    let for_all = policy("bank", "for-all", 1, &json!({"sampling": "1"}));
    assert_eq!(word(&[empty, for_all]).as_deref(), Some("bank/for-all"));
    let expression = json!([{"key": "app", "operator": "Like", "values": ["a"]}]);
    let odd = policy(
        "bank",
        "odd",
        1,
        &json!({"selector": {"matchExpressions": expression}, "sampling": "1"}),
    );
    assert!(odd.problems[0].starts_with("selector: "), "{:?}", odd.problems);
    assert_eq!(word(&[odd]), None);
}

#[test]
fn what_the_api_server_does_not_see_is_found_and_told_together() {
    let spec = json!({
        "sampling": "2", "log": "a=b=c",
        "skip": {"inboundPorts": [80, "90-80"], "outboundPorts": ["0"], "outboundCIDRs": ["10.0.0.1/8"]},
    });
    let problems = policy("bank", "odd", 1, &spec).problems;
    let places: Vec<_> = problems
        .iter()
        .map(|problem| problem.split(':').next().unwrap())
        .collect();
    let expected = [
        "sampling",
        "skip.inboundPorts",
        "skip.outboundPorts",
        "skip.outboundCIDRs",
        "log",
    ];
    assert_eq!(places, expected);
}

/// A policy of anything, near or far, with or without a selector.
fn any_policy() -> impl Strategy<Value = Policy> {
    let spec = prop::collection::vec(select(vec!["sampling", "mode", "edge", "routes", "skip"]), 1..4);
    (
        select(vec!["bank", "meshtrace", "shop"]),
        "[a-c]",
        0..3_i64,
        any::<bool>(),
        spec,
    )
        .prop_map(|(namespace, name, made, selects, keys)| {
            let mut spec = json!({});
            for key in keys {
                spec[key] = match key {
                    "sampling" => json!(format!("0.{made}")),
                    "mode" => json!("trace"),
                    "edge" => json!(true),
                    "routes" => json!(["/a/{id}"]),
                    _ => json!({"inboundPorts": [80]}),
                };
            }
            if selects {
                spec["selector"] = json!({"matchLabels": {"app": "account"}});
            }
            policy(namespace, &name, made, &spec)
        })
}

proptest! {
    #[test]
    fn the_order_in_which_policies_are_known_does_not_matter(
        policies in prop::collection::vec(any_policy(), 0..8), turn in any::<prop::sample::Index>(),
    ) {
        // names are unique within a namespace
        let known: BTreeMap<_, _> = policies.into_iter().map(|policy| (policy.title(), policy)).collect();
        let mut policies: Vec<Policy> = known.into_values().collect();
        let told = |policies: &[Policy]| {
            document::update(&words(&nearest_first(policies, "meshtrace", "bank", &labels(&[("app", "account")]))))
        };
        let before = told(&policies);
        if !policies.is_empty() {
            let by = turn.index(policies.len());
            policies.rotate_left(by);
        }
        prop_assert_eq!(before, told(&policies));
    }

    #[test]
    fn a_policy_that_is_added_takes_no_word_from_one_that_is_nearer(
        policies in prop::collection::vec(any_policy(), 1..6),
    ) {
        let known: BTreeMap<_, _> = policies.into_iter().map(|policy| (policy.title(), policy)).collect();
        let policies: Vec<Policy> = known.into_values().collect();
        let pod = labels(&[("app", "account")]);
        let nearest = nearest_first(&policies, "meshtrace", "bank", &pod);
        for (place, policy) in nearest.iter().enumerate() {
            let far = words(&nearest[..place]);
            let with = words(&nearest[..=place]);
            for (key, (winner, _)) in &far {
                prop_assert_eq!(winner.title(), with[key].0.title());
            }
            for (key, (winner, said)) in &with {
                prop_assert!(far.contains_key(key) || winner.title() == policy.title());
                prop_assert_eq!(winner.spec.said(*key), Some(said.clone()));
            }
        }
    }
}

#[test]
fn a_sidecar_is_told_every_key_that_can_change_in_its_own_words_and_from_whom() {
    let everything = json!({
        "mode": "trace", "edge": true, "sampling": "10%", "propagate": ["w3c", "b3multi"], "propagateInferred": "exact",
        "requestId": "create", "redaction": {"query": false}, "captureHeaders": ["x-tenant"],
        "routes": ["GET /accounts/{id}"], "opaquePorts": [3306], "log": "debug",
        "skip": {"inboundPorts": [9090, "9100-9200"], "outboundCIDRs": ["10.0.0.0/8"]},
    });
    let policies = [policy("bank", "all", 1, &everything)];
    let nearest = nearest_first(&policies, "meshtrace", "bank", &Labels::new());
    let words = words(&nearest);
    let update = document::update(&words);
    let live = Key::ALL.into_iter().filter_map(|key| match key.holds() {
        Holds::Live(name) => Some(name.to_owned()),
        Holds::AtInjection => None,
    });
    let told: serde_json::Map<String, Value> = serde_yaml::from_str(&update.document).unwrap();
    for key in live {
        assert!(told.contains_key(&key), "{key}: {}", update.document);
        assert_eq!(update.origins[&key], "TracePolicy bank/all");
    }
    // the sidecar's own tests read this very document
    assert_eq!(
        update.document,
        include_str!("../../sidecar/tests/data/settings-of-a-policy.yaml")
    );
    let skip = document::skip(&words);
    assert_eq!(skip.inbound_ports.unwrap(), ["9090", "9100-9200"]);
    assert_eq!(
        (skip.outbound_ports, skip.outbound_cidrs.unwrap().len()),
        (None, 1)
    );
}

/// A world of these policies, and of pods `account-0`, made at second 50, and `card-0`, made at second 150.
fn known(policies: Vec<Policy>) -> Known {
    let (known, there) = listing(policies);
    known.only_policies(&there);
    known
}

/// The same, before it is known that these are all policies there are.
fn listing(policies: Vec<Policy>) -> (Known, BTreeSet<Name>) {
    let known = Known::new("meshtrace");
    let pod = |name: &str, created, annotated: &[&str]| {
        let pod = Pod {
            uid: format!("uid of {name}"),
            labels: labels(&[("app", name.split('-').next().unwrap())]),
            annotated: annotated.iter().map(|name| (*name).to_owned()).collect(),
            created,
        };
        (("bank".to_owned(), name.to_owned()), pod)
    };
    for (name, pod) in [pod("account-0", 50, &[]), pod("card-0", 150, &["sampling"])] {
        known.pod(name, Some(pod));
    }
    let mut there = BTreeSet::new();
    for policy in policies {
        let name = (policy.namespace.clone(), policy.name.clone());
        there.insert(name.clone());
        known.policy(name, Some(policy));
    }
    (known, there)
}

fn who(pod: &str, uid: &str) -> Who {
    Who {
        namespace: "bank".to_owned(),
        pod: pod.to_owned(),
        uid: uid.to_owned(),
    }
}

#[test]
fn only_a_pod_that_is_known_is_told_something_and_nobody_before_all_policies_are_known() {
    let sampled = json!({"sampling": "0.5"});
    let (known, there) = listing(vec![policy("meshtrace", "default", 1, &sampled)]);
    assert_eq!(known.update(&who("account-0", "")), None);
    known.only_policies(&there);
    let told = known.update(&who("account-0", "uid of account-0")).unwrap();
    assert_eq!(told.document, "sampling: '0.5'\n");
    assert_eq!(known.update(&who("account-0", "")), Some(told));
    assert_eq!(known.update(&who("account-0", "uid of its predecessor")), None);
    assert_eq!(known.update(&who("nobody", "")), None);
}

#[test]
fn what_is_no_more_there_when_all_are_listed_again_says_nothing_any_more() {
    let known = known(vec![policy(
        "meshtrace",
        "default",
        1,
        &json!({"sampling": "0.5"}),
    )]);
    known.only_policies(&BTreeSet::new());
    assert_eq!(known.update(&who("account-0", "")).unwrap().document, "");
    known.only_pods(&BTreeSet::new());
    assert_eq!(known.update(&who("account-0", "")), None);
}

#[test]
fn where_nobody_says_anything_the_sidecars_own_settings_hold() {
    let known = known(Vec::new());
    assert_eq!(known.update(&who("card-0", "")).unwrap().document, "");
}

#[test]
fn a_status_says_for_how_many_pods_a_policy_is_where_it_holds_and_who_has_the_word_elsewhere() {
    let known = known(vec![
        policy("bank", "account", 1, &account()),
        policy("bank", "all", 1, &json!({"sampling": "1", "edge": true})),
        policy(
            "bank",
            "nobody",
            1,
            &json!({"selector": {"matchLabels": {"app": "x"}}, "edge": true}),
        ),
        policy("bank", "odd", 1, &json!({"sampling": "2"})),
    ]);
    let now = Time(Timestamp::from_second(100).unwrap());
    let told = statuses(&known.world(), "meshtrace", &now);
    let of = |name: &str| &told[&("bank".to_owned(), name.to_owned())];
    assert_eq!((of("account").pods, of("all").pods, of("nobody").pods), (1, 2, 0));
    let overridden = &of("all").keys["sampling"].overridden;
    assert_eq!(
        overridden,
        &BTreeMap::from([("annotation".to_owned(), 1), ("bank/account".to_owned(), 1)])
    );
    assert_eq!(of("all").keys["edge"].pods, 2);
    let condition = |name: &str, kind: &str| {
        let mut conditions = of(name).conditions.iter();
        let found = conditions.find(|condition| condition.type_ == kind).unwrap();
        (found.status.clone(), found.reason.clone(), found.message.clone())
    };
    let applied = condition("all", "Applied");
    assert_eq!((applied.0.as_str(), applied.1.as_str()), ("True", "InPart"));
    assert!(
        applied
            .2
            .ends_with("but for sampling in 1 by annotation, 1 by bank/account"),
        "{}",
        applied.2
    );
    assert_eq!(condition("nobody", "Applied").1, "NoPods");
    let refused = condition("odd", "Accepted");
    assert_eq!(refused.0, "False");
    assert!(
        refused.2.contains("sampling: `2` is not a share"),
        "{}",
        refused.2
    );
}

#[test]
fn pods_older_than_what_is_skipped_need_a_restart_and_a_status_that_is_written_stays() {
    let known = known(vec![policy(
        "bank",
        "skips",
        1,
        &json!({"skip": {"outboundPorts": [5432]}}),
    )]);
    let name = ("bank".to_owned(), "skips".to_owned());
    let at = |world: &World, second| {
        let now = Time(Timestamp::from_second(second).unwrap());
        statuses(world, "meshtrace", &now)[&name].clone()
    };
    let first = at(&known.world(), 100);
    let restart = &first.conditions[2];
    assert_eq!(
        (restart.type_.as_str(), restart.status.as_str()),
        ("RestartNeeded", "True")
    );
    assert!(restart.message.starts_with("1 of 2 pods"), "{}", restart.message);

    let mut written = known.world().policies[&name].clone();
    written.status = first.clone();
    known.policy(name.clone(), Some(written));
    assert_eq!(at(&known.world(), 200), first);
}
