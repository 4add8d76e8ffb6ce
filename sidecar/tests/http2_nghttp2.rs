//! nghttp2's clients and server through the tap: padding, CONTINUATION, pushes, and a load generator.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)]

mod http2_support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use http2_support::*;
use sidecar::tap::{End, Side};

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// An nghttpd on loopback that serves two files. It is gone when this is.
struct Server {
    child: Child,
    port: u16,
    said: Option<thread::JoinHandle<String>>,
    files: std::path::PathBuf,
}

impl Server {
    /// `None`, loudly, where nghttp2 is not installed.
    fn start(name: &str, options: &[&str]) -> Option<Self> {
        if !["nghttpd", "nghttp", "h2load"]
            .iter()
            .all(|tool| Command::new(tool).arg("--version").output().is_ok())
        {
            eprintln!(
                "SKIPPED: nghttp2 through the tap: nghttp, nghttpd and h2load are not all installed (Debian: nghttp2-client, nghttp2-server)"
            );
            return None;
        }
        let files = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&files).unwrap();
        std::fs::write(files.join("page"), "a page\n".repeat(30_000)).unwrap();
        std::fs::write(files.join("style"), "a style\n").unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut child = Command::new("nghttpd")
            .args([
                "--no-tls",
                "--verbose",
                "--address=127.0.0.1",
                "--push=/page=/style",
            ])
            .args(options)
            .arg("--htdocs")
            .arg(&files)
            .arg(port.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let said = thread::spawn(move || {
            let mut said = Vec::new();
            stdout.read_to_end(&mut said).unwrap();
            String::from_utf8_lossy(&said).into_owned()
        });
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < PATIENCE, "nghttpd does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self {
            child,
            port,
            said: Some(said),
            files,
        })
    }

    /// Everything that it has said about the frames it got.
    fn stop(mut self) -> String {
        self.child.kill().unwrap();
        self.said.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
        std::fs::remove_dir_all(&self.files).unwrap_or_default();
    }
}

/// What was seen on each connection.
type Taps = Arc<Mutex<Vec<Arc<Mutex<Tapped>>>>>;

/// Forwards connections to the port, each through a tap of its own, for as long as the test runs. Says on which port.
fn forward(to: u16) -> (u16, Taps) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let taps = Taps::default();
    let all = taps.clone();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let tapped = Arc::new(Mutex::new(Tapped::new(mark_traceparent)));
            all.lock().unwrap().push(tapped.clone());
            thread::spawn(move || {
                let (near, far) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let other = tapped.clone();
                thread::spawn(move || carry(Side::Server, &other, far, near));
                carry(Side::Client, &tapped, client, server);
            });
        }
    });
    (port, taps)
}

fn carry(from: Side, tapped: &Mutex<Tapped>, mut source: TcpStream, mut sink: TcpStream) {
    let mut buffer = vec![0; 16_000];
    while let Ok(length @ 1..) = source.read(&mut buffer) {
        let bytes = tapped.lock().unwrap().pass(from, &buffer[..length]);
        if sink.write_all(&bytes).is_err() {
            break;
        }
    }
    let mut held = Vec::new();
    tapped.lock().unwrap().tap.on_end(from, &mut held);
    sink.shutdown(Shutdown::Write).unwrap_or_default();
}

/// What nghttp prints: the bodies. Sorted, because it prints them as they come, and they come interleaved.
fn nghttp(port: u16, options: &[&str]) -> Vec<u8> {
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let output = Command::new("nghttp")
        .args(options)
        .args([url("/page"), url("/style"), url("/none")])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut bytes = output.stdout;
    bytes.sort_unstable();
    bytes
}

fn seen(taps: &Taps) -> Vec<Seen> {
    let taps = taps.lock().unwrap();
    taps.iter()
        .flat_map(|tapped| {
            let tapped = tapped.lock().unwrap();
            assert_eq!(tapped.tap.spliced(), None);
            tapped.log().exchanges
        })
        .collect()
}

#[test]
fn nghttp_gets_the_same_from_nghttpd() {
    let own = "--header=traceparent: 00-11111111111111111111111111111111-2222222222222222-01";
    let ways: &[&[&str]] = &[
        &[],
        &["--padding=200"],
        &["--continuation"],
        &["--header-table-size=0"],
        &["--header-table-size=65536", "--encoder-header-table-size=100"],
        &[own],
        &[own, "--continuation", "--padding=255", "--no-dep"],
    ];
    for (number, options) in ways.iter().enumerate() {
        let name = format!("nghttp-{number}");
        let Some(server) = Server::start(&name, &["--padding=100", "--trailer=x-sum: 1"]) else {
            return;
        };
        let direct = nghttp(server.port, options);
        assert!(direct.len() > 200_000, "{options:?}");
        let (port, taps) = forward(server.port);
        assert!(nghttp(port, options) == direct, "{options:?}");

        let exchanges = seen(&taps);
        assert_eq!(exchanges.len(), 3, "{options:?}");
        for exchange in &exchanges {
            assert_eq!(exchange.end, Some(End::Complete), "{options:?}");
            assert!(exchange.trailers.is_some(), "{options:?}");
        }
        let said = server.stop();
        for nth in 0..3 {
            let traceparent = String::from_utf8(traceparent(nth)).unwrap();
            assert!(
                said.contains(&format!("traceparent: {traceparent}")),
                "{options:?}: {traceparent}"
            );
        }
    }
}

#[test]
fn h2load_succeeds_with_every_request() {
    let Some(server) = Server::start("h2load", &["--max-concurrent-streams=64"]) else {
        return;
    };
    let (port, taps) = forward(server.port);
    let output = Command::new("h2load")
        .args(["--requests=2000", "--clients=4", "--max-concurrent-streams=32"])
        .arg(format!("http://127.0.0.1:{port}/style"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"),
        "{said}"
    );
    let exchanges = seen(&taps);
    assert_eq!(exchanges.len(), 2000);
    assert!(
        exchanges
            .iter()
            .all(|seen| seen.end == Some(End::Complete) && seen.response_body == 8)
    );
}
