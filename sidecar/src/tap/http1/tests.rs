use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::tap::RequestHead;

/// Writes down what it is told. Adds `trace: N` to the Nth request, replacing one that is there.
#[derive(Default)]
struct Notes {
    lines: Rc<RefCell<Vec<String>>>,
    requests: usize,
    /// Leaves heads as they are.
    silent: bool,
}

struct Note {
    number: usize,
    lines: Rc<RefCell<Vec<String>>>,
    request: u64,
    response: u64,
    ended: bool,
}

impl Observer for Notes {
    type Exchange = Note;

    fn begin(&mut self, head: &RequestHead<'_>, edits: &mut Edits) -> Note {
        self.requests += 1;
        let number = self.requests;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.lines
            .borrow_mut()
            .push(format!("{number} {} {}", text(head.method), text(head.target)));
        if !self.silent {
            let write = |value: &mut Vec<u8>| value.extend_from_slice(number.to_string().as_bytes());
            match head.fields.iter().position(|field| field.is("trace")) {
                Some(at) => edits.replace(at, write),
                None => edits.add("trace", write),
            }
        }
        Note {
            number,
            lines: Rc::clone(&self.lines),
            request: 0,
            response: 0,
            ended: false,
        }
    }

    fn left_stale(&mut self, _: &[u8]) {}

    fn left_unseen(&mut self) {}
}

impl Note {
    fn say(&self, what: &str) {
        self.lines.borrow_mut().push(format!("{} {what}", self.number));
    }
}

impl Exchange for Note {
    fn request_body(&mut self, bytes: u64) {
        self.request += bytes;
    }

    fn request_end(&mut self) {
        self.say(&format!("request of {}", self.request));
    }

    fn response_head(&mut self, status: u16, _: &[Field<'_>]) {
        self.say(&format!("status {status}"));
    }

    fn response_body(&mut self, bytes: u64) {
        self.response += bytes;
    }

    fn response_trailers(&mut self, _: &[Field<'_>]) {}

    fn message(&mut self, _: Side) {}

    fn end(mut self, end: End) {
        self.ended = true;
        self.say(&format!("{end:?} with {}", self.response));
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if !self.ended {
            self.say("dropped");
        }
    }
}

/// A conversation: who sends what, in order. Pieces are fed whole, or cut after every `cut` bytes.
struct Played {
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    lines: Vec<String>,
    spliced: Option<SpliceReason>,
}

fn play(conversation: &[(Side, &[u8])], cut: usize, notes: Notes) -> Played {
    let mut notes = notes;
    let lines = Rc::clone(&notes.lines);
    let mut tap = Http1::new(b"");
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    for (side, piece) in conversation
        .iter()
        .flat_map(|(side, bytes)| bytes.chunks(cut).map(|piece| (*side, piece)))
    {
        let mut out = Vec::new();
        let sent = match tap.on_bytes(side, piece, &mut out, &mut notes) {
            Passed::AsIs => {
                assert!(out.is_empty());
                piece
            }
            Passed::Edited => &out,
        };
        let to = if side == Side::Client {
            &mut to_server
        } else {
            &mut to_client
        };
        to.extend_from_slice(sent);
        if tap.spliced().is_some() {
            tap.release(&mut to_server);
        }
    }
    tap.on_end(Side::Server, &mut to_client);
    tap.on_end(Side::Client, &mut to_server);
    let spliced = tap.spliced();
    drop(tap);
    let lines = lines.borrow().clone();
    Played {
        to_server,
        to_client,
        lines,
        spliced,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

use Side::{Client as C, Server as S};

#[test]
fn requests_are_marked_and_followed_wherever_the_bytes_are_cut() {
    let conversation: &[(Side, &[u8])] = &[
        (C, b"POST /a HTTP/1.1\r\nContent-Length: 5\r\nTRACE: old\r\n\r\nhello"),
        (S, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        (C, b"PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\nHEAD /c HTTP/1.1\r\n\r\n"),
        (S, b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
        (S, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
        (C, b"GET /d HTTP/1.0\r\n\r\n"),
        (S, b"HTTP/1.0 200 OK\r\n\r\nuntil the end"),
    ];
    for cut in 1..200 {
        let played = play(conversation, cut, Notes::default());
        assert_eq!(played.spliced, None);
        assert_eq!(
            text(&played.to_server),
            "POST /a HTTP/1.1\r\nContent-Length: 5\r\nTRACE: 1\r\n\r\nhello\
             PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\ntrace: 2\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n\
             HEAD /c HTTP/1.1\r\ntrace: 3\r\n\r\n\
             GET /d HTTP/1.0\r\ntrace: 4\r\n\r\n",
            "cut {cut}"
        );
        let from_server: Vec<u8> = conversation
            .iter()
            .filter(|(side, _)| *side == S)
            .flat_map(|(_, bytes)| bytes.to_vec())
            .collect();
        assert_eq!(played.to_client, from_server);
        assert_eq!(
            played.lines,
            [
                "1 POST /a",
                "1 request of 5",
                "1 status 100",
                "1 status 200",
                "1 Complete with 2",
                "2 PUT /b",
                "2 request of 3",
                "3 HEAD /c",
                "3 request of 0",
                "2 status 500",
                "2 Complete with 1",
                "3 status 200",
                "3 Complete with 0",
                "4 GET /d",
                "4 request of 0",
                "4 status 200",
                "4 Complete with 13",
            ]
        );
    }
}

#[test]
fn a_websocket_is_a_tunnel_once_the_server_agrees() {
    let played = play(
        &[
            (
                C,
                b"GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            ),
            (S, b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x02hi"),
            (C, b"GET / HTTP/1.1\r\n\r\n looks like a request, and is none"),
        ],
        1000,
        Notes::default(),
    );
    assert_eq!(played.spliced, None);
    assert!(
        text(&played.to_server).ends_with("\r\n\r\nGET / HTTP/1.1\r\n\r\n looks like a request, and is none")
    );
    assert_eq!(played.lines.last().unwrap(), "1 Upgraded with 4");
}

#[test]
fn an_upgrade_that_is_declined_leaves_http() {
    let played = play(
        &[
            (C, b"GET /1 HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            (C, b"GET /2 HTTP/1.1\r\n\r\n"),
        ],
        1000,
        Notes::default(),
    );
    assert!(text(&played.to_server).ends_with("GET /2 HTTP/1.1\r\ntrace: 2\r\n\r\n"));
}

#[test]
fn an_upgrade_to_h2c_is_handed_over_with_its_settings_at_the_right_byte() {
    let mut tap = Http1::new(b"");
    let mut notes = Notes::default();
    let request = b"GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    assert_eq!(
        tap.on_bytes(C, request, &mut Vec::new(), &mut notes),
        Passed::Edited
    );
    let response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\nframes";
    assert_eq!(
        tap.on_bytes(S, response, &mut Vec::new(), &mut notes),
        Passed::AsIs
    );
    let upgraded = tap.take_upgrade().unwrap();
    assert_eq!(&*upgraded.settings, b"AAMAAABk");
    assert_eq!(&response[upgraded.from..], b"frames");
}

#[test]
fn connect_becomes_a_tunnel() {
    let played = play(
        &[
            (C, b"CONNECT db:5432 HTTP/1.1\r\nHost: db\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nany"),
            (C, b"thing"),
        ],
        1000,
        Notes::default(),
    );
    assert_eq!(played.lines.last().unwrap(), "1 Upgraded with 3");
    assert_eq!(played.spliced, None);
}

#[test]
fn what_was_passed_before_the_protocol_was_known_is_not_sent_twice() {
    let mut tap = Http1::new(b"GET / HT");
    let mut out = Vec::new();
    let passed = tap.on_bytes(C, b"TP/1.1\r\nA: b\r\n\r\n", &mut out, &mut Notes::default());
    assert_eq!(
        (passed, text(&out).as_str()),
        (Passed::Edited, "TP/1.1\r\nA: b\r\ntrace: 1\r\n\r\n")
    );
}

#[test]
fn a_head_that_is_too_large_passes_unmarked() {
    let mut request = b"GET / HTTP/1.1\r\nX: ".to_vec();
    request.resize(1 << 20, b'x');
    request.extend_from_slice(b"\r\n\r\n");
    for cut in [1000, 65_536, 2_000_000] {
        let played = play(&[(C, &request)], cut, Notes::default());
        assert_eq!(played.spliced, Some(SpliceReason::HeadTooLarge));
        assert!(played.to_server == request);
    }
}

#[test]
fn a_line_of_another_protocol_is_not_held_back() {
    for line in ["get /key\r\n", "OPTIONS rtsp://camera/ RTSP/1.0\r\n", "GET /\r\n"] {
        let mut tap = Http1::new(b"");
        let mut out = Vec::new();
        assert_eq!(
            tap.on_bytes(C, line.as_bytes(), &mut out, &mut Notes::default()),
            Passed::AsIs
        );
        assert_eq!(tap.spliced(), Some(SpliceReason::Malformed), "{line}");
    }
}

#[test]
fn a_server_that_closes_without_an_answer_failed_the_request() {
    let played = play(&[(C, b"GET / HTTP/1.1\r\n\r\n")], 1000, Notes::default());
    assert_eq!(played.lines.last().unwrap(), "1 ServerReset with 0");
}

#[test]
fn a_client_that_has_closed_before_its_server_does_gave_the_request_up() {
    let mut notes = Notes::default();
    let mut tap = Http1::new(b"");
    let mut out = Vec::new();
    assert_eq!(
        tap.on_bytes(C, b"GET / HTTP/1.1\r\n\r\n", &mut out, &mut notes),
        Passed::Edited
    );
    tap.on_end(C, &mut out);
    tap.on_end(S, &mut out);
    assert_eq!(notes.lines.borrow().last().unwrap(), "1 ClientReset with 0");
}

#[test]
fn a_response_head_that_comes_in_two_is_followed_however_much_comes_with_its_end() {
    let rest = [b"ngth: 70000\r\n\r\n".as_slice(), &[b'x'; 70_000]].concat();
    let played = play(
        &[
            (C, b"GET / HTTP/1.1\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Le"),
            (S, &rest),
        ],
        64 * 1024,
        Notes::default(),
    );
    assert_eq!(played.spliced, None);
    assert_eq!(played.lines.last().unwrap(), "1 Complete with 70000");
}

#[test]
fn an_early_answer_does_not_confuse_the_rest_of_the_request() {
    let played = play(
        &[
            (C, b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345"),
            (S, b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"),
            (C, b"67890GET /next HTTP/1.1\r\n\r\n"),
        ],
        1000,
        Notes::default(),
    );
    assert!(text(&played.to_server).ends_with("67890GET /next HTTP/1.1\r\ntrace: 2\r\n\r\n"));
    assert_eq!(played.lines[1..3], ["1 status 413", "1 Complete with 0"]);
}

#[test]
fn an_answer_that_nobody_asked_for_makes_a_splice() {
    let played = play(
        &[(S, b"HTTP/1.1 408 Request Timeout\r\n\r\n")],
        1000,
        Notes::default(),
    );
    assert_eq!(played.spliced, Some(SpliceReason::Unsolicited));
}

proptest! {
    #[test]
    fn any_bytes_pass_as_they_are_when_nothing_is_to_be_marked(
        pieces in proptest::collection::vec(
            (any::<bool>(), prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                Just(b"GET / HTTP/1.1\r\n".to_vec()),
                Just(b"Transfer-Encoding: chunked\r\n\r\n".to_vec()),
                Just(b"Content-Length: 3\r\n\r\n".to_vec()),
                Just(b"Upgrade: x\r\n\r\n".to_vec()),
                Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
                Just(b"HTTP/1.1 101 OK\r\n\r\n".to_vec()),
                Just(b"\r\n".to_vec()),
                Just(b"3\r\nabc\r\n0\r\n\r\n".to_vec()),
            ]), 0..20),
        cut in 1usize..30,
    ) {
        let conversation: Vec<(Side, &[u8])> =
            pieces.iter().map(|(client, bytes)| (if *client { C } else { S }, bytes.as_slice())).collect();
        let played = play(&conversation, cut, Notes { silent: true, ..Notes::default() });
        let sent = |side: Side| -> Vec<u8> {
            conversation.iter().filter(|(from, _)| *from == side).flat_map(|(_, bytes)| bytes.to_vec()).collect()
        };
        prop_assert_eq!(played.to_server, sent(C));
        prop_assert_eq!(played.to_client, sent(S));
        let begun = played.lines.iter().filter(|line| line.split(' ').count() == 3 && line.contains('/')).count();
        let ended = played.lines.iter().filter(|line| line.contains(" with ")).count();
        prop_assert_eq!(begun, ended, "{:?}", played.lines);
    }
}
