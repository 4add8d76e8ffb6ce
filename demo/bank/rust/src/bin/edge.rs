//! Edge: the bank's door, in the place that Traefik has in front of a cluster.
//!
//! Balances are asked of the balance service, everything else under `/accounts` goes to the cashier. A request is
//! written anew for the service behind, with its method, path and body and no header of the client's.

use std::{env, io};

use bank::{Answer, BODY_LIMIT, Call, refusal, segments, serve};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Connections to the services behind are kept and used again.
type Upstream = Client<HttpConnector, Full<Bytes>>;

#[derive(Clone)]
struct Edge {
    upstream: Upstream,
    cashier: String,
    balance: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let upstream = Client::builder(TokioExecutor::new()).build_http();
    let edge = Edge {
        upstream,
        cashier: setting("CASHIER", "cashier:8080"),
        balance: setting("BALANCE", "balance:8080"),
    };
    let port = setting("PORT", "8080").parse().map_err(io::Error::other)?;
    serve(port, move |call| handle(edge.clone(), call)).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "a demo service: its few settings are read here"
)]
fn setting(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

async fn handle(edge: Edge, call: Call) -> Answer {
    let behind = match (&call.method, segments(&call.path).as_slice()) {
        (&Method::GET, ["accounts", _, "balance"]) => &edge.balance,
        (_, ["accounts", _, ..]) => &edge.cashier,
        _ => return refusal(StatusCode::NOT_FOUND, "no such place"),
    };
    match forward(&edge.upstream, behind, call).await {
        Ok(answer) => answer,
        Err(why) => refusal(StatusCode::BAD_GATEWAY, &format!("{behind}: {why}")),
    }
}

async fn forward(
    upstream: &Upstream,
    host: &str,
    call: Call,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let request = Request::builder()
        .method(call.method)
        .uri(format!("http://{host}{}", call.path))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(call.body))?;
    let response = upstream.request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), BODY_LIMIT).collect().await?;
    Ok((status, serde_json::from_slice(&body.to_bytes())?))
}
