//! The floor: a TCP forwarder that looks at nothing, as cheap as one on sockets and epoll can honestly be.
//!
//! One read and one write per message and direction and no others: a short read says that the socket is drained, so
//! none is spent on learning `EAGAIN`. One task per connection, one scratch buffer per thread, nothing held for a
//! connection unless its peer does not take the bytes. FIN goes on as FIN, each direction by itself.

use std::{
    cell::RefCell, future::poll_fn, io, net::SocketAddr, pin::Pin, process::ExitCode, task::Poll, thread,
};

use clap::Parser;
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
};

/// Most that is read at once.
const SCRATCH: usize = 64 * 1024;

thread_local! {
    /// Used between a read and the write that follows it, never across a wait, so one is enough for a thread.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// Forwards TCP connections and looks at nothing.
#[derive(Parser)]
struct Args {
    /// Where to take connections.
    #[arg(long)]
    listen: SocketAddr,
    /// Where each of them goes.
    #[arg(long)]
    upstream: SocketAddr,
    /// Threads, each with a listener of its own on the same port.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    workers: u16,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let workers: Vec<_> = (0..args.workers)
        .map(|_| thread::spawn(move || work(args.listen, args.upstream)))
        .collect();
    for worker in workers {
        if let Ok(Err(error)) = worker.join() {
            bench::complain("tcp-copy", &error);
        }
    }
    // workers only end by failing
    ExitCode::FAILURE
}

fn work(listen: SocketAddr, upstream: SocketAddr) -> io::Result<()> {
    bench::runtime::current_thread()?.block_on(async {
        let listener = listen_beside_others(listen)?;
        loop {
            let (downstream, _) = listener.accept().await?;
            tokio::spawn(async move {
                if let Err(error) = forward(downstream, upstream).await {
                    bench::complain("tcp-copy", &error);
                }
            });
        }
    })
}

fn listen_beside_others(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

async fn forward(mut downstream: TcpStream, upstream: SocketAddr) -> io::Result<()> {
    let mut upstream = TcpStream::connect(upstream).await?;
    downstream.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let (from_client, to_client) = downstream.split();
    let (from_server, to_server) = upstream.split();
    tokio::try_join!(copy(from_client, to_server), copy(from_server, to_client))?;
    Ok(())
}

/// Passes bytes on until the sender's FIN, and then that.
async fn copy(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
    while let Passed::Bytes { refused } = pass(&mut from, &to).await? {
        if !refused.is_empty() {
            to.write_all(&refused).await?;
        }
    }
    to.shutdown().await
}

enum Passed {
    Bytes {
        /// What the receiver has not taken; empty, and so without an allocation, nearly always.
        refused: Vec<u8>,
    },
    End,
}

/// One read and one write, by way of the thread's buffer.
async fn pass(from: &mut ReadHalf<'_>, to: &WriteHalf<'_>) -> io::Result<Passed> {
    poll_fn(|context| {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            std::task::ready!(Pin::new(&mut *from).poll_read(context, &mut buffer))?;
            let bytes = buffer.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(Passed::End));
            }
            let taken = match to.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                taken => taken?,
            };
            Poll::Ready(Ok(Passed::Bytes {
                refused: bytes.get(taken..).unwrap_or_default().to_vec(),
            }))
        })
    })
    .await
}
