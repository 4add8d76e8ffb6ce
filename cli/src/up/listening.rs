//! Whether a program listens on its port, from the kernel's table and without a connection that it would notice.

use std::fs::read_to_string;
use std::io;

use super::netns::Netns;

/// The state of a listening socket in proc_net_tcp(5).
const LISTEN: &str = "0A";

/// Whether anything in the namespace listens on TCP `port`, on any of its addresses.
pub(super) async fn listens(namespace: &Netns, port: u16) -> io::Result<bool> {
    namespace
        .inside(move || {
            let ipv4 = read_to_string("/proc/thread-self/net/tcp")?;
            // a kernel without IPv6 has no such table
            let ipv6 = read_to_string("/proc/thread-self/net/tcp6").unwrap_or_default();
            Ok(has_listener(&ipv4, port) || has_listener(&ipv6, port))
        })
        .await
}

fn has_listener(table: &str, port: u16) -> bool {
    table.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace();
        let local = fields.nth(1).and_then(|address| address.rsplit_once(':'));
        let state = fields.nth(1);
        state == Some(LISTEN) && local.is_some_and(|(_, hex)| u16::from_str_radix(hex, 16) == Ok(port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 17 1
   1: 0A00C90A:0050 0B00C90A:9C40 01 00000000:00000000 00:00000000 00000000     0        0 18 1
";

    #[test]
    fn only_a_listening_socket_counts() {
        assert!(has_listener(TABLE, 8080));
        assert!(
            !has_listener(TABLE, 80),
            "an established connection is no listener"
        );
        assert!(!has_listener(TABLE, 8081));
    }

    #[test]
    fn what_is_no_table_has_no_listener() {
        assert!(!has_listener("", 80));
        assert!(!has_listener("a b\n:: : : :\n", 80));
    }

    #[tokio::test]
    async fn the_kernel_is_asked_about_the_right_namespace() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let here = Netns::current().unwrap();
        // entering even one's own namespace takes the right to enter namespaces
        match listens(&here, port).await {
            Ok(listening) => assert!(listening),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
        }
    }
}
