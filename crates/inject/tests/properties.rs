//! What holds for every document: injecting twice is injecting once, and taking it back leaves what was there before.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use inject::annotations::KEYS;
use inject::decide::{Namespace, Site};
use inject::review::{self, Review};
use inject::workload::Kind;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

fn patched(object: &Value, review: &Review) -> Value {
    let mut patched = object.clone();
    json_patch::patch(&mut patched, &review.patch).unwrap();
    patched
}

fn site(native_sidecars: bool) -> Site {
    Site {
        native_sidecars,
        asked: true,
        ..Site::usual("0.1.0")
    }
}

/// Something, with `$`, `/`, `~` and quotes in it.
fn text() -> impl Strategy<Value = String> {
    "[a-z$()/~\" ,.:%0-9-]{0,12}"
}

fn probe() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(|path| json!({"httpGet": {"path": path, "port": 8080}})),
        any::<u16>().prop_map(|port| json!({"tcpSocket": {"port": port}})),
        Just(json!({"grpc": {"port": 9090}})),
        Just(Value::Null),
    ]
}

fn container() -> impl Strategy<Value = Value> {
    let names = select(vec![
        "account",
        "helper",
        "istio-proxy",
        "meshtrace-sidecar",
        "a b",
    ]);
    let added = select(vec!["NET_ADMIN", "SYS_TIME"]);
    (names, text(), probe(), option::of(added), option::of(7110u32..7120)).prop_map(
        |(name, image, probe, added, user)| {
            json!({
                "name": name, "image": image, "readinessProbe": probe, "unheard": {"of": [1, null]},
                "securityContext": {"runAsUser": user, "capabilities": {"add": added.into_iter().collect::<Vec<_>>()}},
            })
        },
    )
}

/// Annotations, ours and others'; at least one, since Kubernetes leaves an empty map out.
fn annotations() -> impl Strategy<Value = Value> {
    let ours = select(KEYS.to_vec()).prop_map(|key| key.full());
    let value = prop_oneof![
        text(),
        select(vec!["true", "false", "none", "10%"]).prop_map(str::to_owned)
    ];
    btree_map(prop_oneof![ours, "[a-z./~]{1,8}"], value, 1..4).prop_map(|texts| json!(texts))
}

fn template() -> impl Strategy<Value = Value> {
    let lists = (vec(container(), 1..4), option::of(vec(container(), 1..4)));
    let metadata = option::of(option::of(annotations()));
    (lists, metadata, any::<bool>()).prop_map(|((containers, init), metadata, host_network)| {
        let mut template = Map::new();
        if let Some(annotations) = metadata {
            let mut fields = Map::from_iter([("labels".to_owned(), json!({"app": "account"}))]);
            fields.extend(annotations.map(|annotations| ("annotations".to_owned(), annotations)));
            template.insert("metadata".to_owned(), fields.into());
        }
        let mut spec = json!({"containers": containers, "hostNetwork": host_network});
        if let Some(init) = init {
            spec["initContainers"] = init.into();
        }
        template.insert("spec".to_owned(), spec);
        template.into()
    })
}

fn object() -> impl Strategy<Value = (Kind, Value)> {
    (select(Kind::ALL.to_vec()), template(), option::of(annotations())).prop_map(|(kind, template, annotations)| {
        let object = match kind {
            Kind::Pod => template,
            Kind::CronJob => json!({"metadata": {"name": "account", "annotations": annotations},
                "spec": {"jobTemplate": {"spec": {"template": template}}}}),
            _ => json!({"metadata": {"name": "account", "annotations": annotations}, "spec": {"template": template}}),
        };
        (kind, object)
    })
}

/// Whether a container is called like ours, so that taking it back takes more than was put there.
fn has_ours(object: &Value) -> bool {
    object.to_string().contains("\"meshtrace-")
}

proptest! {
    #[test]
    fn injecting_twice_is_injecting_once((kind, object) in object(), native: bool) {
        let inject = |object: &Value| review::inject(kind, object, &Namespace::default(), &site(native));
        let once = patched(&object, &inject(&object));
        prop_assert!(inject(&once).patch.is_empty());
    }

    #[test]
    fn admitting_twice_is_admitting_once((kind, object) in object(), native: bool) {
        let admit = |object: &Value| review::admit(kind, object, None, &Namespace::default(), &site(native));
        let once = patched(&object, &admit(&object));
        prop_assert_eq!(patched(&once, &admit(&once)), once);
    }

    #[test]
    fn taking_back_leaves_what_was_there((kind, object) in object(), native: bool) {
        prop_assume!(!has_ours(&object));
        let once = patched(&object, &review::inject(kind, &object, &Namespace::default(), &site(native)));
        let back = patched(&once, &review::uninject(kind, &once, &Namespace::default()));
        prop_assert_eq!(back, object);
    }

    #[test]
    fn nothing_of_the_application_is_changed((kind, object) in object(), native: bool) {
        let once = patched(&object, &review::inject(kind, &object, &Namespace::default(), &site(native)));
        let containers = |object: &Value, list: &str| -> Vec<Value> {
            let list = object.pointer(&format!("{}/spec/{list}", kind.template()));
            let items = list.and_then(Value::as_array).into_iter().flatten();
            items.filter(|item| !has_ours(item)).cloned().collect()
        };
        for list in ["containers", "initContainers"] {
            prop_assert_eq!(containers(&object, list), containers(&once, list));
        }
    }

    #[test]
    fn whatever_an_annotation_says_the_sidecar_reads_a_pod_that_kubernetes_takes(said in annotations()) {
        let pod = json!({"metadata": {"name": "account", "annotations": said}, "spec": {"containers": [{"name": "a"}]}});
        let review = review::inject(Kind::Pod, &pod, &Namespace::default(), &site(true));
        let once = patched(&pod, &review);
        for container in once["spec"]["initContainers"].as_array().into_iter().flatten() {
            prop_assert!(!container["image"].as_str().unwrap().is_empty());
            for variable in container["env"].as_array().into_iter().flatten() {
                prop_assert!(variable["value"] != json!(""));
            }
        }
    }
}
