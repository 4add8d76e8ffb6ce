//! The program as a process of its own, that can be killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use axum::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use super::Answer;

pub(crate) struct Program {
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) query: SocketAddr,
}

impl Program {
    /// A collector that keeps spans in that folder.
    pub(crate) fn start(data: &Path, durability: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshtrace-collector"));
        command.arg("--data").arg(data).args(["--durability", durability]);
        Self::of(command)
    }

    /// A collector by a command to which only its addresses are added.
    pub(crate) fn of(mut command: Command) -> Self {
        let flags = ["--otlp-grpc", "--otlp-http", "--zipkin", "--query", "--admin"]
            .map(|flag| format!("{flag}=127.0.0.1:0"));
        command.args(flags).env_remove("MESHTRACE_COLLECTOR_LOG");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("listening") {
            assert!(log.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        let address = |name: &str| {
            let after = said.split(&format!(" {name}=")).nth(1).unwrap();
            after.split_whitespace().next().unwrap().parse().unwrap()
        };
        let (http, query) = (address("http"), address("query"));
        // what it says is read to the end, so that it never waits for us
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, http, query }
    }

    pub(crate) fn end(&mut self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.end(Signal::SIGKILL);
        }
    }
}

/// Sends a request; `None` if there was no answer.
pub(crate) async fn exported(http: SocketAddr, request: &ExportTraceServiceRequest) -> Option<Answer> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(format!("http://{http}/v1/traces"))
        .header("content-type", "application/x-protobuf")
        .body(Full::<Bytes>::from(request.encode_to_vec()))
        .unwrap();
    let (head, body) = client.request(request).await.ok()?.into_parts();
    Some(Answer {
        status: head.status,
        headers: head.headers,
        body: body.collect().await.ok()?.to_bytes(),
    })
}

/// Whether a request was acknowledged.
pub(crate) async fn export(http: SocketAddr, request: &ExportTraceServiceRequest) -> bool {
    let answer = exported(http, request).await;
    answer.is_some_and(|answer| answer.status == StatusCode::OK)
}
