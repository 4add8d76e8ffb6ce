//! Whether a pod gets a sidecar, and which.
//!
//! | the pod | so |
//! |---|---|
//! | has the sidecar's container and our `injected` | skip: `already_injected` |
//! | has the sidecar's or the redirect's container, not from us | skip: `injected_by_hand` |
//! | nearest `inject` (pod, workload, namespace) is neither `true` nor `false` | skip: `unclear_inject` |
//! | nearest `inject` is `false` | skip: `opted_out` |
//! | no `inject` anywhere, and the command line does not ask either | skip: `not_asked` |
//! | is in `kube-system`, `kube-public`, `kube-node-lease` the operator's namespace, or excluded | skip: `system_namespace` |
//! | what its namespace allows is not known | skip: `unknown_namespace` |
//! | mirrors a static pod | skip: `mirror_pod` |
//! | has `hostNetwork` | skip: `host_network` |
//! | runs on Windows, by `os` or by node selector | skip: `windows` |
//! | has a container of another mesh | skip: `other_mesh` |
//! | `capture` is `init`, and its namespace enforces `baseline` or `restricted` | skip: `pod_security` |
//! | a quota of its namespace demands limits that nobody gives | skip: `resource_quota` |
//! | a limit range of its namespace refuses what the sidecar asks for | skip: `limit_range` |
//! | ends by itself (`restartPolicy` is not `Always`), without native sidecars | skip: `runs_to_completion` |
//! | declares one of the sidecar's ports | skip: `port_taken` |
//! | runs a container as the sidecar's user | skip: `user_taken` |
//! | none of these | inject |
//!
//! The first five rows are told alone; of the others, all that hold are told together. What another mesh or Windows is
//! like is known only from names, so a proxy under a name of its own is not seen.

use contract::{SIDECAR_UID, env, installed, port};
use serde_json::Value;
use span::Dialect;

use crate::annotations::{self, INJECTED, Level, Problem, Wanted, Wishes};
use crate::identity::Identity;
use crate::limits::Limits;
use crate::patch::{REDIRECT, SIDECAR};
use crate::plan::{Capture, Mode, Placement, Plan};
use crate::pod::{Container, Metadata, Pod, Texts};
use crate::probes;
use crate::reason::Reason;
use crate::workload::Owner;

/// What the sidecar asks for unless an annotation says otherwise.
const CPU: &str = "10m";
const MEMORY: &str = "24Mi";

/// Namespaces of the cluster itself.
const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// The label that says which pods a namespace takes.
const POD_SECURITY: &str = "pod-security.kubernetes.io/enforce";

/// The annotation of pods that mirror a static pod.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Containers by which another mesh is known.
const PROXIES: [&str; 8] = [
    "consul-dataplane",
    "envoy-sidecar",
    "istio-proxy",
    "kuma-init",
    "kuma-sidecar",
    "linkerd-init",
    "linkerd-proxy",
    "nginx-mesh-sidecar",
];

/// What holds for all pods of a cluster.
#[derive(Clone, Debug)]
pub struct Site {
    /// The sidecar's image, unless an annotation names another one.
    pub image: String,
    /// Where spans go, `http://host:port`.
    pub collector: String,
    /// Where settings come from while the sidecar runs, `http://host:port`. `None`: from nowhere.
    pub operator: Option<String>,
    /// What is skipped where no annotation says so.
    pub skip: Skip,
    /// Whether the cluster has native sidecars (Kubernetes 1.29).
    pub native_sidecars: bool,
    /// The namespace of the operator.
    pub own_namespace: String,
    /// Further namespaces that the API server does not ask about.
    pub excluded: Vec<String>,
    /// Whether a pod that says nothing is to get a sidecar: the command line asks for all that it is given.
    pub asked: bool,
    /// The version that is written to pods.
    pub version: String,
}

/// What never comes to the sidecar, as the redirect reads it. What is not said is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skip {
    /// Ports of the pod that are reached directly: each a port or a range.
    pub inbound_ports: Option<Vec<String>>,
    /// Ports elsewhere that the pod reaches directly: each a port or a range.
    pub outbound_ports: Option<Vec<String>>,
    /// Addresses that the pod reaches directly.
    pub outbound_cidrs: Option<Vec<String>>,
}

impl Site {
    /// A cluster of today, where meshtrace is installed as it usually is, in this version.
    pub fn usual(version: &str) -> Self {
        Self {
            image: format!("{}:{version}", installed::SIDECAR_IMAGE),
            collector: installed::COLLECTOR.to_owned(),
            operator: Some(installed::OPERATOR.to_owned()),
            skip: Skip::default(),
            native_sidecars: true,
            own_namespace: installed::NAMESPACE.to_owned(),
            excluded: Vec::new(),
            asked: false,
            version: version.to_owned(),
        }
    }

    /// Whether nothing in this namespace is ever touched: it belongs to the cluster or to the operator, or is excluded.
    pub fn is_off_limits(&self, namespace: &str) -> bool {
        let is_excluded = self.excluded.iter().any(|excluded| excluded == namespace);
        let is_ours = SYSTEM_NAMESPACES.contains(&namespace) || namespace == self.own_namespace;
        !namespace.is_empty() && (is_ours || is_excluded)
    }
}

/// Reads where spans go: `http://host:port`. With anything else the sidecar would not start, and neither would the pod.
///
/// # Errors
/// What would be right.
pub fn collector(text: &str) -> Result<String, String> {
    let authority = text
        .strip_prefix("http://")
        .map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let parts = authority.and_then(|authority| authority.rsplit_once(':'));
    let fits = parts.is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', '@']) && port.parse::<u16>().is_ok()
    });
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not `http://host:port`"))
    }
}

/// The namespace of a pod. Empty where nothing is said of it.
#[derive(Clone, Debug, Default)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Whether what it says is not known, though what it forbids would keep the pod from being made.
    pub is_unknown: bool,
    /// Its annotations.
    pub annotations: Texts,
    /// Its labels.
    pub labels: Texts,
    /// Its quotas and limit ranges.
    pub limits: Limits,
}

impl Namespace {
    /// What its document says.
    pub fn of(document: &Value) -> Self {
        let Metadata {
            name,
            annotations,
            labels,
            ..
        } = Metadata::of(document);
        Self {
            name,
            annotations,
            labels,
            ..Self::default()
        }
    }

    /// One of which nothing is known.
    pub fn unknown(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_unknown: true,
            ..Self::default()
        }
    }
}

/// All that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The pod, or the template of pods.
    pub pod: &'a Pod,
    /// The workload that it belongs to.
    pub owner: Option<&'a Owner>,
    /// The annotations of that workload, as far as they are known.
    pub workload: &'a Texts,
    /// The namespace that it is in.
    pub namespace: &'a Namespace,
    /// What holds for all.
    pub site: &'a Site,
}

/// What was decided, and what there is to say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What was decided.
    pub decision: Decision,
    /// Annotations that cannot be used.
    pub problems: Vec<Problem>,
    /// What the admin might not expect of the plan.
    pub notes: Vec<String>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The pod gets this.
    Inject(Box<Plan>),
    /// The pod stays as it is. At least one reason.
    Skip(Vec<Reason>),
}

/// Decides about a pod.
pub fn decide(question: &Question<'_>) -> Answer {
    let Question { pod, namespace, .. } = question;
    let (wishes, problems) = annotations::read(&[
        (Level::Pod, &pod.metadata.annotations),
        (Level::Workload, question.workload),
        (Level::Namespace, &namespace.annotations),
    ]);
    let reasons = match unwanted(question, wishes.inject) {
        Some(reason) => vec![reason],
        None => impossible(question, &wishes),
    };
    if !reasons.is_empty() {
        return Answer {
            decision: Decision::Skip(reasons),
            problems,
            notes: Vec::new(),
        };
    }
    let (plan, notes) = plan(question, wishes);
    Answer {
        decision: Decision::Inject(Box::new(plan)),
        problems,
        notes,
    }
}

/// Why no sidecar is wanted, or none more.
fn unwanted(question: &Question<'_>, wanted: Wanted) -> Option<Reason> {
    let Question { pod, site, .. } = question;
    let has = |name| pod.all_containers().any(|container| container.name == name);
    let ours = pod.metadata.annotations.contains_key(INJECTED);
    match wanted {
        _ if has(SIDECAR) && ours => Some(Reason::AlreadyInjected),
        _ if has(SIDECAR) || has(REDIRECT) => Some(Reason::InjectedByHand),
        Wanted::Unclear => Some(Reason::UnclearInject),
        Wanted::No => Some(Reason::OptedOut),
        Wanted::Unsaid if !site.asked => Some(Reason::NotAsked),
        Wanted::Unsaid | Wanted::Yes => None,
    }
}

/// Everything that stands against a sidecar.
fn impossible(question: &Question<'_>, wishes: &Wishes) -> Vec<Reason> {
    let Question {
        pod, namespace, site, ..
    } = question;
    let spec = &pod.spec;
    let level = namespace.labels.get(POD_SECURITY).map(String::as_str);
    let redirected = wishes.capture != Some(Capture::None);
    let ends = !["", "Always"].contains(&spec.restart_policy.as_str());
    let requests = (
        wishes.cpu.as_deref().unwrap_or(CPU),
        wishes.memory.as_deref().unwrap_or(MEMORY),
    );
    let refusal = namespace.limits.refusal(requests.0, requests.1);
    let holds = |reason: Reason| match reason {
        Reason::SystemNamespace => site.is_off_limits(&namespace.name),
        Reason::UnknownNamespace => namespace.is_unknown,
        Reason::MirrorPod => pod.metadata.annotations.contains_key(MIRROR),
        Reason::HostNetwork => spec.host_network,
        Reason::Windows => {
            let selected = spec.node_selector.get("kubernetes.io/os");
            spec.os.name == "windows" || selected.is_some_and(|os| os == "windows")
        }
        Reason::OtherMesh => pod.all_containers().any(|it| PROXIES.contains(&it.name.as_str())),
        Reason::PodSecurity => redirected && matches!(level, Some("baseline" | "restricted")),
        Reason::ResourceQuota | Reason::LimitRange => refusal == Some(reason),
        Reason::RunsToCompletion => ends && !site.native_sidecars,
        Reason::PortTaken => pod.all_containers().any(takes_a_port),
        Reason::UserTaken => pod.all_containers().any(|container| {
            let user = container.security_context.run_as_user;
            user.or(spec.security_context.run_as_user) == Some(SIDECAR_UID)
        }),
        _ => false,
    };
    Reason::ALL.into_iter().filter(|reason| holds(*reason)).collect()
}

fn takes_a_port(container: &Container) -> bool {
    let sidecars = [port::INBOUND, port::OUTBOUND, port::ADMIN];
    container
        .ports
        .iter()
        .any(|port| sidecars.contains(&port.container_port))
}

fn plan(question: &Question<'_>, wishes: Wishes) -> (Plan, Vec<String>) {
    let Question { pod, owner, site, .. } = question;
    let capture = wishes.capture.unwrap_or(Capture::Init);
    let identity = Identity::of(pod, *owner, wishes.service_name.as_deref());
    let settings = settings(pod, site, &wishes);
    let skip = site.skip.clone();
    let (skipped_inbound, notes) = match wishes.skip_inbound_ports.or(skip.inbound_ports) {
        Some(said) => (said, Vec::new()),
        None if capture == Capture::Init => probed_ports(pod),
        None => (Vec::new(), Vec::new()),
    };
    // no option that one of the images ever made does not take: what came later comes as a variable, which they ignore
    let mut redirect = vec!["redirect".to_owned()];
    let mut exclude = |option: &str, values: Vec<String>| {
        if !values.is_empty() {
            redirect.extend([option.to_owned(), values.join(",")]);
        }
    };
    exclude("--exclude-inbound-ports", skipped_inbound);
    exclude(
        "--exclude-outbound-ports",
        wishes
            .skip_outbound_ports
            .or(skip.outbound_ports)
            .unwrap_or_default(),
    );
    exclude(
        "--exclude-outbound-cidrs",
        wishes
            .skip_outbound_cidrs
            .or(skip.outbound_cidrs)
            .unwrap_or_default(),
    );
    let plan = Plan {
        placement: if site.native_sidecars {
            Placement::Native
        } else {
            Placement::Ordinary
        },
        capture,
        after: before_us(&pod.spec.init_containers),
        image: wishes.image.unwrap_or_else(|| site.image.clone()),
        cpu: wishes.cpu.unwrap_or_else(|| CPU.to_owned()),
        memory: wishes.memory.unwrap_or_else(|| MEMORY.to_owned()),
        identity,
        settings,
        redirect,
        version: site.version.clone(),
    };
    (plan, notes)
}

/// The sidecar's variables. What is not said is left to the sidecar's own defaults.
fn settings(pod: &Pod, site: &Site, wishes: &Wishes) -> Vec<(&'static str, String)> {
    let mut settings = vec![(env::COLLECTOR, site.collector.clone())];
    let mut set = |variable, value: Option<String>| {
        settings.extend(
            value
                .filter(|value| !value.is_empty())
                .map(|value| (variable, value)),
        );
    };
    set(env::OPERATOR, site.operator.clone());
    set(env::MODE, wishes.mode.map(Mode::name).map(str::to_owned));
    set(env::EDGE, wishes.edge.map(|edge| edge.to_string()));
    set(env::SAMPLING, wishes.sampling.map(|ratio| ratio.to_string()));
    set(
        env::PROPAGATE,
        joined(wishes.propagate.as_deref(), |it| Dialect::name(*it)),
    );
    set(
        env::CAPTURE_HEADERS,
        joined(wishes.capture_headers.as_deref(), String::clone),
    );
    set(
        env::OPAQUE_PORTS,
        joined(wishes.opaque_ports.as_deref(), u16::to_string),
    );
    set(env::PROBE_PATHS, Some(probes::paths(pod).join(",")));
    set(env::LOG, wishes.log_level.clone());
    settings
}

fn joined<T, S: AsRef<str>>(items: Option<&[T]>, name: impl Fn(&T) -> S) -> Option<String> {
    let names: Vec<S> = items?.iter().map(name).collect();
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    Some(names.join(","))
}

/// The ports that stay out of the redirect for their probes' sake, and what there is to say about it.
fn probed_ports(pod: &Pod) -> (Vec<String>, Vec<String>) {
    let note = |(port, probe): (u16, String)| {
        let note = format!(
            "port {port} is reached directly and its requests are not seen, since the {probe} asks by tcpSocket, which \
             would always succeed: let it ask by httpGet or grpc, or say in meshtrace.io/skip-inbound-ports which \
             ports are to be left alone"
        );
        (port.to_string(), note)
    };
    probes::tcp_ports(pod).into_iter().map(note).unzip()
}

/// Ours run first, so that the pod's own init containers are seen too; but behind those that may change the network,
/// whose rules would otherwise come after ours and could undo them.
fn before_us(init_containers: &[Container]) -> usize {
    let last = init_containers
        .iter()
        .rposition(Container::may_change_the_network);
    last.map_or(0, |index| index + 1)
}
