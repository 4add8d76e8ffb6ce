//! A server and a caller of it, as small as they can be: what tests look at is what happens around them.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "for tests, which fail by it; a JSON value's index never panics"
)]

use serde_json::{Value, json};

use crate::admin::{Namespace, apply, ask, eventually};

/// An image with a Python in it, which every cluster of the tests has.
const PYTHON: &str = concat!("meshtrace/bank-python:", env!("CARGO_PKG_VERSION"));

/// Calls `web` until somebody makes `/tmp/stop`, each time on a new connection; fails if any call did.
const CALLER: &str = r#"
import os, sys, time, urllib.request
answered, failed, end = 0, [], time.time() + 400
while not os.path.exists("/tmp/stop") and time.time() < end:
    try:
        with urllib.request.urlopen("http://web/", timeout=20) as answer:
            answer.read()
            answered += 1
    except Exception as failure:
        failed.append(f"{answered}: {failure!r}")
    print(answered, failed[:5], flush=True)
    time.sleep(0.02)
sys.exit(bool(failed) or not answered)
"#;

/// A container that runs Python, as even Pod Security's `restricted` lets it.
#[must_use]
pub fn python(arguments: &[&str]) -> Value {
    json!({
        "name": "python",
        "image": PYTHON,
        "args": arguments,
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": true,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    })
}

/// A Deployment and a Service called `web`, with these annotations on the Deployment; returns once it is ready.
///
/// It goes on answering for a while after it was told to stop, as every server should that does not want to lose requests
/// of callers who learn late that it leaves.
#[track_caller]
pub fn serve(namespace: &Namespace, replicas: u32, annotations: &Value) {
    let mut container = python(&["-m", "http.server", "8080", "--directory", "/bank"]);
    container["readinessProbe"] =
        json!({"httpGet": {"path": "/service.py", "port": 8080}, "periodSeconds": 1});
    container["lifecycle"] = json!({"preStop": {"sleep": {"seconds": 15}}});
    let labels = json!({"app": "web"});
    let manifest = json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "annotations": annotations},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"terminationGracePeriodSeconds": 18, "containers": [container]},
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    ]});
    apply(namespace.name(), &manifest.to_string());
    namespace.rolled_out("deployment/web");
}

/// Somebody who calls `web` all the time, from a pod of its own with a sidecar.
#[derive(Debug)]
pub struct Caller<'n>(&'n Namespace);

impl<'n> Caller<'n> {
    /// Begins, and returns when the first calls were answered.
    #[must_use]
    #[track_caller]
    pub fn begin(namespace: &'n Namespace) -> Self {
        let mut container = python(&["-c", CALLER]);
        container["volumeMounts"] = json!([{"name": "tmp", "mountPath": "/tmp"}]);
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "caller", "annotations": {"meshtrace.io/inject": "true"}},
            "spec": {
                "restartPolicy": "Never",
                "containers": [container],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            },
        });
        apply(namespace.name(), &pod.to_string());
        let caller = Self(namespace);
        caller.has_more_answers();
        caller
    }

    /// Waits until it got some more answers from now on.
    #[track_caller]
    pub fn has_more_answers(&self) {
        let begin = self.answered();
        eventually("more answers for the caller", || match self.answered() {
            now if now >= begin + 25 => Ok(()),
            now => Err(format!("{now} answers: {}", self.0.state())),
        });
    }

    fn answered(&self) -> usize {
        let said = self.said();
        let first = said.split(' ').next().unwrap_or_default();
        first.parse().unwrap_or(0)
    }

    fn said(&self) -> String {
        let logs = [
            "--namespace",
            self.0.name(),
            "logs",
            "caller",
            "--container",
            "python",
            "--tail=1",
        ];
        crate::admin::attempt("kubectl", &logs, "").unwrap_or_default()
    }

    /// Ends it; every call must have been answered.
    #[track_caller]
    pub fn was_always_answered(self) {
        let namespace = self.0.name();
        let stop = "open('/tmp/stop','w')";
        drop(ask(&format!(
            "kubectl --namespace {namespace} exec caller --container python -- python3 -c {stop}"
        )));
        let phase = eventually("the caller to end", || {
            let pod = self.0.get("pod caller");
            match pod["status"]["phase"].as_str() {
                Some(ended @ ("Succeeded" | "Failed")) => Ok(ended.to_owned()),
                other => Err(format!("{other:?}")),
            }
        });
        assert_eq!(
            phase,
            "Succeeded",
            "answered calls, and those that failed: {}",
            self.said()
        );
    }
}
