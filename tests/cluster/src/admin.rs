//! What the tests do as a cluster's administrator: kubectl and helm, with the `KUBECONFIG` that they are run with.
//!
//! Everything panics where it fails, and says with what: it is for tests alone.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "for tests, which fail by it; a JSON value's index never panics"
)]

use std::io::Write;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a cluster gets for what it does within seconds when its machine has nothing else to do.
pub const PATIENCE: Duration = Duration::from_secs(150);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Where the repository is.
#[must_use]
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a command, with `input` if there is any, and returns what it printed; or what it complained of.
///
/// # Errors
/// It failed.
pub fn attempt(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(repository());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let line = format!("{program} {}", arguments.join(" "));
    let mut run = || -> std::io::Result<Output> {
        let mut child = command.spawn()?;
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    };
    match run() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(Output { stdout, stderr, .. }) => Err(format!(
            "`{line}`: {}{}",
            String::from_utf8_lossy(&stderr).trim(),
            String::from_utf8_lossy(&stdout).trim()
        )),
        Err(error) => Err(format!("`{line}`: {error}")),
    }
}

/// [`attempt`] for a line without input, which is expected to work: words are separated by single spaces.
#[must_use]
#[track_caller]
pub fn ask(line: &str) -> String {
    let (program, arguments) = line.split_once(' ').unwrap_or((line, ""));
    let arguments: Vec<&str> = arguments.split(' ').collect();
    attempt(program, &arguments, "").unwrap_or_else(|error| panic!("{error}"))
}

/// [`ask`] where the answer does not matter.
#[track_caller]
pub fn tell(line: &str) {
    drop(ask(line));
}

/// Something of the cluster as JSON, by the arguments of `kubectl get`.
#[must_use]
#[track_caller]
pub fn get(what: &str) -> Value {
    let text = ask(&format!("kubectl get {what} --output json"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{what}: {error}: {text}"))
}

/// Applies a manifest to a namespace.
#[track_caller]
pub fn apply(namespace: &str, manifest: &str) {
    let arguments = ["apply", "--namespace", namespace, "--filename", "-"];
    if let Err(error) = attempt("kubectl", &arguments, manifest) {
        panic!("{error}\n{manifest}");
    }
}

/// Looks until `look` has found what it is after, and returns that. What it saw instead is told if it never does.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if begin.elapsed() > PATIENCE => {
                panic!("waited {} s for {what}, in vain: {seen}", PATIENCE.as_secs())
            }
            Err(_) => sleep(PAUSE),
        }
    }
}

/// A namespace.
#[derive(Debug)]
pub struct Namespace(pub String);

/// A namespace of a test, which goes with it.
#[derive(Debug)]
pub struct Own(Namespace);

impl Own {
    /// A new one with these labels (`key=value`, separated by spaces), once pods can be made in it.
    #[must_use]
    #[track_caller]
    pub fn new(name: &str, labels: &str) -> Self {
        tell(&format!(
            "kubectl delete namespace {name} --ignore-not-found --wait"
        ));
        tell(&format!("kubectl create namespace {name}"));
        let made = Self(Namespace(name.to_owned()));
        if !labels.is_empty() {
            tell(&format!("kubectl label namespace {name} {labels}"));
        }
        // until then every pod is refused
        eventually("the namespace's service account", || {
            attempt(
                "kubectl",
                &["--namespace", name, "get", "serviceaccount", "default"],
                "",
            )
        });
        made
    }
}

impl Deref for Own {
    type Target = Namespace;

    fn deref(&self) -> &Namespace {
        &self.0
    }
}

impl Namespace {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Runs kubectl in it.
    #[must_use]
    #[track_caller]
    pub fn ask(&self, line: &str) -> String {
        ask(&format!("kubectl --namespace {} {line}", self.0))
    }

    /// [`Self::ask`] where the answer does not matter.
    #[track_caller]
    pub fn tell(&self, line: &str) {
        drop(self.ask(line));
    }

    /// Something in it, by the arguments of `kubectl get`.
    #[must_use]
    #[track_caller]
    pub fn get(&self, what: &str) -> Value {
        get(&format!("--namespace {} {what}", self.0))
    }

    /// Waits for a rollout to be complete.
    #[track_caller]
    pub fn rolled_out(&self, workload: &str) {
        let patience = format!("{}s", PATIENCE.as_secs());
        let wait = [
            "--namespace",
            self.name(),
            "rollout",
            "status",
            workload,
            "--timeout",
            &patience,
        ];
        if let Err(error) = attempt("kubectl", &wait, "") {
            panic!("{error}\n{}", self.state());
        }
    }

    /// Its pods and events, for who has to find out why something did not happen.
    #[must_use]
    pub fn state(&self) -> String {
        let show = ["--namespace", self.name(), "get", "pods,events"];
        attempt("kubectl", &show, "").unwrap_or_else(|error| error)
    }

    /// The pods that are there and stay, by a label selector.
    #[must_use]
    #[track_caller]
    pub fn pods(&self, selector: &str) -> Vec<Value> {
        let list = self.get(&format!("pods --selector {selector}"));
        let pods = list["items"].as_array().cloned().unwrap_or_default();
        let stays = |pod: &Value| pod["metadata"]["deletionTimestamp"].is_null();
        pods.into_iter().filter(stays).collect()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let delete = [
            "delete",
            "namespace",
            self.name(),
            "--ignore-not-found",
            "--wait=false",
        ];
        // a test that failed already has more to say than this
        attempt("kubectl", &delete, "").unwrap_or_default();
    }
}

/// Whether a pod has its sidecar.
#[must_use]
pub fn is_injected(pod: &Value) -> bool {
    let containers = pod["spec"]["initContainers"].as_array();
    containers.is_some_and(|all| all.iter().any(|it| it["name"] == "meshtrace-sidecar"))
}
