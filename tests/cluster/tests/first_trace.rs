//! What an administrator does first, in the very commands that README prints: install with Helm, annotate, look; and undo it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command};

use cluster::admin::{Own, attempt, eventually, get, is_injected, repository, tell};
use cluster::installed::{self, Span};
use serde_json::Value;

const BANK: &str = "bank";
const TRACED: [&str; 6] = ["edge", "cashier", "account", "customer", "transaction", "balance"];

/// What README prints of Kubernetes.
struct Printed {
    /// What brings the bank.
    bank: String,
    /// What leads to the first trace.
    three: [String; 3],
    /// What undoes that.
    one: String,
}

impl Printed {
    fn read() -> Self {
        let readme = fs::read_to_string(repository().join("README.md")).unwrap();
        let (_, after) = readme.split_once("\n## In Kubernetes\n").unwrap();
        let section = after.split("\n## ").next().unwrap();
        let blocks: Vec<&str> = section.split("\n```\n").skip(1).step_by(2).collect();
        let lines = |block: &str| block.lines().map(str::to_owned).collect::<Vec<_>>();
        let [one] = lines(blocks[1]).try_into().unwrap();
        let bank = section.split('`').find(|text| text.starts_with("kubectl apply"));
        Self {
            bank: bank.unwrap().to_owned(),
            three: lines(blocks[0]).try_into().unwrap(),
            one,
        }
    }
}

/// Runs a line as a shell would.
#[track_caller]
fn shell(line: &str) {
    let done = attempt("sh", &["-c", line], "");
    done.unwrap_or_else(|error| panic!("{error}\n{}", installed::there().state()));
}

/// A line that goes on until it is not needed any more.
struct Meanwhile(Child);

impl Meanwhile {
    fn run(line: &str) -> Self {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap());
        Self(command.args(words).spawn().unwrap())
    }
}

impl Drop for Meanwhile {
    fn drop(&mut self) {
        // it may have ended by itself
        self.0.kill().unwrap_or_default();
        self.0.wait().unwrap();
    }
}

/// What the collector answers where a browser would look.
fn local(path: &str) -> Result<Value, String> {
    let url = format!("http://localhost:16686{path}");
    let text = attempt("curl", &["--silent", "--show-error", "--fail", &url], "")?;
    serde_json::from_str(&text).map_err(|error| format!("{path}: {error}: {text}"))
}

/// Whether one request is told from its beginning to its ends, through at least four services.
fn is_whole(trace: &[Span]) -> bool {
    let services: BTreeSet<&str> = trace.iter().map(|span| &*span.service).collect();
    let ids: BTreeSet<&str> = trace.iter().map(|span| &*span.id).collect();
    let parents: Vec<&String> = trace.iter().filter_map(|span| span.parent.as_ref()).collect();
    let roots = trace.len() - parents.len();
    services.len() >= 4 && roots == 1 && parents.iter().all(|parent| ids.contains(parent.as_str()))
}

#[test]
fn the_guide_prints_the_same_commands() {
    let guide = fs::read_to_string(repository().join("docs/guides/install.md")).unwrap();
    let Printed { three, one, .. } = Printed::read();
    for line in three.iter().chain([&one]) {
        assert!(guide.contains(&format!("\n{line}\n")), "{line}");
    }
}

#[test]
fn three_commands_lead_to_connected_traces_through_all_of_the_bank_and_one_undoes_them() {
    let Printed { bank, three, one } = Printed::read();
    drop(installed::not_at_all());
    let own = Own::new(BANK, "pod-security.kubernetes.io/enforce=privileged");
    shell(&bank);
    for service in TRACED {
        own.rolled_out(&format!("deployment/{service}"));
    }

    let [install, annotate, look] = three;
    shell(&install);
    let pods = own.pods("app.kubernetes.io/part-of=bank");
    assert!(!pods.iter().any(is_injected), "nobody has asked yet");
    shell(&annotate);
    for service in TRACED {
        own.rolled_out(&format!("deployment/{service}"));
        let pods = own.pods(&format!("app.kubernetes.io/name={service}"));
        assert!(!pods.is_empty() && pods.iter().all(is_injected), "{service}");
    }
    let forwarded = Meanwhile::run(&look);
    // the bank's own load runs all the time
    let trace = eventually("a trace through at least four services, whole", || {
        let traces = installed::traces_by(local, "edge")?;
        let whole = traces.iter().find(|trace| is_whole(trace)).cloned();
        let widest = traces.iter().map(Vec::len).max().unwrap_or_default();
        whole.ok_or(format!("{} traces, the widest of {widest} spans", traces.len()))
    });
    let edge = trace.iter().find(|span| span.service == "edge").unwrap();
    assert_eq!(edge.tag("k8s.namespace.name"), Some(BANK), "{edge:?}");
    assert_eq!(edge.tag("k8s.deployment.name"), Some("edge"), "{edge:?}");
    assert_eq!(
        edge.tag("k8s.node.name"),
        own.pods("app.kubernetes.io/name=edge")[0]["spec"]["nodeName"].as_str()
    );
    drop(forwarded);

    shell(&one);
    let left = get("--namespace meshtrace deployments,statefulsets,services");
    assert_eq!(left["items"].as_array().map(Vec::len), Some(0), "{left}");
    own.tell("rollout restart deployment/edge");
    own.rolled_out("deployment/edge");
    // the volume stays on purpose
    tell("kubectl delete pvc --namespace meshtrace spans-meshtrace-collector-0");
}
