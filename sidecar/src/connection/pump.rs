//! Moves the bytes of one connection both ways, through whoever watches it.
//!
//! Each thread has one buffer to read into, so that an idle connection owns none. What the other end does not take at
//! once is kept, and until it has gone nothing more is read from this one: back-pressure stays end to end. The end of
//! one side's bytes is passed on as such, and a reset as a reset, behind what was sent before it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;
use tokio::task::unconstrained;

use super::watch::Watch;
use crate::record::{Observed, Present};
use crate::tap::{Passed, Side};

/// Bytes that are read at a time.
const READ_BYTES: usize = 64 * 1024;

/// So often one direction reads before it is the other's turn: a download that never pauses must not hold up what the
/// client has to say meanwhile.
const READS_IN_A_ROW: usize = 16;

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { input: vec![0; READ_BYTES].into_boxed_slice(), out: Vec::new() });
}

struct Scratch {
    input: Box<[u8]>,
    /// What a tap has made of the input.
    out: Vec<u8>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Both ends have sent their last byte.
    Orderly,
    /// This end reset it, or is gone.
    Reset(Side),
}

/// Bytes on their way from one end to the other.
#[derive(Default)]
struct Flow {
    /// Taken from the one, not taken by the other.
    kept: Vec<u8>,
    /// Of these, so many have gone.
    gone: usize,
    /// The task is going to be woken when the one has sent more.
    awaited: bool,
    /// The one has sent its last byte.
    ended: bool,
    /// The other has been told so, or gets to feel a reset instead.
    told: bool,
    /// Bytes that were read.
    bytes: u64,
}

/// How a connection ended, and how many bytes client and server had sent.
pub(super) struct Pumped {
    pub closed: Closed,
    pub from_client: u64,
    pub from_server: u64,
}

/// Passes everything on until both ends have closed, or one has reset.
pub(super) async fn pump(
    client: &mut TcpStream,
    server: &mut TcpStream,
    watch: &mut Watch,
    observed: &mut Observed,
    present: &Present,
) -> Pumped {
    let (mut up, mut down) = (Flow::default(), Flow::default());
    // takes nothing more
    let mut deaf = None;
    let step = poll_fn(|context: &mut Context<'_>| {
        if let Some(question) = present.asked() {
            question.answer(watch.requests());
        }
        let mut watcher = Watcher {
            watch,
            observed,
            released: Vec::new(),
        };
        let (here, there) = (&mut *client, &mut *server);
        // the server's bytes first: they may release some of the client's
        let down_done = if deaf == Some(Side::Client) {
            Poll::Ready(Err(Side::Client))
        } else {
            down.drive(Side::Server, there, here, &mut watcher, context)
        };
        if !watcher.released.is_empty() {
            up.keep(&std::mem::take(&mut watcher.released));
        }
        let up_done = if deaf == Some(Side::Server) {
            Poll::Ready(Err(Side::Server))
        } else {
            up.drive(Side::Client, here, there, &mut watcher, context)
        };
        match (up_done, down_done) {
            // it may have sent something before it went, an answer to half a request, say. That still arrives, as far
            // as the other end takes it at once
            (Poll::Ready(Err(Side::Server)), Poll::Pending) if down.kept.is_empty() => {
                (deaf, down.told) = (Some(Side::Server), true);
                Poll::Pending
            }
            (Poll::Pending, Poll::Ready(Err(Side::Client))) if up.kept.is_empty() => {
                (deaf, up.told) = (Some(Side::Client), true);
                Poll::Pending
            }
            (Poll::Ready(Err(side)), _) | (_, Poll::Ready(Err(side))) => Poll::Ready(Closed::Reset(side)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Closed::Orderly),
            _ => Poll::Pending,
        }
    });
    // it has a bound of its own: READS_IN_A_ROW
    let closed = unconstrained(step).await;
    Pumped {
        closed,
        from_client: up.bytes,
        from_server: down.bytes,
    }
}

struct Watcher<'w> {
    watch: &'w mut Watch,
    observed: &'w mut Observed,
    /// Bytes of the client that are held back no longer.
    released: Vec<u8>,
}

impl Flow {
    /// Moves what can be moved. Ready when the end has been passed on, or with the side that broke the connection.
    fn drive(
        &mut self,
        side: Side,
        from: &TcpStream,
        to: &mut TcpStream,
        watcher: &mut Watcher<'_>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Side>> {
        let other = if side == Side::Client {
            Side::Server
        } else {
            Side::Client
        };
        for _ in 0..READS_IN_A_ROW {
            ready!(self.send_kept(to, context)).map_err(|_| other)?;
            if self.ended {
                if !self.told {
                    ready!(Pin::new(&mut *to).poll_shutdown(context)).map_err(|_| other)?;
                    self.told = true;
                }
                return Poll::Ready(Ok(()));
            }
            ready!(SCRATCH.with_borrow_mut(|scratch| {
                let read = ready!(self.read(from, &mut scratch.input, context)).map_err(|_| side)?;
                let input = scratch.input.get(..read).unwrap_or_default();
                if input.is_empty() {
                    self.ended = true;
                    watcher.watch.on_end(side, &mut self.kept);
                    return Poll::Ready(Ok(()));
                }
                self.bytes = self.bytes.saturating_add(input.len() as u64);
                scratch.out.clear();
                if side == Side::Client {
                    watcher.observed.read();
                }
                let passed = watcher
                    .watch
                    .on_bytes(side, input, &mut scratch.out, watcher.observed);
                let bytes = if passed == Passed::AsIs {
                    input
                } else {
                    &scratch.out
                };
                self.send(bytes, to).map_err(|_| other)?;
                if passed == Passed::Edited {
                    watcher.observed.written();
                }
                watcher.watch.give_up(&mut watcher.released, watcher.observed);
                Poll::Ready(Ok(()))
            }))?;
        }
        // there may be more to read, of which nobody would tell us
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads what is there.
    ///
    /// A task is woken for one of two sockets nearly always. What is known of the other one is that nothing has come
    /// since its wake-up was asked for, and that is not asked for again.
    fn read(
        &mut self,
        from: &TcpStream,
        into: &mut [u8],
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut read = None;
            let tried = from.try_io(Interest::READABLE, || {
                self.awaited = false;
                let (_, bytes) = rustix::net::recv(from, &mut *into, RecvFlags::empty())?;
                read = Some(bytes);
                // a socket that had less to give than there was room for is empty: none needs to be read to learn that
                if (1..into.len()).contains(&bytes) {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(())
            });
            match (read, tried) {
                (Some(bytes), _) => return Poll::Ready(Ok(bytes)),
                (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                (None, _) if self.awaited => return Poll::Pending,
                (None, _) => {}
            }
            let ready = from.poll_read_ready(context);
            self.awaited = ready.is_pending();
            ready!(ready)?;
        }
    }

    /// Sends as much as the other end takes now, and keeps the rest.
    fn send(&mut self, bytes: &[u8], to: &TcpStream) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let send = || Ok(rustix::net::send(to, rest, SendFlags::NOSIGNAL)?);
            match to.try_io(Interest::WRITABLE, send) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.keep(rest);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
    }

    /// Sends what was kept. Ready when nothing is left, and its memory has been given back.
    fn send_kept(&mut self, to: &mut TcpStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.kept.get(self.gone..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut *to).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.gone = self.gone.saturating_add(sent),
            }
        }
        (self.kept, self.gone) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }
}
