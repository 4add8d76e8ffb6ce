//! Every case in `data/` against its picture in `golden/`: what the document becomes, and what is said about it.
//!
//! A case is a YAML document: `do` (`admit` as the webhook does, unless it says `inject` or `uninject` as the command line
//! does), the `namespace`, what differs of the `site`, the `old` object where it is updated, and the `object`. A change
//! to injection is reviewed as a change to the pictures, which this writes anew:
//!
//! ```text
//! cargo nextest run -p inject --run-ignored only && git diff crates/inject/tests/golden
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use inject::annotations::KEYS;
use inject::decide::{Namespace, Site};
use inject::limits::Limits;
use inject::reason::Reason;
use inject::review::{self, Review};
use inject::workload::Kind;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default, rename = "do")]
    way: Way,
    #[serde(default)]
    namespace: Value,
    #[serde(default)]
    site: Differences,
    old: Option<Value>,
    object: Value,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    #[default]
    Admit,
    Inject,
    Uninject,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Differences {
    native_sidecars: bool,
    asked: bool,
}

impl Default for Differences {
    fn default() -> Self {
        Self {
            native_sidecars: true,
            asked: false,
        }
    }
}

impl Case {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn site(&self) -> Site {
        Site {
            native_sidecars: self.site.native_sidecars,
            asked: self.site.asked,
            ..Site::usual("0.1.0")
        }
    }

    fn review_of(&self, object: &Value) -> Review {
        let texts = |key: &str| {
            let texts = self.namespace.get(key).cloned();
            serde_json::from_value(texts.unwrap_or(json!({}))).unwrap()
        };
        let documents = |key: &str| self.namespace[key].as_array().cloned().unwrap_or_default();
        let namespace = Namespace {
            name: self.namespace["name"].as_str().unwrap_or_default().to_owned(),
            is_unknown: self.namespace["unknown"] == true,
            annotations: texts("annotations"),
            labels: texts("labels"),
            limits: Limits {
                quotas: documents("quotas"),
                ranges: documents("ranges"),
            },
        };
        let kind = Kind::of(object).unwrap();
        match self.way {
            Way::Admit => review::admit(kind, object, self.old.as_ref(), &namespace, &self.site()),
            Way::Inject => review::inject(kind, object, &namespace, &self.site()),
            Way::Uninject => review::uninject(kind, object, &namespace),
        }
    }

    fn review(&self) -> Review {
        self.review_of(&self.object)
    }

    /// The report, and the document as it is then if it is another one.
    fn picture(&self) -> String {
        let review = self.review();
        let patched = patched(&self.object, &review);
        let mut picture = json!({"report": review.report.to_string().lines().collect::<Vec<_>>()});
        if patched != self.object {
            picture["patched"] = patched;
        }
        serde_yaml::to_string(&picture).unwrap()
    }
}

fn patched(object: &Value, review: &Review) -> Value {
    let mut patched = object.clone();
    json_patch::patch(&mut patched, &review.patch).unwrap();
    patched
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn names(folder_name: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder(folder_name)).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn cases() -> impl Iterator<Item = (String, Case)> {
    names("data").into_iter().map(|name| {
        let case = Case::read(&folder("data").join(&name));
        (name, case)
    })
}

#[test]
fn every_case_looks_as_in_its_picture() {
    let differing: Vec<_> = cases()
        .filter(|(name, case)| {
            fs::read_to_string(folder("golden").join(name)).unwrap_or_default() != case.picture()
        })
        .map(|(name, _)| name)
        .collect();
    assert!(
        differing.is_empty(),
        "{differing:#?} look different: write the pictures anew and review the diff, as the head of this file says"
    );
    assert_eq!(names("data"), names("golden"), "a picture without a case");
}

#[test]
#[ignore = "writes the pictures anew"]
fn write_the_pictures_anew() {
    for name in names("golden").difference(&names("data")) {
        fs::remove_file(folder("golden").join(name)).unwrap();
    }
    for (name, case) in cases() {
        fs::write(folder("golden").join(name), case.picture()).unwrap();
    }
}

#[test]
fn a_second_time_changes_nothing() {
    for (name, case) in cases() {
        let once = patched(&case.object, &case.review());
        // what is asked again is the same operation: an update stays one
        let again = case.review_of(&once);
        assert!(
            again.patch.is_empty() || patched(&once, &again) == once,
            "{name}: {:?}",
            again.patch
        );
    }
}

/// All that containers of ours are told by arguments. An image of another version refuses what it does not know, and the pod
/// would not start: nothing is added here. What came later, and what comes, is a variable, which it ignores.
const ARGUMENTS: [&str; 5] = [
    "run",
    "redirect",
    "--exclude-inbound-ports",
    "--exclude-outbound-ports",
    "--exclude-outbound-cidrs",
];

#[test]
fn containers_are_told_nothing_by_arguments_that_an_image_of_another_version_does_not_know() {
    let mut told = BTreeSet::new();
    for (_, case) in cases() {
        let patch = serde_json::to_value(case.review().patch).unwrap();
        let values = patch.as_array().unwrap().iter().map(|step| &step["value"]);
        let arguments = values.filter_map(|added| added["args"].as_array());
        for (index, argument) in arguments.flat_map(|all| all.iter().enumerate()) {
            let argument = argument.as_str().unwrap();
            if index == 0 || argument.starts_with('-') {
                told.insert(argument.to_owned());
            }
        }
    }
    assert_eq!(told, ARGUMENTS.map(str::to_owned).into());
}

#[test]
fn every_kind_every_annotation_and_every_reason_has_a_case() {
    let (mut kinds, mut keys, mut reasons) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (_, case) in cases() {
        kinds.insert(Kind::of(&case.object).unwrap().name());
        let text = case.object.to_string();
        keys.extend(
            KEYS.map(|key| key.name)
                .into_iter()
                .filter(|name| text.contains(&format!("meshtrace.io/{name}\""))),
        );
        reasons.extend(case.review().report.reasons);
    }
    assert_eq!(kinds, Kind::ALL.map(Kind::name).into());
    assert_eq!(keys, KEYS.map(|key| key.name).into());
    assert_eq!(reasons, Reason::ALL.into());
}
