//! Real clients and servers of the protocols that pass through a sidecar: they see the same as without it, and the spans
//! say what it was.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use stories::grpc::{EchoServer, call, channel, open};
use stories::python;
use stories::sidecar::{PATIENCE, Sidecar};
use stories::sink::{Sink, Span, attribute};
use stories::sockets::free_address;
use tokio::time::timeout;

const PACKAGES: [&str; 3] = ["grpcio==1.85.1", "h2==4.4.1", "websockets==17.4"];

/// A Python with the peers' packages, made by whichever test comes first.
fn python(what: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // tests run in processes of their own
    let turn = std::fs::File::create(folder.join("stories-python.lock")).unwrap();
    turn.lock().unwrap();
    python::with(&folder.join("stories-python"), &PACKAGES, what)
}

/// A gRPC span in a few words: method, status, messages in and out, error.
fn described(span: &Span) -> String {
    let keys = [
        "rpc.method",
        "rpc.response.status_code",
        "meshtrace.grpc.request.messages",
        "meshtrace.grpc.response.messages",
        "error.type",
    ];
    let [method, status, sent, received, error] = keys.map(|key| attribute(span, key));
    let method = method.trim_start_matches("stories.Echo/");
    format!("{method} {status} {sent}/{received} {error}")
}

fn in_order(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| span.start_time_unix_nano);
    spans
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_calls_of_every_kind_end_as_they_do_directly_and_their_spans_say_how() {
    let server = EchoServer::start().await;
    let sink = Sink::start();
    let sidecar = Sidecar::before(server.address, &sink.config());
    let (direct, through) = (channel(server.address).await, channel(sidecar.listen).await);
    let large = "x".repeat(1_000_000);
    let calls: [(&str, &[&str], &str); 11] = [
        ("Unary", &["one"], "Unary OK 1/1 "),
        ("Unary", &[""], "Unary OK 1/1 "),
        ("Unary", &[&large], "Unary OK 1/1 "),
        ("Unary", &["fail"], "Unary NOT_FOUND 1/ "),
        ("Unary", &["break"], "Unary INTERNAL 1/ INTERNAL"),
        ("ServerStream", &[&large], "ServerStream OK 1/3 "),
        ("ClientStream", &["a", "b", &large], "ClientStream OK 3/1 "),
        ("Bidi", &["a", "b", &large, "c"], "Bidi OK 4/4 "),
        ("Bidi", &[], "Bidi OK / "),
        ("Bidi", &["a", "break"], "Bidi INTERNAL 2/1 INTERNAL"),
        ("Unheard", &["of"], "Unheard UNIMPLEMENTED / UNIMPLEMENTED"),
    ];
    for (method, messages, _) in &calls {
        let messages: Vec<_> = messages
            .iter()
            .map(|text| Bytes::from((*text).to_owned()))
            .collect();
        let expected = call(&direct, method, messages.clone()).await;
        let seen = call(&through, method, messages).await;
        assert!(
            seen == expected,
            "{method}: {:.300}\nnot {:.300}",
            format!("{seen:?}"),
            format!("{expected:?}")
        );
    }
    let spans = in_order(sink.expect(calls.len()));
    // the server may refuse a method that it does not know before the message is sent, or after
    let described: Vec<_> = spans
        .iter()
        .map(|span| described(span).replace("UNIMPLEMENTED 1/", "UNIMPLEMENTED /"))
        .collect();
    assert_eq!(described, calls.map(|(_, _, expected)| expected));
    assert!(
        spans
            .iter()
            .all(|span| attribute(span, "rpc.system.name") == "grpc")
    );
    assert_eq!(spans[0].name, "stories.Echo/Unary");
    // a name is learned from success: nobody makes names up for us
    assert_eq!(spans[10].name, "grpc");
    assert_eq!(sidecar.metrics().splices(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_call_that_its_client_cancels_is_cancelled_at_the_server() {
    let server = EchoServer::start().await;
    let sink = Sink::start();
    let sidecar = Sidecar::before(server.address, &sink.config());
    let through = channel(sidecar.listen).await;
    let (messages, mut answers) = open(&through).await;
    messages.send("a".into()).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap(), "a");
    messages.send("wait".into()).await.unwrap();
    sidecar.eventually("the call to be open", |now| {
        now.value("meshtrace_requests_open") == 1
    });
    drop((messages, answers));
    let cancelled = async {
        while server.cancelled.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, cancelled).await.unwrap();
    let span = &sink.expect(1)[0];
    assert_eq!(attribute(span, "error.type"), "client_reset");
    // the connection lives on
    assert_eq!(call(&through, "Unary", vec!["b".into()]).await.messages, ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_server_that_goes_away_lets_open_calls_end() {
    let server = EchoServer::start().await;
    let sidecar = Sidecar::before(server.address, "");
    let through = channel(sidecar.listen).await;
    let (messages, mut answers) = open(&through).await;
    messages.send("a".into()).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap(), "a");
    let gone = server.go_away();
    messages.send("b".into()).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap(), "b");
    drop(messages);
    assert_eq!(answers.message().await.unwrap(), None);
    timeout(PATIENCE, gone).await.unwrap().unwrap();
    let over = sidecar.eventually("the connection to be over", |now| {
        now.value("meshtrace_connections_open") == 0
    });
    assert_eq!(
        over.all("meshtrace_requests_total"),
        [(r#"{direction="inbound",outcome="2xx"}"#.to_owned(), 1)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_grpc_calls_at_once_share_a_connection() {
    const CALLS: usize = 300;
    let server = EchoServer::start().await;
    let sink = Sink::start();
    let sidecar = Sidecar::before(server.address, &sink.config());
    let through = channel(sidecar.listen).await;
    let calls: Vec<_> = (0..CALLS)
        .map(|number| {
            let through = through.clone();
            tokio::spawn(async move {
                let message = Bytes::from(format!("{number} ").repeat(number * 10 + 1));
                let seen = call(&through, "ServerStream", vec![message.clone()]).await;
                assert_eq!(seen.messages, vec![message; 3]);
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let spans = sink.expect(CALLS);
    assert!(spans.iter().all(|span| described(span) == "ServerStream OK 1/3 "));
    let connections = sidecar.metrics().value("meshtrace_connections_open");
    assert_eq!((connections, sidecar.metrics().splices()), (1, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_from_python_sees_the_same_as_directly() {
    let Some(python) = python("gRPC with Python's client") else {
        return;
    };
    let server = EchoServer::start().await;
    let sink = Sink::start();
    let sidecar = Sidecar::before(server.address, &sink.config());
    let run = |address: std::net::SocketAddr| {
        let python = python.clone();
        let run = move || python::run(&python, "grpc_client.py", &[&address.to_string()]);
        async { tokio::task::spawn_blocking(run).await.unwrap() }
    };
    let (directly, through) = (run(server.address).await, run(sidecar.listen).await);
    assert_eq!(through, directly);
    let seen: Value = serde_json::from_str(&through).unwrap();
    assert_eq!(seen["deadline"], "DEADLINE_EXCEEDED");
    assert_eq!(seen["cancelled"], "CANCELLED");
    assert_eq!(seen["fail"]["last"], json!([["x-last", "behind"]]));
    assert_eq!(seen["bidi that breaks"]["error"], json!(["INTERNAL", "it broke"]));

    let spans = in_order(sink.expect(10));
    let expected = [
        "Unary OK 1/1 ",
        "Unary NOT_FOUND 1/ ",
        "Unary  1/ client_reset",
        "Unary  1/ client_reset",
        "ServerStream OK 1/3 ",
        "ClientStream OK 3/1 ",
        "Bidi OK 2/2 ",
        // whether the third message is still sent is the client's affair
        "Bidi INTERNAL ",
        "Unary OK 1/1 ",
        "Unary OK 1/1 ",
    ];
    for (span, expected) in spans.iter().zip(expected) {
        assert!(
            described(span).starts_with(expected),
            "not {expected} but {}",
            described(span)
        );
        assert!(attribute(span, "user_agent.original").starts_with("grpc-python/"));
    }
}

#[test]
fn a_websocket_conversation_is_the_same_and_is_one_span() {
    let Some(python) = python("WebSocket") else { return };
    let server = free_address();
    let sink = Sink::start();
    let sidecar = Sidecar::before(server, &sink.config());
    let run = |address: std::net::SocketAddr| -> Value {
        let printed = python::run(
            &python,
            "websocket.py",
            &[&server.port().to_string(), &address.to_string()],
        );
        serde_json::from_str(&printed).unwrap()
    };
    let (mut directly, through) = (run(server), run(sidecar.listen));
    let headers = directly["headers"].as_array_mut().unwrap();
    headers.push("traceparent".into());
    headers.sort_by_key(ToString::to_string);
    assert_eq!(through, directly);
    assert_eq!(through["client"][4], json!([4001, "enough"]));

    let span = &sink.expect(1)[0];
    assert_eq!(attribute(span, "url.path"), "/chat");
    assert_eq!(attribute(span, "http.response.status_code"), "101");
    assert_eq!(attribute(span, "meshtrace.end"), "upgraded");
    assert_eq!(attribute(span, "error.type"), "");
}

/// Runs a program to its end; `None`, having said so, if there is no such program.
fn tool(what: &str, command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => {
            assert!(output.status.success(), "{command:?}: {output:?}");
            Some(output)
        }
        Err(error) => {
            eprintln!("SKIPPED: {what}: {}: {error}", command.get_program().display());
            None
        }
    }
}

#[test]
fn tls_passes_unopened_and_its_span_says_who_was_asked_for_and_what_was_agreed_on() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] =
        ["certificate", "key"].map(|name| folder.path().join(name).display().to_string());
    let made = tool(
        "TLS",
        Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ])
            .args([
                "-subj",
                "/CN=bank.example",
                "-addext",
                "subjectAltName=DNS:bank.example",
            ])
            .args(["-out", &certificate, "-keyout", &key]),
    );
    if made.is_none() {
        return;
    }
    let server = free_address();
    let sink = Sink::start();
    let sidecar = Sidecar::before(server, &sink.config());
    let run = |address: std::net::SocketAddr, version: &str| {
        let (port, address) = (server.port().to_string(), address.to_string());
        let arguments = [&port, &certificate, &key, &address, version];
        python::run(Path::new("python3"), "tls.py", &arguments)
    };
    for (number, (version, expected, alpn)) in [("TLSv1_2", "1.2", "http/1.1"), ("TLSv1_3", "1.3", "")]
        .into_iter()
        .enumerate()
    {
        let (directly, through) = (run(server, version), run(sidecar.listen, version));
        assert_eq!(through, directly);
        assert!(through.contains("204 No Content"), "{through}");
        let span = &sink.expect(number + 1)[number];
        for (key, expected) in [
            ("tls.client.server_name", "bank.example"),
            ("tls.protocol.version", expected),
            // the answer to it is encrypted from version 1.3 on
            ("tls.next_protocol", alpn),
            ("error.type", ""),
        ] {
            assert_eq!(attribute(span, key), expected, "{key} of {version}");
        }
        let offered = attribute(span, "meshtrace.tls.alpn_offered");
        assert!(
            offered.contains("h2") && offered.contains("http/1.1"),
            "{offered}"
        );
        assert!(attribute(span, "meshtrace.server.bytes").parse::<u32>().unwrap() > 500);
    }
    assert_eq!(sidecar.metrics().splices(), []);
}

/// A child that does not outlive its test.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).unwrap();
    }
}

#[test]
fn a_connection_that_is_upgraded_to_http2_is_followed_into_it() {
    let Some(python) = python("Upgrade: h2c") else {
        return;
    };
    let sink = Sink::start();
    for client in ["curl", "nghttp"] {
        let before = sink.spans().len();
        let server = free_address();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/h2c_server.py");
        let mut command = Command::new(&python);
        command
            .arg(script)
            .arg(server.port().to_string())
            .stdout(Stdio::piped());
        let mut peer = Peer(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(peer.0.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "listening\n");

        let sidecar = Sidecar::before(server, &sink.config());
        let urls = ["one", "two"].map(|path| format!("http://{}/{path}", sidecar.listen));
        let mut command = Command::new(client);
        match client {
            "curl" => command.args(["--silent", "--show-error", "--http2", "--max-time", "30"]),
            _ => command.args(["--upgrade", "--timeout=30"]),
        };
        let Some(output) = tool(&format!("Upgrade: h2c with {client}"), command.args(&urls)) else {
            continue;
        };
        let answers = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            answers.matches("traceparent: 00-").count(),
            2,
            "{client}: {answers}"
        );
        let spans = in_order(sink.expect(before + 2));
        for (span, path) in spans[before..].iter().zip(["/one", "/two"]) {
            assert_eq!(attribute(span, "url.path"), path);
            assert_eq!(attribute(span, "http.response.status_code"), "200");
            let id: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(
                answers.contains(&id),
                "{client}: the server was told of another span\n{answers}"
            );
        }
        assert_eq!(sidecar.metrics().splices(), [], "{client}");
    }
}
