//! The pictures of injection, read by Kubernetes' own types: a field that is misspelt, or in the wrong place, would be
//! lost on the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::fs;
use std::path::Path;

use k8s_openapi::api::core::v1::Container;
use serde_json::Value;

/// The containers of ours in a document, wherever they are.
fn ours<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(fields) => {
            let name = fields.get("name").and_then(Value::as_str);
            if name.is_some_and(|name| name.starts_with("meshtrace-"))
                && fields.contains_key("securityContext")
            {
                found.push(value);
            }
            fields.values().for_each(|value| ours(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| ours(value, found)),
        _ => {}
    }
}

#[test]
fn kubernetes_knows_every_field_that_is_written() {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/inject/tests/golden");
    let mut checked = 0;
    for entry in fs::read_dir(pictures).unwrap() {
        let path = entry.unwrap().path();
        let picture: Value = serde_yaml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut containers = Vec::new();
        ours(&picture, &mut containers);
        for container in containers {
            let typed: Container = serde_json::from_value(container.clone()).unwrap();
            assert_eq!(
                serde_json::to_value(typed).unwrap(),
                *container,
                "{}",
                path.display()
            );
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked}");
}
