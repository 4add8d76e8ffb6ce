//! Where a redirected connection was going, and the guard against talking to ourselves.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use tokio::net::TcpStream;

/// Why the original destination of a connection is not known.
#[derive(Debug, thiserror::Error)]
pub enum InterceptError {
    /// The kernel has no record of a redirect: the connection was made to the listener itself, or the redirect's rules
    /// are gone since.
    #[error("not redirected: the connection was made to the sidecar's listener itself")]
    NotRedirected,
    /// The socket could not be asked.
    #[error("asking for the original destination: {0}")]
    Io(#[from] io::Error),
}

/// The address that the client had asked for before netfilter redirected it to the listener that accepted `stream`.
///
/// IPv4 clients of a dual-stack listener get an IPv4 address. Connections that came directly may be reported as
/// [`InterceptError::NotRedirected`] or with the listener's own address, depending on whether conntrack watches the
/// namespace: hold the result against [`is_self`].
pub fn original_destination(stream: &TcpStream) -> Result<SocketAddr, InterceptError> {
    // on a dual-stack listener the socket is an IPv6 one, and conntrack still knows the connection as IPv4
    match stream.local_addr()?.ip().to_canonical() {
        IpAddr::V4(_) => {
            let address = getsockopt(stream, sockopt::OriginalDst).map_err(explain)?;
            let ip = Ipv4Addr::from_bits(u32::from_be(address.sin_addr.s_addr));
            Ok((ip, u16::from_be(address.sin_port)).into())
        }
        IpAddr::V6(_) => {
            let address = getsockopt(stream, sockopt::Ip6tOriginalDst).map_err(explain)?;
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            Ok((ip, u16::from_be(address.sin6_port)).into())
        }
    }
}

fn explain(errno: Errno) -> InterceptError {
    match errno {
        // no such connection is tracked; or nothing is tracked here at all
        Errno::ENOENT | Errno::ENOPROTOOPT => InterceptError::NotRedirected,
        errno => InterceptError::Io(errno.into()),
    }
}

/// Whether a connection to `original` would come back to one of our own `listeners`.
///
/// `accepted_at` is the local address of the accepted connection, and an address of this host for sure. A listener on
/// all addresses is met at that one and at the loopback addresses; the same port elsewhere is another sidecar's.
pub fn is_self(original: SocketAddr, accepted_at: SocketAddr, listeners: &[SocketAddr]) -> bool {
    let (ip, here) = (original.ip().to_canonical(), accepted_at.ip().to_canonical());
    let met = |listener: &SocketAddr| {
        let at = listener.ip().to_canonical();
        let is_here = if at.is_unspecified() {
            ip == here || ip.is_loopback()
        } else {
            ip == at
        };
        is_here && listener.port() == original.port()
    };
    (ip == here && original.port() == accepted_at.port()) || listeners.iter().any(met)
}

#[cfg(test)]
mod tests {
    use super::is_self;

    fn would_meet_itself(original: &str, accepted_at: &str) -> bool {
        let listeners = ["[::]:15106", "127.0.0.1:15101", "[::1]:15101"].map(|text| text.parse().unwrap());
        is_self(
            original.parse().unwrap(),
            accepted_at.parse().unwrap(),
            &listeners,
        )
    }

    #[test]
    fn a_connection_that_came_directly_is_ours() {
        assert!(would_meet_itself("10.1.2.3:15106", "[::ffff:10.1.2.3]:15106"));
        assert!(would_meet_itself("[fd00::3]:15106", "[fd00::3]:15106"));
        assert!(would_meet_itself("127.0.0.1:15101", "127.0.0.1:15101"));
    }

    #[test]
    fn a_redirected_connection_to_another_listener_of_ours_is_ours() {
        assert!(would_meet_itself("127.0.0.1:15106", "127.0.0.1:15101"));
        assert!(would_meet_itself("127.0.0.1:15101", "[::ffff:10.1.2.3]:15106"));
        assert!(would_meet_itself("[::1]:15101", "[::ffff:10.1.2.3]:15106"));
    }

    #[test]
    fn the_application_and_other_pods_are_not_ours() {
        assert!(!would_meet_itself("10.1.2.3:8080", "[::ffff:10.1.2.3]:15106"));
        assert!(!would_meet_itself("10.1.2.4:8080", "127.0.0.1:15101"));
        assert!(!would_meet_itself("10.1.2.4:15106", "127.0.0.1:15101"));
        assert!(!would_meet_itself("10.1.2.3:15101", "[::ffff:10.1.2.3]:15106"));
    }
}
