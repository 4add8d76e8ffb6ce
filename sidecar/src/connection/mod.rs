//! The life of a connection: where it was going, the same connection made on its behalf, and bytes both ways until
//! both ends are done.
//!
//! One connection in, one connection out. Nothing is decided here for the application: no pool, no retry, no timeout.

mod pump;
mod watch;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Instant, SystemTime};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpSocket, TcpStream};

use self::pump::{Closed, pump};
use self::watch::Watch;
use crate::config::{Listener, Mode, Settings};
use crate::intercept::{InterceptError, is_self, original_destination};
use crate::metrics::{Direction, Refusal};
use crate::record::tls::{self, Connection};
use crate::record::{Observed, Recorder};
use crate::tap::{End, Side};

/// Seconds of silence after which an end is asked whether it is still there, and between the questions. The kernels of
/// client and server can no longer ask each other.
const KEEPALIVE_SECONDS: u32 = 30;

/// Passes one accepted connection on, for as long as it lasts.
pub async fn serve(
    client: TcpStream,
    from: SocketAddr,
    direction: Direction,
    listener: Listener,
    recorder: Rc<Recorder>,
) {
    let metrics = &recorder.pod().metrics;
    metrics.connections_open.inc();
    if let Err(refusal) = pass_on(client, from, direction, listener, &recorder).await {
        metrics.refused(direction, refusal);
    }
    metrics.connections_open.dec();
}

async fn pass_on(
    client: TcpStream,
    from: SocketAddr,
    direction: Direction,
    listener: Listener,
    recorder: &Rc<Recorder>,
) -> Result<(), Refusal> {
    let settings = &recorder.pod().settings;
    let began = (SystemTime::now(), Instant::now());
    let destination = match destination(&client, listener, settings) {
        Ok(destination) => destination,
        Err(refusal) => {
            tracing::debug!(%from, direction = direction.name(), ?refusal, "a connection leads nowhere");
            reset(&client);
            return Err(refusal);
        }
    };
    let server = match dial(destination, settings.mark).await {
        Ok(server) => server,
        Err(error) => {
            tracing::debug!(%from, %destination, direction = direction.name(), %error, "the destination does not answer");
            reset(&client);
            return Err(Refusal::Dial);
        }
    };
    prepare(&client);
    prepare(&server);
    let mut ends = Ends {
        client,
        server,
        orderly: false,
    };

    let peer = if direction == Direction::Inbound {
        from
    } else {
        destination
    };
    let mut observed = Observed::new(Rc::clone(recorder), direction, peer);
    observed.held_as(|| match direction {
        Direction::Inbound => Ok((ends.server.peer_addr()?, ends.server.local_addr()?)),
        // where it was going, not where it was redirected to
        Direction::Outbound if listener.upstream.is_none() => Ok((from, destination)),
        Direction::Outbound => Ok((from, ends.client.local_addr()?)),
    });
    let live = observed.live();
    let opaque = live.mode == Mode::Passthrough || live.opaque_ports.contains(&destination.port());
    let mut watch = if opaque {
        observed.sees_nothing();
        Watch::splice()
    } else {
        Watch::new()
    };
    let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
    let present = recorder.pod().roll.enter(waker);
    let pumped = pump(
        &mut ends.client,
        &mut ends.server,
        &mut watch,
        &mut observed,
        &present,
    )
    .await;
    drop(present);

    ends.orderly = pumped.closed == Closed::Orderly;
    watch.end_all(match pumped.closed {
        Closed::Reset(Side::Client) => End::ClientReset,
        Closed::Reset(Side::Server) | Closed::Orderly => End::ServerReset,
    });
    if let Some((hello, answer)) = watch.hellos() {
        let (from_client, from_server) = (pumped.from_client, pumped.from_server);
        let broken = pumped.closed != Closed::Orderly;
        tls::record(
            &observed,
            &Connection {
                began,
                hello,
                answer,
                from_client,
                from_server,
                broken,
            },
        );
    }
    let metrics = observed.metrics();
    metrics.connection(
        direction,
        watch.protocol(),
        pumped.from_client,
        pumped.from_server,
    );
    Ok(())
}

/// The two ends of a connection that is passed on.
struct Ends {
    client: TcpStream,
    server: TcpStream,
    /// Both have sent their last byte.
    orderly: bool,
}

impl Drop for Ends {
    /// What one end has done to the connection the other one gets to feel. And where it is cut off because the sidecar
    /// has to stop, half an answer must not look like a whole one.
    fn drop(&mut self) {
        if !self.orderly {
            reset(&self.client);
            reset(&self.server);
        }
    }
}

/// Where the client wanted to go.
fn destination(client: &TcpStream, listener: Listener, settings: &Settings) -> Result<SocketAddr, Refusal> {
    if let Some(upstream) = listener.upstream {
        return Ok(upstream);
    }
    let original = original_destination(client).map_err(|error| match error {
        InterceptError::NotRedirected => Refusal::Loop,
        InterceptError::Io(_) => Refusal::NoDestination,
    })?;
    let accepted_at = client.local_addr().map_err(|_| Refusal::NoDestination)?;
    let listeners: Vec<_> = [settings.inbound, settings.outbound]
        .into_iter()
        .flatten()
        .map(|listener| listener.listen)
        .collect();
    if is_self(original, accepted_at, &listeners) {
        Err(Refusal::Loop)
    } else {
        Ok(original)
    }
}

/// An unconnected socket of the address' family.
pub(crate) fn socket_for(address: SocketAddr) -> std::io::Result<TcpSocket> {
    if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
}

/// Connects to `destination`, with the mark that tells our own connections from those that are redirected.
pub(crate) async fn dial(destination: SocketAddr, mark: Option<u32>) -> std::io::Result<TcpStream> {
    let socket = socket_for(destination)?;
    if let Some(mark) = mark {
        setsockopt(&socket, sockopt::Mark, &mark)?;
    }
    socket.connect(destination).await
}

/// No byte waits for another here, and an end that has vanished is noticed.
fn prepare(stream: &TcpStream) {
    let prepared = stream
        .set_nodelay(true)
        .and_then(|()| Ok(setsockopt(stream, sockopt::KeepAlive, &true)?))
        .and_then(|()| Ok(setsockopt(stream, sockopt::TcpKeepIdle, &KEEPALIVE_SECONDS)?))
        .and_then(|()| Ok(setsockopt(stream, sockopt::TcpKeepInterval, &KEEPALIVE_SECONDS)?));
    if let Err(error) = prepared {
        tracing::debug!(%error, "a socket option could not be set; the connection goes on without it");
    }
}

/// Lets the other end see a reset when the stream is dropped.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a connection cannot be reset, and will be closed");
    }
}
