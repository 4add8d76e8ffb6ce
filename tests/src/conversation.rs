//! Conversations, written down byte by byte, and held over real sockets.
//!
//! ```text
//! == a name
//! > GET / HTTP/1.1\r\n        what the client sends; the line's own end does not count
//! > \+\r\n                    `\+`: here the sidecar adds its `traceparent` field
//! < HTTP/1.1 204 X\r\n\|\r\n  what the server sends; `\|`: cut here, the rest goes in another segment
//! >>fin                       the client sends its FIN; `>>reset`: it resets; `<<fin`, `<<reset`: the server
//! spliced http1 malformed     the sidecar counts this, once
//! ```
//!
//! Further `\r \n \t \\ \xNN`, `\{VALUE}` for a `traceparent` whose span id the sidecar replaces, and `\(TEXT*COUNT)`.
//! A side speaks when all that the other one has said before has arrived. What is open in the end is closed by FIN, the
//! client's first.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use crate::sockets::{End, Socket, connect};

/// `traceparent: `, 55 bytes of W3C Trace Context, and the end of the line.
const ADDED: usize = 13 + 55 + 2;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end that connects.
    Client,
    /// The end that accepts.
    Server,
}

/// A conversation as it is written down.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// What it is about.
    pub name: String,
    turns: Vec<Turn>,
    /// The labels of the splice that the sidecar counts.
    pub spliced: Option<String>,
}

/// What one side says, and whether it then ends.
#[derive(Clone, Debug)]
struct Turn {
    side: Side,
    says: Vec<Piece>,
    end: Option<End>,
}

#[derive(Clone)]
enum Piece {
    Bytes(Vec<u8>),
    Cut,
    /// Nothing; the sidecar adds a `traceparent` field.
    Added,
    /// A `traceparent`; the sidecar replaces its span id.
    Replaced(Vec<u8>),
}

/// Which bytes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrives {
    /// Those that were sent.
    Untouched,
    /// Those that were sent, request heads with their trace header.
    Marked,
}

/// How bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segments {
    /// In the pieces that are written down.
    AsWritten,
    /// One by one.
    Bytes,
}

impl Conversation {
    /// All conversations of a corpus.
    pub fn corpus(text: &str) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for line in text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            if let Some(name) = line.strip_prefix("== ") {
                all.push(Self {
                    name: name.to_owned(),
                    turns: Vec::new(),
                    spliced: None,
                });
            } else {
                all.last_mut().expect("a name comes first").line(line);
            }
        }
        all
    }

    fn line(&mut self, line: &str) {
        match line.split_at_checked(2).expect("no line is that short") {
            ("> ", bytes) => self.turn(Side::Client).says.extend(pieces(bytes)),
            ("< ", bytes) => self.turn(Side::Server).says.extend(pieces(bytes)),
            (">>", end) => self.turn(Side::Client).end = Some(ending(end)),
            ("<<", end) => self.turn(Side::Server).end = Some(ending(end)),
            _ => {
                let labels = line
                    .strip_prefix("spliced ")
                    .and_then(|labels| labels.split_once(' '));
                let (protocol, reason) = labels.unwrap_or_else(|| panic!("{line}?"));
                self.spliced = Some(format!("{{protocol=\"{protocol}\",reason=\"{reason}\"}}"));
            }
        }
    }

    fn turn(&mut self, side: Side) -> &mut Turn {
        if self.turns.last().is_none_or(|last| last.side != side) {
            self.turns.push(Turn {
                side,
                says: Vec::new(),
                end: None,
            });
        }
        self.turns.last_mut().unwrap()
    }

    /// How many request heads the sidecar marks.
    pub fn marks(&self) -> u64 {
        let pieces = self.turns.iter().flat_map(|turn| &turn.says);
        pieces
            .filter(|piece| matches!(piece, Piece::Added | Piece::Replaced(_)))
            .count() as u64
    }

    /// Whether it is so short that it may be sent byte by byte.
    pub fn is_short(&self) -> bool {
        let said: usize = self
            .turns
            .iter()
            .map(|turn| sent(&turn.says).concat().len())
            .sum();
        said < 2048
    }

    /// Holds it on a connection by way of `address` to `listener`.
    ///
    /// # Panics
    /// Something else arrives.
    pub fn hold(&self, address: SocketAddr, listener: &TcpListener, arrives: Arrives, segments: Segments) {
        let (client, server) = connect(address, listener);
        let (mut client, mut server) = (Some(client), Some(server));
        let (mut client_ended, mut server_ended) = (false, false);
        for turn in &self.turns {
            let (from, to, ended) = match turn.side {
                Side::Client => (&mut client, &server, &mut client_ended),
                Side::Server => (&mut server, &client, &mut server_ended),
            };
            let to = to.as_ref().expect("nobody speaks after a reset");
            std::thread::scope(|scope| {
                scope.spawn(|| speak(from, turn, segments));
                let length = turn.says.iter().map(|piece| piece.arrives(arrives)).sum();
                let received = to.receive(length);
                compare(&turn.says, &received, arrives);
            });
            if let Some(end) = turn.end {
                *ended = true;
                // a kernel throws away what it has not sent when it resets, and of many segments a few may be left
                if let Some(speaker) = from.take_if(|_| end == End::Reset) {
                    speaker.reset();
                }
                assert_eq!(
                    to.rest(),
                    (Vec::new(), end),
                    "the end of what the {:?} says",
                    turn.side
                );
                if end == End::Reset {
                    return;
                }
            }
        }
        let (client, server) = (client.unwrap(), server.unwrap());
        for (from, to, ended) in [(&client, &server, client_ended), (&server, &client, server_ended)] {
            if !ended {
                from.finish();
                assert_eq!(to.rest(), (Vec::new(), End::Fin), "behind the last turn");
            }
        }
    }
}

impl Piece {
    /// How many bytes of it arrive.
    fn arrives(&self, arrives: Arrives) -> usize {
        match self {
            Self::Bytes(bytes) | Self::Replaced(bytes) => bytes.len(),
            Self::Added if arrives == Arrives::Marked => ADDED,
            Self::Added | Self::Cut => 0,
        }
    }
}

/// Short enough to be read.
impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "`{}`", shown(bytes)),
            Self::Cut => f.write_str("a cut"),
            Self::Added => f.write_str("a traceparent field"),
            Self::Replaced(value) => write!(f, "`{}` with another span id", shown(value)),
        }
    }
}

/// The beginning of it, as text.
fn shown(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(500)
        .copied()
        .flat_map(std::ascii::escape_default)
        .map(char::from)
        .collect()
}

fn speak(socket: &mut Option<Socket>, turn: &Turn, segments: Segments) {
    let speaker = socket.as_ref().expect("nobody speaks after a reset");
    for segment in sent(&turn.says) {
        match segments {
            Segments::AsWritten => {
                speaker.send(&segment);
                // so that whoever receives has most likely read it before there is more
                std::thread::sleep(Duration::from_millis(2));
            }
            Segments::Bytes => {
                for byte in segment.chunks(1) {
                    speaker.send(byte);
                    std::thread::sleep(Duration::from_micros(20));
                }
            }
        }
    }
    match turn.end {
        Some(End::Fin) => speaker.finish(),
        Some(End::Reset) if segments == Segments::AsWritten => socket.take().unwrap().reset(),
        _ => {}
    }
}

/// The segments in which it is sent.
fn sent(says: &[Piece]) -> Vec<Vec<u8>> {
    let segments = says.split(|piece| matches!(piece, Piece::Cut));
    let joined = segments.map(|pieces| {
        let bytes = pieces.iter().map(|piece| match piece {
            Piece::Bytes(bytes) | Piece::Replaced(bytes) => bytes.as_slice(),
            Piece::Cut | Piece::Added => b"",
        });
        bytes.collect::<Vec<_>>().concat()
    });
    joined.filter(|segment| !segment.is_empty()).collect()
}

fn compare(says: &[Piece], received: &[u8], arrives: Arrives) {
    let mut rest = received;
    for piece in says {
        let (here, behind) = rest
            .split_at_checked(piece.arrives(arrives))
            .unwrap_or_else(|| panic!("it ends early: {}", shown(received)));
        let fits = match piece {
            Piece::Bytes(bytes) => here == bytes,
            Piece::Replaced(value) if arrives == Arrives::Marked => {
                is_traceparent(here) && here[..36] == value[..36] && here[36..52] != value[36..52]
            }
            Piece::Replaced(value) => here == value,
            Piece::Added if arrives == Arrives::Marked => here
                .strip_prefix(b"traceparent: ")
                .and_then(|rest| rest.strip_suffix(b"\r\n"))
                .is_some_and(is_traceparent),
            Piece::Added | Piece::Cut => true,
        };
        assert!(
            fits,
            "at byte {}: not {piece:?} in {}",
            received.len() - rest.len(),
            shown(received)
        );
        rest = behind;
    }
}

/// Version 00 of W3C Trace Context.
fn is_traceparent(value: &[u8]) -> bool {
    let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let parts: Vec<_> = value.split(|byte| *byte == b'-').collect();
    let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
    lengths == [2, 32, 16, 2] && parts[0] == b"00" && parts.concat().iter().all(hex)
}

fn ending(word: &str) -> End {
    match word {
        "fin" => End::Fin,
        "reset" => End::Reset,
        _ => panic!("{word}?"),
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let (code, behind) = escaped.split_at(1);
        let mut mark = |piece| {
            pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
            pieces.push(piece);
        };
        rest = behind;
        match code {
            "r" => bytes.push(b'\r'),
            "n" => bytes.push(b'\n'),
            "t" => bytes.push(b'\t'),
            "\\" => bytes.push(b'\\'),
            "|" => mark(Piece::Cut),
            "+" => mark(Piece::Added),
            "x" => {
                let (digits, behind) = rest.split_at(2);
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = behind;
            }
            "{" => {
                let (value, behind) = rest.split_once('}').unwrap();
                mark(Piece::Replaced(value.as_bytes().to_vec()));
                rest = behind;
            }
            "(" => {
                let (repeated, behind) = rest.split_once(')').unwrap();
                let (what, count) = repeated.rsplit_once('*').unwrap();
                let (what, count) = (self::pieces(what), count.parse().unwrap());
                rest = behind;
                if let [Piece::Bytes(what)] = what.as_slice() {
                    bytes.extend(what.repeat(count));
                } else {
                    pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
                    pieces.extend(std::iter::repeat_n(what, count).flatten());
                }
            }
            other => panic!("\\{other}?"),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    pieces.push(Piece::Bytes(bytes));
    pieces
}
