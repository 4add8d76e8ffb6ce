//! The program with `--data`, killed at random moments while spans come in.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)]

mod common;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::http::{Request, StatusCode};
use common::{get, hex, request, span, text};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// How often the collector is killed.
const KILLS: u64 = 12;
/// Senders at the same time, so that appends share their way to the disk.
const SENDERS: u64 = 4;

struct Program {
    child: Child,
    http: SocketAddr,
    query: SocketAddr,
}

impl Program {
    fn start(data: &Path, durability: &str) -> Self {
        let flags =
            ["--otlp-grpc", "--otlp-http", "--query", "--admin"].map(|flag| format!("{flag}=127.0.0.1:0"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_meshtrace-collector"))
            .env_clear()
            .args(flags)
            .arg("--data")
            .arg(data)
            .args(["--durability", durability])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("listening") {
            assert!(log.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        let address = |name: &str| {
            let after = said.split(&format!("{name}=")).nth(1).unwrap();
            after.split_whitespace().next().unwrap().parse().unwrap()
        };
        let (http, query) = (address("http"), address("query"));
        // what it says is read to the end, so that it never waits for us
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, http, query }
    }

    fn end(&mut self, signal: Signal) {
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

/// Whether it was acknowledged.
async fn export(http: SocketAddr, request: &ExportTraceServiceRequest) -> bool {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(format!("http://{http}/v1/traces"))
        .header("content-type", "application/x-protobuf")
        .body(Full::<bytes::Bytes>::from(request.encode_to_vec()))
        .unwrap();
    match client.request(request).await {
        Ok(response) if response.status() == StatusCode::OK => response.into_body().collect().await.is_ok(),
        _ => false,
    }
}

/// The first spans of two traces, with ids that no other request has.
fn two_traces(number: u64) -> Vec<Span> {
    [2 * number, 2 * number + 1]
        .map(|trace| Span {
            trace_id: u128::from(trace + 1).to_be_bytes().to_vec(),
            ..span(1, 1)
        })
        .to_vec()
}

async fn spans_of(query: SocketAddr, trace: u64) -> usize {
    let answer = get(query, &format!("/api/traces/{:032x}", trace + 1)).await;
    match answer.status {
        StatusCode::OK => answer.json()["data"][0]["spans"].as_array().unwrap().len(),
        _ => 0,
    }
}

async fn acknowledged_spans_survive_kill_9(durability: &str) {
    let data = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut next) = (Vec::new(), 0);
    for turn in 0..KILLS {
        let mut program = Program::start(data.path(), durability);
        for number in &acknowledged {
            assert_eq!(
                spans_of(program.query, 2 * number).await,
                1,
                "turn {turn}, request {number}"
            );
            assert_eq!(spans_of(program.query, 2 * number + 1).await, 1);
        }
        let senders = (0..SENDERS).map(|sender| {
            let (http, first) = (program.http, next + sender);
            tokio::spawn(async move {
                let mut sent = Vec::new();
                for number in (first..).step_by(SENDERS as usize) {
                    if !export(http, &request("a", two_traces(number))).await {
                        return (sent, number);
                    }
                    sent.push(number);
                }
                (sent, first)
            })
        });
        let senders: Vec<_> = senders.collect();
        tokio::time::sleep(Duration::from_millis(20 + turn * 37 % 150)).await;
        program.end(Signal::SIGKILL);
        for sender in senders {
            let (sent, last) = sender.await.unwrap();
            acknowledged.extend(sent);
            next = next.max(last + SENDERS);
        }
    }
    eprintln!("{} requests acknowledged and found", acknowledged.len());
    assert!(acknowledged.len() > KILLS as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_span_survives_kill_9_in_mode_sync() {
    acknowledged_spans_survive_kill_9("sync").await;
}

/// The kernel keeps what it was given when a process dies; only the machine's end costs the last 200 ms.
#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_span_survives_kill_9_in_mode_batch() {
    acknowledged_spans_survive_kill_9("batch").await;
}

#[tokio::test]
async fn a_joined_trace_reads_as_one_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let mut program = Program::start(data.path(), "batch");
    let call = Span {
        attributes: vec![text("meshtrace.provisional_trace_id", &hex(2, 16))],
        ..span(1, 2)
    };
    assert!(export(program.http, &request("a", vec![span(1, 1), call])).await);
    program.end(Signal::SIGTERM);
    let program = Program::start(data.path(), "batch");
    assert!(export(program.http, &request("b", vec![span(2, 3)])).await);
    let answer = get(program.query, &format!("/api/traces/{}", hex(2, 16))).await;
    let trace = answer.json()["data"][0].take();
    assert_eq!(trace["traceID"], hex(1, 16));
    assert_eq!(trace["spans"].as_array().unwrap().len(), 3);
}

#[test]
fn a_folder_in_use_is_refused_with_its_name() {
    let data = tempfile::tempdir().unwrap();
    let _program = Program::start(data.path(), "sync");
    let second = Command::new(env!("CARGO_BIN_EXE_meshtrace-collector"))
        .env_clear()
        .arg("--data")
        .arg(data.path())
        .output()
        .unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success());
    assert!(said.contains("in use by another collector"), "{said}");
}
