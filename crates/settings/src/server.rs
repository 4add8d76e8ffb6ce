//! The operator's side: a bounded number of connections, one call on each, updates as they come to be.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tonic::server::{Grpc, ServerStreamingService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::{LONGEST_NAME, Update, WATCH, Who};

/// The most connections, one for each sidecar. Whoever comes beyond is turned away, keeps the settings that it has, and
/// asks again later, perhaps another replica.
pub const CONNECTIONS: usize = 16_384;

/// Calls at once on one connection. A sidecar has one.
const CALLS: u32 = 2;

/// The most bytes of a question.
const LONGEST_QUESTION: usize = 4 * LONGEST_NAME;

/// How often a sidecar is asked whether it is still there, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(20);

/// Why nobody is told anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// That is not a pod's name.
    NoPod,
    /// The operator is stopping.
    Stopping,
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoPod => Self::invalid_argument("namespace and pod have to be names in Kubernetes"),
            Refusal::Stopping => Self::unavailable("stopping; another replica may answer"),
        }
    }
}

/// What `say` makes of what a channel has, now and whenever that changes; the same is said once. Where it makes nothing,
/// nothing is said yet.
pub fn changes<T>(
    mut from: watch::Receiver<T>,
    say: impl Fn(&T) -> Option<Update> + Send + 'static,
) -> impl Stream<Item = Update> + Send
where
    T: Send + Sync + 'static,
{
    from.mark_changed();
    stream::unfold((from, say, None), |(mut from, say, last)| async move {
        loop {
            from.changed().await.ok()?;
            let update = say(&from.borrow_and_update());
            if let Some(update) = update.filter(|update| last != Some(update.revision())) {
                let last = Some(update.revision());
                return Some((update, (from, say, last)));
            }
        }
    })
}

/// Answers calls on `listener` until `stop` is true. `updates` says what a pod is to be told, now and later.
pub async fn serve<F, S>(listener: TcpListener, updates: F, mut stop: watch::Receiver<bool>)
where
    F: Fn(Who) -> S + Clone + Send + Sync + 'static,
    S: Stream<Item = Update> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!(%error, "a sidecar's connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            tracing::warn!("{CONNECTIONS} sidecars are connected, and one more is turned away");
            continue;
        };
        let (updates, stop) = (updates.clone(), stop.clone());
        tokio::spawn(async move {
            connection(socket, updates, stop).await;
            drop(permit);
        });
    }
}

async fn connection<F, S>(socket: TcpStream, updates: F, stop: watch::Receiver<bool>)
where
    F: Fn(Who) -> S + Clone + Send + Sync + 'static,
    S: Stream<Item = Update> + Send + 'static,
{
    let stopping = stop.clone();
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let method = Method {
            updates: updates.clone(),
            stop: stopping.clone(),
        };
        async move {
            if request.uri().path() != WATCH {
                let status = Status::unimplemented(format!("there is only {WATCH}"));
                return Ok::<_, Infallible>(status.into_http());
            }
            let mut grpc =
                Grpc::new(ProstCodec::<Update, Who>::default()).max_decoding_message_size(LONGEST_QUESTION);
            Ok(grpc.server_streaming(method, request).await)
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(CALLS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .serve_connection(TokioIo::new(socket), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a sidecar's connection ended");
    }
}

/// The one method, for one call.
struct Method<F> {
    updates: F,
    stop: watch::Receiver<bool>,
}

impl<F, S> ServerStreamingService<Who> for Method<F>
where
    F: Fn(Who) -> S,
    S: Stream<Item = Update> + Send + 'static,
{
    type Response = Update;
    type ResponseStream = std::pin::Pin<Box<dyn Stream<Item = Result<Update, Status>> + Send>>;
    type Future = std::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Who>) -> Self::Future {
        let who = request.into_inner();
        let is_name = |name: &String| (1..=LONGEST_NAME).contains(&name.len());
        if ![&who.namespace, &who.pod].into_iter().all(is_name) {
            return std::future::ready(Err(Refusal::NoPod.into()));
        }
        let mut stop = self.stop.clone();
        let stopped = async move {
            // the other end goes away only with the operator
            let _stop_or_gone = stop.wait_for(|stop| *stop).await;
        };
        let updates = (self.updates)(who).map(Ok).take_until(stopped);
        let end = stream::once(async { Err(Refusal::Stopping.into()) });
        std::future::ready(Ok(Response::new(Box::pin(updates.chain(end)))))
    }
}
