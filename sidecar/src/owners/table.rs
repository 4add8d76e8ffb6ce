//! The kernel's table of TCP sockets, as `/proc/net/tcp` and `/proc/net/tcp6` print it (proc_net_tcp in the kernel's
//! documentation).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A connected socket: its own address, and the other end's.
pub type Ends = (SocketAddr, SocketAddr);

/// The inodes of the sockets of a table that somebody holds. A connection that nobody has accepted yet has none.
pub(super) fn sockets(table: &str) -> impl Iterator<Item = (Ends, u64)> + '_ {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let local = address(fields.nth(1)?)?;
        let remote = address(fields.next()?)?;
        let inode = fields.nth(6)?.parse().ok()?;
        (inode != 0).then_some(((local, remote), inode))
    })
}

/// Both ends, with an IPv4 address as such even where it stands in an IPv6 socket.
pub(super) fn canonical((local, remote): Ends) -> Ends {
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    (canonical(local), canonical(remote))
}

/// `0100007F:1F90`: words of 32 bits, each in the byte order of this machine, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| {
        Some(
            u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16)
                .ok()?
                .to_ne_bytes(),
        )
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut bytes = [0; 16];
            for (byte, from) in bytes.iter_mut().zip(words.into_iter().flatten()) {
                *byte = from;
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_read_as_the_kernel_prints_them() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F90 0200000A:CD64 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n\
            \x20  1: 0100007F:1F90 0200000A:CD65 01 00000000:00000000 00:00000000 00000000     0        0 0 1 0\n\
            \x20  2: 0000000000000000FFFF00000100007F:0050 00000000000000000000000001000000:0051 01 0:0 0:0 0 0 0 7 1 0\n\
            \x20  3: nonsense\n";
        let read: Vec<_> = sockets(table).collect();
        let expected = [
            (("127.0.0.1:8080", "10.0.0.2:52580"), 4711),
            (("127.0.0.1:80", "[::1]:81"), 7),
        ];
        let expected = expected
            .map(|((local, remote), inode)| ((local.parse().unwrap(), remote.parse().unwrap()), inode));
        assert_eq!(read, expected);
    }

    #[test]
    fn a_connection_of_our_own_stands_in_the_table() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ends = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        assert!(sockets(&table).any(|(found, _)| found == ends));
    }
}
