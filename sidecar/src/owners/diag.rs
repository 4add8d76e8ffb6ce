//! The inode of a socket, from the kernel's own table of them (sock_diag(7)): one question and one answer for each, where
//! `/proc/net/tcp` would list them all.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// A connected socket: its own address, and the other end's.
pub type Ends = (SocketAddr, SocketAddr);

/// `SOCK_DIAG_BY_FAMILY`, and the `NLMSG_ERROR` that says that there is none.
const BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;

/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;

/// `IPPROTO_TCP`.
const TCP: u8 = 6;

/// Lengths of `struct nlmsghdr` and `struct inet_diag_req_v2`, and where its kind stands in the
/// first, and both ports and `idiag_inode` in the `struct inet_diag_msg` of the answer.
const HEADER: usize = 16;
const QUESTION: usize = 56;
const KIND: usize = 4;
const PORTS: usize = HEADER + 4;
const INODE: usize = HEADER + 68;

/// `TCP_ESTABLISHED` and `TCP_CLOSE_WAIT`: states of a connection that may yet be accepted.
const ESTABLISHED: u8 = 1;
const CLOSE_WAIT: u8 = 8;

/// What the kernel has of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Socket {
    /// A socket that somebody holds, with this inode.
    Held(u64),
    /// One that nobody has accepted yet.
    Waiting,
    /// None, or none that anybody holds any more.
    Gone,
}

/// Asks the kernel about sockets of this network namespace.
#[derive(Debug)]
pub(super) struct Diag(OwnedFd);

impl Diag {
    /// # Errors
    /// The kernel cannot be asked.
    pub(super) fn open() -> io::Result<Self> {
        let protocol = SockProtocol::NetlinkSockDiag;
        let flags = SockFlag::SOCK_CLOEXEC;
        Ok(Self(socket(
            AddressFamily::Netlink,
            SockType::Raw,
            flags,
            protocol,
        )?))
    }

    /// What there is of a TCP connection.
    ///
    /// # Errors
    /// The kernel does not answer to such questions.
    pub(super) fn find(&self, ends: Ends) -> io::Result<Socket> {
        send(self.0.as_raw_fd(), &question(ends), MsgFlags::empty())?;
        let mut answer = [0; 512];
        let length = recv(self.0.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let answer = answer.get(..length).unwrap_or_default();
        let ports = word(answer, PORTS).map(|[_, _, high, low]| u16::from_be_bytes([high, low]));
        let inode = word(answer, INODE).map(u32::from_ne_bytes);
        match (word(answer, KIND), inode) {
            // of a connection that is gone, the kernel finds the listener: it has no other end
            (Some(kind), Some(_)) if is(kind, BY_FAMILY) && ports != Some(ends.1.port()) => Ok(Socket::Gone),
            (Some(kind), Some(0)) if is(kind, BY_FAMILY) => Ok(match word(answer, HEADER) {
                Some([_, ESTABLISHED | CLOSE_WAIT, ..]) => Socket::Waiting,
                _ => Socket::Gone,
            }),
            (Some(kind), Some(inode)) if is(kind, BY_FAMILY) => Ok(Socket::Held(u64::from(inode))),
            (Some(kind), _) if is(kind, ERROR) => {
                let error = word(answer, HEADER).map(i32::from_ne_bytes).unwrap_or_default();
                match Errno::from_raw(error.saturating_neg()) {
                    Errno::ENOENT => Ok(Socket::Gone),
                    errno => Err(errno.into()),
                }
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// `nlmsghdr` and `inet_diag_req_v2`.
fn question((local, remote): Ends) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + QUESTION);
    bytes.extend(((HEADER + QUESTION) as u32).to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    // sequence number and port
    bytes.extend([0; 8]);
    let family = if local.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    // no extensions, any state
    bytes.extend([family as i32 as u8, TCP, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(local.port().to_be_bytes());
    bytes.extend(remote.port().to_be_bytes());
    for address in [local.ip(), remote.ip()] {
        match address {
            IpAddr::V4(address) => {
                bytes.extend(address.octets());
                bytes.extend([0; 12]);
            }
            IpAddr::V6(address) => bytes.extend(address.octets()),
        }
    }
    // any interface, no cookie
    bytes.extend([0; 4]);
    bytes.extend([0xff; 8]);
    bytes
}

/// Whether a message is of that kind, by the word that its kind stands in.
fn is([low, high, ..]: [u8; 4], kind: u16) -> bool {
    u16::from_ne_bytes([low, high]) == kind
}

fn word(bytes: &[u8], at: usize) -> Option<[u8; 4]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Both ends, with an IPv4 address as such even where it stands in an IPv6 socket.
pub(super) fn canonical((local, remote): Ends) -> Ends {
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    (canonical(local), canonical(remote))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn own_inode(socket: &TcpStream) -> String {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        link.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_inode_of_a_socket_is_known_once_it_is_accepted() {
        for address in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                eprintln!("SKIPPED: {address}: this machine has none");
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let host = if address.starts_with("[::1") {
                "::1"
            } else {
                "127.0.0.1"
            };
            let client = TcpStream::connect((host, port)).unwrap();
            let ends = (client.peer_addr().unwrap(), client.local_addr().unwrap());
            let diag = Diag::open().unwrap();
            assert_eq!(diag.find(ends).unwrap(), Socket::Waiting);
            let (server, _) = listener.accept().unwrap();
            let Socket::Held(inode) = diag.find(ends).unwrap() else {
                panic!("{ends:?}");
            };
            assert_eq!(format!("socket:[{inode}]"), own_inode(&server));
            assert_eq!(
                canonical((server.local_addr().unwrap(), server.peer_addr().unwrap())),
                ends
            );
            let nowhere = (ends.0, SocketAddr::new(ends.1.ip(), 1));
            assert_eq!(diag.find(nowhere).unwrap(), Socket::Gone);
        }
    }
}
