//! Where a sidecar's spans go: an OTLP/gRPC receiver that keeps them, and can go away and come back.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
pub use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::transport::server::{Server, TcpIncoming};
use tonic::{Request, Response, Status};

use crate::sidecar::PATIENCE;
use crate::sockets::free_address;

/// A receiver that runs until it is dropped.
#[derive(Debug)]
pub struct Sink {
    /// Where it takes spans.
    pub address: SocketAddr,
    spans: Spans,
    runtime: Option<Runtime>,
}

#[derive(Clone, Debug, Default)]
struct Spans(Arc<Mutex<Vec<Span>>>);

impl Sink {
    /// A receiver on an address of its own.
    pub fn start() -> Self {
        Self::at(free_address())
    }

    /// A receiver on this address, where another one may have been.
    pub fn at(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let spans = Spans::default();
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let within = runtime.enter();
        let listener = TcpListener::from_std(listener).unwrap();
        drop(within);
        let service = TraceServiceServer::new(spans.clone()).max_decoding_message_size(64 << 20);
        let server = Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener));
        drop(runtime.spawn(server));
        Self {
            address,
            spans,
            runtime: Some(runtime),
        }
    }

    /// The line of a sidecar's configuration that sends its spans here, soon.
    pub fn config(&self) -> String {
        format!(
            "collector: \"http://{}\"\nexport: {{ interval: 50ms }}",
            self.address
        )
    }

    /// All that has come so far.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.0.lock().unwrap().clone()
    }

    /// Goes away. Returns all that had come.
    pub fn stop(mut self) -> Vec<Span> {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(PATIENCE);
        }
        self.spans()
    }

    /// So many spans, once they have come.
    ///
    /// # Panics
    /// They do not, even after [`PATIENCE`], or there are more.
    pub fn expect(&self, count: usize) -> Vec<Span> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let spans = self.spans();
            if spans.len() >= count {
                assert_eq!(spans.len(), count, "more spans than expected: {spans:#?}");
                return spans;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {count} spans: {spans:#?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[tonic::async_trait]
impl TraceService for Spans {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        self.0
            .lock()
            .unwrap()
            .extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// One attribute of a span, as text; empty if it has none of that name.
pub fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    let value = found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref());
    match value {
        None => String::new(),
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
    }
}
