//! What is on disk is a promise: an old store reads as it did, and any Parquet reader opens a segment.
//!
//! `data/store-N` is a store of version N, with a segment and a log, and the same spans in each. pyarrow comes from the
//! Python package index.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)]

mod common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::program::Program;
use common::{get, hex};
use serde_json::{Value, json};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
const VERSIONS: std::ops::RangeInclusive<u8> = 1..=3;
const PYARROW: &str = "pyarrow==26.0.1";

/// A copy of the sample that may be changed.
fn sample(version: u8) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for folder in ["log", "segments"] {
        fs::create_dir(copy.path().join(folder)).unwrap();
        for file in fs::read_dir(format!("{SAMPLES}/store-{version}/{folder}")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.path().join(folder).join(file.file_name())).unwrap();
        }
    }
    copy
}

fn open(data: &Path) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshtrace-collector"));
    command.arg("--data").arg(data).args(["--retention", "36000d"]);
    Program::of(command)
}

#[tokio::test]
async fn a_store_of_every_version_reads_as_it_did() {
    for version in VERSIONS {
        reads_as_it_did(version).await;
    }
}

async fn reads_as_it_did(version: u8) {
    let data = sample(version);
    let program = open(data.path());
    for (trace, spans) in [(1, 3), (3, 1)] {
        let answer = get(program.query, &format!("/api/traces/{}", hex(trace, 16))).await;
        let expected = fs::read_to_string(format!("{SAMPLES}/store-1/trace-{trace}.json")).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        assert_eq!(answer.json(), expected, "trace {trace} of version {version}");
        assert_eq!(expected["data"][0]["spans"].as_array().unwrap().len(), spans);
    }
    // the provisional trace reads as part of the first
    let joined = get(program.query, &format!("/api/traces/{}", hex(2, 16))).await;
    assert_eq!(joined.json()["data"][0]["traceID"], hex(1, 16));
    let found = get(program.query, "/api/traces?tag=shop.id:7&limit=5").await;
    assert_eq!(found.json()["data"][0]["traceID"], hex(1, 16));
}

/// Python with pyarrow, made once; tests in other processes wait for the one that makes it.
fn python() -> PathBuf {
    let turn = File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/pyarrow.lock")).unwrap();
    turn.lock().unwrap();
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pyarrow");
    let (python, whole) = (home.join("bin/python"), home.join("whole"));
    if fs::read_to_string(&whole).is_ok_and(|packages| packages == PYARROW) {
        return python;
    }
    eprintln!("installing {PYARROW} into {}", home.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .arg(PYARROW));
    fs::write(whole, PYARROW).unwrap();
    python
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

#[test]
fn another_parquet_reader_opens_a_segment_of_every_version() {
    VERSIONS.for_each(another_reader_opens);
}

fn another_reader_opens(version: u8) {
    let output = Command::new(python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store_format.py"))
        .arg(format!("{SAMPLES}/store-{version}/segments"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = |name: &str| {
        rows.as_array()
            .unwrap()
            .iter()
            .find(|row| row["name"] == name)
            .unwrap()
    };
    let call = row("GET /2");
    for (column, value) in [
        ("trace_id", json!(hex(1, 16))),
        ("span_id", json!(hex(2, 8))),
        ("service", json!("shop")),
        ("kind", json!("server")),
        ("start", json!(common::START + 2000)),
        ("duration", json!(1_000_000)),
        ("status", json!("error")),
        ("status_message", json!("no")),
        ("http.request.method", json!("GET")),
        ("http.response.status_code", json!(503)),
        ("meshtrace.provisional_trace_id", json!(hex(2, 16))),
        (
            "attributes",
            json!([["shop.id", "7"], ["shop.ok", "true"], ["shop.share", "0.25"]]),
        ),
    ] {
        assert_eq!(call[column], value, "{column} of version {version}");
    }
    let events: Value = serde_json::from_str(call["events"].as_str().unwrap()).unwrap();
    assert_eq!(events[0]["name"], "retry");
    assert_eq!(row("GET /3")["trace_id"], hex(2, 16));
    assert_eq!(row("GET /3")["parent_id"], hex(2, 8));
    assert_eq!(row("GET /1")["parent_id"], Value::Null);
}
