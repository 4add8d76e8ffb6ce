//! The plainest HTTP/1.1 server and client there can be: what they send has always the same length.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::sockets::{Socket, listener};

/// All that the client ever sends.
pub const REQUEST: &[u8] = b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n";

/// All that the server ever answers.
pub const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Answers requests without a body on as many connections as come, until the test is over.
pub fn serve() -> SocketAddr {
    let (listener, address) = listener();
    serve_with(listener, |socket| while answer_one(&socket) {});
    address
}

/// Serves each connection on a thread of its own, until the test is over.
pub fn serve_with(listener: TcpListener, serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) {
    thread::spawn(move || {
        for connection in listener.incoming() {
            let serve = serve.clone();
            let socket = Socket::new(connection.unwrap()).0;
            thread::spawn(move || serve(socket));
        }
    });
}

/// Reads one request and answers it. False: the connection is over.
pub fn answer_one(mut socket: &TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(socket.read(&mut byte), Ok(1)) {
            return false;
        }
        head.push(byte[0]);
    }
    socket.write_all(ANSWER).is_ok()
}

/// Sends one request and reads its answer.
///
/// # Errors
/// What came instead of it.
pub fn ask(mut socket: &TcpStream) -> Result<(), String> {
    socket
        .write_all(REQUEST)
        .map_err(|error| format!("sending: {error}"))?;
    let mut answer = [0; ANSWER.len()];
    let mut come = 0;
    while come < answer.len() {
        match socket.read(&mut answer[come..]) {
            Ok(0) => return Err(format!("closed after {come} bytes")),
            Ok(count) => come += count,
            Err(error) => return Err(format!("{error} after {come} bytes")),
        }
    }
    if answer == ANSWER {
        Ok(())
    } else {
        Err(format!("another answer: {}", answer.escape_ascii()))
    }
}
