//! What client and server get of each other through a sidecar, beside what they get directly: the same bytes, but for
//! trace headers, and the same ends.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use stories::conversation::{Arrives, Conversation, Segments};
use stories::sidecar::{Metrics, Sidecar};
use stories::sockets::{End, Socket, connect, free_address, listener};

const ORDINARY: &str = include_str!("../corpus/http1_ordinary.txt");
const ODD: &str = include_str!("../corpus/http1_odd.txt");
const OTHERS: &str = include_str!("../corpus/others.txt");

/// Holds all conversations that may be held in such segments, and fails with all that went wrong.
fn hold_all(corpus: &str, segments: Segments, hold: impl Fn(&Conversation)) {
    let conversations: Vec<_> = Conversation::corpus(corpus)
        .into_iter()
        .filter(|conversation| segments == Segments::AsWritten || conversation.is_short())
        .collect();
    assert!(conversations.len() > 9, "a corpus has more than that");
    let failed: Vec<_> = conversations
        .iter()
        .filter(|conversation| catch_unwind(AssertUnwindSafe(|| hold(conversation))).is_err())
        .map(|conversation| conversation.name.as_str())
        .collect();
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

/// Without a sidecar, to know that the corpus itself tells the truth.
fn directly(corpus: &str) {
    let (listener, address) = listener();
    hold_all(corpus, Segments::AsWritten, |conversation| {
        conversation.hold(address, &listener, Arrives::Untouched, Segments::AsWritten);
    });
}

/// Through a sidecar, whose counters are looked at after each conversation.
fn through(corpus: &str, mode: &str, arrives: Arrives, segments: Segments) {
    let (listener, upstream) = listener();
    let sidecar = Sidecar::before(upstream, &format!("mode: {mode}"));
    hold_all(corpus, segments, |conversation| {
        let before = at_rest(&sidecar);
        conversation.hold(sidecar.listen, &listener, arrives, segments);
        let after = at_rest(&sidecar);
        let (spliced, marks) = match arrives {
            Arrives::Marked => (conversation.spliced.as_ref(), conversation.marks()),
            Arrives::Untouched => (None, 0),
        };
        assert_eq!(
            splices(&before, &after),
            spliced.into_iter().cloned().collect::<Vec<_>>()
        );
        let started = "meshtrace_spans_started_total";
        assert_eq!(after.value(started) - before.value(started), marks, "spans");
    });
}

fn at_rest(sidecar: &Sidecar) -> Metrics {
    sidecar.eventually("connections and requests to be over", |now| {
        now.value("meshtrace_connections_open") == 0 && now.value("meshtrace_requests_open") == 0
    })
}

/// The labels of the splices that came between.
fn splices(before: &Metrics, after: &Metrics) -> Vec<String> {
    let before = before.splices();
    let of = |labels: &str| {
        before
            .iter()
            .find(|(known, _)| known == labels)
            .map_or(0, |(_, count)| *count)
    };
    let came = after
        .splices()
        .into_iter()
        .map(|(labels, count)| (count - of(&labels), labels));
    came.flat_map(|(count, labels)| std::iter::repeat_n(labels, usize::try_from(count).unwrap()))
        .collect()
}

#[test]
fn the_corpus_is_what_sockets_do() {
    directly(ORDINARY);
    directly(ODD);
    directly(OTHERS);
}

#[test]
fn ordinary_conversations_get_their_trace_headers_and_are_otherwise_the_same() {
    through(ORDINARY, "trace", Arrives::Marked, Segments::AsWritten);
}

#[test]
fn odd_conversations_are_spliced_and_counted_and_the_same() {
    through(ODD, "trace", Arrives::Marked, Segments::AsWritten);
}

#[test]
fn conversations_in_other_protocols_are_the_same_whoever_speaks_first() {
    through(OTHERS, "trace", Arrives::Marked, Segments::AsWritten);
}

#[test]
fn conversations_are_the_same_when_they_come_byte_by_byte() {
    through(ORDINARY, "trace", Arrives::Marked, Segments::Bytes);
    through(ODD, "trace", Arrives::Marked, Segments::Bytes);
    through(OTHERS, "trace", Arrives::Marked, Segments::Bytes);
}

#[test]
fn in_passthrough_mode_not_a_byte_changes() {
    through(ORDINARY, "passthrough", Arrives::Untouched, Segments::AsWritten);
    through(ODD, "passthrough", Arrives::Untouched, Segments::AsWritten);
    through(OTHERS, "passthrough", Arrives::Untouched, Segments::AsWritten);
}

#[test]
fn a_destination_that_refuses_is_a_reset_to_the_client() {
    let sidecar = Sidecar::before(free_address(), "");
    let client = Socket::to(sidecar.listen);
    assert_eq!(client.rest(), (Vec::new(), End::Reset));
    let refused = r#"meshtrace_connections_refused_total{direction="inbound",reason="dial"}"#;
    // the client may feel it before it has been counted
    sidecar.eventually("the refusal to be counted", |now| now.value(refused) == 1);
}

/// `413`, and a close while most of the request is still to be read: the kernel resets the connection. The client, busy
/// sending, must find the answer all the same.
#[test]
fn an_answer_arrives_although_the_server_closes_under_the_request() {
    const ANSWER: &[u8] =
        b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
    let (listener, upstream) = listener();
    let sidecar = Sidecar::before(upstream, "");
    let answers = |address| {
        let (client, server) = connect(address, &listener);
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
        std::thread::scope(|scope| {
            // until it cannot be sent any more
            scope.spawn(|| while (&client.0).write_all(&[b'x'; 65536]).is_ok() {});
            server.receive(20);
            server.send(ANSWER);
            drop(server);
        });
        client.rest().0
    };
    for _ in 0..20 {
        assert_eq!(
            answers(upstream).escape_ascii().to_string(),
            ANSWER.escape_ascii().to_string(),
            "directly"
        );
        assert_eq!(
            answers(sidecar.listen).escape_ascii().to_string(),
            ANSWER.escape_ascii().to_string(),
            "through the sidecar"
        );
    }
}

#[test]
fn a_connection_without_a_byte_is_made_and_ended_all_the_same() {
    let (listener, upstream) = listener();
    let sidecar = Sidecar::before(upstream, "");
    for end in [End::Fin, End::Reset] {
        let (client, server) = connect(sidecar.listen, &listener);
        match end {
            End::Fin => drop(client),
            End::Reset => client.reset(),
        }
        assert_eq!(server.rest(), (Vec::new(), end));
        let (client, server) = connect(sidecar.listen, &listener);
        match end {
            End::Fin => drop(server),
            End::Reset => server.reset(),
        }
        assert_eq!(client.rest(), (Vec::new(), end));
    }
}

/// All dialects that a head speaks are brought up to date where they stand, in their own arrangement.
#[test]
fn every_dialect_of_a_head_continues_the_same_trace_in_its_place() {
    let (listener, upstream) = listener();
    let sidecar = Sidecar::before(upstream, "");
    let (client, server) = connect(sidecar.listen, &listener);
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let head = |span: &str, parent: &str| {
        format!(
            "GET / HTTP/1.1\r\nX-B3-TraceId: {trace}\r\nHost: a\r\nX-B3-SpanId: {span}\r\nx-b3-parentspanid: {parent}\r\n\
             TRACEPARENT: 00-{trace}-{span}-01\r\nX-B3-Sampled: 1\r\nb3:{trace}-{span}-1\r\nUser-Agent: x\r\n\r\n"
        )
    };
    let sent = head(parent, "00f067aa0ba902b7");
    client.send(sent.as_bytes());
    let received = String::from_utf8(server.receive(sent.len())).unwrap();
    let span = received
        .split("X-B3-SpanId: ")
        .nth(1)
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap();
    assert_ne!(span, parent);
    assert_eq!(received, head(span, parent));
}
