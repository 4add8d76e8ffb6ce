//! Clients that make the one exchange, over HTTP/1.1 keep-alive or on a stream of an HTTP/2 connection, and check
//! every answer whole: a contender that answers fast and wrong has failed.

use std::{io, net::SocketAddr};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::exchange;

/// Room for one answer's head and body; whatever needs more is not the answer.
const ROOM: usize = 4096;

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection could not be made, or broke.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// The connection ended before the answer did.
    #[error("connection closed within an answer")]
    Closed,
    /// An HTTP/1.1 head that is none.
    #[error("answer does not parse: {0}")]
    Head(#[from] httparse::Error),
    /// An HTTP/2 error of the stream or of its connection.
    #[error("http/2: {0}")]
    H2(#[from] h2::Error),
    /// The request could not be made.
    #[error("request: {0}")]
    Request(#[from] http::Error),
    /// The status was not 200.
    #[error("status {0} instead of 200")]
    Status(u16),
    /// The body was not the origin's.
    #[error("body is not what the origin sent")]
    Body,
}

/// A place for one request at a time.
#[derive(Debug)]
pub enum Client {
    /// A connection of its own.
    H1(H1),
    /// A stream among others on a shared connection.
    H2(H2),
}

impl Client {
    /// Makes one exchange and checks its answer.
    ///
    /// # Errors
    /// If the answer is not the one that the origin sends. The client is not to be used again.
    pub async fn exchange(&mut self) -> Result<(), ClientError> {
        match self {
            Self::H1(client) => client.exchange().await,
            Self::H2(client) => client.exchange().await,
        }
    }
}

/// An HTTP/1.1 connection that is kept alive.
#[derive(Debug)]
pub struct H1 {
    stream: TcpStream,
    request: Bytes,
    room: Box<[u8]>,
}

impl H1 {
    /// Connects to `target`.
    ///
    /// # Errors
    /// If the connection is refused.
    pub async fn connect(target: SocketAddr) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(target).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            request: exchange::h1_request().into(),
            room: vec![0; ROOM].into(),
        })
    }

    async fn exchange(&mut self) -> Result<(), ClientError> {
        self.stream.write_all(&self.request).await?;
        let mut filled = 0;
        loop {
            let free = self
                .room
                .get_mut(filled..)
                .filter(|free| !free.is_empty())
                .ok_or(ClientError::Body)?;
            match self.stream.read(free).await? {
                0 => return Err(ClientError::Closed),
                n => filled += n,
            }
            if whole_answer(self.room.get(..filled).unwrap_or_default())? {
                return Ok(());
            }
        }
    }
}

/// Whether the bytes are a whole right answer; `false` if more of it must come.
fn whole_answer(bytes: &[u8]) -> Result<bool, ClientError> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else {
        return Ok(false);
    };
    match response.code {
        Some(200) => {}
        code => return Err(ClientError::Status(code.unwrap_or_default())),
    }
    let body = bytes.get(head..).unwrap_or_default();
    if !exchange::ANSWER.as_bytes().starts_with(body) {
        return Err(ClientError::Body);
    }
    Ok(body.len() == exchange::ANSWER.len())
}

/// One of the streams of an HTTP/2 connection.
#[derive(Debug, Clone)]
pub struct H2 {
    connection: SendRequest<Bytes>,
    request: Request<()>,
}

impl H2 {
    /// Connects to `target` with prior knowledge. Clones share the connection.
    ///
    /// # Errors
    /// If the connection is refused, or the handshake fails.
    pub async fn connect(target: SocketAddr) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(target).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = h2::client::handshake(stream).await?;
        // ends with the connection; its errors reach every stream, which report them
        tokio::spawn(driver);
        Ok(Self {
            connection,
            request: exchange::h2_request()?,
        })
    }

    async fn exchange(&mut self) -> Result<(), ClientError> {
        let mut connection = self.connection.clone().ready().await?;
        let (response, _) = connection.send_request(self.request.clone(), true)?;
        let (head, mut body) = response.await?.into_parts();
        if head.status != StatusCode::OK {
            return Err(ClientError::Status(head.status.as_u16()));
        }
        let mut rest = exchange::ANSWER.as_bytes();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            rest = rest.strip_prefix(chunk.as_ref()).ok_or(ClientError::Body)?;
        }
        if rest.is_empty() {
            Ok(())
        } else {
            Err(ClientError::Body)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_only_with_its_last_byte() {
        let wire = exchange::h1_response();
        for cut in 0..wire.len() {
            assert!(!whole_answer(&wire[..cut]).unwrap(), "cut at {cut}");
        }
        assert!(whole_answer(&wire).unwrap());
    }

    #[test]
    fn a_wrong_status_or_body_is_an_error() {
        let wire = String::from_utf8(exchange::h1_response()).unwrap();
        let unavailable = wire.replacen("200 OK", "503 Service Unavailable", 1);
        assert!(matches!(
            whole_answer(unavailable.as_bytes()),
            Err(ClientError::Status(503))
        ));
        let wrong = wire.replace("EUR", "USD");
        assert!(matches!(whole_answer(wrong.as_bytes()), Err(ClientError::Body)));
        let longer = wire + "x";
        assert!(matches!(whole_answer(longer.as_bytes()), Err(ClientError::Body)));
    }
}
