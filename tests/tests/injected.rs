//! What `meshtrace inject` writes into a pod, handed to the sidecar as the kubelet would: every variable is one that it
//! reads, every argument one that it takes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_yaml::Value;
use stories::program::built;

const POD: &str = r#"
apiVersion: v1
kind: Pod
metadata:
  name: till
  labels: {app.kubernetes.io/version: "2.1"}
  annotations:
    meshtrace.io/mode: passthrough
    meshtrace.io/service-name: till & $(co), upstairs
    meshtrace.io/sampling: 12.5%
    meshtrace.io/propagate: b3, jaeger
    meshtrace.io/capture-headers: X-Tenant
    meshtrace.io/opaque-ports: 3306, 5432
    meshtrace.io/skip-inbound-ports: 22, 9000-9100
    meshtrace.io/skip-outbound-ports: "443"
    meshtrace.io/skip-outbound-cidrs: 10.0.0.0/8, fd00::1
    meshtrace.io/log-level: warn
spec:
  containers:
    - name: till
      image: registry.example:5000/till:7@sha256:00
      livenessProbe: {httpGet: {path: /live, port: 80}}
"#;

fn containers() -> (Value, Value) {
    let mut child = Command::new(built("meshtrace"))
        .args(["inject", "-", "--collector", "http://127.0.0.1:9"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(POD.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let pod: Value = serde_yaml::from_slice(&output.stdout).unwrap();
    let init = &pod["spec"]["initContainers"];
    (init[0].clone(), init[1].clone())
}

/// The variables of a container, with the downward API's filled in, and `$(NAME)` and `$$` replaced as Kubernetes does.
fn environment(container: &Value) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for variable in container["env"].as_sequence().unwrap() {
        let value = match variable["value"].as_str() {
            Some(value) => expanded(value, &environment),
            None => match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str().unwrap() {
                "metadata.namespace" => "bank".to_owned(),
                "metadata.name" => "till".to_owned(),
                "metadata.uid" => "1f0c5b8a".to_owned(),
                "spec.nodeName" => "node-1".to_owned(),
                other => panic!("{other}"),
            },
        };
        environment.insert(variable["name"].as_str().unwrap().to_owned(), value);
    }
    environment
}

fn expanded(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = match after.strip_prefix('$') {
            Some(after) => {
                expanded.push('$');
                after
            }
            None => {
                let (name, after) = after.strip_prefix('(').unwrap().split_once(')').unwrap();
                expanded.push_str(&known[name]);
                after
            }
        };
    }
    expanded + rest
}

fn arguments(container: &Value) -> Vec<String> {
    let arguments = container["args"].as_sequence().unwrap().iter();
    arguments
        .map(|argument| argument.as_str().unwrap().to_owned())
        .collect()
}

fn sidecar(arguments: &[String], more: &[&str], environment: &BTreeMap<String, String>) -> String {
    let output: Output = Command::new(built("meshtrace-sidecar"))
        .args(arguments)
        .args(more)
        .env_clear()
        .envs(environment)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_sidecar_reads_every_variable_that_it_is_given() {
    let (container, _) = containers();
    let environment = environment(&container);
    let config = sidecar(&arguments(&container), &["--print-config"], &environment);
    let config: Value = serde_yaml::from_str(&config).unwrap();
    assert_eq!(config["service"], "till & $(co), upstairs");
    let resource: BTreeMap<&str, &str> = config["resource"]
        .as_mapping()
        .unwrap()
        .iter()
        .map(|(key, value)| (key.as_str().unwrap(), value.as_str().unwrap()))
        .collect();
    let expected = BTreeMap::from([
        ("container.image.name", "registry.example:5000/till"),
        ("container.image.tags", "7"),
        ("k8s.container.name", "till"),
        ("k8s.namespace.name", "bank"),
        ("k8s.node.name", "node-1"),
        ("k8s.pod.name", "till"),
        ("k8s.pod.uid", "1f0c5b8a"),
        ("service.version", "2.1"),
    ]);
    assert_eq!(resource, expected);
    let text = |key: &str| serde_yaml::to_string(&config[key]).unwrap();
    for (key, expected) in [
        ("mode", "passthrough\n"),
        ("collector", "http://127.0.0.1:9\n"),
        ("sampling", "'0.125'\n"),
        ("propagate", "- b3\n- jaeger\n"),
        ("capture_headers", "- x-tenant\n"),
        ("opaque_ports", "- 3306\n- 5432\n"),
        ("probe_paths", "- /live\n"),
    ] {
        assert_eq!(text(key), expected, "{key}");
    }
    assert_eq!(environment["MESHTRACE_LOG"], "warn");
}

#[test]
fn a_sidecar_of_another_version_that_cannot_read_a_variable_starts_without_it() {
    let (container, _) = containers();
    let mut environment = environment(&container);
    environment.insert("MESHTRACE_PROPAGATE".to_owned(), "of-next-year".to_owned());
    environment.insert("MESHTRACE_OF_NEXT_YEAR".to_owned(), "whatever".to_owned());
    let config = sidecar(&arguments(&container), &["--print-config"], &environment);
    let config: Value = serde_yaml::from_str(&config).unwrap();
    assert_eq!(config["propagate"][0], "w3c");
    assert_eq!(config["sampling"], "0.125");
}

#[test]
fn a_redirect_that_cannot_be_installed_says_so_where_it_is_told_to_and_ends_well() {
    let (_, container) = containers();
    let told = tempfile::NamedTempFile::new().unwrap();
    let mut environment = environment(&container);
    assert_eq!(environment["MESHTRACE_BEST_EFFORT"], "/dev/termination-log");
    environment.insert(
        "MESHTRACE_BEST_EFFORT".to_owned(),
        told.path().display().to_string(),
    );
    // there are no tools on the path of nobody's
    environment.insert("PATH".to_owned(), "/nowhere".to_owned());
    let said = sidecar(&arguments(&container), &[], &environment);
    assert!(said.starts_with("no rules installed"), "{said}");
    let told = std::fs::read_to_string(told.path()).unwrap();
    assert!(told.contains("no tool to change netfilter rules"), "{told}");
}

#[test]
fn the_redirect_takes_every_argument_that_it_is_given() {
    let (_, container) = containers();
    let rules = sidecar(
        &arguments(&container),
        &["show", "--tool", "nft"],
        &environment(&container),
    );
    for excluded in ["22", "9000-9100", "443", "10.0.0.0/8", "fd00::1"] {
        assert!(rules.contains(excluded), "{excluded}\n{rules}");
    }
}
