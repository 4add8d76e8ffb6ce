//! The chart and what is rendered from it: golden files for a dozen value sets, and values that are refused.
//!
//! `tools/render` writes all of them anew: review the diff. Whether a real API server takes them is tried in
//! `tests/cluster`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_yaml::Value;
use stories::program::root;

const VALUES: &str = "tests/data/chart/values";

/// helm as `tools/install` brings it, or the one on the `PATH`. None: the test says so and is skipped.
fn helm() -> Option<PathBuf> {
    let ours = root().join(".tools/bin/helm");
    let program = if ours.is_file() {
        ours
    } else {
        PathBuf::from("helm")
    };
    match Command::new(&program).arg("version").output() {
        Ok(_) => Some(program),
        Err(_) => {
            eprintln!("SKIPPED: the chart: there is no helm; run tools/install test");
            None
        }
    }
}

fn with(helm: &Path, arguments: &[&str]) -> Output {
    let chart = root().join("charts/meshtrace");
    let (command, rest) = arguments.split_first().unwrap();
    let release = if *command == "template" {
        &["meshtrace"][..]
    } else {
        &[]
    };
    Command::new(helm)
        .arg(command)
        .args(release)
        .arg(chart)
        .args(["--namespace", "meshtrace"])
        .args(rest)
        .current_dir(root())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

fn render(helm: &Path, arguments: &[&str]) -> String {
    let output = with(helm, &[&["template"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Every set of values of the golden files, as `--values` takes it.
fn value_sets() -> Vec<String> {
    let files = fs::read_dir(root().join(VALUES)).unwrap();
    let mut names: Vec<String> = files
        .map(|file| format!("{VALUES}/{}", file.unwrap().file_name().display()))
        .collect();
    names.sort();
    names
}

/// The files below a folder of `root`, by their paths in it.
fn files(root: &Path, folder: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found
}

#[test]
fn what_is_rendered_is_what_stands_in_the_repository() {
    if helm().is_none() {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let rendering = Command::new(root().join("tools/render"))
        .arg(out.path())
        .output()
        .unwrap();
    assert!(rendering.status.success(), "{}", said(&rendering));
    let rendered: BTreeSet<PathBuf> = ["manifests", "tests/data/chart", "charts/meshtrace/files"]
        .into_iter()
        .flat_map(|folder| files(out.path(), folder))
        .collect();
    let kept: BTreeSet<PathBuf> = ["manifests", "tests/data/chart"]
        .into_iter()
        .flat_map(|folder| files(&root(), folder))
        .filter(|path| !path.starts_with(VALUES))
        .collect();
    let differing: Vec<_> = rendered
        .union(&kept)
        .filter(|path| fs::read(root().join(path)).ok() != fs::read(out.path().join(path)).ok())
        .collect();
    assert!(
        differing.is_empty(),
        "{differing:?}: not what is rendered now. Run `tools/render` and review the diff"
    );
}

#[test]
fn rendering_twice_says_the_same_to_the_byte() {
    let Some(helm) = helm() else { return };
    for values in value_sets() {
        let once = render(&helm, &["--values", &values]);
        assert!(
            once == render(&helm, &["--values", &values]),
            "{values} renders differently each time"
        );
    }
}

#[test]
fn helm_finds_nothing_to_complain_about() {
    let Some(helm) = helm() else { return };
    for values in value_sets() {
        let output = with(&helm, &["lint", "--strict", "--values", &values]);
        assert!(output.status.success(), "{values}: {}", said(&output));
    }
}

#[test]
fn a_value_that_does_not_exist_is_refused_by_its_name_at_every_level() {
    let Some(helm) = helm() else { return };
    for typo in [
        "replica=2",
        "operator.replica=2",
        "operator.webhook.timeout=5",
        "operator.image.tags=1",
        "operator.resources.request.cpu=1",
        "operator.podDisruptionBudget.maxUnavailable=1",
        "collector.persistence.enabled=false",
        "collector.storage.sizes=1Gi",
        "collector.affinity.podAffinities.x=1",
        "monitoring.serviceMonitors.enabled=true",
        "monitoring.dashboard.label.a=b",
        "networkPolicy.queryFrom[0].podSelectors.a=b",
        "demo.images.ruby.repository=bank",
        "test.enabled=false",
    ] {
        let output = with(&helm, &["template", "--set", typo]);
        let path = typo.split('=').next().unwrap();
        // what is unknown is the first name in the path that the chart does not have
        let unknown = path.split('.').any(|name| {
            let name = name.trim_end_matches("[0]");
            said(&output).contains(&format!("additional properties '{name}' not allowed"))
        });
        assert!(!output.status.success() && unknown, "{typo}: {}", said(&output));
    }
}

#[test]
fn a_value_that_would_not_work_is_refused_where_it_is_said() {
    let Some(helm) = helm() else { return };
    for (wrong, place) in [
        ("operator.replicas=many", "/operator/replicas"),
        (
            "operator.webhook.timeoutSeconds=31",
            "/operator/webhook/timeoutSeconds",
        ),
        ("operator.image.digest=sha256:beef", "/operator/image/digest"),
        ("collector.storage.size=127Mi", "/collector/storage/size"),
        ("collector.storage.size=10GB", "/collector/storage/size"),
        (
            "collector.storage.durability=maybe",
            "/collector/storage/durability",
        ),
        ("collector.retention=3 days", "/collector/retention"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("demo.namespace=Bank", "/demo/namespace"),
    ] {
        let output = with(&helm, &["template", "--set", wrong]);
        let refused = said(&output).contains(&format!("at '{place}'"));
        assert!(!output.status.success() && refused, "{wrong}: {}", said(&output));
    }
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    fn compare(values: &Value, schema: &serde_json::Value, whole: &serde_json::Value, path: &str) {
        let schema = match schema.get("$ref").and_then(serde_json::Value::as_str) {
            Some(place) => whole.pointer(place.trim_start_matches('#')).unwrap(),
            None => schema,
        };
        let (Some(values), Some(known)) = (values.as_mapping(), schema["properties"].as_object()) else {
            return;
        };
        assert_eq!(
            schema["additionalProperties"],
            serde_json::json!(false),
            "{path} takes anything"
        );
        for (key, value) in values {
            let key = key.as_str().unwrap();
            let below = known
                .get(key)
                .unwrap_or_else(|| panic!("the schema does not know {path}.{key}"));
            compare(value, below, whole, &format!("{path}.{key}"));
        }
        // what Kubernetes defines is not written out in values.yaml
        if schema.get("$comment").is_none() {
            let documented: BTreeSet<&str> = values.keys().filter_map(Value::as_str).collect();
            let known: BTreeSet<&str> = known
                .keys()
                .map(String::as_str)
                .filter(|key| *key != "global")
                .collect();
            assert_eq!(documented, known, "{path}: values.yaml and its schema");
        }
    }
    let chart = root().join("charts/meshtrace");
    let values = serde_yaml::from_str(&fs::read_to_string(chart.join("values.yaml")).unwrap()).unwrap();
    let schema: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(chart.join("values.schema.json")).unwrap()).unwrap();
    compare(&values, &schema, &schema, "");
}

#[test]
fn the_chart_has_the_version_of_the_programs() {
    let chart = fs::read_to_string(root().join("charts/meshtrace/Chart.yaml")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(chart.contains(&format!("\nversion: {version}\n")), "{chart}");
    assert!(
        chart.contains(&format!("\nappVersion: \"{version}\"\n")),
        "{chart}"
    );
}

/// All that is called `meshtrace_…` in a text.
fn metrics(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("meshtrace_"))
        .collect()
}

#[test]
fn alerts_and_the_dashboard_ask_for_metrics_that_exist() {
    let source = [
        "sidecar/src",
        "collector/src",
        "operator/src",
        "crates/process/src",
    ]
    .into_iter()
    .flat_map(|folder| files(&root(), folder))
    .filter(|path| path.extension().is_some_and(|end| end == "rs"))
    .map(|path| fs::read_to_string(root().join(path)).unwrap())
    .collect::<String>();
    for file in ["templates/monitoring/prometheusrule.yaml", "files/dashboard.json"] {
        let text = fs::read_to_string(root().join("charts/meshtrace").join(file)).unwrap();
        let asked = metrics(&text);
        assert!(!asked.is_empty(), "{file} asks for nothing");
        for metric in asked {
            let prefixes = ["meshtrace_operator_", "meshtrace_collector_", "meshtrace_"];
            let name = prefixes
                .iter()
                .find_map(|prefix| metric.strip_prefix(prefix))
                .unwrap();
            // what the collector counts of services is made of two words
            let of_services = ["service_request_", "edge_request_", "operation_"];
            let made = of_services.iter().any(|prefix| {
                let rest = name.strip_prefix(prefix).unwrap_or_default();
                [
                    "errors_total",
                    "duration_seconds_bucket",
                    "duration_seconds_count",
                ]
                .contains(&rest)
            });
            assert!(
                made || source.contains(&format!("\"{name}\"")),
                "{file} asks for {metric}, which no program has"
            );
        }
    }
}

#[test]
fn images_are_run_the_same_whoever_makes_them() {
    let stages = Command::new(root().join("tools/images"))
        .arg("--stages")
        .output()
        .unwrap();
    let stages = String::from_utf8(stages.stdout).unwrap();
    let dockerfile = fs::read_to_string(root().join("images/Dockerfile")).unwrap();
    assert!(
        !stages.is_empty() && dockerfile.ends_with(&stages),
        "images/Dockerfile does not end as `tools/images --stages` says"
    );
    for image in [
        "sidecar",
        "operator",
        "collector",
        "cli",
        "bank-rust",
        "bank-node",
        "bank-python",
    ] {
        assert!(stages.contains(&format!("FROM scratch AS {image}\n")), "{image}");
    }
}
