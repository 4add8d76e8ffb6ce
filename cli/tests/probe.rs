//! `meshtrace probe` against a collector that learns of a trace as one behind a sidecar would: from the request's context.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;

/// Answers `requests` requests. Knows the trace of the first one, from the second time on that it is asked for it.
fn collector(requests: usize) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let mut targets = Vec::new();
        let mut trace = String::new();
        for _ in 0..requests {
            let (mut socket, _) = listener.accept().unwrap();
            let head: Vec<String> = BufReader::new(&socket)
                .lines()
                .map(Result::unwrap)
                .take_while(|line| !line.is_empty())
                .collect();
            let target = head[0].split(' ').nth(1).unwrap().to_owned();
            if let Some(context) = head.iter().find_map(|line| line.strip_prefix("traceparent: ")) {
                assert!(context.ends_with("-01"), "{context} is not sampled");
                trace = context.split('-').nth(1).unwrap().to_owned();
            }
            let known = targets.len() > 1 && target == format!("/api/traces/{trace}");
            let (status, body) = match target.as_str() {
                "/api/services" => (200, r#"{"data":[]}"#),
                _ if known => (200, include_str!("data/trace.json")),
                _ => (
                    404,
                    r#"{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}"#,
                ),
            };
            targets.push(target);
            let length = body.len();
            write!(
                socket,
                "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
            .unwrap();
        }
        targets
    });
    (place, asked)
}

fn probe(place: &str) -> std::process::Output {
    let program = env!("CARGO_BIN_EXE_meshtrace");
    Command::new(program)
        .args(["probe", "--collector", place])
        .output()
        .unwrap()
}

#[test]
fn a_request_is_traced_if_the_collector_comes_to_know_its_trace() {
    let (place, asked) = collector(3);
    let output = probe(&place);
    let asked = asked.join().unwrap();
    assert_eq!(asked[0], "/api/services");
    assert_eq!(asked[1], asked[2]);
    let trace = asked[1].strip_prefix("/api/traces/").unwrap();
    assert_eq!(trace.len(), 32);
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("a request from here is traced: it is trace {trace}\n")
    );
}

#[test]
fn a_collector_that_is_not_there_is_said_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = probe(&format!("http://{free}"));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no collector answers"), "{said}");
}
