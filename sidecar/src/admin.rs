//! The admin port: metrics, probes, what is open, and the configuration in effect.
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
use serde::Serialize;
use tokio::net::TcpListener;

use crate::record::Pod;

const HELP: &str = "\
/metrics      what the sidecar counts, for Prometheus
/live         whether the process runs
/ready        whether it takes connections; not while it is stopping
/open         requests that have been open for a second or more, as JSON
/propagation  how calls were joined to their causes, by callee, as JSON
/config       the configuration in effect, and where it comes from
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
            let (pod, ready) = (Arc::clone(&pod), ready.load(Ordering::Relaxed));
            async move { Ok::<_, Infallible>(answer(&request, &pod, ready).await) }
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

async fn answer(request: &Request<Incoming>, pod: &Pod, ready: bool) -> Response<Full<Bytes>> {
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
        "/open" => json(&pod.roll.call().await),
        "/propagation" => json(&pod.edges()),
        "/config" => text(StatusCode::OK, pod.live.effective(&pod.settings)),
        "/" => text(StatusCode::OK, HELP.to_owned()),
        path => text(
            StatusCode::NOT_FOUND,
            format!("nothing at {path}; there is:\n{HELP}"),
        ),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", Full::from(body))
}

fn json(told: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_vec(told) {
        Ok(body) => respond(StatusCode::OK, "application/json", Full::from(body)),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

fn respond(status: StatusCode, kind: &'static str, body: Full<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
