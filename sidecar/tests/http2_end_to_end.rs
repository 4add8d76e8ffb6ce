//! What an h2 client and an h2 server see of each other through the tap, beside what they see directly.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod http2_support;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use http2_support::*;
use sidecar::tap::{End, Side};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::time::timeout;

/// How long one conversation may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client asks for. The path says what the server does.
#[derive(Clone, Debug, Default)]
struct Ask {
    path: &'static str,
    fields: Vec<(&'static str, String)>,
    chunks: Vec<usize>,
    trailers: bool,
}

/// What one end saw of a request or of its response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct View {
    head: Vec<(String, Vec<u8>)>,
    body: usize,
    trailers: Vec<(String, Vec<u8>)>,
    error: Option<Option<u32>>,
}

/// What both ends saw, by the number of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Views {
    client: BTreeMap<usize, View>,
    server: BTreeMap<usize, View>,
}

fn listed(fields: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    fields
        .iter()
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect()
}

/// Reads a body to its end, or as far as it goes.
async fn drain(body: &mut RecvStream, view: &mut View) {
    while let Some(chunk) = body.data().await {
        match chunk {
            Ok(chunk) => {
                view.body += chunk.len();
                body.flow_control().release_capacity(chunk.len()).unwrap();
            }
            Err(error) => {
                view.error = Some(error.reason().map(u32::from));
                return;
            }
        }
    }
    match body.trailers().await {
        Ok(trailers) => view.trailers = trailers.as_ref().map(listed).unwrap_or_default(),
        Err(error) => view.error = Some(error.reason().map(u32::from)),
    }
}

/// Sends all of it, as fast as flow control allows, and ends the stream with it if told to. Says whether it could.
async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes, ends: bool) -> bool {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let Some(Ok(room)) = poll_fn(|context| stream.poll_capacity(context)).await else {
            return false;
        };
        let piece = bytes.split_to(room.min(bytes.len()));
        if stream.send_data(piece, ends && bytes.is_empty()).is_err() {
            return false;
        }
    }
    true
}

/// One or more chunks of a gRPC message each.
fn message(length: usize) -> Bytes {
    let prefix = [&[0][..], &(length as u32).to_be_bytes()].concat();
    [prefix, vec![b'm'; length]].concat().into()
}

fn grpc_trailers() -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())])
}

async fn serve(io: DuplexStream, views: Arc<Mutex<Views>>) {
    let mut connection = h2::server::Builder::new()
        .max_concurrent_streams(500)
        .max_header_list_size(1 << 20)
        .handshake::<_, Bytes>(io)
        .await
        .unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        if request.uri().path() == "/leave" {
            connection.graceful_shutdown();
        }
        let views = views.clone();
        tokio::spawn(async move {
            let (parts, mut body) = request.into_parts();
            let number = parts.headers["x-number"].to_str().unwrap().parse().unwrap();
            let mut view = View {
                head: listed(&parts.headers),
                ..View::default()
            };
            view.head.push(("path".into(), parts.uri.path().into()));
            let response = || {
                Response::builder()
                    .header("content-type", "application/grpc")
                    .header("server", "h2")
                    .body(())
                    .unwrap()
            };
            match parts.uri.path() {
                "/refuse" => respond.send_reset(Reason::REFUSED_STREAM),
                "/fail" => {
                    let mut stream = respond.send_response(response(), false).unwrap();
                    stream.send_data(message(9), false).unwrap();
                    stream.send_reset(Reason::INTERNAL_ERROR);
                }
                "/echo" => {
                    // Both ways at once: each chunk goes back when it comes.
                    let mut stream = respond.send_response(response(), false).unwrap();
                    while let Some(Ok(chunk)) = body.data().await {
                        view.body += chunk.len();
                        body.flow_control().release_capacity(chunk.len()).unwrap();
                        assert!(send(&mut stream, chunk, false).await);
                    }
                    stream.send_trailers(grpc_trailers()).unwrap();
                }
                "/large" => {
                    drain(&mut body, &mut view).await;
                    let mut stream = respond.send_response(response(), false).unwrap();
                    assert!(send(&mut stream, message(1 << 20), false).await);
                    stream.send_trailers(grpc_trailers()).unwrap();
                }
                "/empty" => {
                    drain(&mut body, &mut view).await;
                    respond
                        .send_response(Response::builder().status(204).body(()).unwrap(), true)
                        .unwrap();
                }
                _ => {
                    drain(&mut body, &mut view).await;
                    let mut stream = respond.send_response(response(), false).unwrap();
                    stream.send_data(message(5), true).unwrap();
                }
            }
            views.lock().unwrap().server.insert(number, view);
        });
    }
}

async fn ask(client: h2::client::SendRequest<Bytes>, number: usize, ask: Ask) -> View {
    let mut view = View::default();
    let mut request = Request::builder()
        .method("POST")
        .uri(format!("http://bank{}", ask.path));
    request = request
        .header("x-number", number.to_string())
        .header("content-type", "application/grpc");
    for (name, value) in &ask.fields {
        request = request.header(*name, value);
    }
    let Ok(mut client) = client.ready().await else {
        view.error = Some(None);
        return view;
    };
    let ends = ask.chunks.is_empty() && !ask.trailers;
    let (response, mut stream) = client.send_request(request.body(()).unwrap(), ends).unwrap();
    let sending = async {
        let cancels = ask.path == "/cancelled";
        for (nth, length) in ask.chunks.iter().enumerate() {
            let last = nth + 1 == ask.chunks.len() && !ask.trailers && !cancels;
            if !send(&mut stream, message(*length), last).await {
                return;
            }
        }
        if cancels {
            stream.send_reset(Reason::CANCEL);
        } else if ask.trailers {
            stream
                .send_trailers(HeaderMap::from_iter([(
                    "x-sum".parse().unwrap(),
                    "1".parse().unwrap(),
                )]))
                .unwrap();
        }
    };
    let receiving = async {
        match response.await {
            Ok(response) => {
                let (parts, mut body) = response.into_parts();
                view.head = listed(&parts.headers);
                view.head.push(("status".into(), parts.status.as_str().into()));
                drain(&mut body, &mut view).await;
            }
            Err(error) => view.error = Some(error.reason().map(u32::from)),
        }
    };
    tokio::join!(sending, receiving);
    view
}

/// Carries bytes from one end to the other through the tap, until they end.
async fn carry(
    from: Side,
    tapped: Arc<Mutex<Tapped>>,
    mut source: ReadHalf<DuplexStream>,
    mut sink: WriteHalf<DuplexStream>,
) {
    let mut buffer = vec![0; 5000];
    while let Ok(length @ 1..) = source.read(&mut buffer).await {
        let bytes = tapped.lock().unwrap().pass(from, &buffer[..length]);
        if sink.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let mut held = Vec::new();
    tapped.lock().unwrap().tap.on_end(from, &mut held);
    assert_eq!(held, b"");
    sink.shutdown().await.unwrap_or_default();
}

/// Asks all of it over one connection, `at_once` at a time, and says what was seen at both ends and by the tap.
async fn play(asks: &[Ask], at_once: usize, mark: Option<Mark>) -> (Views, Log) {
    timeout(PATIENCE, converse(asks, at_once, mark))
        .await
        .expect("it hangs")
}

async fn converse(asks: &[Ask], at_once: usize, mark: Option<Mark>) -> (Views, Log) {
    let views = Arc::new(Mutex::new(Views::default()));
    let tapped = Arc::new(Mutex::new(Tapped::new(mark.unwrap_or(no_marks))));
    let (client_io, near) = duplex(1 << 16);
    let server_io = if mark.is_some() {
        let (far, server_io) = duplex(1 << 16);
        let ((near_read, near_write), (far_read, far_write)) = (split(near), split(far));
        tokio::spawn(carry(Side::Client, tapped.clone(), near_read, far_write));
        tokio::spawn(carry(Side::Server, tapped.clone(), far_read, near_write));
        server_io
    } else {
        near
    };
    let server = tokio::spawn(serve(server_io, views.clone()));
    let (client, connection) = h2::client::Builder::new()
        .max_header_list_size(1 << 20)
        .initial_max_send_streams(500)
        .handshake(client_io)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    for (nth, batch) in asks.chunks(at_once).enumerate() {
        let asked: Vec<_> = batch
            .iter()
            .enumerate()
            .map(|(at, this)| {
                (
                    nth * at_once + at,
                    tokio::spawn(ask(client.clone(), nth * at_once + at, this.clone())),
                )
            })
            .collect();
        for (number, asked) in asked {
            let view = asked.await.unwrap();
            views.lock().unwrap().client.insert(number, view);
        }
    }
    drop(client);
    connection.await.unwrap().unwrap_or_default();
    server.await.unwrap();
    let (views, log) = (views.lock().unwrap().clone(), tapped.lock().unwrap().log());
    (views, log)
}

/// Plays it directly and through the tap; all must be the same, but for each request's `traceparent`. Returns what the
/// tap saw.
fn compare(asks: &[Ask], at_once: usize) -> Log {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (mut direct, _) = runtime.block_on(play(asks, at_once, None));
    let (mut through, log) = runtime.block_on(play(asks, at_once, Some(mark_traceparent)));
    let without_trace = |view: &mut View| view.head.retain(|(name, _)| name != "traceparent");
    for (number, view) in &mut through.server {
        let marks: Vec<_> = view
            .head
            .iter()
            .filter(|(name, _)| name == "traceparent")
            .map(|(_, value)| value)
            .collect();
        let nth = log
            .exchanges
            .iter()
            .position(|seen| {
                seen.request
                    .contains(&(b"x-number".to_vec(), number.to_string().into_bytes()))
            })
            .unwrap();
        assert_eq!(marks, [&traceparent(nth)], "request {number}");
        without_trace(view);
    }
    direct.server.values_mut().for_each(without_trace);
    assert_eq!(through, direct);
    assert!(
        log.exchanges.iter().all(|seen| seen.end.is_some()),
        "every exchange has ended"
    );
    log
}

fn ends(log: &Log) -> Vec<End> {
    log.exchanges.iter().filter_map(|seen| seen.end).collect()
}

#[test]
fn unary_calls() {
    let asks = vec![
        Ask {
            path: "/unary",
            chunks: vec![3],
            ..Ask::default()
        };
        20
    ];
    let log = compare(&asks, 1);
    assert_eq!(ends(&log), [End::Complete; 20]);
    for seen in &log.exchanges {
        assert_eq!(
            (seen.request_body, seen.response_body, seen.messages),
            (8, 10, (1, 1))
        );
        assert_eq!((seen.request_ends, seen.heads[0].0), (1, 200));
    }
}

#[test]
fn streams_both_ways_with_trailers_both_ways() {
    let asks = vec![
        Ask {
            path: "/echo",
            chunks: vec![0, 1, 70_000, 5, 16_384, 16_379],
            trailers: true,
            ..Ask::default()
        },
        Ask {
            path: "/large",
            chunks: vec![100_000; 10],
            trailers: true,
            ..Ask::default()
        },
        Ask {
            path: "/empty",
            ..Ask::default()
        },
        Ask {
            path: "/empty",
            trailers: true,
            ..Ask::default()
        },
    ];
    let log = compare(&asks, 4);
    assert_eq!(ends(&log), [End::Complete; 4]);
    let mut messages: Vec<_> = log.exchanges.iter().map(|seen| seen.messages).collect();
    messages.sort_unstable();
    assert_eq!(messages, [(0, 0), (0, 0), (6, 6), (10, 1)]);
    assert_eq!(
        log.exchanges
            .iter()
            .filter(|seen| seen.trailers.is_some())
            .count(),
        2
    );
}

#[test]
fn resets_of_all_kinds() {
    let paths = ["/refuse", "/fail", "/cancelled", "/unary"];
    let asks: Vec<_> = paths
        .map(|path| Ask {
            path,
            chunks: vec![10],
            ..Ask::default()
        })
        .into();
    let log = compare(&asks, 1);
    assert_eq!(
        ends(&log),
        [End::Refused, End::ServerReset, End::ClientReset, End::Complete]
    );
}

#[test]
fn a_server_that_leaves() {
    let asks = ["/unary", "/leave", "/unary"].map(|path| Ask {
        path,
        ..Ask::default()
    });
    let log = compare(&asks, 1);
    assert_eq!(ends(&log), [End::Complete, End::Complete]);
}

#[test]
fn clients_that_index_their_own_traceparent() {
    let own = |n: usize| {
        vec![
            ("traceparent", format!("00-{n:032x}-{n:016x}-00")),
            ("user-agent", "sdk/1".into()),
        ]
    };
    let same = (0..40).map(|_| Ask {
        path: "/unary",
        fields: own(7),
        ..Ask::default()
    });
    let changing = (0..200).map(|n| Ask {
        path: "/unary",
        fields: own(n),
        ..Ask::default()
    });
    let some = (0..40).map(|n| Ask {
        path: "/unary",
        fields: if n % 3 == 0 { own(7) } else { Vec::new() },
        ..Ask::default()
    });
    let log = compare(&same.chain(changing).chain(some).collect::<Vec<_>>(), 4);
    assert_eq!(log.exchanges.len(), 280);
    assert_eq!(log.stale, [b""; 0]);
}

#[test]
fn header_lists_of_64_kib_and_more() {
    let long = |n: usize, length: usize| Ask {
        path: "/unary",
        fields: vec![
            ("x-a", format!("{n}{}", "a".repeat(length))),
            ("x-b", "Z~^".repeat(length / 3)),
        ],
        ..Ask::default()
    };
    let asks: Vec<_> = (0..12).map(|n| long(n, 32_768 + 517 * n)).collect();
    assert_eq!(ends(&compare(&asks, 3)), [End::Complete; 12]);
}

#[test]
fn thousands_of_streams_on_a_connection() {
    let paths = ["/unary", "/echo", "/empty"];
    let asks: Vec<_> = (0..3000)
        .map(|n: usize| Ask {
            path: paths[n % 3],
            chunks: vec![100 + n % 50; n % 4],
            fields: vec![("x-user", (n % 70).to_string())],
            ..Ask::default()
        })
        .collect();
    let log = compare(&asks, 300);
    assert_eq!(
        ends(&log).iter().filter(|end| **end == End::Complete).count(),
        3000
    );
}
