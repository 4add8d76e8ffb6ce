//! Ports of the host that lead into the mesh.
//!
//! The listeners were made on the host and stay there wherever they are accepted from; the connections behind them
//! are made here, in the mesh. Bytes pass as they are.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::plan::Published;

/// Connections that a published port carries at a time; more wait in the listener's queue.
const CONNECTIONS: usize = 1024;
/// How long to leave a listener alone that cannot accept, for want of file descriptors say.
const BREATH: Duration = Duration::from_millis(100);

/// Forwards what comes in on `listener` to the replicas in turn, for as long as the runtime lives.
pub(super) fn forward(listener: TcpListener, published: Published) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        for target in published.targets.iter().cycle() {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let Ok((client, _)) = listener.accept().await else {
                tokio::time::sleep(BREATH).await;
                continue;
            };
            let target = *target;
            tokio::spawn(async move {
                // whatever ends it, both sides see it end
                drop(carry(client, target).await);
                drop(place);
            });
        }
    });
    Ok(())
}

async fn carry(mut client: TcpStream, target: SocketAddr) -> io::Result<()> {
    let mut service = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    service.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut service).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// A server that says `word` to the first connection.
    fn server(word: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(word.as_bytes()).unwrap());
        address
    }

    #[tokio::test]
    async fn connections_go_to_the_replicas_in_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap();
        let targets = vec![server("one"), server("two")];
        forward(
            listener,
            Published {
                what: "web".to_owned(),
                host,
                targets,
            },
        )
        .unwrap();
        for word in ["one", "two"] {
            let answer = tokio::task::spawn_blocking(move || {
                let mut answer = String::new();
                std::net::TcpStream::connect(host)
                    .unwrap()
                    .read_to_string(&mut answer)
                    .map(|_| answer)
            });
            assert_eq!(answer.await.unwrap().unwrap(), word);
        }
    }
}
