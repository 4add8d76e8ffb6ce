//! The floor has to be an honest one: it must do all that a forwarder does, or what is compared with it is not.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// `tcp-copy` in front of a listener of the test's own.
struct TcpCopy {
    child: Child,
    address: SocketAddr,
    upstream: TcpListener,
}

impl TcpCopy {
    fn start() -> Self {
        let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_tcp-copy"))
            .args(["--listen", &address.to_string()])
            .args(["--upstream", &upstream.local_addr().unwrap().to_string()])
            .args(["--workers", "2"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            address,
            upstream,
        }
    }

    /// A connection through it: the client's end and the server's.
    fn connect(&self) -> (TcpStream, TcpStream) {
        let client = loop {
            match TcpStream::connect(self.address) {
                Ok(client) => break client,
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        };
        let (server, _) = self.upstream.accept().unwrap();
        (client, server)
    }
}

impl Drop for TcpCopy {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn numbers(count: u32) -> Vec<u8> {
    (0..count).flat_map(u32::to_be_bytes).collect()
}

#[test]
fn bytes_that_a_slow_reader_does_not_take_at_once_arrive_in_order() {
    let copy = TcpCopy::start();
    let (mut client, mut server) = copy.connect();
    let sent = numbers(8 << 20);
    let received = thread::scope(|scope| {
        scope.spawn(|| {
            client.write_all(&sent).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        // both socket buffers are full before the first read
        thread::sleep(Duration::from_millis(200));
        let mut received = Vec::new();
        server.read_to_end(&mut received).unwrap();
        received
    });
    assert!(received == sent, "{} bytes of {}", received.len(), sent.len());
}

#[test]
fn a_half_closed_connection_still_answers() {
    let copy = TcpCopy::start();
    let (mut client, mut server) = copy.connect();
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut question = String::new();
    server.read_to_string(&mut question).unwrap();
    assert_eq!(question, "question");
    server.write_all(b"answer").unwrap();
    drop(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
}

#[test]
fn connections_do_not_see_each_others_bytes() {
    let copy = TcpCopy::start();
    let mut pairs: Vec<_> = (0..32u8).map(|n| (n, copy.connect())).collect();
    for (n, (client, _)) in &mut pairs {
        client.write_all(&[*n; 1000]).unwrap();
    }
    for (n, (_, server)) in &mut pairs {
        let mut bytes = [0; 1000];
        server.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, [*n; 1000]);
    }
}
