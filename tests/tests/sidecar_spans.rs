//! What the spans of a sidecar say about requests that a test has made, and what becomes of requests without spans.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::thread;

use stories::http::serve_with;
use stories::sidecar::Sidecar;
use stories::sink::{Sink, Span, attribute};
use stories::sockets::{Socket, connect, free_address, listener};

/// Answers with the status that stands in the path, `/status/404/…`, and with the request's head as the body.
fn echoes_heads() -> SocketAddr {
    let (listener, address) = listener();
    serve_with(listener, |socket| {
        let socket = Socket(socket);
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match socket.receive(1)[..] {
                    [byte] => head.push(byte),
                    _ => return,
                }
            }
            let text = String::from_utf8(head).unwrap();
            let status = text.split('/').nth(2).unwrap();
            let answer = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            );
            if (&socket.0).write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    address
}

/// Sends a request with these lines for its head, and returns the head that the server got.
fn send(socket: &Socket, lines: &[&str]) -> String {
    socket.send(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes());
    let answer = String::from_utf8(socket.receive_head()).unwrap();
    let length = answer
        .split("Content-Length: ")
        .nth(1)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    String::from_utf8(socket.receive(length)).unwrap()
}

/// The parts of the `traceparent` in a head.
fn traceparent(head: &str) -> [String; 3] {
    let value = head
        .split("traceparent: 00-")
        .nth(1)
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap();
    let parts: Vec<_> = value.split('-').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_span_says_what_the_request_and_its_answer_were() {
    let sink = Sink::start();
    let sidecar = Sidecar::before(
        echoes_heads(),
        &format!("{}\ncapture_headers: [x-shop, authorization]", sink.config()),
    );
    let socket = Socket::to(sidecar.listen);
    let head = send(
        &socket,
        &[
            "GET /status/200/a?card=4111&x=y HTTP/1.1",
            "Host: user:secret@bank.example:8080",
            "User-Agent: story/1",
            "X-Shop: one",
            "Authorization: Bearer secret",
            "X-Shop: two",
        ],
    );
    let span = &sink.expect(1)[0];
    for (key, expected) in [
        ("http.request.method", "GET"),
        ("url.scheme", "http"),
        ("url.path", "/status/200/a"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "1.1"),
        ("server.address", "bank.example"),
        ("server.port", "8080"),
        ("network.peer.address", "127.0.0.1"),
        ("user_agent.original", "story/1"),
        ("error.type", ""),
        ("meshtrace.link.kind", "unknown"),
    ] {
        assert_eq!(attribute(span, key), expected, "{key}");
    }
    let shops = attribute(span, "http.request.header.x-shop");
    assert!(shops.contains("one") && shops.contains("two"), "{shops}");
    let everything = format!("{span:?}");
    assert!(
        !everything.contains("4111") && !everything.contains("secret"),
        "{everything}"
    );
    assert!(span.end_time_unix_nano > span.start_time_unix_nano);
    let [trace, id, _] = traceparent(&head);
    assert_eq!(
        (hex(&span.trace_id), hex(&span.span_id), span.parent_span_id.len()),
        (trace, id, 0)
    );
}

#[test]
fn a_request_with_a_context_is_continued_and_one_that_is_not_sampled_is_only_counted() {
    let sink = Sink::start();
    let sidecar = Sidecar::before(echoes_heads(), &sink.config());
    let socket = Socket::to(sidecar.listen);
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let of = |flags| format!("traceparent: 00-{trace}-{parent}-{flags}");
    let left_out = send(&socket, &["GET /status/200/ HTTP/1.1", &of("00")]);
    let [same_trace, other_span, flags] = traceparent(&left_out);
    assert_eq!((same_trace.as_str(), flags.as_str()), (trace, "00"));
    assert_ne!(other_span, parent);

    let kept = send(
        &socket,
        &["GET /status/200/ HTTP/1.1", &of("01"), "tracestate: a=1"],
    );
    let span = &sink.expect(1)[0];
    assert_eq!(
        (hex(&span.trace_id), hex(&span.parent_span_id)),
        (trace.to_owned(), parent.to_owned())
    );
    assert_eq!(traceparent(&kept)[1], hex(&span.span_id));
    assert_eq!(span.trace_state, "a=1");
    assert_eq!(attribute(span, "meshtrace.link.kind"), "propagated");
    assert_eq!(attribute(span, "meshtrace.link.dialect"), "w3c");
    let unrecorded = sidecar.metrics().all("meshtrace_requests_unrecorded_total");
    assert_eq!(unrecorded, [(r#"{reason="not_sampled"}"#.to_owned(), 1)]);
}

#[test]
fn answers_that_are_the_servers_fault_are_errors_and_names_do_not_grow_with_paths() {
    let sink = Sink::start();
    let sidecar = Sidecar::before(
        echoes_heads(),
        &format!("{}\nroutes: [\"GET /status/200/{{id}}\"]", sink.config()),
    );
    let socket = Socket::to(sidecar.listen);
    for (status, number) in [(200, 1), (200, 2), (404, 3), (503, 4)] {
        send(&socket, &[&format!("GET /status/{status}/{number} HTTP/1.1")]);
    }
    let spans = sink.expect(4);
    let seen: Vec<_> = spans
        .iter()
        .map(|span| (span.name.as_str(), attribute(span, "error.type")))
        .collect();
    let route = "GET /status/200/{id}";
    let expected = [(route, ""), (route, ""), ("GET", ""), ("GET", "503")];
    assert_eq!(seen, expected.map(|(name, error)| (name, error.to_owned())));
}

#[test]
fn probes_that_succeed_are_counted_and_those_that_fail_are_seen() {
    let sink = Sink::start();
    let sidecar = Sidecar::before(
        echoes_heads(),
        &format!("{}\nprobe_paths: [/status/200/live]", sink.config()),
    );
    let socket = Socket::to(sidecar.listen);
    send(&socket, &["GET /status/200/live HTTP/1.1"]);
    send(
        &socket,
        &["GET /status/200/ready HTTP/1.1", "User-Agent: kube-probe/1.33"],
    );
    send(
        &socket,
        &["GET /status/500/ready HTTP/1.1", "User-Agent: kube-probe/1.33"],
    );
    assert_eq!(attribute(&sink.expect(1)[0], "http.response.status_code"), "500");
    let metrics = sidecar.metrics();
    assert_eq!(
        metrics.value(r#"meshtrace_requests_unrecorded_total{reason="probe"}"#),
        2
    );
    assert_eq!(metrics.value("meshtrace_spans_started_total"), 3);
}

/// Its HTTP status says 200 whatever came of it.
#[test]
fn a_grpc_probe_that_fails_is_seen() {
    let sink = Sink::start();
    let (listener, upstream) = listener();
    let sidecar = Sidecar::before(upstream, &sink.config());
    let (client, server) = connect(sidecar.listen, &listener);
    for status in [0, 14] {
        client.send(
            b"POST /grpc.health.v1.Health/Check HTTP/1.1\r\nUser-Agent: kube-probe/1.35\r\n\
              Content-Type: application/grpc\r\n\r\n",
        );
        server.receive_head();
        server.send(
            format!("HTTP/1.1 200 OK\r\ngrpc-status: {status}\r\nContent-Length: 0\r\n\r\n").as_bytes(),
        );
        client.receive_head();
    }
    let spans = sink.expect(1);
    assert_eq!(attribute(&spans[0], "rpc.response.status_code"), "UNAVAILABLE");
    let probes = "meshtrace_requests_unrecorded_total{reason=\"probe\"}";
    sidecar.eventually("the other to be counted", |now| now.value(probes) == 1);
}

#[test]
fn a_call_says_where_it_went_whatever_the_form_of_its_target_and_only_the_final_answer_counts() {
    let sink = Sink::start();
    let (called, there) = listener();
    let outbound = free_address();
    let _sidecar = Sidecar::before(
        free_address(),
        &format!(
            "{}\noutbound: {{ listen: \"{outbound}\", upstream: \"{there}\" }}\ncapture_headers: [link]",
            sink.config()
        ),
    );
    let (client, server) = connect(outbound, &called);
    let calls = [
        ("OPTIONS * HTTP/1.1\r\nHost: there", "http://there", "80"),
        ("GET /a HTTP/1.1\r\nHost: there:81", "http://there:81/a", "81"),
        (
            "CONNECT there:443 HTTP/1.1\r\nHost: there:443",
            "http://there:443",
            "443",
        ),
    ];
    for (number, (head, url, port)) in calls.into_iter().enumerate() {
        client.send(format!("{head}\r\n\r\n").as_bytes());
        server.receive_head();
        server.send(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n");
        server.send(b"HTTP/1.1 403 No\r\nLink: b\r\nContent-Length: 0\r\n\r\n");
        client.receive_head();
        client.receive_head();
        let span = &sink.expect(number + 1)[number];
        assert_eq!(attribute(span, "url.full"), url);
        assert_eq!(attribute(span, "server.port"), port);
        let links = span
            .attributes
            .iter()
            .filter(|it| it.key == "http.response.header.link");
        assert_eq!(links.count(), 1);
    }
}

/// A request that was spliced is in flight as well: the only other one is not the cause of every call.
#[test]
fn no_cause_is_claimed_while_requests_may_be_in_flight_unseen() {
    let (listener, upstream) = listener();
    let (called, there) = stories::sockets::listener();
    let outbound = free_address();
    let sidecar = Sidecar::before(
        upstream,
        &format!("outbound: {{ listen: \"{outbound}\", upstream: \"{there}\" }}"),
    );
    let call = || {
        let (caller, callee) = connect(outbound, &called);
        caller.send(b"GET / HTTP/1.1\r\nHost: there\r\n\r\n");
        callee.receive_head();
    };
    let unseen = || {
        let series = "meshtrace_links_unknown_total{reason=\"unseen\"}";
        sidecar.metrics().value(series)
    };

    let (client, server) = connect(sidecar.listen, &listener);
    client.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    server.receive_head();
    let (odd, _odd_server) = connect(sidecar.listen, &listener);
    odd.send(b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
    sidecar.eventually("the splice", |now| now.splices().len() == 1);
    call();
    assert_eq!(unseen(), 1);

    odd.reset();
    sidecar.eventually("its end", |now| now.sum("meshtrace_connections_total") == 2);
    call();
    assert_eq!(unseen(), 1);
}

#[test]
fn nothing_is_sampled_at_a_share_of_zero_and_everything_is_marked_and_counted() {
    let sink = Sink::start();
    let sidecar = Sidecar::before(echoes_heads(), &format!("{}\nsampling: 0", sink.config()));
    let socket = Socket::to(sidecar.listen);
    for _ in 0..10 {
        let [_, _, flags] = traceparent(&send(&socket, &["GET /status/200/ HTTP/1.1"]));
        assert_eq!(u8::from_str_radix(&flags, 16).unwrap() & 1, 0, "{flags}");
    }
    let metrics = sidecar.metrics();
    assert_eq!(
        metrics.value(r#"meshtrace_requests_unrecorded_total{reason="not_sampled"}"#),
        10
    );
    assert_eq!(
        metrics.value(r#"meshtrace_requests_total{direction="inbound",outcome="2xx"}"#),
        10
    );
    assert_eq!(sink.spans(), []);
}

#[test]
fn many_requests_at_once_each_carry_the_context_of_their_own_span() {
    const EACH: usize = 100;
    let sink = Sink::start();
    let sidecar = Sidecar::before(echoes_heads(), &sink.config());
    let told: HashMap<String, [String; 3]> = thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let address = sidecar.listen;
                scope.spawn(move || {
                    let socket = Socket::to(address);
                    let paths = (0..EACH).map(|number| format!("/status/200/{client}/{number}"));
                    let told = paths.map(|path| {
                        let head = send(&socket, &[&format!("GET {path} HTTP/1.1")]);
                        (path, traceparent(&head))
                    });
                    told.collect::<Vec<_>>()
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    let spans: Vec<Span> = sink.expect(8 * EACH);
    for span in spans {
        let [trace, id, _] = &told[&attribute(&span, "url.path")];
        assert_eq!((&hex(&span.trace_id), &hex(&span.span_id)), (trace, id));
    }
}
