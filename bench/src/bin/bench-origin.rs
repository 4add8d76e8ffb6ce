//! The application behind every contender: answers each request with the same small JSON, on one thread.

use std::{io, net::SocketAddr, process::ExitCode};

use bench::{exchange, load::Protocol};
use clap::Parser;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Most that the heads of requests not yet answered may take.
const ROOM: usize = 64 * 1024;

/// Answers every request with the same small JSON.
#[derive(Parser)]
struct Args {
    /// Where to take connections.
    #[arg(long)]
    listen: SocketAddr,
    /// What they speak.
    #[arg(long, value_enum)]
    protocol: Protocol,
}

fn main() -> ExitCode {
    bench::exit_with("bench-origin", serve(&Args::parse()))
}

fn serve(args: &Args) -> io::Result<()> {
    bench::runtime::current_thread()?.block_on(async {
        let listener = TcpListener::bind(args.listen).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let protocol = args.protocol;
            tokio::spawn(async move {
                let served = match protocol {
                    Protocol::H1 => serve_h1(stream).await,
                    Protocol::H2c => serve_h2(stream).await.map_err(io::Error::other),
                };
                if let Err(error) = served {
                    bench::complain("bench-origin", &error);
                }
            });
        }
    })
}

/// Answers requests without bodies, pipelined or not, until the client ends.
async fn serve_h1(mut stream: TcpStream) -> io::Result<()> {
    let response = exchange::h1_response();
    let mut heads = Vec::new();
    let mut answers = Vec::new();
    while stream.read_buf(&mut heads).await? > 0 {
        while let Some(len) = head_len(&heads)? {
            heads.drain(..len);
            answers.extend_from_slice(&response);
        }
        if heads.len() > ROOM {
            return Err(io::Error::other("a request head larger than 64 KiB"));
        }
        stream.write_all(&answers).await?;
        answers.clear();
    }
    Ok(())
}

/// Length of the first head, once it is all there.
fn head_len(bytes: &[u8]) -> io::Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    match httparse::Request::new(&mut headers)
        .parse(bytes)
        .map_err(io::Error::other)?
    {
        httparse::Status::Complete(len) => Ok(Some(len)),
        httparse::Status::Partial => Ok(None),
    }
}

async fn serve_h2(stream: TcpStream) -> Result<(), h2::Error> {
    let response = exchange::h2_response();
    let mut connection = h2::server::Builder::new()
        .max_concurrent_streams(1_000)
        .handshake(stream)
        .await?;
    while let Some(request) = connection.accept().await {
        let (_, mut respond) = request?;
        respond
            .send_response(response.clone(), false)?
            .send_data(exchange::answer(), true)?;
    }
    Ok(())
}
