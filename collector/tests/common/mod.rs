//! A real collector on ports of its own, and the hands to send to it and to ask it.

#![allow(dead_code, reason = "every test file uses its own part of this")]

pub(crate) mod document;
pub(crate) mod peers;
pub(crate) mod program;

use std::io::Write;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use collector::collector::{Addresses, Collector};
use collector::config::{Config, command};
use collector::dependencies::Dependency;
use collector::query::{Query, Summary};
use collector::store::{Appended, Dropped, Limits, Memory, Operation, Size, Store, StoreError, Trace};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// When the spans of tests begin: 14 July 2017, in nanoseconds.
pub(crate) const START: u64 = 1_500_000_000_000_000_000;

pub(crate) struct Running {
    pub(crate) at: Addresses,
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

pub(crate) async fn start() -> Running {
    start_with(Arc::new(Memory::new(Limits {
        bytes: 64 << 20,
        age: u64::MAX,
    })))
    .await
}

pub(crate) async fn start_with(store: Arc<dyn Store>) -> Running {
    let flags = ["--otlp-grpc", "--otlp-http", "--zipkin", "--query", "--admin"]
        .map(|flag| format!("{flag}=127.0.0.1:0"));
    let words = std::iter::once("meshtrace-collector".to_owned()).chain(flags);
    let config = Config::read(&command().get_matches_from(words)).unwrap();
    let collector = Collector::bind(&config, store).await.unwrap();
    let at = collector.addresses().unwrap();
    let (stop, stopped) = oneshot::channel();
    let done = tokio::spawn(collector.run(async { stopped.await.unwrap_or_default() }));
    Running { at, stop, done }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn content_type(&self) -> &str {
        self.headers["content-type"].to_str().unwrap()
    }
}

impl Running {
    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(30), self.done)
            .await
            .unwrap()
            .unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        get(self.at.query, path).await
    }

    /// The `data` of a query that succeeds.
    pub(crate) async fn data(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {:?}", answer.body);
        assert_eq!(answer.content_type(), "application/json");
        answer.json()["data"].take()
    }

    /// The messages of a query that fails.
    pub(crate) async fn errors(&self, path: &str) -> (StatusCode, Vec<String>) {
        let answer = self.get(path).await;
        let errors = answer.json()["errors"].take();
        let errors = errors.as_array().unwrap().iter();
        (
            answer.status,
            errors
                .map(|error| error["msg"].as_str().unwrap().to_owned())
                .collect(),
        )
    }

    /// One value of the metrics, by the whole of its name and labels.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = get(self.at.admin, "/metrics").await;
        let text = String::from_utf8(text.body.to_vec()).unwrap();
        let name = format!("meshtrace_collector_{name} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&name));
        value
            .unwrap_or_else(|| panic!("no {name} in\n{text}"))
            .parse()
            .unwrap()
    }

    pub(crate) async fn post(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        post(&format!("http://{}/v1/traces", self.at.http), headers, body).await
    }

    /// Sends spans of Zipkin's.
    pub(crate) async fn post_zipkin(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        post(&format!("http://{}/api/v2/spans", self.at.zipkin), headers, body).await
    }

    pub(crate) async fn post_json(&self, request: &ExportTraceServiceRequest) -> Answer {
        let body = serde_json::to_vec(request).unwrap();
        self.post(&[("content-type", "application/json")], body).await
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    send(
        Request::get(format!("http://{address}{path}"))
            .body(Body::empty())
            .unwrap(),
    )
    .await
}

async fn post(place: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = Request::post(place);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request.body(body.into()).unwrap()).await
}

pub(crate) async fn send(request: Request<Body>) -> Answer {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.unwrap();
    let (head, body) = response.into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

/// A server span of one millisecond, `id` microseconds after [`START`].
pub(crate) fn span(trace: u8, id: u8) -> Span {
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        name: format!("GET /{id}"),
        kind: span::SpanKind::Server as i32,
        start_time_unix_nano: START + u64::from(id) * 1000,
        end_time_unix_nano: START + u64::from(id) * 1000 + 1_000_000,
        ..Span::default()
    }
}

pub(crate) fn request(service: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text("service.name", service)],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn hex(byte: u8, count: usize) -> String {
    format!("{byte:02x}").repeat(count)
}

/// A store that is never there.
pub(crate) struct Away;

fn away<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("it is away".to_owned()))
}

#[async_trait::async_trait]
impl Store for Away {
    async fn append(&self, _: Vec<otlp::receive::Packed>, _: u64) -> Result<Appended, StoreError> {
        away()
    }

    async fn expire(&self, _: u64) -> Result<Dropped, StoreError> {
        away()
    }

    async fn traces(&self, _: &[::span::TraceId]) -> Result<Vec<Trace>, StoreError> {
        away()
    }

    async fn search(&self, _: &Query) -> Result<Vec<Summary>, StoreError> {
        away()
    }

    async fn services(&self) -> Result<Vec<String>, StoreError> {
        away()
    }

    async fn operations(&self, _: &str) -> Result<Vec<Operation>, StoreError> {
        away()
    }

    async fn dependencies(&self, _: RangeInclusive<u64>) -> Result<Vec<Dependency>, StoreError> {
        away()
    }

    async fn size(&self) -> Result<Size, StoreError> {
        away()
    }
}
