//! Raw sockets: exact bytes out, exact bytes in, and both ways in which a connection can end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rand::RngExt;
use rustix::net::sockopt::set_socket_linger;

use crate::sidecar::PATIENCE;

/// What stands at the end of a connection's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The last byte was followed by a FIN.
    Fin,
    /// It was reset.
    Reset,
}

/// One end of a connection, on which no byte waits for another.
#[derive(Debug)]
pub struct Socket(pub TcpStream);

/// A listener on an address of its own.
pub fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address on the loopback that nobody listens on, below the ports that the kernel gives to whoever asks for any:
/// whoever is told this one finds it free a moment later.
pub fn free_address() -> SocketAddr {
    let mut random = rand::rng();
    loop {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, random.random_range(20_000..32_000)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A connection by way of `address` to `listener`: the client's end, and the server's.
pub fn connect(address: SocketAddr, listener: &TcpListener) -> (Socket, Socket) {
    let client = Socket::to(address);
    let (server, _) = listener.accept().unwrap();
    (client, Socket::new(server))
}

impl Socket {
    /// An end of a connection that there is already.
    pub fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Connects.
    pub fn to(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).unwrap())
    }

    /// Sends all of it.
    pub fn send(&self, bytes: &[u8]) {
        (&self.0).write_all(bytes).unwrap();
    }

    /// Receives so many bytes, or fewer if they end before. Says which.
    pub fn receive(&self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        match (&self.0).take(count as u64).read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => {
                panic!("{error} after {} of {count} bytes", bytes.len())
            }
            _ => bytes,
        }
    }

    /// Receives a head, up to its empty line.
    pub fn receive_head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = self.receive(1);
            assert_eq!(byte.len(), 1, "it ends after {}", head.escape_ascii());
            head.extend(byte);
        }
        head
    }

    /// All that still comes, and how it ends.
    pub fn rest(&self) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        match (&self.0).read_to_end(&mut bytes) {
            Ok(_) => (bytes, End::Fin),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => (bytes, End::Reset),
            Err(error) => panic!("{error} after {} bytes", bytes.len()),
        }
    }

    /// Sends the last byte's FIN.
    pub fn finish(&self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    /// Resets the connection.
    pub fn reset(self) {
        set_socket_linger(&self.0, Some(Duration::ZERO)).unwrap();
    }
}
