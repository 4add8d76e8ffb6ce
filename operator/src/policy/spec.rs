//! The custom resource `TracePolicy`, from which its definition in the cluster is made (`meshtrace-operator crds`).
//!
//! What the API server can check it checks, in words that say what is allowed; [`super::key`] checks the rest.
#![allow(
    clippy::duplicated_attributes,
    unreachable_pub,
    reason = "columns are of one type; and the derive for schemas makes copies of the types in scopes of their own"
)]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What sidecars do, for the pods that are selected. What is not said is left to policies that stand further away, and at
/// last to the sidecar.
#[derive(Clone, Debug, Default, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[kube(
    group = "meshtrace.io",
    version = "v1alpha1",
    kind = "TracePolicy",
    plural = "tracepolicies",
    namespaced,
    status = "TracePolicyStatus",
    derive = "PartialEq",
    category = "meshtrace",
    doc = "What sidecars do in the pods of its namespace, or, in the operator's own namespace, of the whole cluster. \
           Annotations of a pod, its workload and its namespace win over it.",
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", priority = 1),
    printcolumn(name = "Sampling", type_ = "string", json_path = ".spec.sampling"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Accepted')].status"
    ),
    printcolumn(name = "Pods", type_ = "integer", json_path = ".status.pods"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "has(self.mode) || has(self.edge) || has(self.sampling) || has(self.propagate) || has(self.propagateInferred) || \
         has(self.requestId) || has(self.redaction) || has(self.captureHeaders) || has(self.routes) || \
         has(self.opaquePorts) || has(self.skip) || has(self.log)"
    )
        .message("says nothing: set at least one of mode, edge, sampling, propagate, propagateInferred, requestId, \
                  redaction, captureHeaders, routes, opaquePorts, skip or log")
)]
pub struct TracePolicySpec {
    /// The pods that it is for, by their labels. Without it, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,

    /// Whether requests are looked at (`trace`) or all bytes pass unseen (`passthrough`). Holds for connections that
    /// begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,

    /// Whether requests come in from outside the mesh: then the context that they carry is not trusted, and a new trace
    /// begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<bool>,

    /// The share of new traces that is kept: `"0"` to `"1"`, or `"0%"` to `"100%"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new(r"self.matches('^(0([.][0-9]+)?|1([.]0+)?|([0-9]{1,2}([.][0-9]+)?|100([.]0+)?)%)$')")
            .message("has to be a share, as a text: \"0\" to \"1\", or \"0%\" to \"100%\"")
    )]
    pub sampling: Option<String>,

    /// The dialects that are written always, besides those that a request already speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub propagate: Option<Vec<Dialect>>,

    /// Which links are made where the application forwards no context: `off`, `exact`, or the least confidence,
    /// `"0.5"` to `"1"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new(r"self in ['off', 'exact'] || self.matches('^(0[.][5-9][0-9]*|1([.]0+)?)$')")
            .message("has to be \"off\" (in quotes), exact, or a confidence as a text, \"0.5\" to \"1\"")
    )]
    pub propagate_inferred: Option<String>,

    /// Whether requests that come in are given an `x-request-id` where they have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new("self in ['off', 'create']")
            .message("has to be create or \"off\", in quotes: without them YAML reads no text")
    )]
    pub request_id: Option<String>,

    /// What stays out of spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redaction: Option<Redaction>,

    /// The request and response headers that are kept on spans. The values of those that hold credentials never are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 64)))]
    #[x_kube(
        validation = Rule::new(r#"self.all(name, name.matches("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$"))"#)
            .message("has to be a list of names of headers, such as x-tenant")
    )]
    pub capture_headers: Option<Vec<String>>,

    /// Route templates, such as `/accounts/{id}` or `GET /files/*`; the first that fits names the span.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    #[x_kube(
        validation = Rule::new(r"self.all(route, route.matches('^([A-Z]+ )?(/([^/{}*?# ]*|[{][^/{}*?# ]+[}]))+(/[*])?$|^([A-Z]+ )?/[*]$'))")
            .message("has to be a list of routes, such as /accounts/{id} or GET /accounts/{id}, with * last for any rest")
    )]
    pub routes: Option<Vec<String>>,

    /// Destination ports whose bytes are not looked at. Holds for connections that begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(range(min = 1, max = 65535)))]
    pub opaque_ports: Option<Vec<i32>>,

    /// What never comes to the sidecar. Holds for pods that are made from now on: the redirect is installed when a pod
    /// starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip: Option<Skip>,

    /// What sidecars log: a level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or a list of target=level.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub log: Option<String>,
}

/// Whether requests are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are traced.
    Trace,
    /// All bytes pass unseen.
    Passthrough,
}

/// A way to write a trace context into request headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// W3C Trace Context: `traceparent`.
    W3c,
    /// Zipkin's single header: `b3`.
    B3,
    /// Zipkin's several headers: `x-b3-*`.
    B3Multi,
    /// `uber-trace-id`.
    Jaeger,
    /// `ot-tracer-*`.
    OtTrace,
    /// `grpc-trace-bin`.
    OpenCensus,
    /// AWS X-Ray: `x-amzn-trace-id`.
    XRay,
    /// `x-datadog-*`.
    Datadog,
}

/// What stays out of spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Redaction {
    /// The values of query strings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<bool>,
}

/// What never comes to the sidecar.
#[derive(Clone, Debug, Default, PartialEq, Eq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skip {
    /// Ports of the pod that are reached directly: each a port or a range such as `9000-9100`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "ports")]
    pub inbound_ports: Option<Vec<IntOrString>>,

    /// Ports elsewhere that the pod reaches directly: each a port or a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "ports")]
    pub outbound_ports: Option<Vec<IntOrString>>,

    /// Addresses and networks that the pod reaches directly, such as `10.0.0.0/8`.
    #[serde(rename = "outboundCIDRs", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 2, max = 49)))]
    #[x_kube(
        validation = Rule::new(r"self.all(net, net.matches('^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$'))")
            .message("has to be a list of addresses and networks, such as 10.0.0.0/8")
    )]
    pub outbound_cidrs: Option<Vec<String>>,
}

/// A list of ports and ranges. The most characters of one are said by hand, since a number has none; without them the API
/// server thinks that checking costs too much.
fn ports(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "nullable": true,
        "maxItems": 64,
        "items": { "x-kubernetes-int-or-string": true, "maxLength": 11 },
        "x-kubernetes-validations": [{
            "rule": "self.all(port, type(port) == int ? port >= 1 && port <= 65535 : \
                     string(port).matches('^[0-9]{1,5}(-[0-9]{1,5})?$'))",
            "message": "has to be a list of ports, 1 to 65535, and ranges such as 9000-9100",
        }],
    })
}

/// What has become of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TracePolicyStatus {
    /// The generation of the policy that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many pods with a sidecar it selects.
    #[serde(default)]
    pub pods: i32,
    /// For each of its keys, in how many of these pods it holds, and who has the word in the others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, KeyStatus>,
    /// What is skipped, and since when: pods that are older need a restart for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
    /// `Accepted`, `Applied` and, where something is skipped, `RestartNeeded`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What is skipped, and since when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// What the policy says, as JSON.
    pub what: String,
    /// When that was first seen.
    pub since: Time,
}

/// Where one key of a policy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyStatus {
    /// In so many pods it is this policy's word that holds.
    pub pods: i32,
    /// Who has the word in the other pods: `annotation`, or another policy by namespace and name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overridden: BTreeMap<String, i32>,
}
