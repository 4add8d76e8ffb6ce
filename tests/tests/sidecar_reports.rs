//! What a real sidecar tells a real collector of itself.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stories::http::{ANSWER, REQUEST, serve};
use stories::program::built;
use stories::sidecar::{PATIENCE, Sidecar};
use stories::sockets::{Socket, free_address};

/// A collector that keeps spans in memory. Dropped, it is gone.
struct Collector {
    child: Child,
    grpc: SocketAddr,
    query: SocketAddr,
}

impl Collector {
    fn start() -> Self {
        let [grpc, http, zipkin, query, admin] = std::array::from_fn(|_| free_address());
        let mut child = Command::new(built("meshtrace-collector"))
            .args([
                format!("--otlp-grpc={grpc}"),
                format!("--otlp-http={http}"),
                format!("--zipkin={zipkin}"),
                format!("--query={query}"),
                format!("--admin={admin}"),
            ])
            .env_clear()
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening") {
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended: {line}");
        }
        // what it says is read to the end, so that it never waits for us
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, grpc, query }
    }

    /// The one workload of the mesh, once it fits.
    fn eventually(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut stream = TcpStream::connect(self.query).unwrap();
            stream
                .write_all(b"GET /api/meshtrace/v1/mesh HTTP/1.0\r\nHost: c\r\n\r\n")
                .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let (_, body) = answer.split_once("\r\n\r\n").unwrap();
            let mut mesh: Value = serde_json::from_str(body).unwrap();
            let workload = mesh["workloads"][0].take();
            if fits(&workload) {
                return workload;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {what}: {workload:#}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if self.child.kill().and_then(|()| self.child.wait()).is_err() {
            eprintln!("a collector could not be ended");
        }
    }
}

#[test]
fn a_sidecar_says_that_it_is_there_and_when_it_stops_what_became_of_its_spans() {
    let collector = Collector::start();
    let config = format!(
        "collector: \"http://{}\"\nresource: {{ k8s.pod.name: story-0 }}",
        collector.grpc
    );
    let mut sidecar = Sidecar::before(serve(), &config);
    // before a single request
    let idle = collector.eventually("the first report", |workload| !workload["sidecars"].is_null());
    assert_eq!((&idle["name"], &idle["spans"]), (&json!("story"), &json!(0)));
    assert_eq!(idle["losses"], json!([]));
    assert_eq!(idle["instances"][0]["name"], "story-0");
    assert_eq!(idle["instances"][0]["version"], env!("CARGO_PKG_VERSION"));
    assert!(idle["sidecars"]["memory"].as_u64().unwrap() > 1 << 20, "{idle:#}");

    let client = Socket::to(sidecar.listen);
    for _ in 0..3 {
        client.send(REQUEST);
        assert_eq!(client.receive(ANSWER.len()), ANSWER);
    }
    drop(client);
    sidecar.terminate();
    assert!(sidecar.wait().success());
    let after = collector.eventually("the last report", |workload| {
        workload["sidecars"]["exported"] == 3
    });
    assert_eq!((&after["spans"], &after["losses"]), (&json!(3), &json!([])));
    assert_eq!(after["sidecars"]["addedLatency"]["requests"], 3);
    assert!(after["instances"][0]["sidecar"]["cpu"].is_number(), "{after:#}");
    assert_eq!(sidecar.log().matches("WARN").count(), 0, "{}", sidecar.log());
}

#[test]
fn a_collector_that_takes_no_reports_gets_its_spans_all_the_same() {
    let sink = stories::sink::Sink::start();
    let sidecar = Sidecar::before(serve(), &sink.config());
    let client = Socket::to(sidecar.listen);
    client.send(REQUEST);
    assert_eq!(client.receive(ANSWER.len()), ANSWER);
    sink.expect(1);
    let metrics = sidecar.eventually("the report that nobody took", |metrics| {
        metrics.value("meshtrace_reports_lost_total") > 0
    });
    assert_eq!(metrics.sum("meshtrace_spans_lost_total"), 0);
}
