//! Settings that change while a sidecar runs, through the stream that the operator serves.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use stories::http::{ANSWER, ask, serve, serve_with};
use stories::operator::Operator;
use stories::sidecar::{PATIENCE, Sidecar};
use stories::sink::{Sink, attribute};
use stories::sockets::{free_address, listener};

/// What `/config` says, once it fits.
fn eventually(sidecar: &Sidecar, what: &str, fits: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let config = sidecar.ask("/config");
        if fits(&config) {
            return config;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}:\n{config}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn says(line: &str) -> impl Fn(&str) -> bool {
    move |config| config.lines().any(|said| said == line)
}

/// Sends this request on a connection that is open, and reads the plain answer.
fn send(mut socket: &TcpStream, request: &str) {
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; ANSWER.len()];
    socket.read_exact(&mut answer).unwrap();
}

#[test]
fn a_change_reaches_connections_that_are_open() {
    let (operator, sink) = (Operator::saying("sampling: 0\n"), Sink::start());
    let more = format!("{}\n{}", sink.config(), operator.config("account-0"));
    let sidecar = Sidecar::before(serve(), &more);
    let config = eventually(&sidecar, "the first word", says("sampling: '0'"));
    assert!(
        config.contains("#   sampling: TracePolicy bank/story"),
        "{config}"
    );
    assert_eq!(operator.asked()[0].pod, "account-0");

    let client = TcpStream::connect(sidecar.listen).unwrap();
    ask(&client).unwrap();
    sidecar.eventually("a request without a span", |metrics| {
        metrics.value("meshtrace_requests_unrecorded_total{reason=\"not_sampled\"}") == 1
    });
    operator.say(
        "sampling: 100%\nroutes: [\"/users/{name}\"]\ncapture_headers: [x-plan]\nredact_query: false\nrequest_id: create\n",
    );
    eventually(&sidecar, "the second word", says("sampling: '1'"));
    send(
        &client,
        "GET /users/ann?page=2 HTTP/1.1\r\nHost: a\r\nX-Plan: gold\r\n\r\n",
    );
    let span = sink.expect(1).remove(0);
    assert_eq!(span.name, "GET /users/{name}");
    assert_eq!(attribute(&span, "url.query"), "page=2");
    assert!(attribute(&span, "http.request.header.x-plan").contains("gold"));
}

#[test]
fn a_sidecar_starts_without_the_operator_takes_its_word_when_it_comes_and_keeps_it_when_it_goes() {
    let address = free_address();
    let sidecar = Sidecar::before(
        serve(),
        &format!(
            "operator: http://{address}\nresource: {{ k8s.namespace.name: bank, k8s.pod.name: account-0 }}\nsampling: 10%"
        ),
    );
    assert!(sidecar.ask("/ready").starts_with("HTTP/1.1 200"));
    let config = sidecar.ask("/config");
    assert!(config.contains(&format!(
        "# operator http://{address}: not connected, nothing heard yet"
    )));
    assert!(says("sampling: '0.1'")(&config), "{config}");

    let operator = Operator::at(address, "sampling: 20%\n");
    eventually(&sidecar, "its word", says("sampling: '0.2'"));
    drop(operator);
    eventually(&sidecar, "the operator to be missed", |config| {
        config.contains("not connected, revision")
    });
    assert!(says("sampling: '0.2'")(&sidecar.ask("/config")));
    ask(&TcpStream::connect(sidecar.listen).unwrap()).unwrap();

    let operator = Operator::at(address, "");
    eventually(&sidecar, "the settings of the file", says("sampling: '0.1'"));
    assert!(!operator.asked().is_empty());
}

#[test]
fn a_word_that_is_wrong_in_one_place_is_refused_whole_and_the_one_before_is_kept() {
    let operator = Operator::saying("sampling: 20%\n");
    let sidecar = Sidecar::before(serve(), &operator.config("account-0"));
    eventually(&sidecar, "its first word", says("sampling: '0.2'"));
    operator.say("sampling: 30%\nworkers: 7\nroutes: [no]\n");
    let config = eventually(&sidecar, "what is wrong", |config| {
        config.contains("was refused as a whole")
    });
    assert!(
        config.contains("#   workers: is read when the sidecar starts"),
        "{config}"
    );
    assert!(config.contains("#   routes: `no` is not a route"), "{config}");
    assert!(says("sampling: '0.2'")(&config), "{config}");
    assert!(sidecar.log().contains("settings refused as a whole"));
    let metrics = sidecar.metrics();
    let values = [
        "operator_connected",
        "settings_applied_total",
        "settings_refused_total",
    ]
    .map(|name| metrics.value(&format!("meshtrace_{name}")));
    assert_eq!(values, [1, 1, 1]);
    assert!(metrics.value("meshtrace_settings_revision") > 0);
    operator.say("sampling: 30%\n");
    let config = eventually(&sidecar, "its third word", says("sampling: '0.3'"));
    assert!(!config.contains("refused"), "{config}");
}

#[test]
fn what_is_logged_can_be_changed_too() {
    let operator = Operator::saying("");
    let sidecar = Sidecar::before(serve(), &operator.config("account-0"));
    eventually(&sidecar, "the operator", |config| {
        config.contains(": connected, revision")
    });
    operator.say("log: off\n");
    eventually(&sidecar, "silence", says("log: off"));
    let before = sidecar.log().len();
    operator.say("log: off\nsampling: 1%\n");
    eventually(&sidecar, "another word", says("sampling: '0.01'"));
    assert_eq!(sidecar.log().len(), before);
    operator.say("log: info\n");
    eventually(&sidecar, "a voice", says("log: info"));
    operator.say("sampling: 2%\n");
    eventually(&sidecar, "one more word", says("sampling: '0.02'"));
    assert!(sidecar.log().len() > before);
}

#[test]
fn at_the_edge_a_new_trace_begins_and_the_one_from_outside_is_linked_to_and_goes_no_further() {
    let (listener, address) = listener();
    let (heads, heard) = channel();
    serve_with(listener, move |socket| {
        let mut head = [0; 2048];
        let length = (&socket).read(&mut head).unwrap();
        heads
            .send(String::from_utf8_lossy(&head[..length]).into_owned())
            .unwrap();
        (&socket).write_all(ANSWER).unwrap();
    });
    let sink = Sink::start();
    let sidecar = Sidecar::before(address, &format!("{}\nedge: true\nsampling: 1", sink.config()));
    let outside = "0af7651916cd43dd8448eb211c80319c";
    send(
        &TcpStream::connect(sidecar.listen).unwrap(),
        &format!(
            "GET / HTTP/1.1\r\nHost: a\r\ntraceparent: 00-{outside}-b7ad6b7169203331-00\r\ntracestate: a=b\r\n\
             b3: {outside}-b7ad6b7169203331-d\r\nx-datadog-sampling-priority: -1\r\n\r\n"
        ),
    );
    let span = sink.expect(1).remove(0);
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    assert_eq!(attribute(&span, "meshtrace.edge"), "true");
    assert!(span.parent_span_id.is_empty() && span.trace_state.is_empty());
    assert_eq!(span.links.len(), 1);
    assert_eq!(hex(&span.links[0].trace_id), outside);
    assert_eq!(hex(&span.links[0].span_id), "b7ad6b7169203331");

    let head = heard.recv_timeout(PATIENCE).unwrap();
    let (trace, id) = (hex(&span.trace_id), hex(&span.span_id));
    assert!(!head.contains(outside) && !head.contains("a=b"), "{head}");
    assert!(head.contains(&format!("b3: {trace}-{id}-1\r\n")), "{head}");
    assert!(
        head.contains(&format!("traceparent: 00-{trace}-{id}-03\r\n")),
        "{head}"
    );
    assert!(head.contains("x-datadog-sampling-priority: 1\r\n"), "{head}");
}

#[test]
fn a_port_that_becomes_opaque_is_not_looked_at_from_the_next_connection_on() {
    let (operator, address) = (Operator::saying(""), serve());
    let sidecar = Sidecar::before(address, &operator.config("account-0"));
    ask(&TcpStream::connect(sidecar.listen).unwrap()).unwrap();
    operator.say(&format!("opaque_ports: [{}]\n", address.port()));
    let line = format!("- {}", address.port());
    eventually(&sidecar, "the port", says(&line));
    ask(&TcpStream::connect(sidecar.listen).unwrap()).unwrap();
    let protocol = |name| format!("meshtrace_connections_total{{direction=\"inbound\",protocol=\"{name}\"}}");
    sidecar.eventually("one connection of each", |metrics| {
        metrics.value(&protocol("http1")) == 1 && metrics.value(&protocol("opaque")) == 1
    });
}
