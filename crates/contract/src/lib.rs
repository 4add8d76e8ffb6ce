//! What whoever starts a sidecar (the operator, `meshtrace up`), the sidecar itself and the collector must agree on.
//!
//! Constants only. A name that stands here stands nowhere else.

/// The user and group id that the sidecar runs as. The redirect leaves this user's connections alone, so no other
/// program may run as it: whatever does escapes the mesh.
pub const SIDECAR_UID: u32 = 7117;

/// What things are called where meshtrace is installed in Kubernetes, unless whoever installs it says otherwise.
pub mod installed {
    /// The namespace of the operator and the collector.
    pub const NAMESPACE: &str = "meshtrace";
    /// The sidecar's image; its tag is the version.
    pub const SIDECAR_IMAGE: &str = "meshtrace/sidecar";
    /// Where sidecars send their spans.
    pub const COLLECTOR: &str = "http://meshtrace-collector.meshtrace:4317";
    /// Where sidecars get settings from while they run.
    pub const OPERATOR: &str = "http://meshtrace-operator.meshtrace:14271";
}

/// TCP ports of the sidecar, the collector and the operator.
pub mod port {
    /// The sidecar takes connections here that were on their way into the pod.
    pub const INBOUND: u16 = 15106;
    /// The sidecar takes connections here that were on their way out of the pod.
    pub const OUTBOUND: u16 = 15101;
    /// The sidecar's metrics, probes and effective configuration. Never redirected.
    pub const ADMIN: u16 = 15190;
    /// The collector's OTLP over gRPC.
    pub const OTLP_GRPC: u16 = 4317;
    /// The collector's OTLP over HTTP.
    pub const OTLP_HTTP: u16 = 4318;
    /// The collector's Zipkin, version 2.
    pub const ZIPKIN: u16 = 9411;
    /// The collector's query API (Jaeger's HTTP JSON).
    pub const QUERY: u16 = 16686;
    /// The collector's metrics and probes, where Jaeger has them.
    pub const COLLECTOR_ADMIN: u16 = 14269;
    /// The operator's webhook, where other operators have theirs.
    pub const WEBHOOK: u16 = 9443;
    /// The operator's metrics and probes.
    pub const OPERATOR_ADMIN: u16 = 14270;
    /// The operator's stream of settings for running sidecars.
    pub const SETTINGS: u16 = 14271;
}

/// The environment variables that the sidecar reads. Each stands for one key of its configuration file and wins over it.
pub mod env {
    /// Path of the configuration file (YAML), as `--config`.
    pub const CONFIG: &str = "MESHTRACE_CONFIG";
    /// `service`: the name of the service whose pod this is.
    pub const SERVICE: &str = "MESHTRACE_SERVICE";
    /// `resource`: more resource attributes, `key=value,key=value`.
    pub const RESOURCE: &str = "MESHTRACE_RESOURCE";
    /// `collector`: where spans go, `http://host:port`.
    pub const COLLECTOR: &str = "MESHTRACE_COLLECTOR";
    /// `operator`: where settings come from while the sidecar runs, `http://host:port`.
    pub const OPERATOR: &str = "MESHTRACE_OPERATOR";
    /// `mode`: `trace` or `passthrough`.
    pub const MODE: &str = "MESHTRACE_MODE";
    /// `sampling`: the share of new traces that is kept, `0` to `1` or `0%` to `100%`.
    pub const SAMPLING: &str = "MESHTRACE_SAMPLING";
    /// `propagate`: dialects to write always, besides those a request already speaks.
    pub const PROPAGATE: &str = "MESHTRACE_PROPAGATE";
    /// `propagate-inferred`: which links are made where the application forwards no context.
    pub const PROPAGATE_INFERRED: &str = "MESHTRACE_PROPAGATE_INFERRED";
    /// `request-id`: whether requests are given an id that have none.
    pub const REQUEST_ID: &str = "MESHTRACE_REQUEST_ID";
    /// `process-owner`: whether it is looked up which process holds a connection.
    pub const PROCESS_OWNER: &str = "MESHTRACE_PROCESS_OWNER";
    /// `routes`: route templates, separated by commas.
    pub const ROUTES: &str = "MESHTRACE_ROUTES";
    /// `opaque_ports`: ports whose bytes are not looked at, separated by commas.
    pub const OPAQUE_PORTS: &str = "MESHTRACE_OPAQUE_PORTS";
    /// `probe_paths`: paths that only probes ask for, separated by commas.
    pub const PROBE_PATHS: &str = "MESHTRACE_PROBE_PATHS";
    /// `capture_headers`: request and response headers to keep on spans, separated by commas.
    pub const CAPTURE_HEADERS: &str = "MESHTRACE_CAPTURE_HEADERS";
    /// `redact_query`: whether the values of query strings stay out of spans.
    pub const REDACT_QUERY: &str = "MESHTRACE_REDACT_QUERY";
    /// `edge`: whether requests come in from outside the mesh, whose trace context is not trusted.
    pub const EDGE: &str = "MESHTRACE_EDGE";
    /// `inbound.listen`: address for connections into the pod.
    pub const INBOUND_LISTEN: &str = "MESHTRACE_INBOUND_LISTEN";
    /// `inbound.upstream`: a fixed upstream instead of the original destination.
    pub const INBOUND_UPSTREAM: &str = "MESHTRACE_INBOUND_UPSTREAM";
    /// `outbound.listen`: address for connections out of the pod.
    pub const OUTBOUND_LISTEN: &str = "MESHTRACE_OUTBOUND_LISTEN";
    /// `outbound.upstream`: a fixed upstream instead of the original destination.
    pub const OUTBOUND_UPSTREAM: &str = "MESHTRACE_OUTBOUND_UPSTREAM";
    /// `admin`: address of metrics, probes and the effective configuration.
    pub const ADMIN: &str = "MESHTRACE_ADMIN";
    /// `mark`: the netfilter mark set on the sidecar's own connections, where its user id alone cannot tell them apart.
    pub const MARK: &str = "MESHTRACE_MARK";
    /// `workers`: threads that carry traffic.
    pub const WORKERS: &str = "MESHTRACE_WORKERS";
    /// `log`: level and targets, as `tracing`'s `EnvFilter` reads them.
    pub const LOG: &str = "MESHTRACE_LOG";
    /// Set where a pod shall start whatever is wrong with us; stands for no key. `redirect` writes into this file why there
    /// are no rules, as with `--best-effort`; `run` leaves out the variables that it cannot read.
    pub const BEST_EFFORT: &str = "MESHTRACE_BEST_EFFORT";
}

/// The environment variables by which a cluster tells the operator what else has to know: `meshtrace check` and `meshtrace
/// why` read them in its Deployment.
pub mod operator_env {
    /// The sidecar's image.
    pub const IMAGE: &str = "MESHTRACE_OPERATOR_IMAGE";
    /// Where sidecars send their spans.
    pub const COLLECTOR: &str = "MESHTRACE_OPERATOR_COLLECTOR";
    /// Where sidecars are told to ask for settings; empty for nowhere.
    pub const SETTINGS_URL: &str = "MESHTRACE_OPERATOR_SETTINGS_URL";
    /// Further namespaces that the API server does not ask about, separated by commas.
    pub const EXCLUDE: &str = "MESHTRACE_OPERATOR_EXCLUDE";
}

/// What a sidecar tells the collector of itself, beside its spans: some of its metrics, under the names that they have at
/// `/metrics`.
pub mod told {
    /// The scope of its spans and of its metrics; the version is the sidecar's.
    pub const SCOPE: &str = "meshtrace-sidecar";
    /// Spans that the collector has taken.
    pub const EXPORTED: &str = "meshtrace_spans_exported_total";
    /// Spans that were made and not kept, by `reason`.
    pub const LOST: &str = "meshtrace_spans_lost_total";
    /// Requests that were seen and have no span, by `reason`.
    pub const UNRECORDED: &str = "meshtrace_requests_unrecorded_total";
    /// Seconds that request heads spent in the sidecar.
    pub const ADDED_LATENCY: &str = "meshtrace_added_latency_seconds";
    /// Milliseconds on a processor.
    pub const CPU: &str = "meshtrace_process_cpu_milliseconds";
    /// Bytes of memory.
    pub const MEMORY: &str = "meshtrace_process_resident_bytes";
    /// All of them.
    pub const ALL: [&str; 6] = [EXPORTED, LOST, UNRECORDED, ADDED_LATENCY, CPU, MEMORY];
}
