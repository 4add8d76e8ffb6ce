//! `meshtrace traces` and `meshtrace trace` against a collector that says always the same. What they print stands in
//! `data/`: a change to a view is reviewed as a change to a picture.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, channel};

const TRACES: &str = include_str!("data/traces.json");
const TRACE: &str = include_str!("data/trace.json");
const ID: &str = "7d4cbb2bfa0e6b8ecae4a3ba5e9b9a01";

/// Answers searches and the one trace; returns its address and what it is asked.
fn collector() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    let (asked, questions) = channel();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut line = String::new();
            BufReader::new(&socket).read_line(&mut line).unwrap();
            let target = line.split(' ').nth(1).unwrap().to_owned();
            let (status, body) = match target.as_str() {
                search if search.starts_with("/api/traces?") && search.contains("minDuration=never") => (
                    400,
                    r#"{"data":null,"errors":[{"code":400,"msg":"minDuration: `never` is not a duration"}]}"#,
                ),
                search if search.starts_with("/api/traces?") => (200, TRACES),
                one if one == format!("/api/traces/{ID}") => (200, TRACE),
                _ => (
                    404,
                    r#"{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}"#,
                ),
            };
            write!(
                socket,
                "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
            if asked.send(target).is_err() {
                return;
            }
        }
    });
    (place, questions)
}

fn meshtrace(arguments: &[&str], place: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meshtrace"))
        .args(arguments)
        .env("MESHTRACE_QUERY", place)
        .output()
        .unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let (place, _questions) = collector();
    let output = meshtrace(arguments, &place);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn complaint(arguments: &[&str], place: &str) -> String {
    let output = meshtrace(arguments, place);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn traces_are_a_table() {
    assert_eq!(printed(&["traces"]), include_str!("data/traces.txt"));
}

#[test]
fn a_trace_is_a_waterfall() {
    assert_eq!(printed(&["trace", ID]), include_str!("data/waterfall.txt"));
}

#[test]
fn a_trace_is_a_log_in_the_order_of_time() {
    assert_eq!(
        printed(&["trace", ID, "--format", "log"]),
        include_str!("data/log.txt")
    );
}

#[test]
fn the_beginning_of_an_id_is_enough() {
    // without its last digit it is the beginning of both
    let (place, questions) = collector();
    let said = complaint(&["trace", "7d4cbb2bfa0e6b8ecae4a3ba5e9b9a0"], &place);
    assert!(said.contains("several trace ids"), "{said}");
    assert_eq!(questions.recv().unwrap(), "/api/traces?limit=500");
    assert_eq!(
        printed(&["trace", "7D4CBB2BFA0E6B8ECAE4A3BA5E9B9A01"]),
        include_str!("data/waterfall.txt")
    );
}

#[test]
fn json_is_for_programs() {
    let list: serde_json::Value = serde_json::from_str(&printed(&["traces", "--json"])).unwrap();
    assert_eq!(list[0]["traceID"], ID);
    assert_eq!(list[0]["errors"], 4);
    assert_eq!(list[1]["root"], "edge GET /accounts/{id}/balance");
    let trace: serde_json::Value = serde_json::from_str(&printed(&["trace", ID, "--json"])).unwrap();
    assert_eq!(trace["spans"].as_array().unwrap().len(), 9);
}

#[test]
fn a_search_is_the_collectors_work() {
    let (place, questions) = collector();
    let search = [
        "traces",
        "-s",
        "edge",
        "-t",
        "error=true",
        "-t",
        "a=b=c",
        "--min-duration",
        "5ms",
        "--slowest",
        "-n",
        "3",
    ];
    assert!(meshtrace(&search, &place).status.success());
    assert_eq!(
        questions.recv().unwrap(),
        "/api/traces?limit=3&service=edge&minDuration=5ms\
         &tags=%7B%22a%22%3A%22b%3Dc%22%2C%22error%22%3A%22true%22%7D&order=duration"
    );
}

#[test]
fn errors_say_what_to_do() {
    let (place, _questions) = collector();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{unused}");
    for (arguments, place, what) in [
        (&["traces"][..], &nobody, "is `meshtrace up` running?"),
        (
            &["traces", "--min-duration", "never"],
            &place,
            "says: minDuration: `never` is not a duration",
        ),
        (
            &["trace", "7d4c"],
            &place,
            "several trace ids: 7d4cbb2bfa0e6b8ecae4a3ba5e9b9a01, 7d4cbb2b",
        ),
        (&["trace", "beef"], &place, "no trace whose id begins with `beef`"),
        (&["trace", "xyz"], &place, "`xyz` is not a trace id"),
        (
            &["trace", "00000000000000000000000000000001"],
            &place,
            "says: trace not found",
        ),
        (
            &["traces", "--collector", "localhost/x?"],
            &place,
            "is not the address of a collector",
        ),
    ] {
        let said = complaint(arguments, place);
        assert!(said.contains(what), "{arguments:?}: {said}");
    }
}
