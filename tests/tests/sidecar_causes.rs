//! What a sidecar makes of calls whose application forwards nothing: when each of them leaves, and what becomes of its
//! span.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::net::{SocketAddr, TcpListener};

use stories::operator::Operator;
use stories::sidecar::Sidecar;
use stories::sink::{Sink, Span, attribute};
use stories::sockets::{Socket, connect, free_address, listener};

/// An application that the test itself plays, with a sidecar at both its sides.
struct Pod {
    sidecar: Sidecar,
    application: TcpListener,
    outbound: SocketAddr,
    callee: TcpListener,
}

/// Both ends of a connection by way of the sidecar.
struct Passage {
    client: Socket,
    server: Socket,
}

impl Pod {
    fn new(more: &str) -> Self {
        let ((application, upstream), (callee, there)) = (listener(), listener());
        let outbound = free_address();
        let outbound_config = format!("outbound: {{ listen: \"{outbound}\", upstream: \"{there}\" }}");
        let sidecar = Sidecar::before(upstream, &format!("{outbound_config}\n{more}"));
        Self {
            sidecar,
            application,
            outbound,
            callee,
        }
    }

    /// A request comes in, and this is its head as the application gets it.
    fn comes_in(&self, head: &str) -> (Passage, String) {
        Passage::begin(connect(self.sidecar.listen, &self.application), head)
    }

    /// The application makes a call, and this is its head as the callee gets it.
    fn goes_out(&self, head: &str) -> (Passage, String) {
        Passage::begin(connect(self.outbound, &self.callee), head)
    }

    fn links(&self, kind: &str, method: &str) -> u64 {
        let series = format!("meshtrace_links_total{{kind=\"{kind}\",method=\"{method}\"}}");
        self.sidecar.metrics().value(&series)
    }

    fn unknown(&self, reason: &str) -> u64 {
        let series = format!("meshtrace_links_unknown_total{{reason=\"{reason}\"}}");
        self.sidecar.metrics().value(&series)
    }
}

impl Passage {
    fn begin((client, server): (Socket, Socket), head: &str) -> (Self, String) {
        client.send(format!("{head}\r\nHost: bank\r\n\r\n").as_bytes());
        let received = String::from_utf8(server.receive_head()).unwrap();
        (Self { client, server }, received)
    }

    /// The answer passes, and with it the request is over.
    fn answer(self) {
        self.server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        self.client.receive_head();
    }
}

/// The value of a field in a head.
fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Trace, span and whether it is sampled, of the `traceparent` in a head.
fn context(head: &str) -> (&str, &str, bool) {
    let parts: Vec<_> = field(head, "traceparent").unwrap().split('-').collect();
    (
        parts[1],
        parts[2],
        u8::from_str_radix(parts[3], 16).unwrap() & 1 == 1,
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_kind(spans: &[Span], kind: i32) -> Vec<&Span> {
    spans.iter().filter(|span| span.kind == kind).collect()
}

/// OTLP's number for spans of calls.
const CLIENT: i32 = 3;

#[test]
fn a_call_that_may_be_of_either_of_two_requests_begins_a_trace_until_more_is_known() {
    let sink = Sink::start();
    let pod = Pod::new(&sink.config());
    let (first, first_head) = pod.comes_in("GET /orders HTTP/1.1");
    let (second, second_head) = pod.comes_in("GET /orders HTTP/1.1");
    let (call, call_head) = pod.goes_out("GET /stock HTTP/1.1");
    let (provisional, id, sampled) = context(&call_head);
    assert!(sampled);
    assert_eq!(pod.links("provisional", "none"), 1);
    let traces = [context(&first_head).0, context(&second_head).0];
    assert!(!traces.contains(&provisional));
    call.answer();
    first.answer();
    second.answer();

    // the word may be either; what follows from it is what counts
    let spans = sink.expect(3);
    let span = of_kind(&spans, CLIENT)[0];
    assert_eq!(hex(&span.span_id), id);
    match attribute(span, "meshtrace.link.kind").as_str() {
        "unknown" => {
            assert_eq!(hex(&span.trace_id), provisional);
            assert!(span.parent_span_id.is_empty() && span.links.is_empty());
            assert_ne!(attribute(span, "meshtrace.link.reason"), "");
        }
        "inferred" => {
            assert!(traces.contains(&hex(&span.trace_id).as_str()));
            assert_eq!(attribute(span, "meshtrace.provisional_trace_id"), provisional);
            let link = &span.links[0];
            assert_eq!(
                (hex(&link.trace_id).as_str(), hex(&link.span_id).as_str()),
                (provisional, id)
            );
        }
        other => panic!("{other}"),
    }
    let resolved = pod.sidecar.metrics().sum("meshtrace_links_resolved_total");
    assert_eq!(resolved, 1);
}

#[test]
fn a_request_that_was_given_an_id_is_known_by_it_in_the_call_that_copies_it() {
    const ROUNDS: usize = 5;
    let sink = Sink::start();
    let pod = Pod::new(&format!("{}\nrequest_id: create", sink.config()));
    // from here on it is known that this application forwards nothing
    let (background, _) = pod.goes_out("GET /warm HTTP/1.1");
    background.answer();

    for _ in 0..ROUNDS {
        let (first, first_head) = pod.comes_in("GET /orders HTTP/1.1");
        let (second, second_head) = pod.comes_in("GET /orders HTTP/1.1");
        let ids = [&first_head, &second_head].map(|head| field(head, "x-request-id").unwrap());
        assert_ne!(ids[0], ids[1]);
        let (trace, span, _) = context(&second_head);
        assert_eq!(ids[1], format!("{trace}-{span}"));
        let (call, call_head) = pod.goes_out(&format!("GET /stock HTTP/1.1\r\nX-Request-ID: {}", ids[1]));
        assert_eq!(context(&call_head).0, trace);
        call.answer();
        first.answer();
        second.answer();
    }
    assert_eq!(pod.links("exact", "echo"), ROUNDS as u64);

    let spans = sink.expect(3 * ROUNDS + 1);
    let calls = of_kind(&spans, CLIENT).into_iter();
    for call in calls.filter(|call| call.name == "GET /stock") {
        let cause = spans
            .iter()
            .find(|span| span.span_id == call.parent_span_id)
            .unwrap();
        assert_eq!(cause.trace_id, call.trace_id);
        assert_eq!(attribute(call, "meshtrace.link.method"), "echo");
    }
}

#[test]
fn an_id_that_two_requests_share_names_neither() {
    let pod = Pod::new("");
    let (background, _) = pod.goes_out("GET /warm HTTP/1.1");
    background.answer();
    let request = "GET /orders HTTP/1.1\r\nX-Request-Id: same";
    let (first, _) = pod.comes_in(request);
    let (_second, _) = pod.comes_in(request);
    let (_call, _) = pod.goes_out("GET /stock HTTP/1.1\r\nX-Request-Id: same");
    first.answer();
    let (_call, _) = pod.goes_out("GET /stock HTTP/1.1\r\nX-Request-Id: same");
    assert_eq!(pod.links("exact", "echo"), 0);
}

#[test]
fn an_id_that_a_request_has_stays_and_without_the_setting_none_is_added() {
    let pod = Pod::new("request_id: create");
    let (_, head) = pod.comes_in("GET /orders HTTP/1.1\r\nX-Request-Id: mine");
    assert_eq!(head.to_ascii_lowercase().matches("x-request-id").count(), 1);
    assert_eq!(field(&head, "x-request-id"), Some("mine"));
    let pod = Pod::new("");
    let (_, head) = pod.comes_in("GET /orders HTTP/1.1");
    assert_eq!(field(&head, "x-request-id"), None);
}

#[test]
fn what_the_application_forwards_wins_over_all_that_could_be_found_out() {
    let pod = Pod::new("");
    let (_first, first_head) = pod.comes_in("GET /orders HTTP/1.1");
    let (_second, _) = pod.comes_in("GET /orders HTTP/1.1");
    let forwarded = field(&first_head, "traceparent").unwrap();
    let (_call, call_head) = pod.goes_out(&format!("GET /stock HTTP/1.1\r\ntraceparent: {forwarded}"));
    assert_eq!(context(&call_head).0, context(&first_head).0);
    let (_own, own_head) = pod.goes_out(
        "GET /stock HTTP/1.1\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    );
    assert_eq!(context(&own_head).0, "0af7651916cd43dd8448eb211c80319c");
    // a decision without a span is the application's word too
    let (_chosen, chosen_head) = pod.goes_out("GET /stock HTTP/1.1\r\nb3: 0");
    assert!(!context(&chosen_head).2);
    assert_eq!(
        (pod.links("propagated", "propagated"), pod.unknown("chosen")),
        (2, 1)
    );
}

#[test]
fn a_provisional_call_is_sampled_if_one_of_the_requests_that_may_have_caused_it_is() {
    let pod = Pod::new("sampling: 0");
    let of = |flags| {
        format!(
            "GET /orders HTTP/1.1\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"
        )
    };
    let (_first, _) = pod.comes_in(&of("00"));
    let (second, _) = pod.comes_in(&of("00"));
    let (_neither, head) = pod.goes_out("GET /stock HTTP/1.1");
    assert!(!context(&head).2);
    second.answer();
    let (_third, _) = pod.comes_in(&of("01"));
    let (_either, head) = pod.goes_out("GET /stock HTTP/1.1");
    assert!(context(&head).2);
}

#[test]
fn a_sidecar_that_stops_sends_what_it_held_and_says_that_the_cause_is_not_known() {
    let sink = Sink::start();
    let mut pod = Pod::new(&format!("{}\ndrain: 100ms", sink.config()));
    let (_first, _) = pod.comes_in("GET /orders HTTP/1.1");
    let (_second, _) = pod.comes_in("GET /orders HTTP/1.1");
    let (call, call_head) = pod.goes_out("GET /stock HTTP/1.1");
    call.answer();
    pod.sidecar.eventually("its span to be held", |now| {
        now.value("meshtrace_spans_held") == 1
    });
    assert!(sink.spans().is_empty());
    pod.sidecar.terminate();
    assert!(pod.sidecar.wait().success());

    let spans = sink.expect(3);
    let span = of_kind(&spans, CLIENT)[0];
    assert_eq!(attribute(span, "meshtrace.link.kind"), "unknown");
    assert_eq!(hex(&span.trace_id), context(&call_head).0);
}

#[test]
fn a_call_that_is_open_is_told_of_as_provisional() {
    let pod = Pod::new("");
    let (_first, _) = pod.comes_in("GET /orders HTTP/1.1");
    let (_second, _) = pod.comes_in("GET /orders HTTP/1.1");
    let (_call, _) = pod.goes_out("GET /stock HTTP/1.1");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let told = pod.sidecar.ask("/open");
    assert!(
        told.contains(r#""direction":"outbound""#) && told.contains(r#""link":"provisional""#),
        "{told}"
    );
    let edges = pod.sidecar.ask("/propagation");
    assert!(
        edges.contains(r#""callee":"bank","calls":1,"kinds":{"provisional":1}"#),
        "{edges}"
    );
}

#[test]
fn where_links_are_switched_off_none_is_made_and_that_is_the_reason() {
    let pod = Pod::new("propagate_inferred: off");
    let (_request, head) = pod.comes_in("GET /orders HTTP/1.1");
    let (_call, call_head) = pod.goes_out("GET /stock HTTP/1.1");
    assert_ne!(context(&head).0, context(&call_head).0);
    assert_eq!((pod.links("unknown", "none"), pod.unknown("off")), (2, 1));
}

#[test]
fn where_links_are_switched_on_a_request_that_came_in_before_counts_among_the_causes() {
    let operator = Operator::saying("propagate_inferred: off\n");
    let pod = Pod::new(&operator.config("account-0"));
    let taken = |count| {
        pod.sidecar.eventually("what the operator says", |metrics| {
            metrics.value("meshtrace_settings_applied_total") == count
        });
    };
    taken(1);
    let (call, _) = pod.goes_out("GET /stock HTTP/1.1");
    call.answer();
    assert_eq!(pod.unknown("off"), 1);
    let (first, first_head) = pod.comes_in("GET /orders HTTP/1.1");
    operator.say("propagate_inferred: 0.99\n");
    taken(2);
    let (second, second_head) = pod.comes_in("GET /orders HTTP/1.1");
    // of the second alone it would be known
    let (call, call_head) = pod.goes_out("GET /stock HTTP/1.1");
    let traces = [&first_head, &second_head, &call_head].map(|head| context(head).0.to_owned());
    assert!(traces[2] != traces[0] && traces[2] != traces[1], "{traces:?}");
    assert_eq!((pod.unknown("off"), pod.links("propagated", "")), (1, 0));
    for passage in [call, first, second] {
        passage.answer();
    }
}
