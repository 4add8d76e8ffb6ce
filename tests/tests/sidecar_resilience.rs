//! A sidecar among peers that go away, stall and race: no request fails on its account, its memory stays bounded, and
//! every span is accounted for.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashSet;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stories::http::{self, ANSWER, REQUEST, answer_one, ask};
use stories::program::built;
use stories::sidecar::{Metrics, Sidecar};
use stories::sink::{Sink, attribute};
use stories::sockets::{End, Socket, connect, free_address, listener};

const MIB: u64 = 1 << 20;

/// What a sidecar may take beyond what it has to keep: allocator, stacks, code that is touched for the first time.
const SLACK: u64 = 6 * MIB;

const STARTED: &str = "meshtrace_spans_started_total";
const EXPORTED: &str = "meshtrace_spans_exported_total";

fn lost(metrics: &Metrics, reason: &str) -> u64 {
    metrics.value(&format!("meshtrace_spans_lost_total{{reason=\"{reason}\"}}"))
}

/// Clients that ask, each on a connection that it keeps, until they are told to stop. Returns how many answers came.
fn clients(count: usize, address: SocketAddr, stop: &AtomicBool) -> u64 {
    let answers = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| {
                let socket = Socket::to(address).0;
                while !stop.load(Ordering::Relaxed) {
                    ask(&socket).unwrap();
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    answers.into_inner()
}

#[test]
fn a_collector_goes_away_under_load_and_comes_back() {
    const QUEUE: u64 = MIB;
    let sink = Sink::start();
    let sidecar = Sidecar::before(
        http::serve(),
        &format!(
            "collector: \"http://{}\"\n\
             export: {{ interval: 50ms, retry_for: 500ms, queue_bytes: {QUEUE}, batch_bytes: 65536 }}",
            sink.address
        ),
    );
    let stop = AtomicBool::new(false);
    let mut taken = HashSet::new();
    let (answers, back) = thread::scope(|scope| {
        let clients = scope.spawn(|| clients(4, sidecar.listen, &stop));
        sidecar.eventually("the first spans", |now| now.value(EXPORTED) > 500);
        let resident = sidecar.resident();

        let address = sink.address;
        taken.extend(sink.stop().into_iter().map(|span| span.span_id));
        let away = sidecar.eventually("both ways to lose spans", |now| {
            lost(now, "unreachable") > 0 && lost(now, "queue_full") > 0
        });
        let grown = sidecar.resident().saturating_sub(resident);
        assert!(
            grown <= QUEUE + SLACK,
            "grown by {grown} bytes while the collector was away"
        );

        let back = Sink::at(address);
        sidecar.eventually("spans to leave again", |now| {
            now.value(EXPORTED) > away.value(EXPORTED) + 500
        });
        stop.store(true, Ordering::Relaxed);
        (clients.join().unwrap(), back)
    });
    let settled = sidecar.eventually("every span to be accounted for", |now| {
        let ended = now.value(EXPORTED)
            + now.sum("meshtrace_spans_lost_total")
            + now.sum("meshtrace_requests_unrecorded_total");
        now.value("meshtrace_requests_open") == 0 && now.value(STARTED) == ended
    });
    assert_eq!(settled.value(STARTED), answers);
    assert_eq!(settled.value("meshtrace_export_queue_bytes"), 0);
    taken.extend(back.spans().into_iter().map(|span| span.span_id));
    // a batch that was taken in the moment when the collector went away does not count as exported
    assert!(
        taken.len() as u64 >= settled.value(EXPORTED),
        "{} taken",
        taken.len()
    );
    assert!(taken.len() as u64 <= answers);
}

#[test]
fn spans_that_wait_are_counted_in_bytes_while_the_collector_is_away() {
    let sidecar = Sidecar::before(
        http::serve(),
        &format!(
            "collector: \"http://{}\"\nexport: {{ interval: 20ms, retry_for: 60s, batch_bytes: 2000 }}",
            free_address()
        ),
    );
    let socket = Socket::to(sidecar.listen).0;
    for _ in 0..100 {
        ask(&socket).unwrap();
    }
    sidecar.eventually("what waits to be counted", |now| {
        now.value("meshtrace_export_queue_bytes") > 10_000
    });
}

#[test]
fn a_stop_under_load_fails_no_request_and_loses_no_span() {
    let sink = Sink::start();
    let mut sidecar = Sidecar::before(http::serve(), &format!("{}\ndrain: 5m", sink.config()));
    let stop = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        let clients = scope.spawn(|| clients(8, sidecar.listen, &stop));
        sidecar.eventually("some load", |now| now.value(STARTED) > 300);
        sidecar.terminate();
        let told = sidecar.eventually("the sidecar to know that it is to stop", |_| {
            sidecar.ask("/ready").contains("stopping")
        });
        // whoever comes now is still let in
        let late = Socket::to(sidecar.listen).0;
        ask(&late).unwrap();
        sidecar.eventually("load that goes on", |now| {
            now.value(STARTED) > told.value(STARTED) + 300
        });
        stop.store(true, Ordering::Relaxed);
        clients.join().unwrap() + 1
    });
    assert!(sidecar.wait().success(), "{}", sidecar.log());
    assert_eq!(sink.spans().len() as u64, answers);
}

#[test]
fn a_stop_ends_connections_that_stay_idle_and_does_not_wait_for_a_collector_that_is_away() {
    let collector = format!("collector: \"http://{}\"", free_address());
    let mut sidecar = Sidecar::before(http::serve(), &format!("{collector}\ndrain: 100ms"));
    let idle = Socket::to(sidecar.listen);
    ask(&idle.0).unwrap();
    sidecar.terminate();
    assert!(sidecar.wait().success(), "{}", sidecar.log());
    assert_eq!(idle.rest().0, b"");
}

/// This body ends where its connection does: a FIN would say that it is whole.
#[test]
fn a_stop_in_the_middle_of_an_answer_is_a_reset_and_not_its_end() {
    let (listener, upstream) = listener();
    let mut sidecar = Sidecar::before(upstream, "drain: 100ms");
    let (client, server) = connect(sidecar.listen, &listener);
    client.send(REQUEST);
    server.receive_head();
    let half = b"HTTP/1.1 200 OK\r\n\r\nhalf of i";
    server.send(half);
    assert_eq!(client.receive(half.len()), half);
    sidecar.terminate();
    assert!(sidecar.wait().success(), "{}", sidecar.log());
    assert_eq!(client.rest().1, End::Reset);
    assert_eq!(server.rest().1, End::Reset);
}

#[test]
fn a_request_that_outlasts_the_stop_is_a_span_that_says_so() {
    let sink = Sink::start();
    let (listener, upstream) = listener();
    let mut sidecar = Sidecar::before(upstream, &format!("{}\ndrain: 100ms", sink.config()));
    let (client, server) = connect(sidecar.listen, &listener);
    client.send(REQUEST);
    server.receive_head();
    sidecar.terminate();
    assert!(sidecar.wait().success(), "{}", sidecar.log());
    assert_eq!((client.rest().0, server.rest().0), (Vec::new(), Vec::new()));
    assert_eq!(attribute(&sink.expect(1)[0], "error.type"), "cancelled");
}

#[test]
fn a_thousand_idle_connections_all_still_work_and_leave_nothing_behind() {
    const COUNT: usize = 1000;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )
    .unwrap();
    let (listener, upstream) = listener();
    let sidecar = Sidecar::before(upstream, "");
    let files = |metrics: &Metrics| metrics.value("meshtrace_process_open_files");
    let before = files(&sidecar.metrics());
    let pairs: Vec<_> = (0..COUNT).map(|_| connect(sidecar.listen, &listener)).collect();
    for _ in 0..2 {
        for (client, server) in &pairs {
            client.send(REQUEST);
            assert!(answer_one(&server.0));
            assert_eq!(client.receive(ANSWER.len()), ANSWER);
        }
        assert_eq!(
            sidecar.metrics().value("meshtrace_connections_open"),
            COUNT as u64
        );
    }
    drop(pairs);
    let after = sidecar.eventually("the connections to be over", |now| {
        now.value("meshtrace_connections_open") == 0 && files(now) <= before
    });
    assert_eq!(after.value(STARTED), 2 * COUNT as u64);
}

/// Sends 64 MiB that are never the same twice in a row, and says how far it has come.
fn pour(mut socket: &TcpStream, length: u64, poured: &AtomicU64) {
    let mut sent = 0;
    while sent < length {
        let piece: Vec<u8> = (sent..length.min(sent + 65536)).map(content).collect();
        socket.write_all(&piece).unwrap();
        sent += piece.len() as u64;
        poured.store(sent, Ordering::Relaxed);
    }
}

/// The byte at this place.
fn content(at: u64) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)).to_le_bytes()[0]
}

/// One end pours out 64 MiB, the other one sleeps until nothing more goes, and then takes it in sips.
fn is_passed_on_at_the_pace_of_the_slower(sidecar: &Sidecar, from: &Socket, to: &Socket) {
    const LENGTH: u64 = 64 * MIB;
    let resident = sidecar.resident();
    let poured = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| pour(&from.0, LENGTH, &poured));
        let mut before = 0;
        loop {
            thread::sleep(Duration::from_millis(300));
            let now = poured.load(Ordering::Relaxed);
            if now == before && now > 0 {
                break;
            }
            before = now;
        }
        assert!(before < LENGTH, "nobody can have taken all of it");
        let mut most = sidecar.resident();
        let mut at = 0;
        while at < LENGTH {
            let piece = to.receive(usize::try_from((LENGTH - at).min(MIB)).unwrap());
            assert!(!piece.is_empty(), "it ends at {at}");
            let good = piece.iter().zip(at..).all(|(byte, at)| *byte == content(at));
            assert!(good, "other bytes between {at} and {}", at + piece.len() as u64);
            at += piece.len() as u64;
            most = most.max(sidecar.resident());
        }
        let grown = most.saturating_sub(resident);
        assert!(grown < SLACK, "grown by {grown} bytes");
    });
}

#[test]
fn a_client_that_reads_slowly_holds_its_server_up_and_not_the_sidecars_memory() {
    let (listener, upstream) = listener();
    let sidecar = Sidecar::before(upstream, "");
    let (client, server) = connect(sidecar.listen, &listener);
    client.send(REQUEST);
    server.receive_head();
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n";
    server.send(head);
    assert_eq!(client.receive(head.len()), head);
    is_passed_on_at_the_pace_of_the_slower(&sidecar, &server, &client);
    drop((client, server));
    let over = sidecar.eventually("the connection to be over", |now| {
        now.value("meshtrace_connections_open") == 0
    });
    assert_eq!(
        over.all("meshtrace_requests_total"),
        [(r#"{direction="inbound",outcome="2xx"}"#.to_owned(), 1)]
    );
}

#[test]
fn a_bulk_upload_arrives_whole_at_a_server_that_reads_slowly() {
    let (listener, upstream) = listener();
    let sidecar = Sidecar::before(upstream, "");
    let (client, server) = connect(sidecar.listen, &listener);
    client.send(b"PUT /bulk HTTP/1.1\r\nHost: a\r\nContent-Length: 67108864\r\n\r\n");
    server.receive_head();
    is_passed_on_at_the_pace_of_the_slower(&sidecar, &client, &server);
    server.send(ANSWER);
    assert_eq!(client.receive(ANSWER.len()), ANSWER);
}

/// The server is stuck in a write, the sidecar full, and nobody reads: the reset must get through all the same.
#[test]
fn a_client_that_stalls_and_then_resets_frees_its_server() {
    let (listener, upstream) = listener();
    let sidecar = Sidecar::before(upstream, "");
    for direction in ["download", "upload"] {
        let (client, server) = connect(sidecar.listen, &listener);
        let (stuck, leaves) = if direction == "download" {
            (server, client)
        } else {
            (client, server)
        };
        let poured = AtomicU64::new(0);
        let mut leaves = Some(leaves);
        thread::scope(|scope| {
            let pouring = scope.spawn(|| {
                while (&stuck.0).write_all(&[b'x'; 65536]).is_ok() {
                    poured.fetch_add(1, Ordering::Relaxed);
                }
            });
            let mut before = 0;
            while before == 0 || before != poured.load(Ordering::Relaxed) {
                before = poured.load(Ordering::Relaxed);
                thread::sleep(Duration::from_millis(300));
            }
            leaves.take().unwrap().reset();
            pouring.join().unwrap();
        });
        let over = "the connection to be over";
        sidecar.eventually(over, |now| now.value("meshtrace_connections_open") == 0);
    }
}

#[test]
fn connections_that_carry_one_request_each_come_and_go_by_the_thousand() {
    const EACH: u64 = 500;
    let sidecar = Sidecar::before(http::serve(), "");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let socket = Socket::to(sidecar.listen);
                    ask(&socket.0).unwrap();
                    socket.finish();
                    assert_eq!(socket.rest(), (Vec::new(), End::Fin));
                }
            });
        }
    });
    let over = sidecar.eventually("connections to be over", |now| {
        now.value("meshtrace_connections_open") == 0
    });
    let http1 = r#"meshtrace_connections_total{direction="inbound",protocol="http1"}"#;
    assert_eq!((over.value(http1), over.value(STARTED)), (4 * EACH, 4 * EACH));
}

#[test]
fn an_end_that_vanishes_in_the_middle_ends_the_span_by_its_name() {
    let sink = Sink::start();
    let (listener, upstream) = listener();
    let sidecar = Sidecar::before(upstream, &sink.config());
    let asked = || {
        let (client, server) = connect(sidecar.listen, &listener);
        client.send(REQUEST);
        server.receive_head();
        (client, server)
    };
    let (client, _server) = asked();
    client.reset();
    let spans = sink.expect(1);
    assert_eq!(attribute(&spans[0], "error.type"), "client_reset");
    assert_eq!(attribute(&spans[0], "meshtrace.end"), "client_reset");

    // a client that closes without a reset is found out by the answer that it does not take
    let (client, server) = asked();
    drop(client);
    while (&server.0).write_all(&ANSWER[..20]).is_ok() {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(attribute(&sink.expect(2)[1], "error.type"), "client_reset");

    // or by a server that goes because it has gone
    let (client, server) = asked();
    drop(client);
    assert_eq!(server.rest(), (Vec::new(), End::Fin));
    drop(server);
    assert_eq!(attribute(&sink.expect(3)[2], "error.type"), "client_reset");

    let (_client, server) = asked();
    server.reset();
    assert_eq!(attribute(&sink.expect(4)[3], "error.type"), "server_reset");

    // half an answer, and an orderly end
    let (_client, server) = asked();
    server.send(&ANSWER[..ANSWER.len() - 1]);
    drop(server);
    let span = &sink.expect(5)[4];
    assert_eq!(attribute(span, "error.type"), "server_reset");
    assert_eq!(attribute(span, "http.response.status_code"), "200");
}

/// How often a client that reuses connections without a look at them fails, when its server closes them at will.
fn failures(address: SocketAddr, requests: u64) -> u64 {
    const CLIENTS: u64 = 16;
    let failures = AtomicU64::new(0);
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let failures = &failures;
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(client);
                let mut socket = Socket::to(address).0;
                for _ in 0..requests / CLIENTS {
                    if let Err(problem) = ask(&socket) {
                        let clean = problem.contains("after 0 bytes") || problem.starts_with("sending: ");
                        assert!(clean, "{problem}");
                        failures.fetch_add(1, Ordering::Relaxed);
                        socket = Socket::to(address).0;
                    }
                    thread::sleep(Duration::from_micros(random.random_range(0..40_000)));
                }
            });
        }
    });
    failures.into_inner()
}

/// Serves keep-alive connections, and closes each after a random time without a request.
fn closes_at_random(listener: TcpListener) {
    http::serve_with(listener, |socket| {
        let mut random = rand::rng();
        while answer_one(&socket) {
            let idle = Duration::from_micros(random.random_range(1..80_000));
            socket.set_read_timeout(Some(idle)).unwrap();
            if socket.peek(&mut [0]).is_err() {
                return;
            }
            socket.set_read_timeout(None).unwrap();
        }
    });
}

/// Both are tried at the same time, so that the machine is as busy for the one as for the other. What is forgiven is
/// 4.5 standard deviations of the difference, which chance passes once in 150,000 runs, and 3 % of the requests, because
/// a connection's end takes a moment more to arrive.
#[test]
fn the_keep_alive_race_is_lost_no_more_often_than_without_us() {
    const REQUESTS: u64 = 2400;
    let (listener, upstream) = listener();
    let sidecar = Sidecar::before(upstream, "");
    closes_at_random(listener);
    let (directly, through) = thread::scope(|scope| {
        let directly = scope.spawn(|| failures(upstream, REQUESTS));
        let through = failures(sidecar.listen, REQUESTS);
        (directly.join().unwrap(), through)
    });
    assert!(
        directly > REQUESTS / 20,
        "only {directly} races were lost: this is no race"
    );
    let share = (directly + through) as f64 / (2 * REQUESTS) as f64;
    let deviation = (2.0 * share * (1.0 - share) * REQUESTS as f64).sqrt();
    let forgiven = 4.5 * deviation + 0.03 * REQUESTS as f64;
    assert!(
        through as f64 - (directly as f64) < forgiven,
        "{directly} lost directly, {through} through the sidecar"
    );
}

/// Runs the sidecar with a configuration file.
fn run(arguments: &[&str], config: &str, environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sidecar.yaml");
    std::fs::write(&file, config).unwrap();
    Command::new(built("meshtrace-sidecar"))
        .arg("run")
        .args(arguments)
        .arg("--config")
        .arg(&file)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn a_bad_configuration_is_refused_with_all_that_is_wrong() {
    let config =
        "servise: a\nsampling: 2\nworkers: 0\ncollector: collector:4317\nexport: { interval: soon }\n";
    let refused = run(
        &[],
        config,
        &[("MESHTRACE_PROPAGATE", "w3c,zipkin"), ("MESHTRACE_MODE", "tap")],
    );
    assert!(!refused.status.success());
    assert!(refused.stdout.is_empty());
    let said = String::from_utf8(refused.stderr).unwrap();
    for expected in [
        "7 problems",
        "servise: unknown key; did you mean `service`?",
        "sampling: `2`",
        "workers: `0`",
        "collector: `collector:4317`",
        "export.interval: `soon`",
        "MESHTRACE_PROPAGATE: `zipkin`",
        "MESHTRACE_MODE: `tap` is not `trace` or `passthrough`",
    ] {
        assert!(said.contains(expected), "{expected} is missing in\n{said}");
    }
}

#[test]
fn the_printed_configuration_is_one_that_means_the_same() {
    let config = "service: bank\nresource: { team: \"a: b\" }\nsampling: 12.5%\npropagate: [b3, jaeger]\n\
                  routes: [\"GET /accounts/{id}\"]\nprobe_paths: [/healthz]\nopaque_ports: [3306]\ncapture_headers: [X-Id]\n\
                  redact_query: false\ninbound: { listen: \"127.0.0.1:1\", upstream: \"127.0.0.1:2\" }\ndrain: 1m\n\
                  export: { queue_bytes: 1000000, retry_for: 250ms }\n";
    let print = |config: &str, environment| {
        let printed = run(&["--print-config"], config, environment);
        assert!(
            printed.status.success(),
            "{}",
            String::from_utf8_lossy(&printed.stderr)
        );
        String::from_utf8(printed.stdout).unwrap()
    };
    let once = print(config, &[("MESHTRACE_COLLECTOR", "http://collector:4317")]);
    assert!(
        once.contains("http://collector:4317") && once.contains("GET /accounts/{id}"),
        "{once}"
    );
    assert_eq!(print(&once, &[]), once);
}
