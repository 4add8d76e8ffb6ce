//! Asks the cluster, and hands what it says to those who judge. Decides nothing but what there is no use in asking.

use std::time::SystemTime;

use futures_util::StreamExt;
use futures_util::stream;
use inject::workload::Kind;
use serde_json::Value;

use super::finding::{Check, Finding, Status};
use super::workloads::Census;
use super::{Fact, Options, certificate, collector, installation, kubernetes, operator, quotas};
use crate::cluster::facts::{self, Part};
use crate::cluster::kubectl::{Error, Kubectl};

/// How many questions are asked at the same time.
const AT_ONCE: usize = 4;
/// Where the trial pod would be made.
const TRIAL_NAMESPACE: &str = "default";
/// What the operator's webhook configuration is usually called: it decides about the order among others.
const WEBHOOK: &str = "meshtrace-operator";
/// Where the lists of those kinds are that have pods and may carry annotations.
const WORKLOADS: [(Kind, &str); 6] = [
    (Kind::Deployment, "/apis/apps/v1/deployments"),
    (Kind::StatefulSet, "/apis/apps/v1/statefulsets"),
    (Kind::DaemonSet, "/apis/apps/v1/daemonsets"),
    (Kind::ReplicaSet, "/apis/apps/v1/replicasets"),
    (Kind::Job, "/apis/batch/v1/jobs"),
    (Kind::CronJob, "/apis/batch/v1/cronjobs"),
];
const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tracepolicies.meshtrace.io";

pub(super) async fn gather(kubectl: &Kubectl, options: &Options, now: SystemTime) -> Vec<Finding> {
    let (version, server) = tokio::join!(kubectl.version(), kubectl.get("/version"));
    let mut findings = vec![kubernetes::kubectl(&version)];
    if version.is_err() {
        return findings;
    }
    findings.push(kubernetes::api_server(&server));
    let Ok(server) = server else { return findings };
    let nodes = facts::all(kubectl, "/api/v1/nodes").await;
    findings.extend([kubernetes::version(&server), kubernetes::nodes(&nodes, &server)]);
    match options.before {
        true => findings.extend(before(kubectl, &options.namespace).await),
        false => findings.extend(after(kubectl, &options.namespace, &server, now).await),
    }
    findings
}

/// What an installation into `namespace` needs.
async fn before(kubectl: &Kubectl, namespace: &str) -> Vec<Finding> {
    let rights = stream::iter(installation::RIGHTS).map(async |(resource, is_namespaced)| {
        let namespace = is_namespaced.then_some(namespace);
        (resource, kubectl.may("create", resource, namespace).await)
    });
    let names = stream::iter(installation::CLUSTER_WIDE).map(async |path| kubectl.get(path).await);
    let rights: Vec<_> = rights.buffered(AT_ONCE).collect().await;
    let names: Vec<_> = names.buffered(AT_ONCE).collect().await;
    let mut census = Census::new(facts::site(None, namespace, None));
    let (resources, webhooks, listed) = tokio::join!(
        kubectl.get("/apis/admissionregistration.k8s.io/v1"),
        facts::all(kubectl, WEBHOOKS),
        kubectl.list("/api/v1/namespaces", |it| census.namespace(it)),
    );
    vec![
        kubernetes::webhook_api(&resources),
        installation::rights(&rights),
        installation::names(&names, namespace),
        installation::other_meshes(&webhooks, WEBHOOK),
        listed.map_or_else(
            |error| Check::PodSecurity.unknown(&error),
            |_| census.pod_security(),
        ),
    ]
}

/// The installation in `namespace`, and what it does.
async fn after(kubectl: &Kubectl, namespace: &str, server: &Value, now: SystemTime) -> Vec<Finding> {
    let list = async |part: Part, path: &str| {
        let path = part.of(&path.replace("NAMESPACE", namespace));
        facts::all(kubectl, &path).await
    };
    let trial = operator::trial();
    let (operators, collectors, webhooks, definition, tried) = tokio::join!(
        list(Part::Operator, "/apis/apps/v1/namespaces/NAMESPACE/deployments"),
        list(Part::Collector, "/apis/apps/v1/namespaces/NAMESPACE/statefulsets"),
        list(Part::Operator, WEBHOOKS),
        kubectl.get(DEFINITION),
        kubectl.would_create(&trial, TRIAL_NAMESPACE),
    );
    let is_none = |found: &Fact<Vec<Value>>| found.as_ref().is_ok_and(Vec::is_empty);
    if [&operators, &collectors, &webhooks].into_iter().all(is_none) {
        return vec![operator::not_installed(namespace)];
    }
    let (operator_pods, collector_pods, metrics, mesh) = tokio::join!(
        list(Part::Operator, "/api/v1/namespaces/NAMESPACE/pods"),
        list(Part::Collector, "/api/v1/namespaces/NAMESPACE/pods"),
        metrics(kubectl, namespace),
        mesh(kubectl, namespace),
    );
    let own = env!("CARGO_PKG_VERSION");
    let version = |found: &Fact<Vec<Value>>| found.as_ref().ok().and_then(|it| facts::version(it.first()?));
    let deployment = operators.as_ref().ok().and_then(|it| it.first());
    let site = facts::site(deployment, namespace, facts::kubernetes(server));
    let running = operator::running(
        Check::Operator,
        Part::Operator,
        &operators,
        &operator_pods,
        namespace,
    );
    let answers = operator::answers(&tried, running.status != Status::Error);
    let mut findings = vec![
        running,
        operator::running(
            Check::Collector,
            Part::Collector,
            &collectors,
            &collector_pods,
            namespace,
        ),
        operator::webhook(&webhooks, namespace),
        certificate::certificate(&webhooks, &metrics, now),
        answers,
        operator::custom_resources(&definition, own),
        collector::answers(&mesh),
    ];
    if let Ok(mesh) = &mesh {
        findings.push(collector::lost(mesh));
    }
    let mut census = Census::new(site);
    let seen = look(kubectl, &mut census).await;
    findings.push(operator::versions(
        version(&operators).as_deref(),
        version(&collectors).as_deref(),
        &census.versions,
        own,
    ));
    match seen {
        Ok(()) => findings.extend([
            census.pod_security(),
            census.labels(),
            census.annotations(),
            census.missing(),
            census.sidecars(),
            room(kubectl, &census).await,
        ]),
        Err(error) => findings.push(Check::Missing.unknown(&error)),
    }
    findings
}

/// Shows all namespaces, workloads and pods to the census. Workloads that may not be listed are left out: their pods say
/// most of it.
async fn look(kubectl: &Kubectl, census: &mut Census) -> Result<(), Error> {
    kubectl
        .list("/api/v1/namespaces", |it| census.namespace(it))
        .await?;
    for (kind, path) in WORKLOADS {
        match kubectl.list(path, |it| census.workload(kind, it)).await {
            Ok(_) | Err(Error::Forbidden(_)) => {}
            Err(error) => return Err(error),
        }
    }
    kubectl.list("/api/v1/pods", |it| census.pod(it)).await?;
    Ok(())
}

async fn room(kubectl: &Kubectl, census: &Census) -> Finding {
    let (quotas, limits) = tokio::join!(
        facts::all(kubectl, "/api/v1/resourcequotas"),
        facts::all(kubectl, "/api/v1/limitranges"),
    );
    quotas::quotas(&quotas, &limits, &census.room())
}

/// The operator's metrics, through the API server.
async fn metrics(kubectl: &Kubectl, namespace: &str) -> Fact<String> {
    let port = contract::port::OPERATOR_ADMIN;
    let service = facts::service(kubectl, namespace, Part::Operator, port).await?;
    let path = format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy/metrics");
    kubectl.text(&path).await
}

/// What the collector knows of the mesh, through the API server.
async fn mesh(kubectl: &Kubectl, namespace: &str) -> Fact<Value> {
    let port = contract::port::QUERY;
    let service = facts::service(kubectl, namespace, Part::Collector, port).await?;
    let path =
        format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy/api/meshtrace/v1/mesh");
    kubectl.get(&path).await
}
