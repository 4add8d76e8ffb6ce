//! What a sidecar tells of requests while they are open: streams as they go on, and requests that hang.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stories::grpc::{EchoServer, channel, open};
use stories::http::serve_with;
use stories::sidecar::{PATIENCE, Sidecar};
use stories::sink::Sink;
use stories::sockets::{Socket, connect, free_address, listener};

/// What is open, once it fits.
fn eventually(sidecar: &Sidecar, what: &str, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = sidecar.ask("/open");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 ") && head.contains("application/json"),
            "{answer}"
        );
        let told: Value = serde_json::from_str(body).unwrap();
        assert_eq!((&told["more"], &told["silent"]), (&json!(0), &json!(0)));
        let requests = told["open"].as_array().unwrap();
        if fits(requests) {
            return requests.clone();
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}: {body}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Some members of a request, in this order.
fn members(request: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| request[*name].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_stream_is_told_of_with_what_has_passed_and_is_gone_when_it_has_ended() {
    let server = EchoServer::start().await;
    let sink = Sink::start();
    let sidecar = Sidecar::before(server.address, &sink.config());
    let through = channel(sidecar.listen).await;
    let (messages, mut answers) = open(&through).await;
    messages.send("one".into()).await.unwrap();
    answers.message().await.unwrap().unwrap();
    let first = eventually(&sidecar, "the stream", |open| open.len() == 1).remove(0);
    let what = ["direction", "name", "link", "status"];
    let known = json!(["inbound", "stories.Echo/Bidi", "unknown", 200]);
    assert_eq!(members(&first, &what), known);
    assert!(first["age_ms"].as_u64().unwrap() >= 1000, "{first}");
    // five bytes before each message say how long it is
    let counts = [
        "request_bytes",
        "request_messages",
        "response_bytes",
        "response_messages",
    ];
    assert_eq!(members(&first, &counts), json!([8, 1, 8, 1]));

    for _ in 0..2 {
        messages.send("more".into()).await.unwrap();
        answers.message().await.unwrap().unwrap();
    }
    let grown = eventually(&sidecar, "two more messages", |open| {
        open.len() == 1 && members(&open[0], &counts) == json!([26, 3, 26, 3])
    });
    assert!(grown[0]["age_ms"].as_u64() >= first["age_ms"].as_u64());

    drop(messages);
    assert_eq!(answers.message().await.unwrap(), None);
    let span = sink.expect(1).remove(0);
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    assert_eq!(
        members(&first, &["trace_id", "span_id"]),
        json!([hex(&span.trace_id), hex(&span.span_id)])
    );
    eventually(&sidecar, "nothing to be open", <[Value]>::is_empty);
}

#[test]
fn a_response_that_goes_on_and_a_request_that_hangs_are_told_of_without_their_paths() {
    let sink = Sink::start();
    let (streaming, stream) = listener();
    // takes a call and never answers
    let (hanging, hang) = listener();
    serve_with(hanging, |socket| drop(Socket::new(socket).rest()));
    let outbound = free_address();
    let more = format!(
        "{}\noutbound: {{ listen: \"{outbound}\", upstream: \"{hang}\" }}",
        sink.config()
    );
    let sidecar = Sidecar::before(stream, &more);

    let (client, server) = connect(sidecar.listen, &streaming);
    client.send(b"GET /events/71?secret=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    server.receive_head();
    server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    let call = Socket::to(outbound);
    call.send(b"POST /orders/71?secret=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");

    let open = eventually(&sidecar, "both", |open| open.len() == 2);
    let what = [
        "direction",
        "name",
        "link",
        "status",
        "request_bytes",
        "response_bytes",
    ];
    // the call went out while the stream was the only request that can have caused it
    assert_eq!(
        open.iter().map(|open| members(open, &what)).collect::<Vec<_>>(),
        [
            json!(["inbound", "GET /events/{id}", "unknown", 200, 0, 5]),
            json!(["outbound", "POST", "inferred", null, 4, 0]),
        ]
    );
    assert_eq!(open[0]["trace_id"], open[1]["trace_id"]);

    call.reset();
    server.send(b"6\r\nsecond\r\n");
    eventually(&sidecar, "the stream alone, longer", |open| {
        open.len() == 1 && open[0]["response_bytes"] == 11
    });
    server.send(b"0\r\n\r\n");
    eventually(&sidecar, "nothing to be open", <[Value]>::is_empty);
}
