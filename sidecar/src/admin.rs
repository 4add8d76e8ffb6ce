//! The admin port: metrics, probes, and the configuration in effect.
//!
//! Liveness and readiness depend on neither the operator nor the collector: a pod is never held up by tracing.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::record::Pod;

const HELP: &str = "\
/metrics  what the sidecar counts, for Prometheus
/live     whether the process runs
/ready    whether it takes connections; not while it is stopping
/config   the configuration in effect
";

/// Answers on `listener` for as long as it is polled.
pub async fn serve(listener: TcpListener, pod: Arc<Pod>, ready: Arc<AtomicBool>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "an admin connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let (pod, ready) = (Arc::clone(&pod), Arc::clone(&ready));
        let service = service_fn(move |request| {
            let response = answer(&request, &pod, ready.load(Ordering::Relaxed));
            async { Ok::<_, Infallible>(response) }
        });
        drop(tokio::spawn(async move {
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "an admin connection broke");
            }
        }));
    }
}

fn answer(request: &Request<Incoming>, pod: &Pod, ready: bool) -> Response<Full<Bytes>> {
    if request.method() != Method::GET {
        return text(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET is answered here\n".to_owned(),
        );
    }
    match request.uri().path() {
        "/metrics" => text(StatusCode::OK, pod.metrics_text()),
        "/live" => text(StatusCode::OK, "live\n".to_owned()),
        "/ready" if ready => text(StatusCode::OK, "ready\n".to_owned()),
        "/ready" => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()),
        "/config" => text(StatusCode::OK, pod.settings.effective()),
        "/" => text(StatusCode::OK, HELP.to_owned()),
        path => text(
            StatusCode::NOT_FOUND,
            format!("nothing at {path}; there is:\n{HELP}"),
        ),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
