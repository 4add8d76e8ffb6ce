//! `meshtrace why`, `check`, `dashboard` and `--cluster` with a kubectl that says always the same: what they make of an
//! answer, and of none. What they make of a real API server is tried in `tests/cluster`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use cli::cluster::check::{Check, RIGHTS};
use serde_json::Value;
use tempfile::TempDir;

/// Answers by what it is asked for: the file of `$ANSWERS` that is called like the last part of the path, if there is one.
const KUBECTL: &str = r#"#!/bin/sh
for word; do case $word in
  version) exec cat "$ANSWERS/versions.json" ;;
  can-i) echo yes; exit ;;
  create) exec cat "$ANSWERS/trial.json" ;;
  port-forward)
    echo $$ > "$ANSWERS/forwarding"
    echo "Forwarding from 127.0.0.1:$FORWARDED -> 16686"
    exec sleep 100 ;;
esac; done
for word; do case $word in
  /*) name=${word%%\?*}; name=${name##*/}
    [ -f "$ANSWERS/$name.json" ] && exec cat "$ANSWERS/$name.json"
    echo "Error from server (NotFound): $name not found" >&2; exit 1 ;;
  deployments.apps) exec cat "$ANSWERS/deployment.json" ;;
esac; done
echo "error: what is $*?" >&2
exit 1
"#;

/// A folder with a kubectl and its answers.
struct Cluster {
    folder: TempDir,
}

impl Cluster {
    fn new(kubectl: &str, answers: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("kubectl");
        fs::write(&program, kubectl).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        for (name, answer) in answers {
            fs::write(folder.path().join(format!("{name}.json")), answer).unwrap();
        }
        Self { folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshtrace"));
        let path = self.folder.path();
        command
            .args(arguments)
            .env("PATH", format!("{}:/usr/bin:/bin", path.display()))
            .env("ANSWERS", path)
            .env("FORWARDED", "0")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        texts(self.command(arguments).output().unwrap())
    }
}

fn texts(output: Output) -> (Option<i32>, String, String) {
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

const VERSIONS: (&str, &str) = (
    "versions",
    r#"{"clientVersion": {"major": "1", "minor": "37", "gitVersion": "v1.37.1"},
        "serverVersion": {"major": "1", "minor": "37"}}"#,
);
const VERSION: (&str, &str) = (
    "version",
    r#"{"major": "1", "minor": "37", "gitVersion": "v1.37.1"}"#,
);
const NODES: (&str, &str) = (
    "nodes",
    r#"{"items": [{"metadata": {"name": "one"},
        "status": {"nodeInfo": {"operatingSystem": "linux", "kubeletVersion": "v1.37.1"}}}]}"#,
);
const WEBHOOK_API: (&str, &str) = (
    "v1",
    r#"{"resources": [{"name": "mutatingwebhookconfigurations"}]}"#,
);
const NONE: &str = r#"{"items": []}"#;

fn findings(report: &str) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(report).unwrap();
    let of = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| (of(finding, "id"), of(finding, "status")))
        .collect()
}

#[test]
fn a_cluster_that_is_ready_is_told_so_before_an_installation() {
    let answers = [
        VERSIONS,
        VERSION,
        NODES,
        WEBHOOK_API,
        ("namespaces", NONE),
        ("mutatingwebhookconfigurations", NONE),
    ];
    let cluster = Cluster::new(KUBECTL, &answers);
    let (code, report, _) = cluster.run(&["check", "--pre"]);
    assert_eq!(report, include_str!("data/cluster/ready.txt"));
    assert_eq!(code, Some(0));
    let (_, report, _) = cluster.run(&["check", "--pre", "--json"]);
    assert!(
        findings(&report).iter().all(|(_, status)| status == "ok"),
        "{report}"
    );
}

#[test]
fn where_nothing_is_installed_that_is_all_there_is_to_say() {
    let answers = [
        VERSIONS,
        VERSION,
        NODES,
        ("trial", "{}"),
        ("deployments", NONE),
        ("statefulsets", NONE),
        ("mutatingwebhookconfigurations", NONE),
    ];
    let (code, report, _) = Cluster::new(KUBECTL, &answers).run(&["check", "--json"]);
    assert_eq!(
        findings(&report).last().unwrap(),
        &("operator".to_owned(), "error".to_owned())
    );
    assert!(report.contains("--pre"), "{report}");
    assert_eq!(code, Some(1));
}

#[test]
fn without_kubectl_that_is_what_is_said() {
    let nowhere = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshtrace"));
        texts(
            command
                .args(arguments)
                .env("PATH", nowhere.path())
                .output()
                .unwrap(),
        )
    };
    let (code, report, _) = run(&["check"]);
    assert_eq!(code, Some(1));
    assert!(
        report.contains("✗ there is no kubectl on PATH (kubectl)"),
        "{report}"
    );
    for arguments in [
        &["why", "deploy/account"][..],
        &["dashboard"],
        &["traces", "--cluster"],
    ] {
        let (code, _, complaint) = run(arguments);
        assert_eq!(code, Some(1));
        assert!(
            complaint.contains("install it from https://kubernetes.io"),
            "{complaint}"
        );
    }
}

#[test]
fn an_api_server_that_is_away_is_told_with_the_next_step() {
    let away = "#!/bin/sh\ncase $* in *--client*) echo '{}'; exit;; esac\n\
                echo 'Unable to connect to the server: net/http: TLS handshake timeout' >&2; exit 1\n";
    let cluster = Cluster::new(away, &[]);
    let (code, report, _) = cluster.run(&["check"]);
    assert_eq!(code, Some(1));
    assert!(report.contains("TLS handshake timeout"), "{report}");
    assert!(
        report.contains("→ try `kubectl get namespaces`, which has to work first"),
        "{report}"
    );
    let (code, _, complaint) = cluster.run(&["why", "deploy/account"]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("--context or --kubeconfig"), "{complaint}");
}

#[test]
fn what_the_admin_may_not_see_is_a_warning_and_not_an_error() {
    let answers = [
        VERSIONS,
        VERSION,
        WEBHOOK_API,
        ("namespaces", NONE),
        ("mutatingwebhookconfigurations", NONE),
    ];
    let refusing = KUBECTL.replace(
        "for word; do case $word in\n  /*)",
        "case $* in *nodes*) echo 'Error from server (Forbidden): nodes is forbidden' >&2; exit 1;; esac\n\
         for word; do case $word in\n  /*)",
    );
    let (code, report, _) = Cluster::new(&refusing, &answers).run(&["check", "--pre", "--json"]);
    let nodes = findings(&report)
        .into_iter()
        .find(|(id, _)| id == "nodes")
        .unwrap();
    assert_eq!(nodes.1, "warning");
    assert_eq!(code, Some(0));
}

const DEPLOYMENT: &str = r#"{
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {"name": "account", "namespace": "bank", "annotations": {"meshtrace.io/inject": "true"}},
    "spec": {"template": {
        "metadata": {"annotations": {"meshtrace.io/inject": "true", "meshtrace.io/carried": "inject"}},
        "spec": {"containers": [{"name": "account", "image": "account:1"}]}}}}"#;
const OPERATOR: &str = r#"{"items": [{"metadata": {"labels": {"app.kubernetes.io/version": "0.1.0"}},
    "status": {"availableReplicas": 1}}]}"#;
const BANK: &str = r#"{"metadata": {"name": "bank", "annotations": {"meshtrace.io/sampling": "10%"}}}"#;
const PODS: &str = r#"{"items": [{
    "metadata": {"name": "account-5d-1", "namespace": "bank", "labels": {"pod-template-hash": "5d"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "account-5d", "controller": true}]},
    "spec": {"containers": [{"name": "account"}]}, "status": {"phase": "Running"}}]}"#;

#[test]
fn why_tells_what_wins_what_the_pods_have_and_what_to_do() {
    let answers = [
        VERSION,
        ("deployment", DEPLOYMENT),
        ("deployments", OPERATOR),
        ("bank", BANK),
        ("pods", PODS),
    ];
    let cluster = Cluster::new(KUBECTL, &answers);
    let (code, told, _) = cluster.run(&["why", "deploy/account", "-n", "bank"]);
    assert_eq!(told, include_str!("data/cluster/why.txt"));
    assert_eq!(code, Some(4));
    let (code, told, _) = cluster.run(&["why", "deploy/account", "-n", "bank", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((told["verdict"].as_str(), code), (Some("outdated"), Some(4)));
    assert_eq!(told["pods"][0]["sidecar"], Value::Null);
}

#[test]
fn why_ends_with_3_where_there_is_no_sidecar_on_purpose() {
    let quiet = DEPLOYMENT.replace("\"true\"", "\"false\"");
    let answers = [
        VERSION,
        ("deployment", quiet.as_str()),
        ("deployments", OPERATOR),
        ("bank", BANK),
        ("pods", PODS),
    ];
    let (code, told, _) = Cluster::new(KUBECTL, &answers).run(&["why", "deploy/account"]);
    assert!(told.contains("opted_out"), "{told}");
    assert_eq!(code, Some(3));
}

#[test]
fn why_asks_about_one_thing_and_says_about_what() {
    let cluster = Cluster::new(KUBECTL, &[]);
    let (code, _, complaint) = cluster.run(&["why", "account"]);
    assert!(complaint.contains("say what it is: deploy/NAME"), "{complaint}");
    assert_eq!(code, Some(1));
    let (code, _, complaint) = cluster.run(&["why"]);
    assert!(complaint.contains("<SUBJECT>"), "{complaint}");
    assert_eq!(code, Some(2));
}

const SERVICE: &str =
    r#"{"items": [{"metadata": {"name": "meshtrace-collector"}, "spec": {"ports": [{"port": 16686}]}}]}"#;

/// A collector that answers everything with an empty list.
fn collector() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            BufReader::new(&socket).read_line(&mut String::new()).unwrap();
            let body = r#"{"data": [], "errors": null}"#;
            write!(
                socket,
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    port
}

/// Whether the kubectl that held the way open is gone.
fn is_closed(cluster: &Cluster) -> bool {
    let pid = fs::read_to_string(cluster.folder.path().join("forwarding")).unwrap();
    !Path::new("/proc").join(pid.trim()).exists()
}

#[test]
fn a_question_to_the_clusters_collector_opens_a_way_and_closes_it_behind() {
    let cluster = Cluster::new(KUBECTL, &[("services", SERVICE)]);
    let mut command = cluster.command(&["traces", "--cluster", "--json"]);
    let (code, answer, complaint) = texts(
        command
            .env("FORWARDED", collector().to_string())
            .output()
            .unwrap(),
    );
    assert_eq!((code, answer.as_str()), (Some(0), "[]\n"), "{complaint}");
    assert!(is_closed(&cluster));
}

#[test]
fn the_dashboard_says_where_it_is_and_leaves_nothing_behind_when_it_is_stopped() {
    let cluster = Cluster::new(KUBECTL, &[("services", SERVICE)]);
    let port = collector();
    let mut dashboard = cluster
        .command(&["dashboard"])
        .env("FORWARDED", port.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut place = String::new();
    BufReader::new(dashboard.stdout.as_mut().unwrap())
        .read_line(&mut place)
        .unwrap();
    assert_eq!(place, format!("http://127.0.0.1:{port}\n"));
    let pid = nix::unistd::Pid::from_raw(dashboard.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(dashboard.wait().unwrap().code(), Some(0));
    assert!(is_closed(&cluster));
}

#[test]
fn a_cluster_without_a_collector_says_how_to_find_out_more() {
    let cluster = Cluster::new(KUBECTL, &[("services", NONE)]);
    let (code, _, complaint) = cluster.run(&["traces", "--cluster"]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("`meshtrace check`"), "{complaint}");
}

/// A file of the repository.
fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

#[test]
fn the_guide_names_every_check() {
    let guide = file("docs/guides/kubernetes.md");
    let section = guide.split_once("## Checking an installation\n").unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let rows = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut documented: Vec<_> = rows.collect();
    let mut known: Vec<_> = Check::ALL.iter().map(|check| check.name()).collect();
    documented.sort_unstable();
    known.sort_unstable();
    assert_eq!(documented, known);
}

#[test]
fn what_the_chart_makes_is_what_is_asked_before_an_installation() {
    let manifests = file("manifests/meshtrace.yaml") + &file("manifests/crds.yaml");
    let made = manifests.lines().filter_map(|line| line.strip_prefix("kind: "));
    // a resource is called as its kind in the plural
    let resources: BTreeSet<_> = made.map(|kind| format!("{}s", kind.to_lowercase())).collect();
    let plural = |resource: &str| resource.split('.').next().unwrap().to_owned();
    let asked: BTreeSet<_> = RIGHTS.iter().map(|(resource, _)| plural(resource)).collect();
    let missing: Vec<_> = resources.difference(&asked).collect();
    assert!(missing.is_empty(), "{missing:?} are made and not asked about");
}
