//! A gRPC service whose messages are plain bytes, so that any language can call it without generated code, and a client
//! for it.
//!
//! `/stories.Echo/Unary`, `ServerStream` (three times), `ClientStream` (all in one) and `Bidi` (each as it comes) echo.
//! A message `fail` is answered with NOT_FOUND, `break` with INTERNAL, `wait` not at all.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf, BufMut, Bytes};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::client::Grpc as Caller;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::tokio_stream::{self, wrappers::ReceiverStream};
use tonic::codegen::{BoxFuture, Context, Poll, Service, http};
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::transport::server::{Server, TcpIncoming};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct EchoServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Calls that are not answered, and whose client is still there.
    pub waiting: Arc<AtomicU64>,
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

impl EchoServer {
    /// Starts it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = Echo::default();
        let waiting = Arc::clone(&echo.waiting);
        let (stop, stopped) = oneshot::channel();
        let serving = Server::builder().add_service(echo).serve_with_incoming_shutdown(
            TcpIncoming::from(listener),
            async {
                stopped.await.unwrap_or_default();
            },
        );
        let done = tokio::spawn(async { serving.await.unwrap() });
        Self {
            address,
            waiting,
            stop,
            done,
        }
    }

    /// Says GOAWAY to all clients. Resolves, in what is returned, when the last call has been answered.
    pub fn go_away(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.done
    }
}

#[derive(Clone, Debug, Default)]
struct Echo {
    waiting: Arc<AtomicU64>,
}

impl NamedService for Echo {
    const NAME: &'static str = "stories.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = request
            .uri()
            .path()
            .trim_start_matches("/stories.Echo/")
            .to_owned();
        let waiting = Arc::clone(&self.waiting);
        let method = Method { method, waiting };
        Box::pin(async { Ok(Grpc::new(Raw).streaming(method, request).await) })
    }
}

/// One call. What differs between the kinds of calls does so in the clients only.
struct Method {
    method: String,
    waiting: Arc<AtomicU64>,
}

impl StreamingService<Bytes> for Method {
    type Response = Bytes;
    type ResponseStream = ReceiverStream<Result<Bytes, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let (method, waiting) = (self.method.clone(), Arc::clone(&self.waiting));
        Box::pin(async move {
            if !["Unary", "ServerStream", "ClientStream", "Bidi"].contains(&method.as_str()) {
                return Err(Status::unimplemented(method));
            }
            let (answers, stream) = mpsc::channel(1);
            tokio::spawn(async move { answer(&method, request.into_inner(), &answers, &waiting).await });
            let mut response = Response::new(ReceiverStream::new(stream));
            response
                .metadata_mut()
                .insert("x-first", "before".parse().unwrap());
            Ok(response)
        })
    }
}

/// Answers one call. `None`: its client has gone before that.
async fn answer(
    method: &str,
    mut messages: Streaming<Bytes>,
    answers: &mpsc::Sender<Result<Bytes, Status>>,
    waiting: &AtomicU64,
) -> Option<()> {
    let mut all = Vec::new();
    while let Some(message) = messages.message().await.ok()? {
        let failure = match &message[..] {
            b"fail" => Some(Status::not_found("there is nothing, \u{fc}ber all")),
            b"break" => Some(Status::internal("it broke")),
            b"wait" => {
                waiting.fetch_add(1, Ordering::Relaxed);
                answers.closed().await;
                waiting.fetch_sub(1, Ordering::Relaxed);
                return None;
            }
            _ => None,
        };
        if let Some(mut status) = failure {
            status.metadata_mut().insert("x-last", "behind".parse().unwrap());
            return answers.send(Err(status)).await.ok();
        }
        let times = match method {
            "ServerStream" => 3,
            "ClientStream" => 0,
            _ => 1,
        };
        for _ in 0..times {
            answers.send(Ok(message.clone())).await.ok()?;
        }
        all.extend_from_slice(&message);
    }
    if method == "ClientStream" {
        answers.send(Ok(all.into())).await.ok()?;
    }
    Some(())
}

/// What a client gets to see of a call.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    /// The messages, in order.
    pub messages: Vec<Bytes>,
    /// The status: code and text.
    pub status: (tonic::Code, String),
    /// `x-first` before the messages and `x-last` behind them.
    pub metadata: [Option<String>; 2],
}

/// A connection to a service.
pub async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}

/// Makes a call of the kind that the method is of, as tonic does it.
pub async fn call(channel: &Channel, method: &'static str, messages: Vec<Bytes>) -> Seen {
    let mut caller = Caller::new(channel.clone()).max_decoding_message_size(64 << 20);
    caller.ready().await.unwrap();
    let path = http::uri::PathAndQuery::try_from(format!("/stories.Echo/{method}")).unwrap();
    let one = || Request::new(messages[0].clone());
    let many = || Request::new(tokio_stream::iter(messages.clone()));
    match method {
        "ServerStream" => streamed(caller.server_streaming(one(), path, Raw).await).await,
        "ClientStream" => single(caller.client_streaming(many(), path, Raw).await),
        "Bidi" => streamed(caller.streaming(many(), path, Raw).await).await,
        _ => single(caller.unary(one(), path, Raw).await),
    }
}

/// Opens a stream of messages in both directions.
pub async fn open(channel: &Channel) -> (mpsc::Sender<Bytes>, Streaming<Bytes>) {
    let mut caller = Caller::new(channel.clone());
    caller.ready().await.unwrap();
    let (sender, messages) = mpsc::channel(1);
    let path = http::uri::PathAndQuery::from_static("/stories.Echo/Bidi");
    let request = Request::new(ReceiverStream::new(messages));
    let answers = caller.streaming(request, path, Raw).await.unwrap();
    (sender, answers.into_inner())
}

fn single(result: Result<Response<Bytes>, Status>) -> Seen {
    match result {
        Ok(response) => {
            let metadata = [
                text(response.metadata(), "x-first"),
                text(response.metadata(), "x-last"),
            ];
            Seen {
                messages: vec![response.into_inner()],
                status: (tonic::Code::Ok, String::new()),
                metadata,
            }
        }
        Err(status) => failed(Vec::new(), None, &status),
    }
}

async fn streamed(result: Result<Response<Streaming<Bytes>>, Status>) -> Seen {
    let response = match result {
        Ok(response) => response,
        Err(status) => return failed(Vec::new(), None, &status),
    };
    let first = text(response.metadata(), "x-first");
    let mut stream = response.into_inner();
    let mut messages = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => {
                return Seen {
                    messages,
                    status: (tonic::Code::Ok, String::new()),
                    metadata: [first, None],
                };
            }
            Err(status) => return failed(messages, first, &status),
        }
    }
}

fn failed(messages: Vec<Bytes>, first: Option<String>, status: &Status) -> Seen {
    Seen {
        messages,
        status: (status.code(), status.message().to_owned()),
        metadata: [first, text(status.metadata(), "x-last")],
    }
}

fn text(metadata: &MetadataMap, key: &str) -> Option<String> {
    Some(metadata.get(key)?.to_str().unwrap().to_owned())
}

/// Messages as they are.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
