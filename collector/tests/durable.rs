//! The program with `--data`, killed at random moments while spans come in.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)]

mod common;

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use common::program::{Program, export, exported};
use common::{get, hex, request, span, text};
use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::trace::v1::Span;

/// How often the collector is killed.
const KILLS: u64 = 12;
/// Senders at the same time, so that appends share their way to the disk.
const SENDERS: u64 = 4;

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

async fn all_are_there(program: &Program, requests: &[u64]) {
    for number in requests {
        for trace in [2 * number, 2 * number + 1] {
            assert_eq!(spans_of(program.query, trace).await, 1, "request {number}");
        }
    }
}

async fn acknowledged_spans_survive_kill_9(durability: &str) {
    let data = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut checked, mut next) = (Vec::new(), 0, 0);
    for turn in 0..KILLS {
        let mut program = Program::start(data.path(), durability);
        // those of the last turn each time, and all of them in the end
        all_are_there(&program, &acknowledged[checked..]).await;
        checked = acknowledged.len();
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
    all_are_there(&Program::start(data.path(), durability), &acknowledged).await;
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

/// A command in which `folder` is a file system of that many MiB of its own. `None` where this is not allowed.
fn on_small_disk(folder: &std::path::Path, mib: u32) -> Option<Command> {
    let mount = format!("mount -t tmpfs -o size={mib}m none {}", folder.display());
    let tried = Command::new("unshare")
        .args(["--mount", "sh", "-c", &mount])
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: a full disk: a small file system cannot be mounted here");
        return None;
    }
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", &format!("{mount} && exec \"$@\""), "sh"])
        .arg(env!("CARGO_BIN_EXE_meshtrace-collector"))
        .arg("--data")
        .arg(folder);
    Some(command)
}

/// A full disk refuses spans in a way that senders understand, goes on answering, and takes spans again once retention
/// has made room.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_ingest_keeps_answering_and_recovers() {
    let data = tempfile::tempdir().unwrap();
    let Some(mut command) = on_small_disk(data.path(), 6) else {
        return;
    };
    command.args(["--durability", "sync", "--retention", "6s"]);
    let program = Program::of(command);
    let noise = |number: u64| -> String {
        let mut state = number + 1;
        let next = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            format!("{:08x}", state >> 32)
        };
        (0..8000).map(next).collect()
    };
    let big = |number: u64| {
        let mut spans = two_traces(number);
        spans[0].attributes.push(text("noise", &noise(number)));
        request("a", spans)
    };
    let mut number = 0;
    let refused = loop {
        let answer = exported(program.http, &big(number)).await.unwrap();
        if answer.status != StatusCode::OK {
            break answer;
        }
        number += 1;
        assert!(number < 1000, "the disk is never full");
    };
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers.contains_key("retry-after"));
    let said = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(said.contains("the log cannot be written"), "{said}");
    assert_eq!(spans_of(program.query, 2 * (number - 1)).await, 1);
    let patience = Instant::now() + Duration::from_secs(120);
    while !export(program.http, &big(2000)).await {
        assert!(Instant::now() < patience, "it does not recover");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(spans_of(program.query, 4000).await, 1);
}
