//! A plan as a JSON Patch (RFC 6902), and the patch that takes it back.
//!
//! What is added: the container `meshtrace-sidecar`, which Pod Security's `restricted` level allows; the init container
//! `meshtrace-redirect`, the only one with `NET_ADMIN`; and the annotation [`INJECTED`]. Nothing of the application's is
//! changed. Taking back removes these, and the lists and maps that are empty without them.

use contract::{SIDECAR_UID, env, port};
use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation};
use serde_json::{Value, json};

use crate::annotations::INJECTED;
use crate::identity::{self, Identity};
use crate::plan::{Capture, Placement, Plan};
use crate::value::{is_absent, names_at};

/// The sidecar's container.
pub const SIDECAR: &str = "meshtrace-sidecar";
/// The init container that installs the redirect.
pub const REDIRECT: &str = "meshtrace-redirect";

/// Where a container says why it ended; the kubelet reads it into the pod's status.
const TERMINATION_LOG: &str = "/dev/termination-log";

/// Seconds that a sidecar may take to listen. The kubelet asks once a second.
const START_SECONDS: u32 = 60;

/// A patch while it is written, against one document.
#[derive(Debug)]
pub(crate) struct Writer<'d> {
    document: &'d Value,
    operations: Vec<PatchOperation>,
}

impl<'d> Writer<'d> {
    pub(crate) fn new(document: &'d Value) -> Self {
        Self {
            document,
            operations: Vec::new(),
        }
    }

    pub(crate) fn finish(self) -> Patch {
        Patch(self.operations)
    }

    /// Adds a member or an item, or replaces a member that is there.
    pub(crate) fn add(&mut self, path: &str, value: Value) {
        // every path here is made of constants, escaped keys and numbers
        if let Ok(path) = PointerBuf::parse(path.to_owned()) {
            self.operations
                .push(PatchOperation::Add(AddOperation { path, value }));
        }
    }

    pub(crate) fn remove(&mut self, path: &str) {
        if let Ok(path) = PointerBuf::parse(path.to_owned()) {
            self.operations
                .push(PatchOperation::Remove(RemoveOperation { path }));
        }
    }

    /// Makes an empty list or map at `path` unless there is one.
    fn make(&mut self, path: &str, empty: Value) {
        if is_absent(self.document, path) {
            self.add(path, empty);
        }
    }

    /// Sets annotations of the object at `at`.
    pub(crate) fn annotate(&mut self, at: &str, annotations: &[(&str, String)]) {
        if annotations.is_empty() {
            return;
        }
        self.make(&format!("{at}/metadata"), json!({}));
        self.make(&format!("{at}/metadata/annotations"), json!({}));
        for (key, value) in annotations {
            self.add(&annotation(at, key), json!(value));
        }
    }

    /// Removes annotations of the object at `at`, the map of them once it is empty, and the metadata once they are.
    pub(crate) fn forget(&mut self, at: &str, keys: &[&str]) {
        let metadata = format!("{at}/metadata");
        let map = format!("{metadata}/annotations");
        let Some(Value::Object(annotations)) = self.document.pointer(&map) else {
            return;
        };
        let there: Vec<_> = keys
            .iter()
            .filter(|key| annotations.contains_key(**key))
            .collect();
        if !there.is_empty() && there.len() == annotations.len() {
            let fields = self.document.pointer(&metadata).and_then(Value::as_object);
            let alone = fields.is_some_and(|fields| fields.len() == 1);
            return self.remove(if alone { &metadata } else { &map });
        }
        for key in there {
            self.remove(&annotation(at, key));
        }
    }
}

/// The pointer to an annotation; `/` in its key is written `~1` there.
fn annotation(at: &str, key: &str) -> String {
    format!(
        "{at}/metadata/annotations/{}",
        key.replace('~', "~0").replace('/', "~1")
    )
}

/// What gives the pod, or the template, at `at` in the document its sidecar.
pub fn inject(document: &Value, at: &str, plan: &Plan) -> Patch {
    let mut writer = Writer::new(document);
    let init = format!("{at}/spec/initContainers");
    if plan.placement == Placement::Native || plan.capture == Capture::Init {
        writer.make(&init, json!([]));
    }
    let sidecar = sidecar(plan);
    match plan.placement {
        // The sidecar is asked to start before the redirect is there, so no connection ever finds it deaf.
        Placement::Native => {
            writer.add(&format!("{init}/{}", plan.after), sidecar);
            if plan.capture == Capture::Init {
                writer.add(
                    &format!("{init}/{}", plan.after.saturating_add(1)),
                    redirect(plan),
                );
            }
        }
        // The pod's own init containers run before the sidecar, so they come before the redirect too.
        Placement::Ordinary => {
            writer.add(&format!("{at}/spec/containers/0"), sidecar);
            if plan.capture == Capture::Init {
                writer.add(&format!("{init}/-"), redirect(plan));
            }
        }
    }
    writer.annotate(at, &[(INJECTED, plan.version.clone())]);
    writer.finish()
}

/// What takes the sidecar back from the pod, or the template, at `at`. Empty where there is none.
pub fn uninject(document: &Value, at: &str) -> Patch {
    let mut writer = Writer::new(document);
    for list in ["initContainers", "containers"] {
        let list = format!("{at}/spec/{list}");
        let names = names_at(document, &list);
        let ours = |name: &Option<&str>| name.is_some_and(|name| [SIDECAR, REDIRECT].contains(&name));
        let count = names.iter().filter(|name| ours(name)).count();
        if count > 0 && count == names.len() {
            writer.remove(&list);
            continue;
        }
        // from the end, so that the places of those before stay what they are
        for (index, _) in names.iter().enumerate().rev().filter(|(_, name)| ours(name)) {
            writer.remove(&format!("{list}/{index}"));
        }
    }
    writer.forget(at, &[INJECTED]);
    writer.finish()
}

fn sidecar(plan: &Plan) -> Value {
    let mut container = json!({
        "name": SIDECAR,
        "image": plan.image,
        "args": ["run"],
        "env": environment(&plan.identity, &plan.settings),
        "ports": [{"name": "meshtrace-admin", "containerPort": port::ADMIN, "protocol": "TCP"}],
        "startupProbe": {
            "httpGet": {"path": "/ready", "port": port::ADMIN},
            "periodSeconds": 1,
            "failureThreshold": START_SECONDS,
        },
        "resources": requests(plan),
        "securityContext": {
            "runAsUser": SIDECAR_UID,
            "runAsGroup": SIDECAR_UID,
            "runAsNonRoot": true,
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    });
    if let (Placement::Native, Value::Object(fields)) = (plan.placement, &mut container) {
        fields.insert("restartPolicy".to_owned(), json!("Always"));
    }
    container
}

/// Root, because a capability does not reach a process of another user; without anything else that root may do.
fn redirect(plan: &Plan) -> Value {
    json!({
        "name": REDIRECT,
        "image": plan.image,
        "args": plan.redirect,
        "env": [best_effort()],
        "resources": requests(plan),
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": false,
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    })
}

/// No limit: a limit on CPU would hold requests back, and one on memory would end the connections of all.
fn requests(plan: &Plan) -> Value {
    json!({"requests": {"cpu": plan.cpu, "memory": plan.memory}})
}

/// A pod that is not traced is better than one that does not start. A variable, since an image of another version may not
/// know it, and ignores it then.
fn best_effort() -> Value {
    json!({"name": env::BEST_EFFORT, "value": TERMINATION_LOG})
}

fn environment(identity: &Identity, settings: &[(&'static str, String)]) -> Vec<Value> {
    let variable = |name: &str, value: String| json!({"name": name, "value": value});
    let service = variable(env::SERVICE, identity::literal(&identity.service));
    let resource = variable(env::RESOURCE, identity.resource());
    let settings = settings
        .iter()
        .map(|(name, value)| variable(name, identity::literal(value)));
    // a variable may refer to those before it only
    Identity::downward()
        .chain([service, resource])
        .chain(settings)
        .chain([best_effort()])
        .collect()
}
