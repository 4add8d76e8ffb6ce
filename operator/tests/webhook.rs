//! The webhook as the API server meets it: real TLS, and documents as it sends them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use inject::decide::{Namespace, Site};
use operator::certificates::due::Lifetimes;
use operator::certificates::{Certificates, advance};
use operator::metrics::Metrics;
use operator::namespaces::{Namespaces, Record};
use operator::policy::known::Known;
use operator::webhook::{self, PATH, Webhook, serve, tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const SERVER: &str = "meshtrace-operator.meshtrace.svc";

const POD_CREATED: &str = include_str!("data/pod-created.json");
const POD_ON_THE_HOSTS_NETWORK: &str = include_str!("data/pod-on-the-hosts-network.json");
const POD_DELETED: &str = include_str!("data/pod-deleted.json");
const DEPLOYMENT_ANNOTATED: &str = include_str!("data/deployment-annotated.json");
const DEPLOYMENT_SCALED: &str = include_str!("data/deployment-scaled.json");

/// A webhook that serves, and what its API server trusts.
struct Server {
    at: SocketAddr,
    certificates: Certificates,
    tls: watch::Sender<Arc<ServerConfig>>,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    metrics: Arc<Metrics>,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn names() -> Vec<String> {
    vec![SERVER.to_owned()]
}

fn certificates() -> Certificates {
    let usual = Lifetimes::of_leaf(Duration::from_secs(30 * 86_400));
    advance(&Certificates::default(), &names(), now(), usual).unwrap()
}

fn shown(certificates: &Certificates) -> Arc<ServerConfig> {
    tls::server(certificates.leaf.as_ref().unwrap()).unwrap()
}

impl Server {
    async fn start() -> Self {
        let certificates = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (tls, shows) = watch::channel(shown(&certificates));
        let (stop, stopped) = watch::channel(false);
        let metrics = Arc::new(Metrics::new().unwrap());
        let namespaces = Namespaces::default();
        let bank = Namespace {
            name: "bank".to_owned(),
            ..Namespace::default()
        };
        namespaces.set(Record {
            namespace: bank,
            ..Record::default()
        });
        let router = webhook::router(Webhook {
            site: Arc::new(Site::usual("0.1.0")),
            namespaces: Arc::new(namespaces),
            policies: Arc::new(Known::new("meshtrace")),
            metrics: Arc::clone(&metrics),
        });
        let served = tokio::spawn(serve::serve(listener, shows, router, stopped));
        Self {
            at,
            certificates,
            tls,
            stop,
            served,
            metrics,
        }
    }

    async fn ask(&self, review: impl Into<String>) -> (StatusCode, String) {
        ask(
            connect(self.at, &self.certificates.bundle()).await.unwrap(),
            review.into(),
        )
        .await
    }

    /// The answer to a review, checked as the API server does.
    async fn response(&self, review: impl Into<String>) -> Value {
        let review = review.into();
        let uid = serde_json::from_str::<Value>(&review).unwrap()["request"]["uid"].clone();
        let (status, body) = self.ask(review).await;
        assert_eq!(status, StatusCode::OK);
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["kind"], "AdmissionReview");
        assert_eq!(answer["response"]["uid"], uid);
        assert_eq!(answer["response"]["allowed"], true);
        answer["response"].clone()
    }
}

/// A connection of a client that trusts this bundle and nothing else.
async fn connect(at: SocketAddr, bundle: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // HTTP/2, as the API server speaks to webhooks
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    connector
        .connect(
            ServerName::try_from(SERVER).unwrap(),
            TcpStream::connect(at).await?,
        )
        .await
}

async fn ask(stream: TlsStream<TcpStream>, review: String) -> (StatusCode, String) {
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!("https://{SERVER}{PATH}?timeout=3s"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(review)))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// The object of a review with the answer's patch, as the API server applies it.
fn patched(review: &str, response: &Value) -> Value {
    let review: Value = serde_json::from_str(review).unwrap();
    let mut object = review["request"]["object"].clone();
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    json_patch::patch(&mut object, &patch).unwrap();
    object
}

#[tokio::test]
async fn a_pod_that_asks_gets_its_sidecar() {
    let server = Server::start().await;
    let response = server.response(POD_CREATED).await;
    let pod = patched(POD_CREATED, &response);
    let init = &pod["spec"]["initContainers"];
    assert_eq!(init[0]["name"], "meshtrace-sidecar");
    assert_eq!(init[1]["name"], "meshtrace-redirect");
    assert_eq!(response["auditAnnotations"], json!({"outcome": "injected"}));
    assert_eq!(response.get("warnings"), None);
    let counted = server.metrics.render().unwrap();
    assert!(counted.contains(r#"meshtrace_operator_reviews_total{outcome="injected"} 1"#));
}

#[tokio::test]
async fn asked_again_about_what_it_has_patched_it_has_nothing_to_add() {
    let server = Server::start().await;
    for review in [POD_CREATED, DEPLOYMENT_ANNOTATED] {
        let object = patched(review, &server.response(review).await);
        let mut again: Value = serde_json::from_str(review).unwrap();
        again["request"]["object"] = object;
        assert_eq!(server.response(again.to_string()).await.get("patch"), None);
    }
}

#[tokio::test]
async fn a_pod_that_cannot_have_a_sidecar_is_allowed_and_says_why() {
    let server = Server::start().await;
    let response = server.response(POD_ON_THE_HOSTS_NETWORK).await;
    let pod = patched(POD_ON_THE_HOSTS_NETWORK, &response);
    assert_eq!(
        pod["metadata"]["annotations"]["meshtrace.io/skipped"],
        "host_network"
    );
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("meshtrace: no sidecar: it uses its node's network"),
        "{warning}"
    );
}

#[tokio::test]
async fn a_pod_in_a_namespace_that_is_not_known_yet_is_not_put_at_risk() {
    let server = Server::start().await;
    let review = POD_CREATED.replace("\"namespace\": \"bank\"", "\"namespace\": \"new\"");
    let response = server.response(review).await;
    assert_eq!(response["auditAnnotations"]["reasons"], "unknown_namespace");
}

#[tokio::test]
async fn annotating_a_deployment_changes_its_template_and_a_mistake_is_told_to_whoever_makes_it() {
    let server = Server::start().await;
    let response = server.response(DEPLOYMENT_ANNOTATED).await;
    let deployment = patched(DEPLOYMENT_ANNOTATED, &response);
    let template = &deployment["spec"]["template"];
    let carried = json!({"meshtrace.io/inject": "true", "meshtrace.io/carried": "inject"});
    assert_eq!(template["metadata"]["annotations"], carried);
    assert_eq!(
        template["spec"].get("initContainers"),
        None,
        "its pods are decided about when they are made"
    );
    let expected =
        "meshtrace: meshtrace.io/samplng on the workload: unknown key; did you mean `meshtrace.io/sampling`?";
    assert_eq!(response["warnings"], json!([expected]));
}

#[tokio::test]
async fn what_is_none_of_ours_is_allowed_without_a_word() {
    let server = Server::start().await;
    for review in [DEPLOYMENT_SCALED, POD_DELETED] {
        let response = server.response(review).await;
        assert_eq!(response.as_object().unwrap().len(), 2, "{response}");
    }
}

#[tokio::test]
async fn what_is_no_review_is_refused_with_what_would_be_one() {
    let server = Server::start().await;
    let older = POD_CREATED.replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1");
    let (status, body) = server.ask(older).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        body.contains("let the webhook's admissionReviewVersions be [v1]"),
        "{body}"
    );
    assert_eq!(server.ask("{").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_open_ones_go_on() {
    let server = Server::start().await;
    let open = connect(server.at, &server.certificates.bundle()).await.unwrap();
    let others = certificates();
    server.tls.send_replace(shown(&others));
    assert_eq!(ask(open, POD_CREATED.to_owned()).await.0, StatusCode::OK);
    assert!(connect(server.at, &server.certificates.bundle()).await.is_err());
    let new = connect(server.at, &others.bundle()).await.unwrap();
    assert_eq!(ask(new, POD_CREATED.to_owned()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn clients_that_never_say_a_word_keep_nobody_waiting() {
    let server = Server::start().await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(server.at).await.unwrap());
    }
    server.response(POD_CREATED).await;
}

#[tokio::test]
async fn the_largest_objects_of_kubernetes_are_answered() {
    let server = Server::start().await;
    let mut review: Value = serde_json::from_str(DEPLOYMENT_ANNOTATED).unwrap();
    for object in ["object", "oldObject"] {
        review["request"][object]["metadata"]["managedFields"] =
            json!([{"fieldsV1": "x".repeat(1536 << 10)}]);
    }
    let response = server.response(review.to_string()).await;
    assert_eq!(response["auditAnnotations"]["outcome"], "carried");
}

#[tokio::test]
async fn asked_to_stop_it_answers_what_is_open_and_takes_no_more() {
    let server = Server::start().await;
    let open = connect(server.at, &server.certificates.bundle()).await.unwrap();
    // an answer, so that the server surely has the connection when it is asked to stop
    assert_eq!(ask(open, POD_CREATED.to_owned()).await.0, StatusCode::OK);
    server.stop.send_replace(true);
    server.served.await.unwrap();
    assert!(TcpStream::connect(server.at).await.is_err());
}
