//! The guides, held against the programs that they are about: settings, metrics, the example, and every link.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use stories::mesh::{Mesh, ask};
use stories::program::{built, root};
use stories::sidecar::{Metrics, Sidecar};
use stories::sockets::free_address;

fn guide(name: &str) -> String {
    fs::read_to_string(root().join("docs/guides").join(name)).unwrap()
}

/// The cells of every table row under a heading, without their backticks.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let section = text.split_once(&format!("{heading}\n")).unwrap().1;
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        row.split('|')
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect()
    })
    .collect()
}

/// What `--print-config` says, by key, with these variables and no others.
fn effective(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    let output = Command::new(built("meshtrace-sidecar"))
        .args(["run", "--print-config"])
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let document: serde_yaml::Value = serde_yaml::from_slice(&output.stdout).unwrap();
    let mut keys = BTreeMap::new();
    for (key, value) in document.as_mapping().unwrap() {
        let key = key.as_str().unwrap();
        match value
            .as_mapping()
            .filter(|_| ["inbound", "outbound", "export"].contains(&key))
        {
            Some(section) => keys.extend(
                section
                    .iter()
                    .map(|(name, value)| (format!("{key}.{}", name.as_str().unwrap()), format!("{value:?}"))),
            ),
            None => drop(keys.insert(key.to_owned(), format!("{value:?}"))),
        }
    }
    keys
}

#[test]
fn the_sidecars_guide_has_every_setting_and_its_variable() {
    let usual = effective(&[]);
    let rows = rows(&guide("sidecar.md"), "## Configuration");
    let documented: BTreeSet<_> = rows.iter().map(|row| row[0].clone()).collect();
    assert_eq!(documented, usual.keys().cloned().collect());

    for row in rows {
        let (key, variable) = (&row[0], &row[1]);
        let other = match key.as_str() {
            "resource" => "a=b",
            "collector" | "operator" => "http://elsewhere:4317",
            "mode" => "passthrough",
            "edge" => "true",
            "redact_query" => "false",
            "log" => "warn",
            "propagate_inferred" => "exact",
            "request_id" => "create",
            "process_owner" => "off",
            "sampling" => "25%",
            "propagate" => "b3,jaeger",
            "routes" => "GET /accounts/{id},/files/*",
            "probe_paths" => "/live",
            "opaque_ports" => "3306",
            "mark" | "workers" => "7",
            "service" | "capture_headers" => "something",
            key if key.ends_with("listen") || key.ends_with("upstream") || key == "admin" => "127.0.0.1:4321",
            _ => {
                assert_eq!(variable, "", "{key} has no variable");
                continue;
            }
        };
        let changed = effective(&[(variable, other)]);
        assert_ne!(
            changed.get(key),
            usual.get(key),
            "{variable} is the variable of {key}"
        );
    }
}

#[test]
fn the_sidecars_guide_has_every_metric() {
    let Metrics(metrics) = Sidecar::before(free_address(), "").metrics();
    let families = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE meshtrace_")?.split(' ').next());
    let served: BTreeSet<_> = families.map(str::to_owned).collect();
    let documented: BTreeSet<_> = rows(&guide("sidecar.md"), "### Metrics")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    let missing: Vec<_> = served.difference(&documented).collect();
    assert!(missing.is_empty(), "{missing:?} are not in the guide");
    let once_it_happens = [
        "connections_total",
        "connections_refused_total",
        "splices_total",
        "contexts_malformed_total",
    ];
    let invented: Vec<_> = documented
        .difference(&served)
        .filter(|name| !once_it_happens.contains(&name.as_str()))
        .collect();
    assert!(invented.is_empty(), "{invented:?} are in the guide only");
}

#[test]
fn the_mesh_of_the_guide_makes_the_traces_that_it_promises() {
    let guide = guide("one-machine.md");
    let yaml = guide
        .split_once("```yaml\n")
        .unwrap()
        .1
        .split("```")
        .next()
        .unwrap();
    let Some(mesh) = Mesh::up(yaml) else { return };
    mesh.eventually("a call of the customer and the shop's answer", |mesh| {
        let traces = mesh.traces("service=shop");
        let of_both = traces
            .iter()
            .find(|trace| trace.services().len() == 2 && trace.spans.len() == 2)?;
        let (asks, answers) = (of_both.span("customer", "client"), of_both.span("shop", "server"));
        asks.is_parent_of(answers).then_some(())
    });
    assert_eq!(ask(mesh.address("shop"), "GET", "/", &[], b"").status, 200);
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    let mut documents = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    for folder in ["docs", "docs/guides", "docs/decisions"] {
        let entries = fs::read_dir(root().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        documents.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    for document in &documents {
        let text = fs::read_to_string(document).unwrap();
        let links = text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap());
        for link in links.filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                document.clone()
            } else {
                document.parent().unwrap().join(file)
            };
            assert!(target.exists(), "{}: {link}", document.display());
            assert!(
                anchor.is_empty() || anchors(&target).contains(anchor),
                "{}: {link}",
                document.display()
            );
        }
    }
}

/// What a document's headings are called in links.
fn anchors(document: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(document).unwrap();
    let headings = text
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|line| line.trim_start_matches('#').trim());
    let slug = |heading: &str| {
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(slug).collect()
}
